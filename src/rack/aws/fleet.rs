//! Auto Scaling groups, spot fleets, their instances and what new ones start from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification};
use aws_sdk_ec2::types::{Filter, Instance as SdkInstance, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::account::Clients;
use super::error::Call;
use super::scaling;
use super::services::count_of;
use super::stacks::timestamp_of;
use crate::rack::{
    Fleet, Group, Hook, Instance, KEY_TAG, Launch, LaunchTemplateRef, Member, PortError,
};

/// How many group names one call carries; a filter takes 200 values, a name has up to 255 letters.
const GROUPS_AT_ONCE: usize = 50;
/// How many instance ids one call carries.
const INSTANCES_AT_ONCE: usize = 100;
/// How many instances one page has at the most (EC2 API reference).
const PAGE: i32 = 1000;

/// The tag that Auto Scaling puts on each member, and takes from one that is detached.
const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// Every state in which an instance still exists.
const STATES: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

/// EC2 and Auto Scaling, as a port.
pub(super) struct AwsFleet {
    clients: Arc<Clients>,
}

impl AwsFleet {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }

    /// Lists the instances that still exist and that `filter` lets through.
    pub(super) async fn existing(&self, filter: Filter) -> Result<Vec<SdkInstance>, PortError> {
        let states = STATES.map(str::to_owned).to_vec();
        let state = Filter::builder()
            .name("instance-state-name")
            .set_values(Some(states))
            .build();
        listed(&self.clients, vec![filter, state]).await
    }

    /// Lists the instances that Auto Scaling's tag names as of `groups`, by id.
    async fn tagged(&self, groups: &[String]) -> Result<BTreeMap<String, Instance>, PortError> {
        let mut found = BTreeMap::new();
        for names in groups.chunks(GROUPS_AT_ONCE) {
            let filter = Filter::builder().name(format!("tag:{GROUP_TAG}"));
            let filter = filter.set_values(Some(names.to_vec())).build();
            for instance in self.existing(filter).await? {
                let instance = instance_of(instance);
                found.insert(instance.id.clone(), instance);
            }
        }
        Ok(found)
    }

    async fn in_spot_fleet(&self, fleet: &str) -> Result<Vec<String>, PortError> {
        let what = format!("spot fleet {fleet}");
        let call = Call::new("ec2", "DescribeSpotFleetInstances", &what);
        let mut ids = Vec::new();
        let mut token = None;
        loop {
            let page = self.clients.ec2().describe_spot_fleet_instances();
            let page = page
                .spot_fleet_request_id(fleet)
                .set_next_token(token)
                .send()
                .await;
            let page = match page.map_err(|error| call.failed(error)) {
                Ok(page) => page,
                Err(PortError::NotFound { .. }) => return Ok(ids),
                Err(error) => return Err(error),
            };
            let active = page.active_instances.unwrap_or_default().into_iter();
            ids.extend(active.filter_map(|instance| instance.instance_id));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(ids);
            }
        }
    }
}

#[async_trait]
impl Fleet for AwsFleet {
    async fn groups(&self, names: &[String]) -> Result<Vec<Group>, PortError> {
        let call = Call::new("autoscaling", "DescribeAutoScalingGroups", "groups");
        let mut found = Vec::new();
        for names in names.chunks(GROUPS_AT_ONCE) {
            let mut token = None;
            loop {
                let page = self.clients.autoscaling().describe_auto_scaling_groups();
                let page = page.set_auto_scaling_group_names(Some(names.to_vec()));
                let page = page.max_records(100).set_next_token(token).send().await;
                let page = page.map_err(|error| call.failed(error))?;
                let groups = page.auto_scaling_groups.unwrap_or_default();
                found.extend(groups.into_iter().map(group_of));
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    async fn instances(
        &self,
        groups: &[String],
        spot_fleets: &[String],
    ) -> Result<Vec<Instance>, PortError> {
        let mut lifecycles = BTreeMap::new();
        let mut owners = BTreeMap::new();
        let (described, tagged) = tokio::try_join!(self.groups(groups), self.tagged(groups))?;
        for group in described {
            for member in group.members {
                owners.insert(member.instance.clone(), group.name.clone());
                lifecycles.insert(member.instance, member.lifecycle);
            }
        }
        for fleet in spot_fleets.iter().filter(|fleet| !fleet.is_empty()) {
            for id in self.in_spot_fleet(fleet).await? {
                owners.entry(id).or_insert_with(|| fleet.clone());
            }
        }
        // The tag finds what the group no longer lists, the lists what is not tagged yet.
        let mut found = tagged;
        let unseen: BTreeSet<String> = owners
            .keys()
            .filter(|id| !found.contains_key(*id))
            .cloned()
            .collect();
        let unseen: Vec<String> = unseen.into_iter().collect();
        for ids in unseen.chunks(INSTANCES_AT_ONCE) {
            // A filter: an id that is gone is an error where ids are named.
            let filter = Filter::builder().name("instance-id");
            for instance in self
                .existing(filter.set_values(Some(ids.to_vec())).build())
                .await?
            {
                let instance = instance_of(instance);
                found.insert(instance.id.clone(), instance);
            }
        }
        let join = |mut instance: Instance| {
            instance.lifecycle = lifecycles.remove(&instance.id);
            instance.owner = owners.remove(&instance.id).or(instance.owner);
            instance
        };
        Ok(found.into_values().map(join).collect())
    }

    async fn instances_with_key(&self, name: &str) -> Result<Vec<Instance>, PortError> {
        let filter = Filter::builder().name("key-name").values(name).build();
        let found = self.existing(filter).await?;
        Ok(found.into_iter().map(instance_of).collect())
    }

    async fn instances_opened_by(&self, name: &str) -> Result<Vec<Instance>, PortError> {
        let filter = Filter::builder().name(format!("tag:{KEY_TAG}"));
        let found = self.existing(filter.values(name).build()).await?;
        Ok(found.into_iter().map(instance_of).collect())
    }

    async fn set_key(&self, instances: &[String], name: &str) -> Result<(), PortError> {
        let call = Call::new("ec2", "CreateTags", "instances");
        for ids in instances.chunks(INSTANCES_AT_ONCE) {
            let tag = Tag::builder().key(KEY_TAG).value(name).build();
            let made = self.clients.ec2().create_tags().tags(tag);
            let made = made.set_resources(Some(ids.to_vec())).send().await;
            made.map_err(|error| call.failed(error))?;
        }
        Ok(())
    }

    async fn console_output(
        &self,
        instance: &str,
        latest: bool,
    ) -> Result<Option<String>, PortError> {
        let what = format!("instance {instance}");
        let call = Call::new("ec2", "GetConsoleOutput", &what);
        let answer = self.clients.ec2().get_console_output();
        // What is not asked for is not sent: only newer instances know the word.
        let answer = answer
            .instance_id(instance)
            .set_latest(latest.then_some(true));
        let answer = answer.send().await.map_err(|error| call.failed(error))?;
        let bytes = answer.output.and_then(|text| STANDARD.decode(text).ok());
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(text.filter(|text| !text.is_empty()))
    }

    async fn launch_template_keys(
        &self,
        templates: &[LaunchTemplateRef],
    ) -> Result<BTreeMap<LaunchTemplateRef, Option<String>>, PortError> {
        let mut keys = BTreeMap::new();
        for template in templates {
            if keys.contains_key(template) {
                continue;
            }
            let what = format!(
                "launch template {} version {}",
                template.id, template.version
            );
            let call = Call::new("ec2", "DescribeLaunchTemplateVersions", &what);
            let answer = self.clients.ec2().describe_launch_template_versions();
            let answer = if template.id.starts_with("lt-") {
                answer.launch_template_id(&template.id)
            } else {
                answer.launch_template_name(&template.id)
            };
            let answer = match answer.versions(&template.version).send().await {
                Ok(answer) => answer,
                Err(error) => match call.failed(error) {
                    PortError::NotFound { .. } => continue,
                    error => return Err(error),
                },
            };
            let versions = answer.launch_template_versions.unwrap_or_default();
            if let Some(version) = versions.into_iter().next() {
                let key = version.launch_template_data.and_then(|data| data.key_name);
                keys.insert(template.clone(), key.filter(|key| !key.is_empty()));
            }
        }
        Ok(keys)
    }

    async fn hooks(&self, group: &str) -> Result<Vec<Hook>, PortError> {
        scaling::hooks(&self.clients, group).await
    }

    async fn put_hook(&self, group: &str, hook: &Hook) -> Result<(), PortError> {
        scaling::put_hook(&self.clients, group, hook).await
    }

    async fn delete_hook(&self, group: &str, name: &str) -> Result<(), PortError> {
        scaling::delete_hook(&self.clients, group, name).await
    }

    async fn hold(&self, group: &str, hook: &str, instance: &str) -> Result<bool, PortError> {
        scaling::hold(&self.clients, group, hook, instance).await
    }

    async fn let_go(&self, group: &str, hook: &str, instance: &str) -> Result<bool, PortError> {
        scaling::let_go(&self.clients, group, hook, instance).await
    }

    async fn protect_new(&self, group: &str, protected: bool) -> Result<(), PortError> {
        scaling::protect_new(&self.clients, group, protected).await
    }

    async fn protect(
        &self,
        group: &str,
        instances: &[String],
        protected: bool,
    ) -> Result<(), PortError> {
        scaling::protect(&self.clients, group, instances, protected).await
    }

    async fn launches(&self, group: &str) -> Result<Vec<Launch>, PortError> {
        scaling::launches(&self.clients, group).await
    }

    async fn launch_configuration_keys(
        &self,
        names: &[String],
    ) -> Result<BTreeMap<String, Option<String>>, PortError> {
        let call = Call::new(
            "autoscaling",
            "DescribeLaunchConfigurations",
            "launch configurations",
        );
        let mut keys = BTreeMap::new();
        for names in names.chunks(GROUPS_AT_ONCE) {
            let mut token = None;
            loop {
                let page = self.clients.autoscaling().describe_launch_configurations();
                let page = page.set_launch_configuration_names(Some(names.to_vec()));
                let page = page.set_next_token(token).send().await;
                let page = page.map_err(|error| call.failed(error))?;
                for found in page.launch_configurations.unwrap_or_default() {
                    let key = found.key_name.filter(|key| !key.is_empty());
                    keys.extend(found.launch_configuration_name.map(|name| (name, key)));
                }
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(keys)
    }
}

/// Lists the instances of the account and region that every one of `filters` lets through.
pub(super) async fn listed(
    clients: &Clients,
    filters: Vec<Filter>,
) -> Result<Vec<SdkInstance>, PortError> {
    let call = Call::new("ec2", "DescribeInstances", "instances");
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = clients.ec2().describe_instances().max_results(PAGE);
        let page = page.set_filters(Some(filters.clone()));
        let page = page.set_next_token(token).send().await;
        let page = page.map_err(|error| call.failed(error))?;
        let reservations = page.reservations.unwrap_or_default().into_iter();
        found.extend(reservations.flat_map(|r| r.instances.unwrap_or_default()));
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn group_of(group: AutoScalingGroup) -> Group {
    // A mixed group names its template one level further in.
    let mixed = group
        .mixed_instances_policy
        .and_then(|policy| policy.launch_template);
    let mixed = mixed.and_then(|template| template.launch_template_specification);
    Group {
        name: group.auto_scaling_group_name.unwrap_or_default(),
        min: count_of(group.min_size.unwrap_or(0)),
        max: count_of(group.max_size.unwrap_or(0)),
        desired: count_of(group.desired_capacity.unwrap_or(0)),
        members: group
            .instances
            .unwrap_or_default()
            .into_iter()
            .map(|member| Member {
                instance: member.instance_id.unwrap_or_default(),
                lifecycle: member
                    .lifecycle_state
                    .map(|state| state.as_str().to_owned())
                    .unwrap_or_default(),
                protected: member.protected_from_scale_in.unwrap_or(false),
            })
            .collect(),
        suspended: group
            .suspended_processes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|process| process.process_name)
            .collect(),
        protects_new: group.new_instances_protected_from_scale_in.unwrap_or(false),
        termination_policies: group.termination_policies.unwrap_or_default(),
        launch_template: group.launch_template.or(mixed).and_then(template_of),
        launch_configuration: group
            .launch_configuration_name
            .filter(|name| !name.is_empty()),
    }
}

pub(super) fn template_of(template: LaunchTemplateSpecification) -> Option<LaunchTemplateRef> {
    Some(LaunchTemplateRef {
        id: template
            .launch_template_id
            .or(template.launch_template_name)?,
        // Auto Scaling takes the default version where none is given.
        version: template.version.unwrap_or_else(|| "$Default".to_owned()),
    })
}

fn instance_of(instance: SdkInstance) -> Instance {
    let tag = |name: &str| {
        let found = instance.tags().iter().find(|tag| tag.key() == Some(name));
        found.and_then(|tag| tag.value()).map(str::to_owned)
    };
    let (owner, name) = (tag(GROUP_TAG), tag("Name"));
    let opened_by = tag(KEY_TAG).filter(|key| !key.is_empty());
    let state = instance
        .state
        .as_ref()
        .and_then(|state| state.name.as_ref());
    Instance {
        name,
        state: state
            .map(|state| state.as_str().to_owned())
            .unwrap_or_default(),
        launched_at: instance.launch_time.as_ref().and_then(timestamp_of),
        id: instance.instance_id.unwrap_or_default(),
        key_name: instance.key_name.filter(|key| !key.is_empty()),
        opened_by,
        owner,
        lifecycle: None,
        private_ip: instance.private_ip_address.filter(|ip| !ip.is_empty()),
        public_ip: instance.public_ip_address.filter(|ip| !ip.is_empty()),
    }
}
