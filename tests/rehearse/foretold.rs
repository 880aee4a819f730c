//! Every prediction is held against what then happens, in an account with chance of its own.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::foretelling::{Compared, Verdict, compare};
use crate::virtual_time::in_virtual_time;

/// How often each rack is rehearsed.
const RUNS: u32 = 15;
/// How far what happens may be from what was foretold, in standard deviations.
const SIGMAS: f64 = 3.0;
/// Of a hundred rolls, how many have to take from p5 to p95.
const WITHIN: usize = 70;
/// Of a hundred rolls, how many have to take as long as the median of the rehearsals, give or take
/// a fifth.
const NEAR: usize = 75;

/// How many racks: 80, or what `CONVOX_REHEARSED_RACKS` says, such as 2000.
fn racks() -> u64 {
    let named = std::env::var("CONVOX_REHEARSED_RACKS").ok();
    named.and_then(|racks| racks.parse().ok()).unwrap_or(80)
}

/// Compares racks side by side: one thread waits while another rolls what is no rehearsal.
fn compare_all(racks: u64) -> Vec<Compared> {
    let next = AtomicU64::new(1);
    let work = || {
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > racks {
                return done;
            }
            done.push(in_virtual_time(compare(seed, RUNS)));
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut all: Vec<Compared> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|it| it.join().unwrap());
        done.flatten().collect()
    });
    all.sort_by_key(|it| it.seed);
    all
}

/// Checks that what was foretold with a chance happens about as often, wherever one looks.
fn assert_calibrated(what: &str, verdicts: &[Verdict]) {
    let edges = [0.0, 0.000_1, 0.2, 0.5, 0.8, 0.999_9, 1.1];
    for pair in edges.windows(2) {
        let inside = |it: &&Verdict| (pair[0]..pair[1]).contains(&it.chance);
        let inside: Vec<&Verdict> = verdicts.iter().filter(inside).collect();
        if inside.is_empty() {
            continue;
        }
        let foretold = inside.iter().map(|it| it.chance).sum::<f64>();
        let happened = inside.iter().filter(|it| it.happened);
        let happened: Vec<&str> = happened.map(|it| it.about.as_str()).collect();
        let hits = f64::from(u32::try_from(happened.len()).unwrap());
        // What happens is one coin, and what was foretold the mean of as many as there were runs
        // (each with the chance that it is likely to have: Jeffreys).
        let runs = f64::from(RUNS);
        let variance = |it: &&Verdict| {
            let chance = (it.chance * runs + 0.5) / (runs + 1.0);
            chance * (1.0 - chance) * (1.0 + 1.0 / runs)
        };
        let slack = SIGMAS * inside.iter().map(variance).sum::<f64>().sqrt();
        let count = inside.len();
        assert!(
            (hits - foretold).abs() <= slack,
            "{what}: {foretold:.1} of {count} foretold, {hits} happened, at most {slack:.1} apart \
             ({:?}): {happened:?}",
            pair
        );
    }
}

#[test]
fn what_is_foretold_happens() {
    let all = compare_all(racks());
    let zero: Vec<_> = all.iter().flat_map(Compared::at_zero).collect();
    let below: Vec<_> = all.iter().flat_map(Compared::below_minimum).collect();
    let well: Vec<_> = all.iter().map(Compared::ends_well).collect();
    assert!(zero.iter().any(|it| it.happened) && below.iter().any(|it| it.happened));
    assert!(
        well.iter().any(|it| !it.happened),
        "nothing ever rolled back"
    );
    assert_calibrated("at zero", &zero);
    assert_calibrated("below minimum", &below);
    assert_calibrated("ends well", &well);

    let others = all.iter().filter(|it| !it.is_within());
    let others = others.map(|it| {
        (
            it.seed,
            it.forecast.duration,
            it.happened.duration_ms / 1000,
        )
    });
    let others: Vec<_> = others.collect();
    // Nine of ten would be if a few launches told all about a rack; see docs/rehearsal.md.
    assert!(
        others.len() * 100 <= all.len() * (100 - WITHIN),
        "{} of {} took otherwise than from p5 to p95: {others:?}",
        others.len(),
        all.len()
    );
    let near = |it: &&Compared| {
        let (took, median) = (it.happened.duration_ms / 1000, it.forecast.duration.p50);
        took.abs_diff(median) * 5 <= median
    };
    let near = all.iter().filter(near).count();
    assert!(
        near * 100 >= all.len() * NEAR,
        "{near} of {} took within 20 % of the foretold median",
        all.len()
    );
}
