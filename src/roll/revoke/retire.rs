//! After a roll: keys that took the place of leaked ones go, once no instance needs them.

use std::collections::BTreeMap;

use super::TAG_REVOKES;
use crate::rack::{Instance, PortError};
use crate::roll::forward::TAG_RACK;
use crate::roll::journal::Effect;
use crate::roll::plan::Step;
use crate::roll::run::{Run, Trouble};

impl Run<'_> {
    /// Deletes the keys of revocations that open no live instance any more.
    pub(in crate::roll) async fn retire_stand_ins(&mut self) -> Result<(), Trouble> {
        let tags = BTreeMap::from([(TAG_RACK.to_owned(), self.plan.rack.clone())]);
        let made = self
            .patiently(async |rack| rack.key_pairs.tagged(&tags).await)
            .await?;
        for pair in made {
            let is_other = pair.name != self.plan.new_key;
            if !is_other || !pair.tags.contains_key(TAG_REVOKES) {
                continue;
            }
            let name = pair.name;
            if let Some(user) = self.opened_by(&name).await? {
                self.warn(format!("{user} is opened by {name}, so {name} stays"));
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
