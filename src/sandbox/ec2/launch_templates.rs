//! Launch templates and their versions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::autoscaling::TemplateVersion;
use super::super::world::World;
use super::instances::{LaunchSpec, cluster_of_boot_script};

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
    /// Whether instances are bought on the spot market.
    #[serde(default)]
    pub is_spot: bool,
    /// Tags for the instances.
    pub tags: BTreeMap<String, String>,
}

impl LaunchTemplateData {
    /// Returns what an instance is started with.
    pub(crate) fn spec(&self) -> LaunchSpec {
        LaunchSpec {
            image_id: self.image_id.clone(),
            instance_type: self.instance_type.clone(),
            key_name: self.key_name.clone(),
            cluster: self.user_data.as_deref().and_then(cluster_of_boot_script),
            is_spot: self.is_spot,
            tags: self.tags.clone(),
        }
    }
}

/// A launch template with all its versions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// The id, such as `lt-0123456789abcdef0`.
    pub id: String,
    /// The name, unique in the account.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// The version that `$Default` stands for.
    pub default: u64,
    /// The versions that have not been deleted.
    pub versions: BTreeMap<u64, Version>,
    /// The template's own tags.
    pub tags: BTreeMap<String, String>,
    /// The number of the next version: a deleted number never comes back.
    next: u64,
}

/// One version of a launch template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// What it holds.
    pub data: LaunchTemplateData,
    /// When it was made.
    pub created: Timestamp,
    /// What its maker said about it.
    pub description: Option<String>,
}

impl LaunchTemplate {
    /// Returns the number that `$Latest` stands for.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.versions
            .last_key_value()
            .map_or(self.default, |(number, _)| *number)
    }

    /// Turns a version as callers write it (`3`, `$Latest`, `$Default`) into a number.
    #[must_use]
    pub fn resolve(&self, version: &str) -> Option<u64> {
        let number = match version {
            "$Latest" => self.latest(),
            "$Default" | "" => self.default,
            digits => digits.parse().ok()?,
        };
        self.versions.contains_key(&number).then_some(number)
    }

    /// Adds a version and returns its number.
    pub(super) fn add(
        &mut self,
        data: LaunchTemplateData,
        description: Option<String>,
        now: Timestamp,
    ) -> u64 {
        let number = self.next;
        self.next += 1;
        self.versions.insert(
            number,
            Version {
                data,
                created: now,
                description,
            },
        );
        number
    }
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
        name: &str,
        data: LaunchTemplateData,
    ) -> Result<String, AwsError> {
        if self.ec2.template_ids.contains_key(name) {
            return Err(AwsError::new(
                400,
                "InvalidLaunchTemplateName.AlreadyExistsException",
                "Launch template name already in use.",
            ));
        }
        let id = self.chance.id("lt");
        let mut template = LaunchTemplate {
            id: id.clone(),
            name: name.to_owned(),
            created: self.now,
            default: 1,
            versions: BTreeMap::new(),
            tags: BTreeMap::new(),
            next: 1,
        };
        template.add(data, None, self.now);
        self.ec2.template_ids.insert(name.to_owned(), id.clone());
        self.ec2.templates.insert(id.clone(), template);
        Ok(id)
    }

    /// Adds a version and returns its number.
    ///
    /// # Errors
    /// When the template does not exist.
    pub fn create_launch_template_version(
        &mut self,
        id: &str,
        data: LaunchTemplateData,
    ) -> Result<u64, AwsError> {
        let now = self.now;
        let template = self
            .ec2
            .templates
            .get_mut(id)
            .ok_or_else(|| no_such_template(id))?;
        Ok(template.add(data, None, now))
    }

    /// Returns the number of the newest version (`LatestVersionNumber`).
    #[must_use]
    pub fn latest_launch_template_version(&self, id: &str) -> Option<u64> {
        self.ec2.templates.get(id).map(LaunchTemplate::latest)
    }

    /// Deletes one version; one that is not there counts as deleted.
    ///
    /// The default version stays, as EC2 has it: another one would have to be made the default
    /// first (EC2 User Guide, "Delete a launch template version").
    pub fn delete_launch_template_version(&mut self, id: &str, version: u64) {
        if let Some(template) = self.ec2.templates.get_mut(id)
            && template.default != version
        {
            template.versions.remove(&version);
        }
    }

    /// Deletes a launch template; one that is not there counts as deleted.
    pub fn delete_launch_template(&mut self, id: &str) {
        if let Some(template) = self.ec2.templates.remove(id) {
            self.ec2.template_ids.remove(&template.name);
        }
    }

    /// Says what an instance of that template version is started from.
    pub(crate) fn launch_spec(&self, version: &TemplateVersion) -> Option<LaunchSpec> {
        let data = &self
            .launch_template(&version.id)?
            .versions
            .get(&version.version)?
            .data;
        let mut spec = data.spec();
        spec.tags
            .insert("aws:ec2launchtemplate:id".to_owned(), version.id.clone());
        spec.tags.insert(
            "aws:ec2launchtemplate:version".to_owned(),
            version.version.to_string(),
        );
        Some(spec)
    }

    /// Returns a launch template by its id.
    #[must_use]
    pub fn launch_template(&self, id: &str) -> Option<&LaunchTemplate> {
        self.ec2.templates.get(id)
    }

    /// Returns the id of the launch template of that name.
    #[must_use]
    pub fn launch_template_id(&self, name: &str) -> Option<&str> {
        self.ec2.template_ids.get(name).map(String::as_str)
    }
}

/// EC2's answer about a template id that it does not know.
pub(super) fn no_such_template(id: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidLaunchTemplateId.NotFound",
        format!("The specified launch template, with template ID {id}, does not exist."),
    )
}
