//! How long things take on a rack, from what AWS remembers of them.

use serde::Serialize;

use crate::rack::{Cluster, ClusterService};
use crate::roll::Survey;
use crate::sandbox::world::{Chance, Pace};

/// How far the start of a launch may be from the launch time that EC2 tells, in milliseconds.
const SAME_LAUNCH_MS: i64 = 5_000;

/// Spans of time that were measured, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Samples(pub Vec<u64>);

impl Samples {
    /// Draws the shortest and the longest span there may be, in milliseconds, as surely as the
    /// samples tell. Drawn again, it differs by as much as is unknown: a lot after two samples.
    ///
    /// Spans are taken to be spread evenly between two ends. What part of the distance between
    /// those ends `n` samples cover is then distributed as the second largest of `n` numbers
    /// between 0 and 1 (the range of uniform order statistics, Beta(n - 1, 2)), and where in it
    /// they lie is even too. One sample is taken for the middle of two.
    #[must_use]
    pub fn redrawn(&self, chance: &mut Chance) -> Option<(u64, u64)> {
        let (mut least, mut most) = (*self.0.iter().min()?, *self.0.iter().max()?);
        if self.0.len() == 1 {
            (least, most) = (least - least / 4, most + most / 4);
        }
        let count = self.0.len().max(2);
        let mut parts: Vec<u64> = (0..count).map(|_| part(chance)).collect();
        parts.sort_unstable();
        let covered = parts.get(count - 2).copied().unwrap_or(0);
        let range = most - least;
        // At the most four times as wide as seen: with less to go by, nothing can be foretold.
        let width = (range << PART_BITS) / covered.max(1);
        let beyond = width.saturating_sub(range).min(range * 3);
        let below = (beyond * part(chance)) >> PART_BITS;
        Some((
            least.saturating_sub(below).max(least / 3),
            most + beyond - below,
        ))
    }
}

/// How many bits a number between 0 and 1 has.
const PART_BITS: u32 = 24;

/// Draws a number between 0 and 1, in 2^24ths.
fn part(chance: &mut Chance) -> u64 {
    chance.bits() >> (u64::BITS - PART_BITS)
}

/// What was measured of a rack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// From the launch of an instance until its group had it in service.
    pub pending_ms: Samples,
    /// From there until it joined its cluster.
    pub boot_ms: Samples,
    /// From asking for a task until it ran, of every service.
    pub task_start_ms: Samples,
    /// From asking a task to stop until it had, of every service.
    pub task_stop_ms: Samples,
}

impl Measured {
    /// Measures what a survey saw.
    #[must_use]
    pub fn of(survey: &Survey) -> Self {
        let launches = survey.groups.iter().flat_map(|group| &group.launches);
        let launches: Vec<(i64, u64)> = launches
            .filter_map(|launch| {
                let start = launch.started_at.as_millisecond();
                let took = launch.ended_at.as_millisecond() - start;
                Some((start, u64::try_from(took).ok()?))
            })
            .collect();
        let mut measured = Self {
            pending_ms: Samples(launches.iter().map(|(_, took)| *took).collect()),
            ..Self::default()
        };
        let usual = measured.usual_pending_ms();
        for host in survey.clusters.iter().flat_map(|cluster| &cluster.hosts) {
            let mut instances = survey.instances.iter();
            let instance = instances.find(|instance| instance.id == host.instance);
            let launched = instance.and_then(|instance| instance.launched_at);
            let (Some(launched), Some(joined)) = (launched, host.registered_at) else {
                continue;
            };
            let launched = launched.as_millisecond();
            let near = launches
                .iter()
                .find(|(start, _)| (start - launched).abs() < SAME_LAUNCH_MS);
            let Ok(total) = u64::try_from(joined.as_millisecond() - launched) else {
                continue;
            };
            // One whose launch Auto Scaling has forgotten took as long to launch as usual.
            let pending = near.map_or(usual, |(_, pending)| *pending);
            if total > pending {
                measured.boot_ms.0.push(total - pending);
            }
        }
        for cluster in &survey.clusters {
            for service in &cluster.services {
                let starts = task_starts(cluster, &service.name);
                measured.task_start_ms.0.extend(starts.0);
                let stops = task_stops(cluster, service);
                measured.task_stop_ms.0.extend(stops.0);
            }
        }
        measured
    }

    /// Returns how long it takes at most, as far as was measured, from when a group has an instance
    /// in service until a task runs on it, in milliseconds; `None` where no instance was measured.
    pub(super) fn slowest_start_ms(&self) -> Option<u64> {
        let boot = self.boot_ms.0.iter().max()?;
        let task = self.task_start_ms.0.iter().max().copied().unwrap_or(0);
        Some(boot.saturating_add(task))
    }

    /// Returns how long a launch usually takes: the median of those that are remembered, or else the
    /// middle of what is assumed.
    fn usual_pending_ms(&self) -> u64 {
        let mut sorted = self.pending_ms.0.clone();
        sorted.sort_unstable();
        let (least, most) = Pace::default().pending_ms;
        let middle = sorted.get(sorted.len() / 2).copied();
        middle.unwrap_or((least + most) / 2)
    }

    /// Returns a pace as measured, as surely as that can be known.
    pub(super) fn pace(&self, chance: &mut Chance) -> Pace {
        let usual = Pace::default();
        Pace {
            pending_ms: self.pending_ms.redrawn(chance).unwrap_or(usual.pending_ms),
            boot_ms: self.boot_ms.redrawn(chance).unwrap_or(usual.boot_ms),
            ..usual
        }
    }

    /// Says what could not be measured, and what is assumed instead.
    pub(super) fn assumptions(&self) -> Vec<String> {
        let usual = Pace::default();
        let seconds = |(least, most): (u64, u64)| format!("{} to {} s", least / 1000, most / 1000);
        let mut all = Vec::new();
        if self.boot_ms.0.is_empty() {
            let both = (
                usual.pending_ms.0 + usual.boot_ms.0,
                usual.pending_ms.1 + usual.boot_ms.1,
            );
            all.push(format!(
                "no launch is remembered that tells how long instances boot: {} are assumed",
                seconds(both)
            ));
        }
        if self.task_start_ms.0.is_empty() {
            let span = seconds(usual.task_ms);
            all.push(format!(
                "no task tells how long it starts: {span} are assumed"
            ));
        }
        if self.task_stop_ms.0.is_empty() {
            all.push(
                "no task has stopped lately: anything up to its stop timeout is assumed".to_owned(),
            );
        }
        all.push(
            "a task counts from when ECS calls it running, and behind a target group from when it has had \
             time to pass the checks: how long an app takes to answer is not measured"
                .to_owned(),
        );
        all
    }
}

/// Draws two ends anywhere between a second and `most`, in milliseconds, in their order.
pub(super) fn within(chance: &mut Chance, most: u64) -> (u64, u64) {
    let least = most.min(1_000);
    let mut end = || least + (((most - least) * part(chance)) >> PART_BITS);
    let (one, other) = (end(), end());
    (one.min(other), one.max(other))
}

/// How long the running tasks of a service took to start.
pub(super) fn task_starts(cluster: &Cluster, service: &str) -> Samples {
    let tasks = cluster.tasks.iter();
    let own = tasks.filter(|task| task.service.as_deref() == Some(service));
    let starts = own.filter_map(|task| {
        let took = task.started_at?.as_millisecond() - task.created_at?.as_millisecond();
        u64::try_from(took).ok()
    });
    Samples(starts.collect())
}

/// How long tasks of a service took to stop that did so lately, less what their target groups kept
/// them for beforehand: ECS tells of both together.
pub(super) fn task_stops(cluster: &Cluster, service: &ClusterService) -> Samples {
    let health = cluster.health_of(service).unwrap_or_default();
    let kept = u64::from(health.deregistration_delay_secs.unwrap_or(0)) * 1000;
    let stops = cluster.stops.iter();
    let own = stops.filter(|(name, _)| *name == service.name);
    Samples(own.map(|(_, took)| took.saturating_sub(kept)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(samples: &[u64], times: usize) -> Vec<(u64, u64)> {
        let mut chance = Chance::new(1);
        let samples = Samples(samples.to_vec());
        let draws = (0..times).filter_map(|_| samples.redrawn(&mut chance));
        draws.collect()
    }

    #[test]
    fn what_was_seen_stays_possible_in_every_draw() {
        let drawn = drawn(&[100, 140, 150, 200], 200);
        assert_eq!(drawn.len(), 200);
        assert!(
            drawn
                .iter()
                .all(|(least, most)| *least <= 100 && *most >= 200)
        );
        assert!(
            drawn
                .iter()
                .all(|(least, most)| *least >= 33 && *most <= 600)
        );
    }

    #[test]
    fn many_samples_leave_less_open_than_two() {
        let width = |samples: &[u64]| {
            let drawn = drawn(samples, 400);
            drawn.iter().map(|(least, most)| most - least).sum::<u64>() / 400
        };
        let many: Vec<u64> = (0..50).map(|n| 1000 + 20 * n).chain([2000]).collect();
        assert!(width(&[1000, 2000]) > 1800, "{}", width(&[1000, 2000]));
        assert!((1000..1100).contains(&width(&many)), "{}", width(&many));
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        assert_eq!(Samples::default().redrawn(&mut Chance::new(1)), None);
        assert!(
            drawn(&[40], 50)
                .iter()
                .all(|(least, most)| *least <= 30 && *most >= 50)
        );
    }
}
