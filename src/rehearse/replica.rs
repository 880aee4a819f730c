//! A rack as it was surveyed, built again in an account in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::measure::{Measured, Samples, task_starts, task_stops, within};
use super::template::{definition, definition_of, family, is_redeployed, service_of, template};
use super::{RehearseError, Tweak};
use crate::rack::{Cluster, ClusterService, ClusterTask, STOP_TIMEOUT_SECS};
use crate::roll::Survey;
use crate::sandbox::api::{Answer, Input};
use crate::sandbox::balancers::TargetGroup;
use crate::sandbox::ecs::{Habit, Room};
use crate::sandbox::world::{Chance, Pace, World};
use crate::sandbox::{cloudformation, ec2, ecs};

/// How long before the roll the replica is built, so that it is at rest by then.
const AGE: Duration = Duration::from_secs(24 * 3600);
/// How long a service may take to come to rest while the replica is built.
const SETTLING: Duration = Duration::from_secs(3600);
/// The key pair that a rack without one is given: a roll needs none to begin with.
const NO_KEY: &str = "";

/// What is known of how long the tasks of a family take.
#[derive(Debug, Clone)]
struct TaskHabits {
    family: String,
    starts: Samples,
    stops: Samples,
    stop_timeout_ms: u64,
}

impl TaskHabits {
    /// Draws how long they may take. Nothing is known of tasks of which none has stopped lately
    /// but that their stop timeout ends them.
    fn draw(&self, chance: &mut Chance) -> Habit {
        let stops = self.stops.redrawn(chance);
        Habit {
            start_ms: self.starts.redrawn(chance),
            stop_ms: Some(stops.unwrap_or_else(|| within(chance, self.stop_timeout_ms))),
        }
    }
}

/// A rack in memory, before its roll.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    world: World,
    now: Timestamp,
    boot_percent: u32,
    measured: Measured,
    habits: Vec<TaskHabits>,
}

impl Replica {
    /// Builds a rack that is called `name` and that `parameter` names the key pair of.
    pub(super) fn build(
        survey: &Survey,
        name: &str,
        parameter: &str,
        now: Timestamp,
        tweak: &Tweak,
    ) -> Result<Self, RehearseError> {
        let born = now.saturating_sub(AGE).unwrap_or(now);
        let mut builder = Builder {
            survey,
            tweak,
            world: World::new(born, 0),
        };
        builder.create_target_groups();
        builder.create_stack(name, parameter)?;
        builder.create_services()?;
        builder.settle();
        builder.start_one_off_tasks();
        builder.world.advance_to(now);
        builder.seat();
        let mut world = builder.world;
        if let Some(secs) = tweak.drain_secs {
            world.set_drain_patience(Duration::from_secs(secs.into()));
        }
        Ok(Self {
            habits: habits(survey),
            world,
            now,
            boot_percent: tweak.boot_percent.unwrap_or(100),
            measured: Measured::of(survey),
        })
    }

    /// Returns the account as one run finds it: chance and how long things take are its own.
    pub(super) fn world(&self, seed: u64) -> World {
        let mut world = self.world.clone();
        // What is drawn for the estimates must not shift what happens.
        let mut estimates = Chance::new(seed.wrapping_mul(2).wrapping_add(1));
        world.chance = Chance::new(seed.wrapping_mul(2));
        world.requests = Chance::new(seed.wrapping_add(0x5eed));
        let pace = self.measured.pace(&mut estimates);
        let part = |ms: u64| ms * u64::from(self.boot_percent) / 100;
        world.pace = Pace {
            boot_ms: (part(pace.boot_ms.0), part(pace.boot_ms.1)),
            ..pace
        };
        for habits in &self.habits {
            let habit = habits.draw(&mut estimates);
            world.set_habit(&habits.family, habit);
        }
        world.keep_ledger();
        world
    }

    /// Returns when the roll begins.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }
}

struct Builder<'a> {
    survey: &'a Survey,
    tweak: &'a Tweak,
    world: World,
}

impl Builder<'_> {
    fn create_stack(&mut self, name: &str, parameter: &str) -> Result<(), RehearseError> {
        let key = self
            .survey
            .stack
            .parameter(parameter)
            .unwrap_or(NO_KEY)
            .to_owned();
        if key != NO_KEY {
            let input = Input(json!({ "KeyName": key, "KeyType": "ed25519" }));
            done(ec2::handle(&mut self.world, "CreateKeyPair", &input))?;
        }
        let body = template(self.survey, parameter, self.tweak)?;
        let input = Input(json!({
            "StackName": name,
            "TemplateBody": body.to_string(),
            "Parameters": [{ "ParameterKey": parameter, "ParameterValue": key }],
            "Tags": [
                { "Key": "System", "Value": "convox" },
                { "Key": "Type", "Value": "rack" },
            ],
        }));
        done(cloudformation::handle(
            &mut self.world,
            "CreateStack",
            &input,
        ))?;
        let input = Input(json!({ "StackName": name }));
        loop {
            let described = done(cloudformation::handle(
                &mut self.world,
                "DescribeStacks",
                &input,
            ))?;
            let status = described["Stacks"][0]["StackStatus"]
                .as_str()
                .unwrap_or_default();
            match (status, self.world.agenda.next_at()) {
                ("CREATE_COMPLETE", _) => return Ok(()),
                ("CREATE_IN_PROGRESS", Some(next)) => self.world.advance_to(next),
                (status, _) => {
                    let message = format!("its stack is {status}");
                    return Err(RehearseError::Replica(message));
                }
            }
        }
    }

    /// Makes the target groups that services are in, as far as they are known.
    fn create_target_groups(&mut self) {
        let seconds = |secs: u32| Duration::from_secs(secs.into());
        let clusters = self.survey.clusters.iter();
        for group in clusters.flat_map(|cluster| &cluster.target_groups) {
            let usual = TargetGroup::new(&group.arn);
            let delay = group.deregistration_delay_secs.map(seconds);
            self.world.put_target_group(TargetGroup {
                interval: seconds(group.checks.interval_secs),
                timeout: seconds(group.checks.timeout_secs),
                healthy_threshold: group.checks.healthy_threshold,
                unhealthy_threshold: group.checks.unhealthy_threshold,
                deregistration_delay: delay.unwrap_or(usual.deregistration_delay),
                ..usual
            });
        }
    }

    fn create_services(&mut self) -> Result<(), RehearseError> {
        for cluster in &self.survey.clusters {
            let hosts = cluster.hosts.iter().filter(|host| host.memory > 0);
            if let Some(smallest) = hosts.min_by_key(|host| host.memory) {
                let room = Room {
                    cpu: smallest.cpu.into(),
                    memory: smallest.memory.into(),
                };
                self.world.set_room(&cluster.name, room);
            }
            for service in &cluster.services {
                if is_redeployed(self.survey, service) {
                    continue;
                }
                let definition = definition_of(cluster, service);
                let arn = self.world.register_task_definition(&definition);
                let mut properties = service_of(cluster, service, self.tweak);
                properties["TaskDefinition"] = json!(arn);
                let made = self.world.create_service(&service.name, &properties);
                made.map_err(|error| RehearseError::Replica(error.message))?;
            }
        }
        Ok(())
    }

    /// Lets services come to rest; one that cannot, as on the rack itself, is left at it.
    fn settle(&mut self) {
        let until = self
            .world
            .now
            .saturating_add(SETTLING)
            .unwrap_or(Timestamp::MAX);
        while self.world.now < until {
            let clusters = self.world.ecs.clusters();
            let mut services = clusters.flat_map(|cluster| cluster.services.values());
            if services.all(|service| service.is_stable()) {
                return;
            }
            drop(services);
            match self.world.agenda.next_at() {
                Some(next) => self.world.advance_to(next),
                None => return,
            }
        }
    }

    fn start_one_off_tasks(&mut self) {
        for cluster in &self.survey.clusters {
            let one_off = |task: &&ClusterTask| task.service.is_none() && task.instance.is_some();
            for task in cluster.tasks.iter().filter(one_off) {
                let mut known = cluster.definitions.iter();
                let known = known.find(|definition| definition.arn == task.definition);
                let arn = self
                    .world
                    .register_task_definition(&definition(&task.definition, known));
                let input = json!({ "cluster": cluster.name, "taskDefinition": arn });
                // One that has no place here only lacks in what draining kills.
                drop(ecs::handle(&mut self.world, "RunTask", &Input(input)));
            }
        }
    }

    /// Puts the tasks of services where they are on the rack.
    fn seat(&mut self) {
        let twins = self.twins();
        for cluster in &self.survey.clusters {
            for service in &cluster.services {
                let seats = seats(cluster, service, &twins);
                self.world.seat_tasks(&cluster.name, &service.name, &seats);
            }
        }
    }

    /// Says which instance of the replica stands for which of the rack: the oldest for the oldest.
    fn twins(&self) -> BTreeMap<String, String> {
        let mut twins = BTreeMap::new();
        for group in &self.survey.groups {
            let launched = |id: &str| {
                let mut instances = self.survey.instances.iter();
                instances
                    .find(|instance| instance.id == id)
                    .and_then(|it| it.launched_at)
            };
            let members = group
                .group
                .members
                .iter()
                .filter(|member| !member.is_leaving());
            let mut members: Vec<&str> = members.map(|member| member.instance.as_str()).collect();
            members.sort_by_key(|id| launched(id));
            let copies = self.world.group(&group.group.name);
            let copies = copies.map_or_else(Vec::new, |group| group.members);
            let pairs = members.into_iter().zip(copies);
            twins.extend(pairs.map(|(own, copy)| (own.to_owned(), copy.instance)));
        }
        twins
    }
}

fn seats(
    cluster: &Cluster,
    service: &ClusterService,
    twins: &BTreeMap<String, String>,
) -> Vec<String> {
    let tasks = cluster.tasks.iter();
    let own = tasks.filter(|task| task.service.as_deref() == Some(service.name.as_str()));
    let placed = own
        .filter(|task| task.is_running)
        .filter_map(|task| task.instance.as_ref());
    placed
        .filter_map(|instance| twins.get(instance).cloned())
        .collect()
}

/// Says how long the tasks of each family take.
fn habits(survey: &Survey) -> Vec<TaskHabits> {
    let of = |(cluster, service): (&Cluster, &ClusterService)| {
        let mut definitions = cluster.definitions.iter();
        let known = definitions.find(|known| known.arn == service.definition);
        let timeout = known.and_then(|known| known.stop_timeout_secs);
        TaskHabits {
            family: family(&service.definition).to_owned(),
            starts: task_starts(cluster, &service.name),
            stops: task_stops(cluster, service),
            stop_timeout_ms: u64::from(timeout.unwrap_or(STOP_TIMEOUT_SECS)) * 1000,
        }
    };
    let services = |cluster| {
        let cluster: &Cluster = cluster;
        cluster
            .services
            .iter()
            .map(move |service| (cluster, service))
    };
    survey.clusters.iter().flat_map(services).map(of).collect()
}

fn done(answer: Option<Answer>) -> Result<Value, RehearseError> {
    match answer {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(RehearseError::Replica(error.message)),
        None => Err(RehearseError::Replica("an API is not simulated".to_owned())),
    }
}
