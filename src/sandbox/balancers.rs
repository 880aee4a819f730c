//! Elastic Load Balancing: target groups, how they check, and who is healthy in them.
//!
//! No request is balanced here. The targets of a group are the tasks of the services that name it,
//! and whether one passes its checks is ECS's part of the account to say. Only the query protocol
//! is spoken.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Answer, AwsError, Input};
use super::ecs::{Service, Task, TaskState};
use super::paging::page;
use super::world::World;

/// The attribute that says how long a target is kept that leaves.
const DELAY: &str = "deregistration_delay.timeout_seconds";
/// The first of the ports that a host gives tasks which ask for none, and how many there are
/// (ECS developer guide, port mappings).
const EPHEMERAL: (u64, u64) = (32_768, 28_232);

/// Elastic Load Balancing's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Balancers {
    /// Target groups, by ARN.
    groups: BTreeMap<String, TargetGroup>,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// The ARN.
    pub arn: String,
    /// From one check to the next.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many checks in a row a target passes before it is healthy.
    pub healthy_threshold: u32,
    /// How many in a row it fails before it is not.
    pub unhealthy_threshold: u32,
    /// How long a target is kept that leaves.
    pub deregistration_delay: Duration,
}

impl TargetGroup {
    /// Makes a group as Elastic Load Balancing does where nothing is said (API reference,
    /// `CreateTargetGroup`, for HTTP).
    #[must_use]
    pub fn new(arn: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            deregistration_delay: Duration::from_secs(300),
        }
    }

    /// Returns the name, which the ARN has in it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.arn.split('/').nth(1).unwrap_or(&self.arn)
    }

    /// Takes over what a call or a template says; the rest stays.
    fn set(&mut self, said: &Input) {
        let number = |name: &str| said.integer(name).and_then(|it| u32::try_from(it).ok());
        let span = |name: &str| number(name).map(|secs| Duration::from_secs(secs.into()));
        let (interval, timeout) = (
            span("HealthCheckIntervalSeconds"),
            span("HealthCheckTimeoutSeconds"),
        );
        self.interval = interval.unwrap_or(self.interval);
        self.timeout = timeout.unwrap_or(self.timeout);
        let healthy = number("HealthyThresholdCount");
        self.healthy_threshold = healthy.unwrap_or(self.healthy_threshold);
        let unhealthy = number("UnhealthyThresholdCount");
        self.unhealthy_threshold = unhealthy.unwrap_or(self.unhealthy_threshold);
    }

    /// Takes over attributes, as calls and templates name them alike.
    fn set_attributes(&mut self, attributes: &[Input]) {
        let is_delay = |it: &&Input| it.text("Key").as_deref() == Some(DELAY);
        let said = attributes.iter().find(is_delay);
        let secs = said.and_then(|it| it.integer("Value"));
        if let Some(secs) = secs.and_then(|secs| u64::try_from(secs).ok()) {
            self.deregistration_delay = Duration::from_secs(secs);
        }
    }
}

impl World {
    /// Puts a target group into the account, in place of one with its ARN.
    pub fn put_target_group(&mut self, group: TargetGroup) {
        self.balancers.groups.insert(group.arn.clone(), group);
    }

    /// Makes or changes a target group from its CloudFormation properties.
    pub(super) fn set_target_group(&mut self, arn: &str, properties: &Value) {
        let said = Input(properties.clone());
        let group = self.balancers.groups.entry(arn.to_owned());
        let group = group.or_insert_with(|| TargetGroup::new(arn));
        group.set(&said);
        group.set_attributes(&said.items("TargetGroupAttributes"));
    }

    pub(super) fn delete_target_group(&mut self, arn: &str) {
        self.balancers.groups.remove(arn);
    }

    /// Returns a target group by its ARN.
    #[must_use]
    pub fn target_group(&self, arn: &str) -> Option<&TargetGroup> {
        self.balancers.groups.get(arn)
    }

    /// Lists the targets of a group: each task with its state, as Elastic Load Balancing tells it.
    pub fn targets<'a>(
        &'a self,
        arn: &'a str,
    ) -> impl Iterator<Item = (&'a Task, &'static str)> + 'a {
        let clusters = self.ecs.clusters();
        let services = clusters.flat_map(|cluster| {
            let services = cluster.services.values();
            services.map(move |service| (cluster, service))
        });
        let own = services.filter(move |(_, service)| service.is_in(arn));
        let tasks = own.flat_map(|(cluster, service)| {
            let ids = service.tasks.iter();
            ids.filter_map(move |id| cluster.tasks.get(id))
        });
        let late = self.balancers.groups.get(arn).map(|group| {
            // By then it has either passed the checks that it must, or failed too many.
            let checks = group.unhealthy_threshold.max(group.healthy_threshold);
            let decided = group.interval.saturating_mul(checks);
            self.now.saturating_sub(decided).unwrap_or(self.now)
        });
        tasks.filter_map(move |task| {
            if task.state != TaskState::Running {
                return None;
            }
            if task.stopping {
                let is_kept = task.leaves_at.is_some_and(|until| until > self.now);
                return is_kept.then_some((task, "draining"));
            }
            let state = match task.healthy {
                true => "healthy",
                false if task.started < late => "unhealthy",
                false => "initial",
            };
            Some((task, state))
        })
    }
}

impl Service {
    /// Goes through the target groups that its tasks are registered with, by ARN.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let balancers = self.load_balancers.as_array().into_iter().flatten();
        balancers.filter_map(|it| it.get("targetGroupArn").and_then(Value::as_str))
    }

    fn is_in(&self, arn: &str) -> bool {
        self.target_groups().any(|own| own == arn)
    }
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "CreateTargetGroup" => create(world, input),
        "DeleteTargetGroup" => delete(world, input),
        "DescribeTargetGroupAttributes" => attributes(world, input),
        "DescribeTargetGroups" => describe(world, input),
        "DescribeTargetHealth" => health(world, input),
        "ModifyTargetGroup" => modify(world, input),
        "ModifyTargetGroupAttributes" => modify_attributes(world, input),
        _ => return None,
    })
}

fn create(world: &mut World, input: &Input) -> Answer {
    let name = input.required("Name")?;
    let is_taken = world.balancers.groups.values().any(|it| it.name() == name);
    if is_taken {
        let message = format!(
            "A target group with the same name '{name}' exists, but with different settings"
        );
        return Err(AwsError::new(400, "DuplicateTargetGroupName", message));
    }
    let id = world.chance.hex(16);
    let arn = world.arn("elasticloadbalancing", &format!("targetgroup/{name}/{id}"));
    let mut group = TargetGroup::new(&arn);
    group.set(input);
    let shown = shown(&group);
    world.put_target_group(group);
    Ok(json!({ "TargetGroups": [shown] }))
}

fn delete(world: &mut World, input: &Input) -> Answer {
    let arn = input.required("TargetGroupArn")?;
    world.delete_target_group(&arn);
    Ok(json!({}))
}

fn modify(world: &mut World, input: &Input) -> Answer {
    let group = asked_mut(world, input)?;
    group.set(input);
    Ok(json!({ "TargetGroups": [shown(group)] }))
}

fn modify_attributes(world: &mut World, input: &Input) -> Answer {
    let group = asked_mut(world, input)?;
    group.set_attributes(&input.items("Attributes"));
    Ok(json!({ "Attributes": attributes_of(group) }))
}

fn attributes(world: &mut World, input: &Input) -> Answer {
    let group = asked_mut(world, input)?;
    Ok(json!({ "Attributes": attributes_of(group) }))
}

/// `DescribeTargetGroups`. One that is named and not there makes the whole call fail.
fn describe(world: &mut World, input: &Input) -> Answer {
    let (arns, names) = (input.texts("TargetGroupArns"), input.texts("Names"));
    let groups = &world.balancers.groups;
    let named = |name: &str| groups.values().any(|group| group.name() == name);
    if arns.iter().any(|arn| !groups.contains_key(arn)) || names.iter().any(|name| !named(name)) {
        return Err(not_found());
    }
    let asked = |group: &&TargetGroup| {
        let everything = arns.is_empty() && names.is_empty();
        everything || arns.contains(&group.arn) || names.iter().any(|it| it == group.name())
    };
    let found = groups.values().filter(asked);
    let size = input.integer("PageSize").unwrap_or(400);
    let size = usize::try_from(size).unwrap_or(400).clamp(1, 400);
    let token = input.text("Marker");
    let page = page(found, |group| group.arn.clone(), size, token.as_deref());
    let page = page.map_err(|_| AwsError::validation("The marker is not valid."))?;
    Ok(json!({
        "TargetGroups": page.items.into_iter().map(shown).collect::<Vec<_>>(),
        "NextMarker": page.next,
    }))
}

fn health(world: &mut World, input: &Input) -> Answer {
    let arn = asked_mut(world, input)?.arn.clone();
    let targets = world.targets(&arn).map(|(task, state)| {
        let (id, port) = place_of(task);
        let reason = match state {
            "initial" => Some("Elb.InitialHealthChecking"),
            "unhealthy" => Some("Target.FailedHealthChecks"),
            "draining" => Some("Target.DeregistrationInProgress"),
            _ => None,
        };
        json!({
            "Target": { "Id": id, "Port": port },
            "HealthCheckPort": port,
            "TargetHealth": { "State": state, "Reason": reason },
        })
    });
    Ok(json!({ "TargetHealthDescriptions": targets.collect::<Vec<_>>() }))
}

/// Returns where a task is: its instance, or an address of its own, and the port that it has there.
fn place_of(task: &Task) -> (String, u64) {
    let drawn = u64::from_str_radix(task.id.get(..8).unwrap_or_default(), 16).unwrap_or(0);
    let (first, count) = EPHEMERAL;
    let fixed = task.ports.first().map(|port| u64::from(*port));
    let port = fixed.unwrap_or(first + drawn % count);
    match &task.instance {
        Some(instance) => (instance.clone(), port),
        None => (format!("10.1.{}.{}", drawn / 256 % 256, drawn % 256), port),
    }
}

fn asked_mut<'a>(world: &'a mut World, input: &Input) -> Result<&'a mut TargetGroup, AwsError> {
    let arn = input.required("TargetGroupArn")?;
    let group = world.balancers.groups.get_mut(&arn);
    group.ok_or_else(not_found)
}

fn not_found() -> AwsError {
    let message = "One or more target groups not found";
    AwsError::new(400, "TargetGroupNotFound", message)
}

fn shown(group: &TargetGroup) -> Value {
    json!({
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name(),
        "Protocol": "HTTP",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": group.interval.as_secs(),
        "HealthCheckTimeoutSeconds": group.timeout.as_secs(),
        "HealthyThresholdCount": group.healthy_threshold,
        "UnhealthyThresholdCount": group.unhealthy_threshold,
        "TargetType": "instance",
    })
}

fn attributes_of(group: &TargetGroup) -> Value {
    let delay = group.deregistration_delay.as_secs().to_string();
    json!([
        { "Key": "stickiness.enabled", "Value": "false" },
        { "Key": DELAY, "Value": delay },
    ])
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn call(world: &mut World, action: &str, input: Value) -> Answer {
        handle(world, action, &Input(input)).unwrap()
    }

    #[test]
    fn a_group_keeps_what_it_is_told_and_the_usual_for_the_rest() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        let asked = json!({ "Name": "web", "HealthCheckIntervalSeconds": "10" });
        let made = call(&mut world, "CreateTargetGroup", asked.clone()).unwrap();
        let group = &made["TargetGroups"][0];
        assert_eq!(group["HealthCheckIntervalSeconds"], 10);
        assert_eq!(group["HealthyThresholdCount"], 5);
        let arn = group["TargetGroupArn"].clone();
        let again = call(&mut world, "CreateTargetGroup", asked).unwrap_err();
        assert_eq!(again.code, "DuplicateTargetGroupName");

        let said = json!({
            "TargetGroupArn": arn, "Attributes": [{ "Key": DELAY, "Value": "15" }],
        });
        call(&mut world, "ModifyTargetGroupAttributes", said).unwrap();
        let asked = json!({ "TargetGroupArn": arn });
        let told = call(&mut world, "DescribeTargetGroupAttributes", asked.clone()).unwrap();
        assert_eq!(told["Attributes"][1]["Value"], "15");
        let told = call(&mut world, "DescribeTargetHealth", asked.clone()).unwrap();
        assert_eq!(told["TargetHealthDescriptions"], json!([]));

        let both = json!({ "TargetGroupArns": [arn, "arn:gone"] });
        let error = call(&mut world, "DescribeTargetGroups", both).unwrap_err();
        assert_eq!(error.code, "TargetGroupNotFound");
        call(&mut world, "DeleteTargetGroup", asked.clone()).unwrap();
        let error = call(&mut world, "DescribeTargetHealth", asked).unwrap_err();
        assert_eq!(error.code, "TargetGroupNotFound");
    }
}
