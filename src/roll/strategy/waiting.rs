//! Tells what instances on their way out are held for: not at every look, and before Auto Scaling
//! takes them by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::leaving::{Held, Leaving};
use super::loads::{Loads, hosts_of};
use crate::roll::run::Run;

/// How long an instance may take to be emptied before that is told.
const AT_FIRST: Duration = Duration::from_secs(600);
/// How long until it is told again, in the first hour.
const SOON: Duration = Duration::from_secs(1200);
/// From here on what to do about it is told as well.
const LONG: Duration = Duration::from_secs(1800);
/// From here on it is told once in that time, and until when Auto Scaling goes along.
const HOUR: Duration = Duration::from_secs(3600);
/// Whatever an instance is held for: so long before the end of Auto Scaling's patience it is told.
const NEAR: Duration = Duration::from_secs(6 * 3600);
/// How long Auto Scaling holds an instance at most, heartbeats or not: 48 hours or a hundred times
/// the hook's timeout, whichever is less (EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling
/// lifecycle hooks"). A hundred times that of our hooks is more.
const HELD_AT_MOST: Duration = Duration::from_secs(48 * 3600);
/// How many instances are named.
const NAMED: usize = 5;

/// What was told of instances that are held.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Since when each is being emptied.
    since: BTreeMap<String, Timestamp>,
    /// When it was told last that they are waited for.
    last: Option<Timestamp>,
    /// Those who had tasks at the last look, each with the services that these are of.
    had: BTreeMap<String, Vec<String>>,
}

impl Telling {
    /// Returns for how long the first of `waiting` has been waited for.
    fn waited(&mut self, waiting: &[&str], now: Timestamp) -> Option<Duration> {
        self.since.retain(|id, _| waiting.contains(&id.as_str()));
        for id in waiting {
            self.since.entry((*id).to_owned()).or_insert(now);
        }
        let first = self.since.values().min()?;
        Some(between(*first, now))
    }

    /// Tells whether it is time to say again what has been waited for for so long.
    fn is_due(&self, waited: Duration, now: Timestamp) -> bool {
        let pause = if waited < HOUR { SOON } else { HOUR };
        waited >= AT_FIRST && self.last.is_none_or(|last| between(last, now) >= pause)
    }
}

impl Run<'_> {
    /// Tells now and then which instances are held although their turn has come, and for which
    /// services; and of any that Auto Scaling will not hold for much longer.
    pub(super) fn tell_of_waiting(&mut self, busy: &[Held], due: &[String], loads: &Loads) {
        let now = self.clock.now();
        let had = busy.iter().map(|one| {
            let services = hosts_of(loads, &one.instance).flat_map(|host| host.services.clone());
            (one.instance.clone(), services.collect::<Vec<String>>())
        });
        self.tending.telling.had = had.collect();
        let ids = busy.iter().map(|one| one.instance.as_str());
        let waiting: Vec<&str> = ids.filter(|id| due.iter().any(|it| it == id)).collect();
        let waited = self.tending.telling.waited(&waiting, now);
        let end = self.end_of_holding(busy.iter().map(|one| one.instance.as_str()));
        let is_near = end
            .as_ref()
            .is_some_and(|(_, at)| between(now, *at) <= NEAR);
        let waited = match waited {
            Some(waited) => waited,
            None if is_near => HOUR,
            None => return,
        };
        if !self.tending.telling.is_due(waited, now) {
            return;
        }
        let mut words = if waiting.is_empty() {
            "old instances are held until the new ones are there".to_owned()
        } else {
            let left = |id: &&str| left_on(loads, id);
            let named: Vec<String> = waiting.iter().take(NAMED).map(left).collect();
            let others = waiting.len().saturating_sub(NAMED);
            let others = (others > 0).then(|| format!(" and {others} more"));
            format!(
                "waiting for tasks to run elsewhere before their instances go: {}{}",
                named.join(", "),
                others.unwrap_or_default()
            )
        };
        if waited >= LONG && !waiting.is_empty() {
            words.push_str(
                "; make room for them in the cluster, or see in the events of `aws ecs \
                 describe-services` why they do not start",
            );
        }
        if let Some((first, at)) = end.filter(|_| waited >= HOUR) {
            words.push_str(&format!("; {}", end_words(&first, at)));
        }
        self.tending.telling.last = Some(now);
        self.warn(words);
    }

    /// Tells of instances that went with their tasks, since nobody held them any more.
    pub(super) fn tell_of_lost(&mut self, leaving: &Leaving) {
        let is_held = |instance: &String| {
            let mut held = leaving.held.iter();
            held.any(|one| one.instance == *instance) || leaving.coming.contains(instance)
        };
        let had = std::mem::take(&mut self.tending.telling.had);
        let (held, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
            had.into_iter().partition(|(instance, _)| is_held(instance));
        self.tending.telling.had = held;
        for (instance, services) in lost {
            if self.tending.released.contains(&instance) {
                continue;
            }
            let with = match services.as_slice() {
                [] => "whatever ran on it".to_owned(),
                services => format!("tasks of {}", services.join(", ")),
            };
            self.warn(format!(
                "{instance} is held no more, and goes with {with}: Auto Scaling or somebody else \
                 has ended its wait"
            ));
        }
    }

    /// Says until when those who are held can be, for somebody who is told again that something
    /// is wrong with them.
    pub(super) fn limit_words(&self) -> Option<String> {
        let beaten = self.tending.beats.keys();
        let held = beaten.filter(|id| !self.tending.released.contains(*id));
        let (first, at) = self.end_of_holding(held.map(String::as_str))?;
        Some(end_words(&first, at))
    }

    /// Returns which of some instances Auto Scaling will hold no more first, and from when on.
    fn end_of_holding<'a>(
        &self,
        instances: impl Iterator<Item = &'a str>,
    ) -> Option<(String, Timestamp)> {
        let at_first = self.tending.since.values().min();
        let end = |id: &'a str| {
            let seen = self.tending.since.get(id)?;
            // Whoever takes a roll up does not know since when they are held, if they were.
            let since = match self.resumed && Some(seen) == at_first {
                true => self.plan.roll.made_at(),
                false => *seen,
            };
            let at = since.saturating_add(HELD_AT_MOST).ok()?;
            Some((id.to_owned(), at))
        };
        instances.filter_map(end).min_by_key(|(_, at)| *at)
    }
}

/// Names an instance with what is left on it.
fn left_on(loads: &Loads, instance: &str) -> String {
    let services = hosts_of(loads, instance).flat_map(|host| host.services.iter());
    let services: Vec<&str> = services.map(String::as_str).collect();
    match services.as_slice() {
        [] => instance.to_owned(),
        services => format!("{instance} ({})", services.join(", ")),
    }
}

fn end_words(instance: &str, at: Timestamp) -> String {
    format!(
        "Auto Scaling holds none for more than {} hours: {instance} goes at {at:.0}, with the tasks \
         that it has then",
        HELD_AT_MOST.as_secs() / 3600
    )
}

fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    let passed = Duration::try_from(later.duration_since(earlier));
    passed.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_told_less_often_as_time_goes_on() {
        let mut telling = Telling::default();
        let mut told = Vec::new();
        for minute in 0..=300 {
            let now = Timestamp::from_second(1_795_000_000 + minute * 60).unwrap();
            let waited = telling.waited(&["i-1"], now).unwrap();
            if telling.is_due(waited, now) {
                telling.last = Some(now);
                told.push(minute);
            }
        }
        assert_eq!(told, [10, 30, 50, 110, 170, 230, 290]);
        // Another one that is waited for is waited for from its own beginning.
        let now = Timestamp::from_second(1_795_100_000).unwrap();
        assert_eq!(telling.waited(&["i-2"], now), Some(Duration::ZERO));
        assert_eq!(telling.waited(&[], now), None);
    }
}
