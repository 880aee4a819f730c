//! Eventual consistency: what `DescribeStacks` would have shown some time ago.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fault, Span, Stale};
use crate::sandbox::api::Input;
use crate::sandbox::wire::{self, Service};
use crate::sandbox::world::World;

/// What the stacks looked like, by id, at the instants when that changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct History(VecDeque<(Timestamp, BTreeMap<String, Value>)>);

/// How often the stacks are looked at while time passes.
const STEP: Duration = Duration::from_secs(1);

impl World {
    fn lag(&self) -> Option<Duration> {
        self.faults.rules.iter().find_map(|rule| match rule.fault {
            Fault::Stale(Stale { lag: Span(lag) }) => Some(lag),
            _ => None,
        })
    }

    /// Lets time pass, and remembers what the stacks looked like if a scenario will ask.
    pub(crate) fn live_until(&mut self, instant: Timestamp) {
        let Some(lag) = self.lag() else {
            return self.advance_to(instant);
        };
        while self.now < instant {
            let next = self.now.saturating_add(STEP).unwrap_or(Timestamp::MAX);
            self.advance_to(next.min(instant));
            self.remember_stacks(lag);
        }
    }

    fn remember_stacks(&mut self, lag: Duration) {
        let asked = Input(json!({}));
        let Ok(answer) = wire::dispatch(self, Service::CloudFormation, "DescribeStacks", &asked)
        else {
            return;
        };
        let stacks = answer["Stacks"].as_array().cloned().unwrap_or_default();
        let by_id: BTreeMap<_, _> = stacks
            .into_iter()
            .filter_map(|stack| Some((stack["StackId"].as_str()?.to_owned(), stack)))
            .collect();
        let now = self.now;
        let History(history) = &mut self.faults.history;
        if history.back().is_none_or(|(_, seen)| *seen != by_id) {
            history.push_back((now, by_id));
        }
        let old = now.saturating_sub(lag).unwrap_or(Timestamp::MIN);
        // The newest of those older than the lag is still shown.
        while history.get(1).is_some_and(|(at, _)| *at <= old) {
            history.pop_front();
        }
    }

    /// Puts what was so some time ago in place of what is, in an answer of `DescribeStacks`.
    pub(crate) fn make_stale(&mut self, answer: &mut Value) {
        let Some(lag) = self.lag() else { return };
        let old = self.now.saturating_sub(lag).unwrap_or(Timestamp::MIN);
        let History(history) = &self.faults.history;
        let Some((_, stacks)) = history.iter().rev().find(|(at, _)| *at <= old) else {
            return;
        };
        for stack in answer["Stacks"].as_array_mut().into_iter().flatten() {
            let seen = stack["StackId"].as_str().and_then(|id| stacks.get(id));
            if let Some(seen) = seen {
                *stack = seen.clone();
            }
        }
    }
}
