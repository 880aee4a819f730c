//! How well rehearsals foretell: what they said of racks made from seeds, and what then happened.
//!
//! `cargo bench --profile dev --bench calibration` prints the tables of `docs/rehearsal.md`.
//! `CONVOX_REHEARSED_RACKS` says how many racks.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../tests/common/foretelling.rs"]
#[expect(dead_code, reason = "racks are rolled in the ordinary way here")]
mod foretelling;
#[path = "../tests/common/virtual_time.rs"]
mod virtual_time;

use std::io::Write as _;

use foretelling::{Compared, Verdict, compare};
use virtual_time::in_virtual_time;

/// How often each rack is rehearsed.
const RUNS: u32 = 30;
/// Between which chances predictions are counted together.
const EDGES: [f64; 7] = [0.0, 0.000_1, 0.2, 0.5, 0.8, 0.999_9, 1.1];

fn table(name: &str, verdicts: &[Verdict]) -> String {
    let mut text = format!(
        "\n| {name}: foretold | predictions | mean foretold | observed |\n|---|---|---|---|\n"
    );
    for pair in EDGES.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let inside = verdicts.iter().filter(|it| (from..to).contains(&it.chance));
        let inside: Vec<&Verdict> = inside.collect();
        let count = inside.len();
        if count == 0 {
            continue;
        }
        let mean = inside.iter().map(|it| it.chance).sum::<f64>() / float(count);
        let happened = inside.iter().filter(|it| it.happened).count();
        let words = match (from, to) {
            (0.0, _) => "never".to_owned(),
            (_, 1.1) => "always".to_owned(),
            (from, to) => format!("{:.0} to {:.0} %", from * 100.0, to * 100.0),
        };
        text.push_str(&format!(
            "| {words} | {count} | {:.1} % | {:.1} % ({happened}) |\n",
            mean * 100.0,
            float(happened) / float(count) * 100.0
        ));
    }
    text
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn main() -> anyhow::Result<()> {
    let racks = std::env::var("CONVOX_REHEARSED_RACKS");
    let racks: u64 = racks
        .ok()
        .and_then(|racks| racks.parse().ok())
        .unwrap_or(200);
    // Other racks than the test's: what was looked at while the model was made proves little.
    let seeds = 1_000_001..=1_000_000 + racks;
    let all: Vec<Compared> = seeds
        .map(|seed| in_virtual_time(compare(seed, RUNS)))
        .collect();
    let of = |verdicts: fn(&Compared) -> Vec<Verdict>| -> Vec<Verdict> {
        all.iter().flat_map(verdicts).collect()
    };
    let mut text = format!("{racks} racks, {RUNS} rehearsals each\n");
    text.push_str(&table("A service is at zero", &of(Compared::at_zero)));
    text.push_str(&table(
        "A service is below its minimum",
        &of(Compared::below_minimum),
    ));
    text.push_str(&table("The roll ends well", &of(|it| vec![it.ends_well()])));
    let zero = of(Compared::at_zero);
    let surprises = zero.iter().filter(|it| it.chance == 0.0 && it.happened);
    for surprise in surprises {
        text.push_str(&format!(
            "\nAt zero, and never foretold: {}\n",
            surprise.about
        ));
    }
    let took = |it: &&Compared| it.is_within();
    let within = all.iter().filter(took).count();
    text.push_str(&format!(
        "\nTook between the foretold p5 and p95: {within} of {racks} rolls ({:.0} %)\n",
        float(within) / float(all.len()) * 100.0
    ));
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
