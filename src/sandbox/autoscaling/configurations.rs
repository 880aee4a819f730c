//! Launch configurations: what groups start instances from that have no launch template.
//!
//! New accounts cannot make them any more (Auto Scaling guide, "Launch configurations"), but
//! stacks that are old enough still have them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::ec2::LaunchTemplateData;
use super::super::world::World;
use super::AutoScaling;

/// A launch configuration. It never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchConfiguration {
    /// The name, unique in the account.
    pub name: String,
    /// The part of the ARN that tells it from another one of the same name.
    pub uuid: String,
    /// What it holds.
    pub data: LaunchTemplateData,
    /// When it was made.
    pub created: Timestamp,
}

impl AutoScaling {
    /// Returns a launch configuration.
    #[must_use]
    pub fn launch_configuration(&self, name: &str) -> Option<&LaunchConfiguration> {
        self.configurations.get(name)
    }

    /// Goes through the launch configurations, by name.
    pub fn launch_configurations(&self) -> impl Iterator<Item = &LaunchConfiguration> {
        self.configurations.values()
    }
}

impl World {
    /// Makes a launch configuration.
    ///
    /// # Errors
    /// When there is one of that name, or the key pair that it names does not exist.
    pub fn create_launch_configuration(
        &mut self,
        name: &str,
        data: LaunchTemplateData,
    ) -> Result<(), AwsError> {
        if self.autoscaling.configurations.contains_key(name) {
            return Err(AwsError::new(
                400,
                "AlreadyExists",
                format!(
                    "Launch Configuration by this name already exists - A launch configuration \
                     already exists with the name {name}"
                ),
            ));
        }
        if let Some(key) = &data.key_name
            && self.ec2.key_pair(key).is_none()
        {
            let message = format!("The key pair '{key}' does not exist");
            return Err(AwsError::validation(message));
        }
        let configuration = LaunchConfiguration {
            name: name.to_owned(),
            uuid: self.chance.uuid(),
            data,
            created: self.now,
        };
        let configurations = &mut self.autoscaling.configurations;
        configurations.insert(name.to_owned(), configuration);
        Ok(())
    }

    /// Deletes a launch configuration; one that is not there counts as deleted.
    ///
    /// # Errors
    /// `ResourceInUse` while a group starts instances from it.
    pub fn delete_launch_configuration(&mut self, name: &str) -> Result<(), AwsError> {
        let mut groups = self.autoscaling.groups.values();
        let user = groups
            .find(|group| !group.deleting && group.launch_configuration.as_deref() == Some(name));
        if let Some(user) = user {
            return Err(AwsError::new(
                400,
                "ResourceInUse",
                format!(
                    "Cannot delete launch configuration {name} because it is attached to \
                     AutoScalingGroup {}",
                    user.name
                ),
            ));
        }
        self.autoscaling.configurations.remove(name);
        Ok(())
    }

    /// Checks a launch configuration as Auto Scaling does when a group is given one.
    pub(super) fn check_configuration(&self, name: &str) -> Result<(), AwsError> {
        if self.autoscaling.configurations.contains_key(name) {
            return Ok(());
        }
        Err(AwsError::validation(format!(
            "Launch configuration name not found - Launch configuration {name} not found"
        )))
    }
}
