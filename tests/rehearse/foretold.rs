//! Every prediction is held against what then happens, in an account with chance of its own.

use crate::foretelling::{Compared, Verdict, compare};
use crate::virtual_time::in_virtual_time;

/// How often each rack is rehearsed.
const RUNS: u32 = 15;
/// How far what happens may be from what was foretold, in standard deviations of as many coins.
const SIGMAS: f64 = 4.0;

/// How many racks: 200, or what `CONVOX_REHEARSED_RACKS` says, such as 2000.
fn racks() -> u64 {
    let named = std::env::var("CONVOX_REHEARSED_RACKS").ok();
    named.and_then(|racks| racks.parse().ok()).unwrap_or(200)
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
        let count = f64::from(u32::try_from(inside.len()).unwrap());
        let foretold = inside.iter().map(|it| it.chance).sum::<f64>();
        let happened = inside.iter().filter(|it| it.happened);
        let happened: Vec<&str> = happened.map(|it| it.about.as_str()).collect();
        let hits = f64::from(u32::try_from(happened.len()).unwrap());
        // As many runs without a case leave room for one chance in two more (Laplace).
        let unsure = 1.0 / f64::from(RUNS + 2);
        let mean = (foretold / count).clamp(unsure, 1.0 - unsure);
        let slack = SIGMAS * (count * mean * (1.0 - mean)).sqrt() + count * unsure;
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
    let all: Vec<Compared> = (1..=racks())
        .map(|seed| in_virtual_time(compare(seed, RUNS)))
        .collect();
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
        others.len() * 100 <= all.len() * 40,
        "{} of {} took otherwise than from p5 to p95: {others:?}",
        others.len(),
        all.len()
    );
}
