//! After a roll: keys that took the place of leaked ones go, once no instance needs them.

use std::collections::BTreeMap;

use super::TAG_REVOKES;
use super::alone::at_work;
use crate::rack::{Instance, PortError};
use crate::roll::forward::TAG_RACK;
use crate::roll::journal::Effect;
use crate::roll::plan::Step;
use crate::roll::run::{Run, Trouble};

impl Run<'_> {
    /// Deletes the keys of revocations that open no live instance any more, but none that was made
    /// since the roll began.
    pub(in crate::roll) async fn retire_stand_ins(&mut self) -> Result<(), Trouble> {
        let tags = BTreeMap::from([(TAG_RACK.to_owned(), self.plan.rack.clone())]);
        let made = self
            .patiently(async |rack| rack.key_pairs.tagged(&tags).await)
            .await?;
        // By EC2's clock: what was made after our own key may be about to open an instance.
        let own = made.iter().find(|pair| pair.name == self.plan.new_key);
        let Some(began) = own.and_then(|own| own.created_at) else {
            return Ok(());
        };
        for pair in made {
            let is_older = pair.created_at.is_some_and(|made| made < began);
            let is_other = pair.name != self.plan.new_key;
            if !is_other || !is_older || !pair.tags.contains_key(TAG_REVOKES) {
                continue;
            }
            let name = pair.name;
            if let Some(user) = self.opened_by(&name).await? {
                self.warn(format!("{user} is opened by {name}, so {name} stays"));
                continue;
            }
            // Somebody may just have taken it up again for a key that is out.
            let found = self
                .patiently(async |rack| rack.key_pairs.find(&name).await)
                .await?;
            let now = self.clock.now();
            if let Some(roll) = found.and_then(|pair| at_work(&pair, now)) {
                self.warn(format!("roll {roll} is putting {name} in, so {name} stays"));
                continue;
            }
            self.started(Effect::DeleteOldKeyPair).await?;
            self.patiently(async |rack| rack.key_pairs.delete(&name).await)
                .await?;
            self.finished(Effect::DeleteOldKeyPair).await?;
            self.started(Effect::ForgetOldKey).await?;
            self.patiently(async |rack| rack.keys.delete(&name).await)
                .await?;
            self.finished(Effect::ForgetOldKey).await?;
            self.done(
                Step::Retire,
                format!("{name}, in the place of a leaked key, is deleted"),
            );
        }
        Ok(())
    }

    /// Names something that needs a key although it was not started with it, or was.
    async fn opened_by(&mut self, key: &str) -> Result<Option<String>, PortError> {
        let tagged = self
            .patiently(async |rack| rack.fleet.instances_opened_by(key).await)
            .await?;
        match tagged.into_iter().find(Instance::is_live) {
            Some(instance) => Ok(Some(format!("instance {}", instance.id))),
            None => self.user_of(key).await,
        }
    }
}
