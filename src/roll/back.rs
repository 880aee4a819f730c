//! The way back: the new key goes, once nothing can need it any more.

use std::time::Duration;

use super::journal::{Effect, Entry};
use super::plan::Step;
use super::run::{Run, Trouble};
use crate::rack::PortError;

/// How long instances with the new key are waited for: hooks may hold them on their way out.
const GOING_PATIENCE: Duration = Duration::from_secs(45 * 60);
/// Between two looks at them.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

impl Run<'_> {
    /// Deletes the new key pair and forgets its private half.
    ///
    /// # Errors
    /// When the stack or a live instance still needs the key, or nobody answers. Then the key
    /// stays in the key store, and the roll can be resumed to try again.
    pub(super) async fn discard(&mut self) -> Result<(), Trouble> {
        if self.plan.is_api() {
            return self.discard_value().await;
        }
        self.begin(Step::Discard);
        self.note(Entry::TurnedBack).await;
        let key = self.plan.new_key.clone();
        self.refuse_while_stack_names(&key).await?;
        self.wait_until_nobody_carries(&key).await?;
        if self.plan.revocation().is_some() {
            self.refuse_while_opened_by(&key).await?;
        }
        self.note(Entry::Started(Effect::DeleteNewKeyPair)).await;
        self.patiently(async |rack| rack.key_pairs.delete(&key).await)
            .await?;
        self.note(Entry::Finished(Effect::DeleteNewKeyPair)).await;
        self.note(Entry::Started(Effect::ForgetNewKey)).await;
        self.patiently(async |rack| rack.keys.delete(&key).await)
            .await?;
        self.note(Entry::Finished(Effect::ForgetNewKey)).await;
        self.done(Step::Discard, format!("{key} is deleted"));
        Ok(())
    }

    async fn refuse_while_stack_names(&mut self, key: &str) -> Result<(), Trouble> {
        let id = self.plan.stack_id.clone();
        let mut looks = 0;
        loop {
            let stack = match self
                .patiently(async |rack| rack.stacks.describe(&id).await)
                .await
            {
                Ok(stack) => stack,
                Err(PortError::NotFound { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let named = self.named_by(&stack) == Some(true);
            let gone = stack.status.0 == "DELETE_COMPLETE";
            if !named || gone {
                return Ok(());
            }
            // DescribeStacks may be some seconds behind the event that said "rolled back".
            looks += 1;
            if looks > 6 {
                return Err(
                    Trouble::new(format!("the stack still names {key}")).hint(self.resume_hint())
                );
            }
            self.clock.sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Another revocation may have taken the key for its own meanwhile.
    async fn refuse_while_opened_by(&mut self, key: &str) -> Result<(), Trouble> {
        let opened = self
            .patiently(async |rack| rack.fleet.instances_opened_by(key).await)
            .await?;
        match opened.iter().find(|instance| instance.is_live()) {
            None => Ok(()),
            Some(one) => Err(Trouble::new(format!("{} is opened by {key}", one.id))),
        }
    }

    async fn wait_until_nobody_carries(&mut self, key: &str) -> Result<(), Trouble> {
        let began = self.clock.now();
        let mut told = 0;
        loop {
            let instances = self
                .patiently(async |rack| rack.fleet.instances_with_key(key).await)
                .await?;
            let live: Vec<_> = instances
                .iter()
                .filter(|instance| instance.is_live())
                .collect();
            let Some(first) = live.first() else {
                return Ok(());
            };
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if passed.unwrap_or_default() > GOING_PATIENCE {
                let message = format!("{} still carries {key}", first.id);
                return Err(Trouble::new(message).hint(self.resume_hint()));
            }
            if told != live.len() {
                told = live.len();
                let ids: Vec<_> = live.iter().map(|instance| instance.id.as_str()).collect();
                self.warn(format!(
                    "waiting for {} to go: still with {key}",
                    ids.join(", ")
                ));
            }
            if !self.pause(BETWEEN_LOOKS).await {
                return Err(Trouble::new("interrupted on the way back").hint(self.resume_hint()));
            }
        }
    }
}
