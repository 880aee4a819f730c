//! Changes of a rack, and what each would change: by rehearsing the rack as it would be.

use serde::Serialize;

use super::template::warm_up_of;
use super::{Forecast, Rehearsal, RehearseError, ServiceForecast, Tweak};
use crate::roll::RollPolicy;

/// How many runs each change is rehearsed at the most: it is compared, not foretold.
const RUNS: u32 = 40;
/// How many tasks a service needs to lose one or two and stay up, as the classic's page says.
const THIRD: u32 = 3;
/// How long draining is tried out with, in seconds.
const LONG_DRAIN: u32 = 900;
/// How long a signal is waited for in a roll that runs out of time, in seconds.
const LONG_PAUSE: u64 = 900;

/// What a warm-up is a multiple of, in seconds, and how much longer it is than anything measured, in
/// percent.
const WARM_UP_STEP: u64 = 30;
const WARM_UP_SLACK: u64 = 25;

/// The parameter of a rack's template that says how many are replaced at a time.
const BATCH: &str = "InstanceUpdateBatchSize";

/// Lists the services that a change is about.
fn names(forecast: &Forecast, is_about: impl Fn(&ServiceForecast) -> bool) -> String {
    let services = forecast.services.iter().filter(|service| is_about(service));
    let names: Vec<&str> = services.map(|service| service.name.as_str()).collect();
    names.join(", ")
}

/// A change of the rack and its effects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advised {
    /// A stable name for scripts, such as `batch`.
    pub code: &'static str,
    /// What to change, in words.
    pub change: String,
    /// What was changed in the copy.
    pub tweak: Tweak,
    /// What a roll then does.
    pub effects: Effects,
}

/// What a roll comes to, in a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effects {
    /// The median of how long it takes, in seconds.
    pub duration_p50: u64,
    /// The highest chance of a service to be at zero, from 0 to 1.
    pub at_zero: f64,
    /// How many services ever are.
    pub services_at_zero: u32,
    /// The highest chance of a service to be below its minimum, from 0 to 1.
    pub below_minimum: f64,
    /// How many services ever are.
    pub services_below_minimum: u32,
    /// The chance that the roll does not end well, from 0 to 1.
    pub fails: f64,
    /// Instance-hours beyond those of now, on average.
    pub surge_hours: f64,
}

impl Effects {
    /// Sums a forecast up.
    #[must_use]
    pub fn of(forecast: &Forecast) -> Self {
        let services = &forecast.services;
        let highest = |chances: Vec<f64>| chances.into_iter().fold(0.0, f64::max);
        let ever = |runs: &dyn Fn(&super::ServiceForecast) -> u32| {
            let count = services.iter().filter(|service| runs(service) > 0).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let failed: u32 = forecast.rolled_back.iter().map(|it| it.runs).sum();
        Self {
            duration_p50: forecast.duration.p50,
            at_zero: highest(services.iter().map(|it| it.at_zero.chance).collect()),
            services_at_zero: ever(&|it| it.at_zero.runs),
            below_minimum: highest(services.iter().map(|it| it.below_minimum.chance).collect()),
            services_below_minimum: ever(&|it| it.below_minimum.runs),
            fails: f64::from(failed) / f64::from(forecast.runs.max(1)),
            surge_hours: forecast.surge.mean,
        }
    }

    /// Tells whether anything is better than in `other` by more than chance would have it.
    fn betters(&self, other: &Self) -> bool {
        self.at_zero < other.at_zero
            || self.services_at_zero < other.services_at_zero
            || self.below_minimum < other.below_minimum
            || self.services_below_minimum < other.services_below_minimum
            || self.fails < other.fails
            || self.duration_p50 * 10 < other.duration_p50 * 9
            || self.surge_hours < other.surge_hours * 0.9
    }
}

/// Tells whether any service, or the end of the roll, is worse off than in `before`.
fn worsens(changed: &Forecast, before: &Forecast) -> bool {
    let failed = |forecast: &Forecast| forecast.rolled_back.iter().map(|it| it.runs).sum::<u32>();
    let service = |name: &str| before.services.iter().find(|service| service.name == name);
    failed(changed) > failed(before)
        || changed.services.iter().any(|after| {
            service(&after.name).is_some_and(|before| {
                after.at_zero.runs > before.at_zero.runs
                    // What should run at the least may be another number after the change.
                    || (after.minimum == before.minimum
                        && after.below_minimum.runs > before.below_minimum.runs)
            })
        })
}

impl Rehearsal {
    /// Tries changes of the rack out, and returns those that better anything, with what they
    /// would change; and what the rack as it is comes to in as many runs.
    ///
    /// # Errors
    /// When a changed copy cannot be rehearsed.
    pub fn advice(&self, forecast: &Forecast) -> Result<(Effects, Vec<Advised>), RehearseError> {
        let runs = self.settings.runs.min(RUNS);
        // The same seeds: what differs is the change, and not chance.
        let rehearse = |tweak: &Tweak| -> Result<Forecast, RehearseError> {
            let results = self.run_all(tweak, runs)?;
            Ok(self.told(tweak, &results))
        };
        let as_it_is = rehearse(&Tweak::default())?;
        let now = Effects::of(&as_it_is);
        let mut advised = Vec::new();
        for (code, change, tweak) in self.candidates(forecast) {
            let changed = rehearse(&tweak)?;
            let effects = Effects::of(&changed);
            if effects.betters(&now) && !worsens(&changed, &as_it_is) {
                advised.push(Advised {
                    code,
                    change,
                    tweak,
                    effects,
                });
            }
        }
        Ok((now, advised))
    }

    /// Lists the changes that are worth trying on this rack.
    fn candidates(&self, forecast: &Forecast) -> Vec<(&'static str, String, Tweak)> {
        let bare = Tweak::default();
        let mut all = Vec::new();
        let mut add = |code, change: String, tweak| all.push((code, change, tweak));
        if let Some((batch, least, instances, pause)) = self.main_group() {
            let larger = (instances / 3).max(batch * 2).min(instances);
            if larger > batch {
                let tweak = Tweak {
                    batch: Some(larger),
                    ..bare
                };
                add(
                    "batch",
                    format!(
                        "replace {larger} at a time, not {batch}{}",
                        self.set(BATCH, larger)
                    ),
                    tweak,
                );
            }
            if batch > 1 {
                let tweak = Tweak {
                    batch: Some(1),
                    ..bare
                };
                let change = format!("replace 1 at a time, not {batch}{}", self.set(BATCH, 1));
                add("batch", change, tweak);
            }
            if least < instances {
                let tweak = Tweak {
                    keeps_all_in_service: true,
                    ..bare
                };
                let change = format!("keep all {instances} in service, not {least}");
                add("minimum-in-service", change, tweak);
            }
            if !forecast.rolled_back.is_empty() && pause < LONG_PAUSE {
                let tweak = Tweak {
                    pause_secs: Some(LONG_PAUSE),
                    ..bare
                };
                let change = format!("wait {LONG_PAUSE} s for signals, not {pause} s");
                add("pause", change, tweak);
            }
        }
        if let Some((wanted, now)) = self.warm_up() {
            let tweak = Tweak {
                warm_up_secs: Some(wanted),
                ..bare
            };
            let change = format!("let new instances warm up for {wanted} s, not {now} s");
            add("warm-up", change, tweak);
        }
        let tweak = Tweak {
            boot_percent: Some(50),
            ..bare
        };
        add(
            "boot",
            "boot in half the time, from an image that has all it needs".to_owned(),
            tweak,
        );
        let suffers = forecast
            .services
            .iter()
            .any(|service| service.below_minimum.runs > 0)
            || forecast.has_downtime();
        if suffers {
            self.for_services(&mut add, forecast);
        }
        all
    }

    fn for_services(&self, add: &mut impl FnMut(&'static str, String, Tweak), forecast: &Forecast) {
        let bare = Tweak::default();
        if forecast
            .services
            .iter()
            .any(|service| service.desired < THIRD)
        {
            let tweak = Tweak {
                processes: Some(THIRD),
                ..bare
            };
            add(
                "third-process",
                format!(
                    "run at least {THIRD} processes of {}",
                    names(forecast, |service| service.desired < THIRD)
                ),
                tweak,
            );
        }
        if forecast
            .services
            .iter()
            .any(|service| service.minimum < service.desired)
        {
            let tweak = Tweak {
                minimum_healthy_percent: Some(100),
                ..bare
            };
            let change = format!(
                "minimumHealthyPercent 100 for {}",
                names(forecast, |service| service.minimum < service.desired)
            );
            add("minimum-healthy", change, tweak);
        }
        let mut hooks = self.survey.groups.iter().flat_map(|group| &group.hooks);
        if hooks.any(|hook| hook.is_terminating) {
            let tweak = Tweak {
                drain_secs: Some(LONG_DRAIN),
                ..bare
            };
            add(
                "drain",
                format!("give an instance {LONG_DRAIN} s to be drained"),
                tweak,
            );
        }
    }

    /// Returns how long new instances should warm up, in seconds, and how long they do in the group
    /// that hurries most, where that is less; groups that wait for signals need no warm-up.
    fn warm_up(&self) -> Option<(u64, u64)> {
        let groups = self.survey.groups.iter();
        let hastiest = groups.filter_map(|group| match group.plan.policy {
            RollPolicy::RollingUpdate {
                pause_secs,
                wait_on_signals: false,
                ..
            } => Some(pause_secs),
            RollPolicy::InstanceRefresh { .. } => Some(warm_up_of(&group.preferences)),
            _ => None,
        });
        let now = hastiest.min()?;
        let slowest = self.measured.slowest_start_ms()?.div_ceil(1000);
        let wanted = slowest * (100 + WARM_UP_SLACK) / 100;
        let wanted = wanted.next_multiple_of(WARM_UP_STEP);
        (wanted > now).then_some((wanted, now))
    }

    /// Says how a parameter of the stack is set, where the stack has it.
    fn set(&self, parameter: &str, value: u32) -> String {
        let has_it = self.survey.stack.parameter(parameter).is_some();
        if has_it {
            format!(" ({parameter}={value})")
        } else {
            String::new()
        }
    }

    /// Returns batch, minimum in service, instances and pause of the largest rolling group.
    fn main_group(&self) -> Option<(u32, u32, u32, u64)> {
        let rolling = self
            .survey
            .groups
            .iter()
            .filter_map(|group| match group.plan.policy {
                RollPolicy::RollingUpdate {
                    batch,
                    min_in_service,
                    pause_secs,
                    ..
                } => Some((batch, min_in_service, group.plan.instances, pause_secs)),
                _ => None,
            });
        rolling.max_by_key(|(_, _, instances, _)| *instances)
    }
}
