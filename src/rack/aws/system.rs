//! A rack as an operator sees it, asked of AWS itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, Instance as SdkInstance};
use aws_sdk_ecs::types::{ContainerInstance, Resource};

use super::account::Clients;
use super::error::Call;
use super::fleet::AwsFleet;
use super::services::count_of;
use super::stacks::{AwsStacks, timestamp_of};
use crate::ids::{Entropy, RollId};
use crate::rack::change::{Change, masked, shown_parameters};
use crate::rack::{
    Fleet as _, KEY_TAG, PortError, Stack, StackResource, StackStatus, Stacks as _, System,
    SystemDescription, SystemInstance,
};

type Result<T> = std::result::Result<T, PortError>;

/// How many container instances one call describes (ECS API reference).
const HOSTS_AT_ONCE: usize = 100;
/// How many instance ids one filter carries.
const INSTANCES_AT_ONCE: usize = 100;

/// The tag that a rack puts on its instances, and its value: the stack's name.
const RACK_TAG: &str = "Rack";
/// What the tag `Purpose` says of instances that only build.
const BUILD: &str = "Build";

/// The group whose members make a rack `converging`, by its name in the template.
const MAIN_GROUP: &str = "Instances";

/// A rack over CloudFormation, EC2, ECS and Auto Scaling.
pub(super) struct AwsSystem {
    clients: Arc<Clients>,
    stacks: AwsStacks,
    fleet: AwsFleet,
    name: String,
    stack: String,
    region: String,
    entropy: Entropy,
}

impl AwsSystem {
    pub(super) fn new(
        clients: Arc<Clients>,
        name: &str,
        stack: &str,
        region: &str,
        entropy: &Entropy,
    ) -> Self {
        Self {
            stacks: AwsStacks::new(Arc::clone(&clients)),
            fleet: AwsFleet::new(Arc::clone(&clients)),
            clients,
            name: name.to_owned(),
            stack: stack.to_owned(),
            region: region.to_owned(),
            entropy: entropy.clone(),
        }
    }

    /// Returns the members of the main group that there should be, and whether all are in service.
    async fn main_group(&self, stack: &Stack) -> Result<Option<(u32, bool)>> {
        let name = match stack.outputs.get("AutoscalingGroup") {
            Some(name) => Some(name.clone()),
            None => {
                let resources = self.stacks.resources(&stack.id).await?;
                let mut groups = of_type(&resources, "AWS::AutoScaling::AutoScalingGroup");
                let main = groups.find(|group| group.logical_id == MAIN_GROUP);
                main.map(|group| group.physical_id.clone())
            }
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let groups = self.fleet.groups(&[name]).await?;
        Ok(groups.into_iter().next().map(|group| {
            let mut members = group.members.iter();
            let in_service = members.all(|member| member.lifecycle == "InService");
            (group.desired, in_service)
        }))
    }

    /// Lists the rack's instances but those that only build.
    async fn members(&self, stack: &Stack) -> Result<Vec<SdkInstance>> {
        let tagged = Filter::builder().name(format!("tag:{RACK_TAG}"));
        let mut found = self
            .fleet
            .existing(tagged.values(&stack.name).build())
            .await?;
        if found.is_empty() {
            // A stack that does not tag what it starts still has groups.
            found = self.members_of_groups(stack).await?;
        }
        let is_listed = |instance: &SdkInstance| {
            let state = instance.state().and_then(|state| state.name());
            state.is_none_or(|state| state.as_str() != "stopped")
                && tag_of(instance, "Purpose") != Some(BUILD)
        };
        found.retain(is_listed);
        Ok(found)
    }

    async fn members_of_groups(&self, stack: &Stack) -> Result<Vec<SdkInstance>> {
        let resources = self.stacks.resources(&stack.id).await?;
        let names = |kind| {
            let found = of_type(&resources, kind);
            found.map(|it| it.physical_id.clone()).collect::<Vec<_>>()
        };
        let groups = names("AWS::AutoScaling::AutoScalingGroup");
        let fleets = names("AWS::EC2::SpotFleet");
        let members = self.fleet.instances(&groups, &fleets).await?;
        let ids: Vec<String> = members.into_iter().map(|member| member.id).collect();
        let mut found = Vec::new();
        for ids in ids.chunks(INSTANCES_AT_ONCE) {
            let filter = Filter::builder().name("instance-id");
            let filter = filter.set_values(Some(ids.to_vec())).build();
            found.extend(self.fleet.existing(filter).await?);
        }
        Ok(found)
    }

    /// Lists what the rack's clusters know of their instances, by EC2 instance id.
    async fn hosts(&self, stack: &Stack) -> Result<BTreeMap<String, ContainerInstance>> {
        let clusters = match stack.outputs.get("Cluster") {
            Some(cluster) => vec![cluster.clone()],
            None => {
                let resources = self.stacks.resources(&stack.id).await?;
                let clusters = of_type(&resources, "AWS::ECS::Cluster");
                clusters.map(|it| it.physical_id.clone()).collect()
            }
        };
        let mut hosts = BTreeMap::new();
        for cluster in clusters {
            for arns in self.host_arns(&cluster).await?.chunks(HOSTS_AT_ONCE) {
                let what = format!("cluster {cluster}");
                let call = Call::new("ecs", "DescribeContainerInstances", &what);
                let answer = self.clients.ecs().describe_container_instances();
                let answer = answer
                    .cluster(&cluster)
                    .set_container_instances(Some(arns.to_vec()));
                let answer = answer.send().await.map_err(|error| call.failed(error))?;
                for host in answer.container_instances.unwrap_or_default() {
                    if let Some(instance) = host.ec2_instance_id.clone() {
                        hosts.insert(instance, host);
                    }
                }
            }
        }
        Ok(hosts)
    }

    async fn host_arns(&self, cluster: &str) -> Result<Vec<String>> {
        let what = format!("cluster {cluster}");
        let call = Call::new("ecs", "ListContainerInstances", &what);
        let mut arns = Vec::new();
        let mut token = None;
        loop {
            let page = self.clients.ecs().list_container_instances();
            let page = page.cluster(cluster).max_results(100);
            let page = page.set_next_token(token).send().await;
            let page = page.map_err(|error| call.failed(error))?;
            arns.extend(page.container_instance_arns.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(arns);
            }
        }
    }
}

#[async_trait]
impl System for AwsSystem {
    async fn describe(&self) -> Result<SystemDescription> {
        let stack = self.stacks.describe(&self.stack).await?;
        let mut status = status_of(&stack.status);
        let mut count = stack
            .parameter("InstanceCount")
            .and_then(|n| n.parse().ok());
        // Only a rack that is at rest is looked at more closely, as a classic rack does.
        if status == "running"
            && let Some((desired, in_service)) = self.main_group(&stack).await?
        {
            count.get_or_insert(desired);
            if !in_service {
                status = "converging";
            }
        }
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let output = |key: &str| text(stack.outputs.get(key).map(String::as_str));
        let version = stack.parameter("Version").map(str::to_owned);
        Ok(SystemDescription {
            name: self.name.clone(),
            provider: "aws".to_owned(),
            region: self.region.clone(),
            domain: output("Domain"),
            rack_domain: output("RackDomain"),
            status: status.to_owned(),
            version: version.unwrap_or_else(|| output("Version")),
            count: count.unwrap_or_default(),
            instance_type: text(stack.parameter("InstanceType")),
            parameters: shown_parameters(&stack),
            outputs: stack
                .outputs
                .iter()
                .map(|(key, value)| (key.clone(), masked(key, value).to_owned()))
                .collect(),
        })
    }

    async fn instances(&self) -> Result<Vec<SystemInstance>> {
        let stack = self.stacks.describe(&self.stack).await?;
        let members = self.members(&stack).await?;
        let hosts = if members.is_empty() {
            BTreeMap::new()
        } else {
            self.hosts(&stack).await?
        };
        let mut found: Vec<SystemInstance> = members
            .into_iter()
            .map(|member| {
                let host = hosts.get(member.instance_id().unwrap_or_default());
                instance_of(member, host)
            })
            .collect();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(found)
    }

    async fn set_parameters(&self, changes: &BTreeMap<String, String>) -> Result<()> {
        let token = RollId::generate(self.clients.clock().now(), &self.entropy);
        let change = Change::prepare(&self.stacks, &self.stack, token.as_str(), changes).await?;
        change.submit(&self.stacks).await.map(drop)
    }

    async fn terminate(&self, instance: &str) -> Result<()> {
        let stack = self.stacks.describe(&self.stack).await?;
        let members = self.members(&stack).await?;
        if !members.iter().any(|it| it.instance_id() == Some(instance)) {
            return Err(PortError::NoInstance(instance.to_owned()));
        }
        let what = format!("instance {instance}");
        let call = Call::new("autoscaling", "TerminateInstanceInAutoScalingGroup", &what);
        let answer = self
            .clients
            .autoscaling()
            .terminate_instance_in_auto_scaling_group()
            .instance_id(instance)
            .should_decrement_desired_capacity(false)
            .send()
            .await;
        answer.map(drop).map_err(|error| call.failed(error))
    }
}

/// Words a stack's status as `GET /system` of a classic rack does.
fn status_of(status: &StackStatus) -> &'static str {
    match status.0.as_str() {
        "CREATE_IN_PROGRESS" => "creating",
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "DELETE_FAILED" => {
            "running"
        }
        "UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => "updating",
        "ROLLBACK_IN_PROGRESS"
        | "UPDATE_ROLLBACK_IN_PROGRESS"
        | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => "rollback",
        // The classic says `unknown` of the last two, which are no less failed.
        "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED" | "ROLLBACK_FAILED" => {
            "failed"
        }
        "DELETE_IN_PROGRESS" => "deleting",
        _ => "unknown",
    }
}

fn of_type<'a>(
    resources: &'a [StackResource],
    kind: &'a str,
) -> impl Iterator<Item = &'a StackResource> {
    resources.iter().filter(move |resource| {
        resource.resource_type == kind
            && !resource.physical_id.is_empty()
            && resource.status != "DELETE_COMPLETE"
    })
}

fn tag_of<'a>(instance: &'a SdkInstance, key: &str) -> Option<&'a str> {
    let mut tags = instance.tags().iter();
    tags.find(|tag| tag.key() == Some(key))?.value()
}

fn instance_of(member: SdkInstance, host: Option<&ContainerInstance>) -> SystemInstance {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let opened_by = tag_of(&member, KEY_TAG).map(str::to_owned);
    SystemInstance {
        name: tag_of(&member, "Name").map(str::to_owned),
        status: text(host.and_then(|host| host.status())).to_lowercase(),
        agent: host.is_some_and(|host| host.agent_connected),
        started: member.launch_time().and_then(timestamp_of),
        processes: host.map_or(0, |host| count_of(host.running_tasks_count)),
        cpu: host.map_or(0.0, |host| reserved(host, "CPU")),
        memory: host.map_or(0.0, |host| reserved(host, "MEMORY")),
        public_ip: text(member.public_ip_address()),
        private_ip: text(member.private_ip_address()),
        id: member.instance_id.unwrap_or_default(),
        key_name: opened_by.or(member.key_name).filter(|key| !key.is_empty()),
    }
}

/// Returns the part of a resource that tasks have reserved, 0 to 1.
fn reserved(host: &ContainerInstance, name: &str) -> f64 {
    let amount = |resources: &[Resource]| {
        let mut named = resources.iter().filter(|it| it.name() == Some(name));
        named.next().map_or(0.0, |it| f64::from(it.integer_value))
    };
    let all = amount(host.registered_resources());
    if all > 0.0 {
        (all - amount(host.remaining_resources())) / all
    } else {
        0.0
    }
}
