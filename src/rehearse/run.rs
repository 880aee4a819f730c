//! One rehearsal: the real engine rolls a copy in virtual time, and every count is kept.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::direct;
use super::memory::{Deaf, NoJournals};
use super::replica::Replica;
use super::series::below_ms;
use super::{RehearseError, Settings};
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::rack::Rack;
use crate::roll::{Engine, Outcome, Report, RollOptions, Stop};
use crate::sandbox::Sandbox;
use crate::sandbox::ledger::Counted;

/// How long counts are kept after the roll: surplus instances are drained, and services settle.
const AFTERWARDS: Duration = Duration::from_secs(900);
/// How many threads at the most rehearse side by side.
const THREADS: usize = 8;

/// What happened in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunResult {
    /// How the roll ended.
    pub outcome: Outcome,
    /// How it ended, in words, and what failed first, if anything did.
    pub message: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How long counts were kept, in milliseconds: the roll and some time afterwards.
    pub watched_ms: u64,
    /// Counts over time: milliseconds since the roll began, and the count from then on.
    pub counts: BTreeMap<Counted, Vec<(u64, u64)>>,
}

/// Returns how long a service had fewer than `minimum` tasks in a run, and for how long none at
/// all, in milliseconds.
#[must_use]
pub fn lacks(run: &RunResult, service: &str, minimum: u32) -> (u64, u64) {
    let points = run.counts.get(&Counted::Service(service.to_owned()));
    let points = points.map_or(&[][..], Vec::as_slice);
    let below = |mark| below_ms(points, mark, 0, run.watched_ms);
    (below(minimum.into()), below(1))
}

/// Rolls a replica `runs` times, on as many threads as there are processors. The results do not
/// depend on how many those are.
pub(super) fn run_all(
    replica: &Replica,
    rack: &str,
    parameter: &str,
    settings: Settings,
    runs: u32,
) -> Result<Vec<RunResult>, RehearseError> {
    let next = AtomicU32::new(0);
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= runs.max(1) {
                return Ok(done);
            }
            let seed = settings
                .seed
                .wrapping_mul(0x1_0000_0000)
                .wrapping_add(number.into());
            let result = one(replica, rack, parameter, settings.options, seed)?;
            done.push((number, result));
        }
    };
    let mut results = BTreeMap::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..processors.min(THREADS))
            .map(|_| scope.spawn(work))
            .collect();
        for worker in workers {
            let done: Result<Vec<_>, RehearseError> = worker
                .join()
                .unwrap_or_else(|_| Err(RehearseError::Run("a run panicked".to_owned())));
            results.extend(done?);
        }
        Ok::<(), RehearseError>(())
    })?;
    Ok(results.into_values().collect())
}

/// Rolls a replica once, in virtual time.
fn one(
    replica: &Replica,
    rack: &str,
    parameter: &str,
    options: RollOptions,
    seed: u64,
) -> Result<RunResult, RehearseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| RehearseError::Run(error.to_string()))?;
    runtime.block_on(async {
        let clock = Clock::starting_at(replica.now(), 1.0);
        let sandbox = Sandbox::of_world(replica.world(seed), clock.clone());
        let entropy = Entropy::seeded(seed);
        let rack = direct::rack(&sandbox, rack, parameter);
        let began = clock.now();
        let report = roll(options, rack, &clock, entropy).await?;
        let took = clock.now().as_millisecond() - began.as_millisecond();
        clock.sleep(AFTERWARDS).await;
        let watched = clock.now().as_millisecond() - began.as_millisecond();
        Ok(RunResult {
            outcome: report.outcome,
            message: worded(&report),
            duration_ms: whole(took),
            watched_ms: whole(watched),
            counts: counts(&sandbox, began.as_millisecond()),
        })
    })
}

/// Carries the roll out as it would be on the rack.
async fn roll(
    options: RollOptions,
    rack: Rack,
    clock: &Clock,
    entropy: Entropy,
) -> Result<Report, RehearseError> {
    let sink = Box::new(Deaf);
    let mut engine = Engine::new(rack, clock.clone(), entropy, NoJournals, sink, Stop::new());
    let plan = engine.plan(options, Duration::ZERO).await;
    let plan = plan.map_err(|refusal| RehearseError::Run(refusal.to_string()))?;
    Ok(engine.run(plan, false).await)
}

fn worded(report: &Report) -> String {
    match &report.first_failure {
        Some(failure) => format!("{}: {}", failure.logical_id, failure.reason),
        None => report.message.clone(),
    }
}

fn counts(sandbox: &Sandbox, began: i64) -> BTreeMap<Counted, Vec<(u64, u64)>> {
    sandbox.peek(|world| {
        let all = world.ledger().into_iter().flat_map(|ledger| ledger.all());
        let since = |points: &[(jiff::Timestamp, u64)]| {
            let points = points.iter();
            points
                .map(|(at, count)| (whole(at.as_millisecond() - began), *count))
                .collect()
        };
        all.map(|(counted, points)| (counted.clone(), since(points)))
            .collect()
    })
}

fn whole(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
