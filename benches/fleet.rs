//! What a fleet costs: 1,000 racks of 30 instances in five accounts, in virtual time.
//!
//! `cargo bench --profile dev --bench fleet` prints the table of `docs/fleets.md`. Other sizes:
//! `-- RACKS INSTANCES ACCOUNTS`. Each account refuses what is above its limit, as AWS does, so
//! that "refused" would show a budget that is not kept.

#[expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#[path = "../tests/common/fleets.rs"]
mod fleets;
#[expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#[path = "../tests/common/virtual_time.rs"]
mod virtual_time;

use std::collections::BTreeMap;
use std::time::Duration;

use convox::clock::Clock;
use convox::rack::aws::{Budgets, CALLS_PER_SECOND};
use convox::roll::{Fleet, FleetJournals, FleetPlan, FleetReport, Stop};
use convox::sandbox::scenario::{Fault, NamedRack, Racks, Rate};
use convox::sandbox::{Sandbox, Scenario};
use fleets::{Accounts, Counting, most_above, plan_of};
use jiff::Timestamp;
use virtual_time::in_virtual_time;

/// How many racks there are, how large, and in how many accounts.
#[derive(Debug, Clone, Copy)]
struct Size {
    racks: u32,
    instances: u32,
    accounts: u32,
}

/// What was seen of one fleet.
struct Seen {
    report: FleetReport,
    calls: u64,
    refused: u64,
    /// Of each account and API, when it was called.
    times: Vec<(String, Vec<Timestamp>)>,
    peak: usize,
}

fn scenario(size: Size, account: u32, limit: Option<f64>) -> Scenario {
    let mut scenario = Scenario {
        seed: u64::from(account) + 1,
        ..Scenario::default()
    };
    scenario.racks = Some(Racks::Named(vec![NamedRack {
        name: format!("prod-{account}"),
        count: Some(size.racks / size.accounts),
        instances: Some(size.instances),
        batch: Some((size.instances / 10).max(1)),
        services: None,
    }]));
    scenario.faults.extend(limit.map(|per_second| {
        Fault::Rate(Rate {
            api: "*".to_owned(),
            per_second,
            burst: None,
        })
    }));
    scenario
}

fn worlds(
    size: Size,
    clock: &Clock,
    limit: Option<f64>,
) -> anyhow::Result<BTreeMap<String, Sandbox>> {
    let made = (0..size.accounts).map(|account| {
        let sandbox = Sandbox::new(&scenario(size, account, limit), clock.clone())?;
        sandbox.keep_times();
        Ok((format!("account-{account}"), sandbox))
    });
    made.collect()
}

fn plan(size: Size, clock: &Clock) -> FleetPlan {
    let mut plan = plan_of(clock, "", &[]);
    for account in 0..size.accounts {
        let racks = scenario(size, account, None).all_racks();
        let names: Vec<_> = racks.iter().map(|rack| (rack.name.as_str(), 1)).collect();
        let of = plan_of(clock, &format!("account-{account}"), &names);
        plan.racks.extend(of.racks);
    }
    plan.at_once = size.racks;
    plan
}

async fn roll(size: Size, is_limited: bool) -> anyhow::Result<Seen> {
    let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse()?, 1.0);
    let sandboxes = worlds(size, &clock, is_limited.then_some(CALLS_PER_SECOND))?;
    let budgets = is_limited.then(|| Budgets::new(clock.clone(), CALLS_PER_SECOND));
    let home = tempfile::tempdir()?;
    let stop = Stop::new();
    let source = Accounts::connect(
        &sandboxes,
        &clock,
        budgets.as_ref(),
        home.path(),
        stop.clone(),
    )
    .await;
    let journals = FleetJournals::new(home.path().join("fleets"));
    let mut counting = Counting::default();
    let plan = plan(size, &clock);
    let fleet = Fleet::begin(plan, &journals, &source, clock, &mut counting, stop)?;
    let report = fleet.run().await;
    anyhow::ensure!(report.exit_code == 0, "{}", report.message);
    let calls = sandboxes.values().flat_map(|sandbox| sandbox.calls());
    let times = sandboxes.values().flat_map(|sandbox| sandbox.times());
    Ok(Seen {
        report,
        calls: calls.map(|(_, calls)| calls).sum(),
        refused: sandboxes.values().map(Sandbox::throttled).sum(),
        times: times.collect(),
        peak: counting.most,
    })
}

fn length(report: &FleetReport) -> f64 {
    report.ended.duration_since(report.began).as_secs_f64()
}

/// How many calls there were at most in any span of that length.
fn most_within(times: &[Timestamp], span: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (place, at) in times.iter().enumerate() {
        while at.duration_since(times[first]).unsigned_abs() >= span {
            first += 1;
        }
        most = most.max(place + 1 - first);
    }
    most
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
#[expect(clippy::disallowed_methods, reason = "a bench reads the wall clock")]
fn main() -> anyhow::Result<()> {
    let numbers: Vec<u32> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let size = match numbers.as_slice() {
        [racks, instances, accounts] => Size {
            racks: *racks,
            instances: *instances,
            accounts: *accounts,
        },
        _ => Size {
            racks: 1_000,
            instances: 30,
            accounts: 5,
        },
    };
    println!("{size:?}, {CALLS_PER_SECOND} calls a second of each API and account\n");
    // One rack by itself: what a roll takes where nothing waits for anything.
    let alone = Size {
        racks: 1,
        accounts: 1,
        ..size
    };
    let alone = length(&in_virtual_time(roll(alone, false))?.report);
    let began = std::time::Instant::now();
    let seen = in_virtual_time(roll(size, true))?;
    let wall = began.elapsed();

    let virtual_time = length(&seen.report);
    let busiest = seen.times.iter().map(|(_, times)| times.len()).max();
    let bound = f64::from(u32::try_from(busiest.unwrap_or(0))?) / CALLS_PER_SECOND;
    println!(
        "wall time                       {:>9.1} s",
        wall.as_secs_f64()
    );
    if let Some(memory) = peak_memory_mib() {
        println!("peak memory (VmHWM)             {memory:>9} MiB");
    }
    println!("calls                           {:>9}", seen.calls);
    println!("calls refused by the limit      {:>9}", seen.refused);
    println!("racks at work at most           {:>9}", seen.peak);
    println!(
        "virtual time of the fleet       {:>9.1} min",
        virtual_time / 60.0
    );
    println!("virtual time of one rack        {:>9.1} min", alone / 60.0);
    println!("busiest API's calls / budget    {:>9.1} min", bound / 60.0);
    println!(
        "fleet / the longer of these     {:>9.2}",
        virtual_time / alone.max(bound)
    );

    println!(
        "\n{:<45} {:>7} {:>6} {:>7} {:>8}",
        "API, in its busiest account", "calls", "in 1 s", "in 60 s", "bucket"
    );
    let mut by_api: BTreeMap<&str, (usize, usize, usize, f64)> = BTreeMap::new();
    for (api, times) in &seen.times {
        let row = by_api.entry(api).or_default();
        row.0 = row.0.max(times.len());
        row.1 = row.1.max(most_within(times, Duration::from_secs(1)));
        row.2 = row.2.max(most_within(times, Duration::from_secs(60)));
        row.3 = row.3.max(most_above(times, CALLS_PER_SECOND));
    }
    for (api, (calls, second, minute, bucket)) in by_api {
        println!("{api:<45} {calls:>7} {second:>6} {minute:>7} {bucket:>8.2}");
    }
    Ok(())
}
