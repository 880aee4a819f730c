//! What many rehearsals say together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::run::{RunResult, lacks};
use super::series::{above, at, quantile};
use super::template::service_of;
use super::{FORECAST_VERSION, Measured, Rehearsal, Tweak};
use crate::roll::Outcome;
use crate::roll::Strategy;
use crate::sandbox::ledger::Counted;

/// How many moments a band has at the most.
const MOMENTS: u64 = 120;
const HOUR_MS: f64 = 3_600_000.0;

/// What will happen to a rack when its key is rolled, as far as a simulation can tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The version of this form.
    pub v: u32,
    /// The rack.
    pub rack: String,
    /// How it is rolled.
    pub strategy: Strategy,
    /// How many runs this is told from.
    pub runs: u32,
    /// What chance was made of.
    pub seed: u64,
    /// How long a roll takes, however it ends.
    pub duration: Quantiles,
    /// The same for the runs that ended in each way.
    pub durations: BTreeMap<String, Quantiles>,
    /// How many runs ended in which way.
    pub outcomes: BTreeMap<String, u32>,
    /// What failed in the runs that did not end well, the most frequent first.
    pub rolled_back: Vec<RolledBack>,
    /// The services of the clusters, the worst off first.
    pub services: Vec<ServiceForecast>,
    /// Whether the rehearsal has in it all that may befall any service; else that none goes down is
    /// not known.
    pub is_known: bool,
    /// In-service instances over time.
    pub in_service: InService,
    /// What instances beyond those of now cost.
    pub surge: Surge,
    /// What was measured.
    pub measured: Measured,
    /// What could not be measured, and what is assumed instead.
    pub assumptions: Vec<String>,
}

/// The 5th, 50th and 95th percentile, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// One run in twenty is below.
    pub p5: u64,
    /// As many are below as above.
    pub p50: u64,
    /// One run in twenty is above.
    pub p95: u64,
}

/// Why runs did not end well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// How they ended.
    pub outcome: Outcome,
    /// What failed first.
    pub reason: String,
    /// How many runs.
    pub runs: u32,
}

/// What happens to one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceForecast {
    /// The name.
    pub name: String,
    /// How many tasks it should have.
    pub desired: u32,
    /// The fewest that should run.
    pub minimum: u32,
    /// How many run on the rack before the roll.
    pub running: u32,
    /// How many run in the copy then, in the run with the fewest.
    pub copied: u32,
    /// Whether the rehearsal has in it all that may befall the service; else `never` is not known.
    pub is_known: bool,
    /// Fewer than that run.
    pub below_minimum: Lack,
    /// None runs.
    pub at_zero: Lack,
}

/// How often something is lacking, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Lack {
    /// In how many runs it is.
    pub runs: u32,
    /// The same as a part of all runs, from 0 to 1.
    pub chance: f64,
    /// The least that the chance may be, as far as so many runs tell (19 times in 20).
    pub at_least: f64,
    /// The most that it may be.
    pub at_most: f64,
    /// For how long altogether, in the runs in which it is; the median, in seconds.
    pub p50: f64,
    /// As before; the 95th percentile.
    pub p95: f64,
}

/// In-service instances over time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InService {
    /// How many there are before the roll.
    pub before: u64,
    /// How they change.
    pub band: Vec<Band>,
}

/// In-service instances at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Band {
    /// Seconds since the roll began.
    pub at: u64,
    /// The 5th percentile.
    pub p5: u64,
    /// The median.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
}

/// Instances beyond those that there are now, in instance-hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Surge {
    /// On average.
    pub mean: f64,
    /// One run in twenty needs more.
    pub p95: f64,
}

impl ServiceForecast {
    /// Tells whether the roll takes its last task in any run: not where none runs anyway.
    #[must_use]
    pub fn goes_down(&self) -> bool {
        self.at_zero.runs > 0 && self.running > 0
    }

    /// Tells whether the roll takes it below its minimum in any run: not where it is so anyway.
    #[must_use]
    pub fn goes_below(&self) -> bool {
        self.below_minimum.runs > 0 && self.running >= self.minimum
    }
}

impl Forecast {
    /// Tells whether the roll takes the last task of any service at any moment of any run.
    #[must_use]
    pub fn has_downtime(&self) -> bool {
        self.services.iter().any(ServiceForecast::goes_down)
    }
}

impl Rehearsal {
    /// Says what happened in `runs` of the rack that was changed as `tweak` says.
    pub(super) fn told(&self, tweak: &Tweak, runs: &[RunResult]) -> Forecast {
        let mut outcomes = BTreeMap::new();
        for run in runs {
            *outcomes.entry(name_of(run.outcome)).or_default() += 1;
        }
        let of = |outcome: &String| {
            let runs = runs.iter().filter(|run| name_of(run.outcome) == *outcome);
            (outcome.clone(), durations(runs))
        };
        let services = self.services(tweak, runs);
        let mut clusters = self.survey.clusters.iter();
        let is_known = clusters.all(|cluster| self.is_known(cluster));
        let is_known = is_known && services.iter().all(|service| service.is_known);
        let mut assumptions = self.left_out(&services);
        assumptions.extend(self.measured.assumptions());
        Forecast {
            v: FORECAST_VERSION,
            rack: self.rack.clone(),
            strategy: self.settings.options.strategy,
            runs: number(runs.len()),
            seed: self.settings.seed,
            duration: durations(runs.iter()),
            durations: outcomes.keys().map(of).collect(),
            outcomes,
            rolled_back: rolled_back(runs),
            services,
            is_known,
            in_service: in_service(runs),
            surge: surge(runs),
            measured: self.measured.clone(),
            assumptions,
        }
    }

    fn services(&self, tweak: &Tweak, runs: &[RunResult]) -> Vec<ServiceForecast> {
        let mut services = Vec::new();
        for cluster in &self.survey.clusters {
            let is_known = self.is_known(cluster);
            for service in &cluster.services {
                // What the copy has, and not the rack: a change that is tried out may differ.
                let copy = service_of(cluster, service, tweak);
                let of = |path: &str| {
                    let number = copy.pointer(path).and_then(serde_json::Value::as_u64);
                    u32::try_from(number.unwrap_or(0)).unwrap_or(u32::MAX)
                };
                let desired = of("/DesiredCount");
                let least = of("/DeploymentConfiguration/MinimumHealthyPercent").min(100);
                let minimum = (desired * least).div_ceil(100);
                if desired == 0 || service.is_daemon || service.is_fargate {
                    continue;
                }
                let lacking = runs.iter().map(|run| lacks(run, &service.name, minimum));
                let (below, zero): (Vec<u64>, Vec<u64>) = lacking.unzip();
                let copied = runs.iter().map(|run| first(run, &service.name)).min();
                let copied = u32::try_from(copied.unwrap_or(0)).unwrap_or(u32::MAX);
                services.push(ServiceForecast {
                    name: service.name.clone(),
                    desired,
                    minimum,
                    running: service.running,
                    copied,
                    is_known: is_known
                        && copied >= service.running.min(desired)
                        && cluster.health_of(service).is_none_or(|it| it.is_known()),
                    below_minimum: lack(below),
                    at_zero: lack(zero),
                });
            }
        }
        services.sort_by(|one, other| {
            let worst = |it: &ServiceForecast| {
                let (zero, below) = (it.at_zero, it.below_minimum);
                [zero.chance, zero.p50, below.chance, below.p50]
            };
            let by_harm = worst(other).partial_cmp(&worst(one));
            let by_harm = by_harm.unwrap_or(std::cmp::Ordering::Equal);
            by_harm.then_with(|| one.name.cmp(&other.name))
        });
        services
    }
}

/// Returns how many tasks of a service ran when the roll of a run began.
fn first(run: &RunResult, service: &str) -> u64 {
    let points = run.counts.get(&Counted::Service(service.to_owned()));
    points.map_or(0, |points| at(points, 0))
}

fn name_of(outcome: Outcome) -> String {
    let value = serde_json::to_value(outcome).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn durations<'a>(runs: impl Iterator<Item = &'a RunResult>) -> Quantiles {
    let mut sorted: Vec<u64> = runs.map(|run| run.duration_ms / 1000).collect();
    sorted.sort_unstable();
    Quantiles {
        p5: quantile(&sorted, 5),
        p50: quantile(&sorted, 50),
        p95: quantile(&sorted, 95),
    }
}

fn rolled_back(runs: &[RunResult]) -> Vec<RolledBack> {
    let mut reasons: Vec<RolledBack> = Vec::new();
    for run in runs.iter().filter(|run| run.outcome != Outcome::Done) {
        let reason = without_ids(&run.message);
        let known = reasons
            .iter_mut()
            .find(|it| it.reason == reason && it.outcome == run.outcome);
        match known {
            Some(known) => known.runs += 1,
            None => reasons.push(RolledBack {
                outcome: run.outcome,
                reason,
                runs: 1,
            }),
        }
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.runs));
    reasons
}

/// Blanks what differs from run to run: the ids of instances and of rolls.
fn without_ids(text: &str) -> String {
    let words = text.split(' ').map(|word| match word {
        word if word.starts_with("i-0") => "i-…",
        word if word.contains("-keypair-") => "the new key pair",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn lack(lengths_ms: Vec<u64>) -> Lack {
    let all = lengths_ms.len();
    let mut lengths: Vec<u64> = lengths_ms
        .into_iter()
        .filter(|length| *length > 0)
        .collect();
    lengths.sort_unstable();
    let seconds = |percent| float(quantile(&lengths, percent)) / 1000.0;
    let (at_least, at_most) = bounds(number(lengths.len()), number(all));
    Lack {
        at_least,
        at_most,
        runs: number(lengths.len()),
        chance: f64::from(number(lengths.len())) / f64::from(number(all).max(1)),
        p50: seconds(50),
        p95: seconds(95),
    }
}

/// Returns between which chances something is that happened in `hits` of `runs`: right 19 times in
/// 20. Where it happened never, or always, the bound is the chance by which that alone would have
/// come about once in 20 times (the rule of three); between that it is Wilson's interval.
fn bounds(hits: u32, runs: u32) -> (f64, f64) {
    const Z: f64 = 1.96;
    let count = f64::from(runs.max(1));
    let never = 1.0 - 0.05_f64.powf(1.0 / count);
    if hits == 0 {
        return (0.0, never);
    }
    if hits >= runs {
        return (1.0 - never, 1.0);
    }
    let part = f64::from(hits) / count;
    let middle = part + Z * Z / (2.0 * count);
    let half = Z * (part * (1.0 - part) / count + Z * Z / (4.0 * count * count)).sqrt();
    let whole = 1.0 + Z * Z / count;
    ((middle - half) / whole, (middle + half) / whole)
}

fn in_service(runs: &[RunResult]) -> InService {
    let longest = runs.iter().map(|run| run.duration_ms).max().unwrap_or(0);
    // The draining of what is surplus in the end belongs to the picture.
    let span = longest + longest / 10;
    let groups = |run: &RunResult, instant| -> u64 {
        let groups = run.counts.iter();
        let groups = groups.filter(|(counted, _)| matches!(counted, Counted::InService(_)));
        groups.map(|(_, points)| at(points, instant)).sum()
    };
    let moment = |number: u64| {
        let instant = span * number / MOMENTS;
        let mut counts: Vec<u64> = runs.iter().map(|run| groups(run, instant)).collect();
        counts.sort_unstable();
        Band {
            at: instant / 1000,
            p5: quantile(&counts, 5),
            p50: quantile(&counts, 50),
            p95: quantile(&counts, 95),
        }
    };
    let band: Vec<Band> = (0..=MOMENTS).map(moment).collect();
    InService {
        before: band.first().map_or(0, |band| band.p50),
        band,
    }
}

fn surge(runs: &[RunResult]) -> Surge {
    let beyond = |run: &RunResult| {
        let points = run
            .counts
            .get(&Counted::Instances)
            .map_or(&[][..], Vec::as_slice);
        let before = points.first().map_or(0, |(_, count)| *count);
        above(points, before, run.watched_ms)
    };
    let mut sorted: Vec<u64> = runs.iter().map(beyond).collect();
    sorted.sort_unstable();
    let sum: u64 = sorted.iter().sum();
    Surge {
        mean: float(sum) / HOUR_MS / f64::from(number(sorted.len()).max(1)),
        p95: float(quantile(&sorted, 95)) / HOUR_MS,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A count as a number that can be divided: exact up to 2^32, which is enough for milliseconds of
/// a day and a thousand instances.
fn float(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & u64::from(u32::MAX));
    let part = |bits: u64| f64::from(u32::try_from(bits).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_runs_leave_more_open_than_many() {
        let round = |(low, high): (f64, f64)| (format!("{low:.3}"), format!("{high:.3}"));
        let told = |low: &str, high: &str| (low.to_owned(), high.to_owned());
        // Exact for never and always; the middle as in Wilson (1927) for 5 of 10.
        assert_eq!(round(bounds(0, 100)), told("0.000", "0.030"));
        assert_eq!(round(bounds(0, 3)), told("0.000", "0.632"));
        assert_eq!(round(bounds(100, 100)), told("0.970", "1.000"));
        assert_eq!(round(bounds(5, 10)), told("0.237", "0.763"));
    }

    #[test]
    fn what_is_so_before_the_roll_is_not_counted_as_the_rolls() {
        let lacking = Lack {
            runs: 10,
            ..Lack::default()
        };
        let service = |running| ServiceForecast {
            name: "web".to_owned(),
            desired: 3,
            minimum: 2,
            running,
            copied: 3,
            is_known: true,
            below_minimum: lacking,
            at_zero: lacking,
        };
        let told = |running| (service(running).goes_below(), service(running).goes_down());
        assert_eq!(told(3), (true, true));
        assert_eq!(told(1), (false, true), "it is below its minimum anyway");
        assert_eq!(told(0), (false, false), "none runs anyway");
    }
}
