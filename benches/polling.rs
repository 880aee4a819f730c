//! What following a roll costs, and how soon its end is seen: in virtual time.
//!
//! `cargo bench --profile dev --bench polling` prints the table of the README. Beside our own
//! figures stand those of the pollers that other tools use, run on the same account.

#[expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#[path = "../tests/common/virtual_time.rs"]
mod virtual_time;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::rack::{KeyType, Rack, StackStatus, StatusClass};
use convox::roll::{Engine, Event, EventKind, EventSink, Journals, RollOptions, Stop};
use convox::sandbox::{Sandbox, Scenario};
use jiff::Timestamp;
use virtual_time::in_virtual_time;

const SIZES: [u32; 4] = [3, 30, 300, 1_000];

/// How a tool reads the state of an update.
#[derive(Debug, Clone, Copy)]
enum Poller {
    /// All events from the first page to the last, every so often (Ansible's module).
    FullRead(u64),
    /// New events every 2 s and the stack every 5 s (CDK).
    EventsAndStack(u64, u64),
    /// The stack every so often, and no events (the AWS CLI's waiter).
    Stack(u64),
}

#[derive(Debug, Default)]
struct Figures {
    minutes: f64,
    calls: BTreeMap<String, u64>,
    lag: Duration,
    wall: Duration,
}

#[derive(Clone, Default)]
struct Ended(Arc<Mutex<Option<(Timestamp, Timestamp)>>>);

impl EventSink for Ended {
    fn event(&mut self, event: &Event) {
        if let EventKind::Stack(stack) = &event.kind
            && stack.is_about_the_stack()
            && StackStatus(stack.status.clone()).class() == StatusClass::Good
        {
            *self.0.lock().unwrap_or_else(|e| e.into_inner()) = Some((stack.at, event.at));
        }
    }
}

fn scenario(instances: u32, seed: u64) -> Scenario {
    let mut scenario = Scenario {
        seed,
        ..Scenario::default()
    };
    scenario.rack.instances = instances;
    scenario.rack.batch = (instances / 10).max(1);
    scenario
}

async fn rack(sandbox: &Sandbox, clock: &Clock) -> anyhow::Result<Rack> {
    let transport = Transport::InProcess(sandbox.in_process());
    let account = Account::connect(&Access::new(transport, clock.clone())).await?;
    Ok(account.rack(&Target::rack("prod"), &Entropy::seeded(1))?)
}

fn world(instances: u32, seed: u64) -> anyhow::Result<(Sandbox, Clock)> {
    let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse()?, 1.0);
    Ok((
        Sandbox::new(&scenario(instances, seed), clock.clone())?,
        clock,
    ))
}

/// Rolls a rack with our engine.
async fn ours(instances: u32, seed: u64) -> anyhow::Result<Figures> {
    let (sandbox, clock) = world(instances, seed)?;
    let before = sandbox.calls();
    let home = tempfile::tempdir()?;
    let ended = Ended::default();
    let mut engine = Engine::new(
        rack(&sandbox, &clock).await?,
        clock.clone(),
        Entropy::seeded(seed),
        Journals::new(home.path().to_owned()),
        Box::new(ended.clone()),
        Stop::new(),
    );
    let began = clock.now();
    let options = RollOptions::DEFAULT;
    let plan = engine.plan(options, Duration::ZERO).await?;
    let report = engine.run(plan, false).await;
    anyhow::ensure!(report.exit_code == 0, "{}", report.message);
    let (true_end, seen) = ended
        .0
        .lock()
        .unwrap_or_else(|e| e.into_inner())
        .ok_or_else(|| anyhow::anyhow!("no end was seen"))?;
    Ok(figures(&sandbox, &before, began, seen, true_end))
}

/// Starts the same update by hand, and follows it as another tool would.
async fn theirs(instances: u32, seed: u64, poller: Poller) -> anyhow::Result<Figures> {
    let (sandbox, clock) = world(instances, seed)?;
    let rack = rack(&sandbox, &clock).await?;
    let tags = BTreeMap::new();
    rack.key_pairs
        .create("next", KeyType::Ed25519, &tags)
        .await?;
    let stack = rack.stacks.describe("prod").await?;
    let keys = stack
        .parameters
        .iter()
        .map(|parameter| parameter.key.clone());
    let request = convox::rack::UpdateRequest {
        stack: stack.id.clone(),
        token: "by-hand".to_owned(),
        set: BTreeMap::from([("Key".to_owned(), "next".to_owned())]),
        keep: keys.filter(|key| key != "Key").collect(),
        capabilities: stack.capabilities.clone(),
        notification_arns: Vec::new(),
        tags: stack.tags.clone(),
        role_arn: None,
        disable_rollback: false,
    };
    let before = sandbox.calls();
    let began = clock.now();
    rack.stacks.update(&request).await?;
    let mut seen_events = BTreeSet::new();
    let mut ticks = 0;
    let end = loop {
        let (every, reads_events, reads_stack) = match poller {
            Poller::FullRead(every) => (every, true, true),
            Poller::Stack(every) => (every, false, true),
            Poller::EventsAndStack(events, stack) => (1, ticks % events == 0, ticks % stack == 0),
        };
        if reads_events {
            let mut page = None;
            'pages: loop {
                let read = rack.stacks.events(&stack.id, page).await?;
                for event in read.events {
                    let new = seen_events.insert(event.id);
                    if !new && matches!(poller, Poller::EventsAndStack(..)) {
                        break 'pages;
                    }
                }
                page = read.next;
                if page.is_none() {
                    break;
                }
            }
        }
        if reads_stack && rack.stacks.describe(&stack.id).await?.status.class() == StatusClass::Good
        {
            break clock.now();
        }
        clock.sleep(Duration::from_secs(every)).await;
        ticks += 1;
    };
    let calls = sandbox.calls();
    let newest = rack.stacks.events(&stack.id, None).await?.events;
    let true_end = newest.first().map_or(end, |event| event.at);
    let mut figures = figures(&sandbox, &before, began, end, true_end);
    figures.calls = difference(&calls, &before);
    Ok(figures)
}

fn figures(
    sandbox: &Sandbox,
    before: &BTreeMap<String, u64>,
    began: Timestamp,
    seen: Timestamp,
    true_end: Timestamp,
) -> Figures {
    Figures {
        minutes: true_end.duration_since(began).as_secs_f64() / 60.0,
        calls: difference(&sandbox.calls(), before),
        lag: Duration::try_from(seen.duration_since(true_end)).unwrap_or_default(),
        wall: Duration::ZERO,
    }
}

fn difference(
    after: &BTreeMap<String, u64>,
    before: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    after
        .iter()
        .map(|(api, n)| (api.clone(), n - before.get(api).unwrap_or(&0)))
        .collect()
}

fn count(figures: &Figures, operation: &str) -> u64 {
    let of = figures
        .calls
        .iter()
        .filter(|(api, _)| api.ends_with(operation));
    of.map(|(_, calls)| calls).sum()
}

fn row(who: &str, instances: u32, runs: &mut [Figures]) -> String {
    runs.sort_by_key(|figures| figures.lag);
    let p95 = runs[(runs.len() * 95).div_ceil(100).saturating_sub(1)].lag;
    let median = &runs[runs.len() / 2];
    let reads = count(median, "DescribeStackEvents") + count(median, "DescribeStacks");
    format!(
        "{who:<22} {instances:>9} {:>8.1} {:>7} {:>7} {:>9.1} {:>9.1} {:>8.1}",
        median.minutes,
        count(median, "DescribeStackEvents"),
        count(median, "DescribeStacks"),
        count(median, "DescribeStackEvents") as f64 / median.minutes,
        reads as f64 / median.minutes,
        p95.as_secs_f64(),
    )
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
#[expect(clippy::disallowed_methods, reason = "a bench reads the wall clock")]
fn main() -> anyhow::Result<()> {
    println!(
        "{:<22} {:>9} {:>8} {:>7} {:>7} {:>9} {:>9} {:>8}",
        "who", "instances", "minutes", "events", "stacks", "events/m", "reads/m", "lag p95"
    );
    for instances in SIZES {
        let seeds: u64 = if instances < 100 { 20 } else { 3 };
        let mut runs = Vec::new();
        for seed in 1..=seeds {
            let began = std::time::Instant::now();
            let mut figures = in_virtual_time(ours(instances, seed))?;
            figures.wall = began.elapsed();
            runs.push(figures);
        }
        let wall = runs
            .iter()
            .map(|figures| figures.wall)
            .min()
            .unwrap_or_default();
        println!("{}", row("convox", instances, &mut runs));
        for (who, poller) in [
            ("5 s, all events", Poller::FullRead(5)),
            ("2 s events, 5 s stack", Poller::EventsAndStack(2, 5)),
            ("30 s, stack only", Poller::Stack(30)),
        ] {
            let seeds = seeds.min(5);
            let runs: anyhow::Result<Vec<_>> = (1..=seeds)
                .map(|seed| in_virtual_time(theirs(instances, seed, poller)))
                .collect();
            println!("{}", row(who, instances, &mut runs?));
        }
        if let Some(memory) = peak_memory_mib() {
            println!(
                "  the roll of {instances} took {wall:.1?} of wall time; peak memory so far {memory} MiB"
            );
        }
    }
    println!("\ncalls of one roll of 3 instances:");
    for (api, calls) in in_virtual_time(ours(3, 1))?.calls {
        println!("  {api:<45} {calls:>5}");
    }
    Ok(())
}
