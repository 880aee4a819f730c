//! The steps before the stack is touched, and the one that touches it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::EventKind;
use super::gate::TAG_GATED;
use super::journal::{Effect, Entry};
use super::outcome::Outcome;
use super::plan::{Plan, Step};
use super::revoke::{TAG_REVOKES, TAG_REVOKING, mark};
use super::run::{Run, Trouble};
use super::strategy::Strategy;
use crate::ids::RollId;
use crate::rack::{KeyPair, MintedKeyPair, PortError, Stack, UpdateRequest};

/// The tag that says which rack a key pair belongs to.
pub const TAG_RACK: &str = "convox:rack";
/// The tag that says which roll made a key pair.
pub const TAG_ROLL: &str = "convox:roll";
/// The tag that says which stack, by its ARN, which finds it even when it is deleted.
pub const TAG_STACK: &str = "convox:stack";
/// The tag that says which key pair it replaces, so that a roll can be resumed anywhere.
pub const TAG_REPLACES: &str = "convox:replaces";
/// The tag that says that the replaced key pair is to stay.
pub const TAG_KEEP_OLD: &str = "convox:keep-old";
/// The tag that says of which kind it was asked to be.
pub const TAG_KEY_TYPE: &str = "convox:key-type";
/// The tag that says how instances are replaced, where it is not the ordinary way.
pub const TAG_STRATEGY: &str = "convox:strategy";
/// The tag that says how many old instances a surge keeps beside the new ones.
pub const TAG_SURGE: &str = "convox:surge";
/// The tag that says which groups protect their new instances for the roll.
pub const TAG_PROTECTED: &str = "convox:protected";
/// The tag that says who made it.
pub const TAG_CREATED_BY: &str = "convox:created-by";

/// Tries to make a key pair before giving up on answers that get lost.
const MINT_TRIES: u32 = 6;

/// Returns the tags of the key pair that a roll makes.
pub(super) fn key_pair_tags(plan: &Plan) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([
        (TAG_RACK.to_owned(), plan.rack.clone()),
        (TAG_ROLL.to_owned(), plan.roll.to_string()),
        (TAG_STACK.to_owned(), plan.stack_id.clone()),
        (
            TAG_KEY_TYPE.to_owned(),
            plan.options.key_type.as_str().to_owned(),
        ),
        (TAG_CREATED_BY.to_owned(), "convox".to_owned()),
    ]);
    if let Some(old) = &plan.old_key {
        tags.insert(TAG_REPLACES.to_owned(), old.clone());
    }
    if let (Some(old), Some(_)) = (&plan.old_key, plan.revocation()) {
        tags.insert(TAG_REVOKES.to_owned(), old.clone());
        return tags;
    }
    if plan.options.strategy != Strategy::default() {
        let strategy = plan.options.strategy.as_str().to_owned();
        tags.insert(TAG_STRATEGY.to_owned(), strategy);
    }
    if !plan.gates.is_none() {
        tags.insert(TAG_GATED.to_owned(), "true".to_owned());
    }
    if plan.options.strategy == Strategy::Surge {
        tags.insert(TAG_SURGE.to_owned(), plan.options.surge.to_string());
    }
    let protected = plan.groups.iter();
    let protected = protected.filter(|group| plan.touches.protected.contains(&group.name));
    let protected: Vec<&str> = protected.map(|group| group.logical_id.as_str()).collect();
    if !protected.is_empty() {
        tags.insert(TAG_PROTECTED.to_owned(), protected.join(","));
    }
    if plan.options.keep_old {
        tags.insert(TAG_KEEP_OLD.to_owned(), "true".to_owned());
    }
    tags
}

/// A key pair of our name is ours unless its tag names another roll: the name holds the roll id.
pub(super) fn is_of_roll(pair: &KeyPair, roll: &RollId) -> bool {
    pair.tags
        .get(TAG_ROLL)
        .is_none_or(|tag| tag == roll.as_str())
}

/// Makes the update that a plan stands for, keeping everything but the key.
pub(super) fn update_request(plan: &Plan, stack: &Stack) -> UpdateRequest {
    let set = BTreeMap::from([(plan.key_parameter.clone(), plan.new_key.clone())]);
    UpdateRequest::keeping(stack, plan.roll.as_str(), set)
}

impl Run<'_> {
    /// Keeps the private key that everybody uses now under its key pair's name.
    pub(super) async fn preserve(&mut self) -> Result<(), Trouble> {
        let Some(old) = self.plan.old_key.clone() else {
            return Ok(());
        };
        self.begin(Step::Preserve);
        if self
            .patiently(async |rack| rack.keys.get(&old).await)
            .await?
            .is_some()
        {
            self.done(
                Step::Preserve,
                format!("the private key of {old} is kept already"),
            );
            return Ok(());
        }
        self.keep_current(&old).await
    }

    /// Keeps the key that everybody uses by default as that of key pair `old`.
    pub(super) async fn keep_current(&mut self, old: &str) -> Result<(), Trouble> {
        let Some(current) = self
            .patiently(async |rack| rack.keys.current().await)
            .await?
        else {
            self.warn(format!(
                "the key store holds no private key for {old}: instances that still carry it \
                 can be opened only by whoever has a copy"
            ));
            self.done(Step::Preserve, "there is no private key to keep");
            return Ok(());
        };
        self.started(Effect::PreserveKey).await?;
        self.patiently(async |rack| rack.keys.put(old, &current).await)
            .await?;
        self.finished(Effect::PreserveKey).await?;
        self.done(
            Step::Preserve,
            format!("the private key of {old} is kept under its own name"),
        );
        Ok(())
    }

    /// Makes the key pair and keeps its private half.
    pub(super) async fn mint(&mut self) -> Result<(), Trouble> {
        self.check_stop()?;
        self.begin(Step::Mint);
        self.started(Effect::CreateKeyPair).await?;
        let minted = match self.create_key_pair().await {
            Ok(minted) => minted,
            Err(trouble) => {
                let message = trouble.message.clone();
                self.record(Entry::Failed {
                    effect: Effect::CreateKeyPair,
                    message,
                })
                .await?;
                return Err(trouble);
            }
        };
        self.finished(Effect::CreateKeyPair).await?;

        let name = self.plan.new_key.clone();
        if self.resumed {
            self.refuse_to_overwrite(&name, &minted).await?;
        }
        self.started(Effect::StoreKey).await?;
        self.patiently(async |rack| rack.keys.put(&name, &minted.private).await)
            .await?;
        let read_back = self
            .patiently(async |rack| rack.keys.get(&name).await)
            .await?;
        if !read_back.is_some_and(|key| key.is_same_as(&minted.private)) {
            return Err(Trouble::new(format!(
                "{} does not give back the private key that it was given",
                self.plan.key_store
            )));
        }
        self.finished(Effect::StoreKey).await?;
        let detail = format!("key pair {name} is made, and its private half kept");
        self.done(Step::Mint, detail);
        Ok(())
    }

    /// Refuses to put a key in the place of another of the same name, which may open instances.
    async fn refuse_to_overwrite(
        &mut self,
        name: &str,
        minted: &MintedKeyPair,
    ) -> Result<(), Trouble> {
        let kept = self
            .patiently(async |rack| rack.keys.get(name).await)
            .await?;
        if kept.is_none_or(|key| key.is_same_as(&minted.private)) {
            return Ok(());
        }
        let store = &self.plan.key_store;
        let trouble = Trouble::new(format!("{store} keeps another private key as {name}"));
        Err(trouble.hint("somebody has deleted its key pair: roll again, which makes another"))
    }

    /// Makes the key pair. A pair whose answer was lost is no use, since only the answer
    /// holds the private half: it is deleted and made again.
    async fn create_key_pair(&mut self) -> Result<MintedKeyPair, Trouble> {
        let name = self.plan.new_key.clone();
        let (kind, mut tags) = (self.plan.options.key_type, key_pair_tags(&self.plan));
        if self.plan.revocation().is_some() {
            let said = mark(&self.plan.roll, self.clock.now());
            tags.insert(TAG_REVOKING.to_owned(), said);
        }
        let mut last = None;
        for attempt in 0..MINT_TRIES {
            if attempt > 0 {
                let wait = Duration::from_secs(1 << attempt.min(4));
                if let Some(error) = &last {
                    self.tell_of_retry(error, wait);
                }
                if !self.pause(wait).await {
                    break;
                }
                self.clear_unanswered_pair(&name).await?;
            }
            match self.rack.key_pairs.create(&name, kind, &tags).await {
                Ok(minted) => return Ok(minted),
                Err(
                    error @ (PortError::AlreadyExists { .. }
                    | PortError::Unanswered { .. }
                    | PortError::Throttled { .. }),
                ) => {
                    last = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| Trouble::new("interrupted"), Trouble::from))
    }

    /// Deletes a key pair of ours whose private half nobody has.
    pub(super) async fn clear_unanswered_pair(&mut self, name: &str) -> Result<(), Trouble> {
        match self
            .patiently(async |rack| rack.key_pairs.find(name).await)
            .await?
        {
            Some(pair) if is_of_roll(&pair, &self.plan.roll) => {
                self.patiently(async |rack| rack.key_pairs.delete(name).await)
                    .await?;
                Ok(())
            }
            Some(_) => Err(Trouble::new(format!(
                "a key pair {name} exists that another roll made"
            ))),
            None => Ok(()),
        }
    }

    /// Changes the stack's parameter, once nobody else is changing the stack.
    pub(super) async fn install(&mut self) -> Result<(), Trouble> {
        self.check_stop()?;
        self.begin(Step::Install);
        let id = self.plan.stack_id.clone();
        if !self.resumed {
            self.mark_history().await?;
        }
        self.started(Effect::UpdateStack).await?;
        let began = self.clock.now();
        let mut wait = Duration::from_secs(2);
        // Set once an answer was lost: from then on the update may be under way.
        let mut unsure = false;
        loop {
            let stack = self
                .patiently(async |rack| rack.stacks.describe(&id).await)
                .await?;
            // Once an update of ours may be under way, only its end tells what the stack names.
            if let Some(other) = self.other_key(&stack).filter(|_| !unsure) {
                return self.refuse_update(other).await;
            }
            let request = self.update_request(&stack)?;
            let error = match self.rack.stacks.update(&request).await {
                Ok(_) => break,
                Err(error) => error,
            };
            // An answer may be lost, or come as a refusal because the lost one was carried out.
            if self.update_has_begun().await {
                break;
            }
            if self.plan.is_api() && matches!(error, PortError::NoChanges) {
                self.unchanged = true;
                break;
            }
            unsure |= error.is_unanswered();
            let mut busy = None;
            if !error.is_transient() {
                let stack = self
                    .patiently(async |rack| rack.stacks.describe(&id).await)
                    .await?;
                if self.named_by(&stack) == Some(true) {
                    break;
                }
                let refused = matches!(error, PortError::Rejected { .. });
                if !(refused && stack.status.is_busy()) {
                    return self.refuse_update(error.into()).await;
                }
                busy = Some(stack.status);
            }
            let passed =
                Duration::try_from(self.clock.now().duration_since(began)).unwrap_or_default();
            if passed + wait > self.wait_busy.max(Duration::from_secs(60)) {
                if unsure {
                    return Err(self.left_unsure());
                }
                let message = error.to_string();
                self.record(Entry::Failed {
                    effect: Effect::UpdateStack,
                    message,
                })
                .await?;
                let trouble = Trouble::from(error);
                return Err(match busy {
                    Some(_) => trouble
                        .outcome(Outcome::Busy)
                        .hint("wait longer for other updates with `--wait-busy 30m`"),
                    None => trouble,
                });
            }
            match busy {
                Some(status) => self.emit(EventKind::Busy {
                    status: status.to_string(),
                    retry_in_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                }),
                None => self.tell_of_retry(&error, wait),
            }
            // Somebody else's update takes instances too, and our hooks hold them already.
            self.tend_meanwhile(!unsure).await;
            if !self.pause(wait).await {
                if unsure {
                    return Err(self.left_unsure());
                }
                self.check_stop()?;
            }
            wait = (wait * 2).min(Duration::from_secs(15));
        }
        // The stack names the new key from here on: not even a full disk may turn the roll back.
        if let Err(error) = self.finished(Effect::UpdateStack).await {
            self.warn(error.to_string());
        }
        let detail = match self.plan.api() {
            None => format!("{} = {}", self.plan.key_parameter, self.plan.new_key),
            Some(_) if self.unchanged => "the stack has that key already".to_owned(),
            Some(_) => format!("{} is being set", self.plan.key_parameter),
        };
        self.done(Step::Install, detail);
        Ok(())
    }

    /// Nobody knows whether the update was accepted: nothing may be taken back.
    fn left_unsure(&self) -> Trouble {
        Trouble::new("CloudFormation did not say whether it accepted the update")
            .outcome(Outcome::Detached)
            .hint(self.resume_hint())
    }

    /// Says what is wrong where somebody else has changed the key since the roll was planned: its
    /// key pair would stay behind with nobody to delete it.
    fn other_key(&self, stack: &Stack) -> Option<Trouble> {
        let plan = &self.plan;
        let named = stack.parameter(&plan.key_parameter);
        let named = named.filter(|name| !name.is_empty());
        let known = [plan.old_key.as_deref(), Some(&plan.new_key)];
        if plan.is_api() || known.contains(&named) {
            return None;
        }
        let parameter = &plan.key_parameter;
        let now = named.unwrap_or("no key");
        let trouble = Trouble::new(format!(
            "somebody has changed {parameter} to {now} meanwhile"
        ));
        Some(trouble.hint("roll again, which begins with that key"))
    }

    async fn refuse_update(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        let message = trouble.message.clone();
        self.record(Entry::Failed {
            effect: Effect::UpdateStack,
            message,
        })
        .await?;
        Err(trouble)
    }

    /// Learns which events there are already, so that only what follows is taken for ours.
    async fn mark_history(&mut self) -> Result<(), Trouble> {
        let mut wait = Duration::from_secs(1);
        loop {
            match self.tail.skip_history(self.rack.stacks.as_ref()).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => {
                    self.tell_of_retry(&error, wait);
                    if !self.pause(wait).await {
                        self.check_stop()?;
                    }
                    wait = (wait * 2).min(Duration::from_secs(30));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks whether the stack's events say that our update has begun.
    pub(super) async fn update_has_begun(&mut self) -> bool {
        // An unreadable stream is no evidence either way; the token makes asking again safe.
        let _ = self.read_events().await;
        self.tracker.has_started()
    }
}
