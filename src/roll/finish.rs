//! After the proof: the new key becomes the default one, and the old one is let go.

use super::journal::Effect;
use super::plan::Step;
use super::run::{Run, Trouble};
use crate::rack::{LaunchTemplateRef, PortError};

impl Run<'_> {
    /// Makes the new key the one that everybody uses by default.
    pub(super) async fn promote(&mut self) -> Result<(), Trouble> {
        self.begin(Step::Promote);
        let name = self.plan.new_key.clone();
        self.started(Effect::PromoteKey).await?;
        self.patiently(async |rack| rack.keys.promote(&name).await)
            .await?;
        self.finished(Effect::PromoteKey).await?;
        self.done(Step::Promote, format!("{name} is the default key now"));
        Ok(())
    }

    /// Deletes the old key pair and forgets its private half, unless something still uses it.
    pub(super) async fn retire(&mut self) -> Result<(), Trouble> {
        let Some(old) = self.plan.old_key.clone() else {
            return Ok(());
        };
        if old == self.plan.new_key {
            return Ok(());
        }
        self.begin(Step::Retire);
        if self.plan.options.keep_old {
            self.done(Step::Retire, format!("{old} stays, as asked"));
            return Ok(());
        }
        if let Some(user) = self.user_of(&old).await? {
            self.warn(format!("{user} still uses {old}, so {old} stays"));
            self.done(Step::Retire, format!("{old} stays"));
            return Ok(());
        }
        self.started(Effect::DeleteOldKeyPair).await?;
        self.patiently(async |rack| rack.key_pairs.delete(&old).await)
            .await?;
        self.finished(Effect::DeleteOldKeyPair).await?;
        self.started(Effect::ForgetOldKey).await?;
        self.patiently(async |rack| rack.keys.delete(&old).await)
            .await?;
        self.finished(Effect::ForgetOldKey).await?;
        self.done(Step::Retire, format!("{old} is deleted"));
        Ok(())
    }

    /// Names something that uses a key pair: a live instance anywhere in the account, or what
    /// the stack's groups start instances from.
    pub(super) async fn user_of(&mut self, key: &str) -> Result<Option<String>, PortError> {
        let instances = self
            .patiently(async |rack| rack.fleet.instances_with_key(key).await)
            .await?;
        if let Some(instance) = instances.into_iter().find(|instance| instance.is_live()) {
            return Ok(Some(format!("instance {}", instance.id)));
        }
        let owners = self.owners().await?;
        let groups = self
            .patiently(async |rack| rack.fleet.groups(&owners.groups).await)
            .await?;
        // What groups start from, and what anything else in the stack (a spot fleet) would.
        let mut templates: Vec<_> = groups
            .iter()
            .filter_map(|group| group.launch_template.clone())
            .collect();
        templates.extend(
            owners
                .launch_templates
                .into_iter()
                .map(|id| LaunchTemplateRef {
                    id,
                    version: "$Latest".to_owned(),
                }),
        );
        let in_templates = self
            .patiently(async |rack| rack.fleet.launch_template_keys(&templates).await)
            .await?;
        if let Some((template, _)) = in_templates
            .into_iter()
            .find(|(_, name)| name.as_deref() == Some(key))
        {
            return Ok(Some(format!("launch template {}", template.id)));
        }
        let configurations: Vec<_> = groups
            .iter()
            .filter_map(|group| group.launch_configuration.clone())
            .collect();
        if configurations.is_empty() {
            return Ok(None);
        }
        let in_configurations = self
            .patiently(async |rack| rack.fleet.launch_configuration_keys(&configurations).await)
            .await?;
        Ok(in_configurations
            .into_iter()
            .find(|(_, name)| name.as_deref() == Some(key))
            .map(|(configuration, _)| format!("launch configuration {configuration}")))
    }
}
