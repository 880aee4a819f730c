//! EC2: key pairs, launch templates, instances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::api::{Answer, AwsError, Input};
use super::world::World;

/// EC2's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ec2 {}

/// EC2's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {}

/// What a launch template version holds, as far as a roll can notice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTemplateData {
    /// The machine image.
    pub image_id: Option<String>,
    /// The instance type.
    pub instance_type: Option<String>,
    /// The key pair.
    pub key_name: Option<String>,
    /// The boot script, in clear.
    pub user_data: Option<String>,
    /// Tags for the instances.
    pub tags: BTreeMap<String, String>,
}

/// Carries out what is due.
pub fn on_due(_world: &mut World, due: Due) {
    match due {}
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(_world: &mut World, _action: &str, _input: &Input) -> Option<Answer> {
    None
}

impl World {
    /// Makes a launch template with version 1 and returns its id (`lt-...`).
    ///
    /// The key pair is not checked: AWS makes such a template without complaint.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn create_launch_template(
        &mut self,
        _name: &str,
        _data: LaunchTemplateData,
    ) -> Result<String, AwsError> {
        Ok(String::new())
    }

    /// Adds a version and returns its number.
    ///
    /// # Errors
    /// When the template does not exist.
    pub fn create_launch_template_version(
        &mut self,
        _id: &str,
        _data: LaunchTemplateData,
    ) -> Result<u64, AwsError> {
        Ok(0)
    }

    /// Returns the number of the newest version (`LatestVersionNumber`).
    #[must_use]
    pub fn latest_launch_template_version(&self, _id: &str) -> Option<u64> {
        None
    }

    /// Deletes one version; one that is not there counts as deleted.
    pub fn delete_launch_template_version(&mut self, _id: &str, _version: u64) {}

    /// Deletes a launch template; one that is not there counts as deleted.
    pub fn delete_launch_template(&mut self, _id: &str) {}
}
