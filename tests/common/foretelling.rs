//! Racks made from a seed: what a rehearsal foretells of each, and what then happens to it.

use std::time::Duration;

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::Rack;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::rehearse::{Forecast, Rehearsal, RunResult, Settings, lacks};
use convox::roll::{Engine, Event, EventSink, Journals, Plan, Refusal, RollOptions, Stop, survey};
use convox::sandbox::balancers::TargetGroup;
use convox::sandbox::ecs::Habit;
use convox::sandbox::ledger::Counted;
use convox::sandbox::world::{Chance, Pace, World};
use convox::sandbox::{Sandbox, Scenario};
use serde_json::json;

/// Which services racks are given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Apps {
    /// Whatever ECS lets somebody configure.
    Any,
    /// Those of which ECS may start a task before it stops another.
    Movable,
}

/// What was foretold of one rack, and what happened.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) seed: u64,
    pub(crate) forecast: Forecast,
    pub(crate) happened: RunResult,
}

/// One prediction that is true or false: with which chance, and which.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) chance: f64,
    pub(crate) happened: bool,
    pub(crate) about: String,
}

impl Compared {
    /// Whether each service is ever below its minimum.
    pub(crate) fn below_minimum(&self) -> Vec<Verdict> {
        self.verdicts(|it| it.below_minimum.chance, |(below, _)| below > 0)
    }

    /// Whether each service ever has no task.
    pub(crate) fn at_zero(&self) -> Vec<Verdict> {
        self.verdicts(|it| it.at_zero.chance, |(_, zero)| zero > 0)
    }

    fn verdicts(
        &self,
        chance: impl Fn(&convox::rehearse::ServiceForecast) -> f64,
        happened: impl Fn((u64, u64)) -> bool,
    ) -> Vec<Verdict> {
        let verdict = |service: &convox::rehearse::ServiceForecast| Verdict {
            chance: chance(service),
            happened: happened(lacks(&self.happened, &service.name, service.minimum)),
            about: format!("rack {}, service {}", self.seed, service.name),
        };
        self.forecast.services.iter().map(verdict).collect()
    }

    /// Whether the roll ends well.
    pub(crate) fn ends_well(&self) -> Verdict {
        let done = self.forecast.outcomes.get("done").copied().unwrap_or(0);
        Verdict {
            chance: f64::from(done) / f64::from(self.forecast.runs),
            happened: self.happened.outcome == convox::roll::Outcome::Done,
            about: format!("rack {}: {}", self.seed, self.happened.message),
        }
    }

    /// Whether the roll took as long as nine of ten were foretold to.
    pub(crate) fn is_within(&self) -> bool {
        let took = self.happened.duration_ms / 1000;
        (self.forecast.duration.p5..=self.forecast.duration.p95).contains(&took)
    }
}

struct Deaf;

impl EventSink for Deaf {
    fn event(&mut self, _: &Event) {}
}

/// Draws from a range, both ends included.
fn draw(chance: &mut Chance, least: u64, most: u64) -> u64 {
    least + chance.bits() % (most - least + 1)
}

fn pick<T: Copy>(chance: &mut Chance, choices: &[T]) -> T {
    let count = u64::try_from(choices.len()).unwrap();
    choices[usize::try_from(chance.bits() % count).unwrap()]
}

/// Draws a span within `least` and `most`, in milliseconds.
fn spread(chance: &mut Chance, least: u64, most: u64) -> (u64, u64) {
    let from = draw(chance, least, most);
    (from, draw(chance, from, most))
}

fn scenario(chance: &mut Chance, balance: &mut Chance) -> Scenario {
    let instances = draw(chance, 2, 6);
    let number = |count: u64| u32::try_from(count).unwrap();
    let mut scenario = Scenario {
        seed: chance.bits(),
        ..Scenario::default()
    };
    let rack = &mut scenario.rack;
    rack.instances = number(instances);
    rack.batch = number(draw(chance, 1, 3));
    rack.min_in_service = match draw(chance, 0, 2) {
        0 => None,
        _ => Some(number(draw(chance, 0, instances))),
    };
    rack.services.clear();
    rack.pace = Pace {
        pending_ms: spread(chance, 5_000, 30_000),
        boot_ms: match draw(chance, 0, 9) {
            // Some are slower than the five minutes that a signal is waited for.
            0 => spread(chance, 200_000, 330_000),
            _ => spread(chance, 20_000, 180_000),
        },
        // Most agents join their cluster as the boot script ends, and some a little later.
        join_ms: match draw(balance, 0, 2) {
            0 => spread(balance, 0, 20_000),
            _ => (0, 0),
        },
        ..Pace::default()
    };
    scenario
}

/// Puts one service of three behind a load balancer of its own.
fn put_behind_balancer(
    world: &mut World,
    name: &str,
    service: &mut serde_json::Value,
    balance: &mut Chance,
) {
    let seconds = Duration::from_secs;
    if draw(balance, 0, 2) > 0 {
        return;
    }
    let place = format!("targetgroup/{name}/{:016x}", balance.bits());
    let arn = world.arn("elasticloadbalancing", &place);
    world.put_target_group(TargetGroup {
        interval: seconds(pick(balance, &[5, 10, 15, 30])),
        healthy_threshold: pick(balance, &[2, 3, 5]),
        deregistration_delay: seconds(pick(balance, &[0, 10, 30, 60, 300])),
        ..TargetGroup::new(&arn)
    });
    service["LoadBalancers"] = json!([{
        "TargetGroupArn": arn, "ContainerName": "main", "ContainerPort": 80,
    }]);
    service["HealthCheckGracePeriodSeconds"] = json!(pick(balance, &[0, 60, 300]));
}

/// Starts one to four services of one to five processes, and returns their names.
fn start_services(
    world: &mut World,
    cluster: &str,
    chance: &mut Chance,
    balance: &mut Chance,
    apps: Apps,
) -> Vec<(String, bool)> {
    let mut services = Vec::new();
    for number in 0..draw(chance, 1, 4) {
        let name = format!("app{number}");
        let processes = draw(chance, 1, 5);
        let has_port = processes <= 2 && draw(chance, 0, 4) == 0;
        let timeout = pick(chance, &[None, Some(10), Some(60), Some(120), Some(600)]);
        let mut container = json!({ "Name": "main", "Image": "app", "Cpu": 32, "Memory": 64 });
        if has_port {
            let port = 5000 + number;
            container["PortMappings"] = json!([{ "HostPort": port, "ContainerPort": port }]);
        }
        if let Some(timeout) = timeout {
            container["StopTimeout"] = json!(timeout);
        }
        let task = world.register_task_definition(&json!({
            "Family": name, "ContainerDefinitions": [container],
        }));
        let most = timeout.unwrap_or(30) * 1000;
        let habit = Habit {
            start_ms: Some(match draw(chance, 0, 5) {
                0 => spread(chance, 60_000, 400_000),
                _ => spread(chance, 3_000, 60_000),
            }),
            stop_ms: Some(spread(chance, 1_000, most)),
        };
        world.set_habit(&name, habit);
        let least = pick(chance, &[0, 50, 50, 100]);
        let most = pick(chance, &[100, 150, 200, 200]).max(if least == 100 { 150 } else { 100 });
        let (least, most) = match apps {
            Apps::Any => (least, most),
            Apps::Movable => (least.max(50), 200),
        };
        let mut service = json!({
            "Cluster": cluster, "TaskDefinition": task, "DesiredCount": processes,
            "DeploymentConfiguration": { "MinimumHealthyPercent": least, "MaximumPercent": most },
        });
        put_behind_balancer(world, &name, &mut service, balance);
        world.create_service(&name, &service).unwrap();
        services.push((name, has_port));
    }
    services
}

/// Moves some services together, as years of deployments do.
fn shuffle(world: &mut World, cluster: &str, services: &[(String, bool)], chance: &mut Chance) {
    let found = world.ecs.cluster(cluster).unwrap();
    let hosts: Vec<String> = found
        .instances
        .values()
        .map(|host| host.instance.clone())
        .collect();
    for (name, has_port) in services {
        if *has_port || draw(chance, 0, 1) == 0 {
            continue;
        }
        let few = draw(chance, 1, 2);
        let few: Vec<String> = (0..few)
            .map(|_| hosts[pick_place(chance, hosts.len())].clone())
            .collect();
        let seats: Vec<String> = few.iter().cycle().take(5).cloned().collect();
        world.seat_tasks(cluster, name, &seats);
    }
}

fn pick_place(chance: &mut Chance, count: usize) -> usize {
    usize::try_from(chance.bits()).unwrap_or(0) % count
}

async fn reach(sandbox: &Sandbox, clock: &Clock) -> Rack {
    let transport = Transport::InProcess(sandbox.in_process());
    let access = Access::new(transport, clock.clone());
    let account = Account::connect(&access).await.unwrap();
    let target = Target::rack("prod");
    account.rack(&target, &Entropy::seeded(9)).unwrap()
}

/// Makes a rack from a seed.
async fn make(seed: u64, apps: Apps) -> (Sandbox, Clock, Rack) {
    let mut chance = Chance::new(seed);
    // Apart, so that the racks are otherwise what they were before anything was balanced.
    let mut balance = Chance::new(seed ^ 0x00ba_1a4c);
    let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
    let sandbox = Sandbox::new(&scenario(&mut chance, &mut balance), clock.clone()).unwrap();
    let cluster = sandbox.peek(|world| world.ecs.clusters().next().unwrap().name.clone());
    let services =
        sandbox.with(|world| start_services(world, &cluster, &mut chance, &mut balance, apps));
    clock.sleep(Duration::from_secs(3600)).await;
    sandbox.with(|world| shuffle(world, &cluster, &services, &mut chance));
    clock.sleep(Duration::from_secs(60)).await;

    let rack = reach(&sandbox, &clock).await;
    (sandbox, clock, rack)
}

/// Makes a rack from a seed, rehearses its roll `runs` times, and then rolls it.
pub(crate) async fn compare(seed: u64, runs: u32) -> Compared {
    let (sandbox, clock, rack) = make(seed, Apps::Any).await;
    let surveyed = survey(&rack).await.unwrap();
    let settings = Settings {
        runs,
        seed,
        options: RollOptions::DEFAULT,
    };
    let rehearsal = Rehearsal::of("prod", "Key", surveyed, clock.now(), settings);
    let forecast = rehearsal.forecast().unwrap();
    Compared {
        seed,
        forecast,
        happened: happen(&sandbox, &clock, rack, seed, RollOptions::DEFAULT)
            .await
            .unwrap()
            .1,
    }
}

/// Makes a rack from a seed and rolls it; `Err` when the roll is refused.
pub(crate) async fn rolled(
    seed: u64,
    apps: Apps,
    options: RollOptions,
) -> Result<(Plan, RunResult), Refusal> {
    let (sandbox, clock, rack) = make(seed, apps).await;
    happen(&sandbox, &clock, rack, seed, options).await
}

/// Rolls the rack itself, with chance of its own.
async fn happen(
    sandbox: &Sandbox,
    clock: &Clock,
    rack: Rack,
    seed: u64,
    options: RollOptions,
) -> Result<(Plan, RunResult), Refusal> {
    sandbox.with(|world| {
        world.chance = Chance::new(seed ^ 0x00c0_ffee);
        world.keep_ledger();
    });
    let began = clock.now();
    let home = tempfile::tempdir().unwrap();
    let mut engine = Engine::new(
        rack,
        clock.clone(),
        Entropy::seeded(seed),
        Journals::new(home.path().to_owned()),
        Box::new(Deaf),
        Stop::new(),
    );
    let plan = engine.plan(options, Duration::ZERO).await?;
    let report = engine.run(plan.clone(), false).await;
    let ms = |at: jiff::Timestamp| {
        u64::try_from(at.as_millisecond() - began.as_millisecond()).unwrap_or(0)
    };
    let duration_ms = ms(clock.now());
    clock.sleep(Duration::from_secs(900)).await;
    let result = RunResult {
        outcome: report.outcome,
        message: report.message,
        duration_ms,
        watched_ms: ms(clock.now()),
        counts: sandbox.peek(|world| {
            let counts = world.ledger().unwrap().all();
            let since = |points: &[(jiff::Timestamp, u64)]| {
                points.iter().map(|(at, count)| (ms(*at), *count)).collect()
            };
            counts
                .map(|(counted, points): (&Counted, _)| (counted.clone(), since(points)))
                .collect()
        }),
    };
    Ok((plan, result))
}
