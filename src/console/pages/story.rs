//! What a roll's events tell, put together: how far it is, and what there was when.

use std::collections::{BTreeMap, BTreeSet};

use super::words::ends;
use crate::plot::{Plot, Series};
use crate::rack::StackEvent;
use crate::roll::{Event, EventKind, Failure, Holdout, Plan, Progress, Report, RollPolicy, Step};

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Far {
    Waiting,
    UnderWay,
    Done,
    Failed,
}

impl Far {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::UnderWay => "under way",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Returns the class of the style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::UnderWay => "going",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A line of what happened.
#[derive(Debug)]
pub(super) struct Line {
    /// When, in Unix ms.
    pub(super) at: i64,
    pub(super) told: String,
    /// A class of the style.
    pub(super) class: &'static str,
}

/// A group of instances: how many were in service when.
#[derive(Debug)]
struct Group {
    floor: Option<i64>,
    in_service: i64,
    /// Instances that have reported in.
    arrived: BTreeSet<String>,
    points: Vec<(i64, i64)>,
}

/// A roll as its events tell it.
#[derive(Debug, Default)]
pub(super) struct Story {
    steps: BTreeMap<Step, (Far, Option<String>)>,
    groups: BTreeMap<String, Group>,
    told: BTreeSet<String>,
    /// Whether what CloudFormation says is of the way back.
    is_going_back: bool,
    pub(super) progress: Option<Progress>,
    /// Of a rack API's processes: how many there should be, are new, and are old.
    pub(super) restarting: Option<(u32, u32, u32)>,
    /// How many instances are proven to have the new key.
    pub(super) proven: Option<usize>,
    pub(super) holdouts: Vec<Holdout>,
    /// Whether the update goes, or went, back.
    pub(super) goes_back: bool,
    pub(super) cause: Option<Failure>,
    /// The oldest first.
    pub(super) lines: Vec<Line>,
    pub(super) warnings: Vec<String>,
    pub(super) report: Option<Report>,
}

impl Story {
    /// Puts together what was seen of a roll that was to do what `plan` says.
    pub(super) fn of<'e>(plan: &Plan, events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut story = Self::default();
        for group in &plan.groups {
            let floor = match group.policy {
                RollPolicy::RollingUpdate { min_in_service, .. } => Some(min_in_service.into()),
                _ => None,
            };
            let group_of = Group {
                floor,
                in_service: group.instances.into(),
                arrived: BTreeSet::new(),
                points: Vec::new(),
            };
            story.groups.insert(group.logical_id.clone(), group_of);
        }
        for event in events {
            story.take(event);
        }
        story
    }

    /// Returns how far a step is, and what it did.
    pub(super) fn step(&self, step: Step) -> (Far, Option<&str>) {
        match self.steps.get(&step) {
            Some((far, told)) => (*far, told.as_deref()),
            None => (Far::Waiting, None),
        }
    }

    fn take(&mut self, event: &Event) {
        let at = event.at.as_millisecond();
        match &event.kind {
            EventKind::Planned(_) => {}
            EventKind::Resumed { step, .. } => {
                self.line(at, "", format!("Another server goes on, with {step}"));
            }
            EventKind::StepStarted { step } => {
                self.steps.insert(*step, (Far::UnderWay, None));
            }
            EventKind::StepDone { step, detail } => {
                self.steps.insert(*step, (Far::Done, Some(detail.clone())));
                self.line(at, "step", detail.clone());
            }
            EventKind::StepFailed { step, message } => {
                let failed = (Far::Failed, Some(message.clone()));
                self.steps.insert(*step, failed);
                self.line(at, "bad", message.clone());
            }
            EventKind::Busy { status, .. } => {
                self.line(at, "", format!("The stack is {status}; the roll waits"));
            }
            EventKind::Stack(stack) => self.stack(stack),
            EventKind::Progress(progress) => self.progress = Some(progress.clone()),
            EventKind::RollbackDetected { cause } => {
                self.goes_back = true;
                self.cause = cause.clone().or(self.cause.take());
                self.line(at, "bad", "The update goes back".to_owned());
            }
            EventKind::Verified {
                proven, holdouts, ..
            } => {
                self.proven = Some(*proven);
                self.holdouts.clone_from(holdouts);
            }
            EventKind::Restarting {
                desired,
                fresh,
                stale,
            } => self.restarting = Some((*desired, *fresh, *stale)),
            EventKind::Refresh(report) => {
                let reason = report.reason.as_deref().unwrap_or_default();
                let told = format!(
                    "The instance refresh of {} is {}, {} % done. {reason}",
                    report.group, report.status, report.percent
                );
                self.line(at, "", told.trim_end().to_owned());
            }
            EventKind::Gate(report) => {
                let (class, told) = match (report.open, &report.why) {
                    (None, _) => ("", "A gate is asked whether to go on".to_owned()),
                    (Some(true), _) => ("step", "The gate is open".to_owned()),
                    (Some(false), None) => ("bad", "The gate is shut".to_owned()),
                    (Some(false), Some(why)) => ("bad", format!("The gate is shut: {why}")),
                };
                self.line(at, class, told);
            }
            EventKind::Instance(report) => {
                let text = match &report.error {
                    None => format!("{} refuses the leaked key", report.instance),
                    Some(error) => format!("{} is not done: {error}", report.instance),
                };
                let class = if report.error.is_some() { "bad" } else { "" };
                self.line(at, class, text);
            }
            EventKind::Warning { message } => {
                if !self.warnings.contains(message) {
                    self.warnings.push(message.clone());
                }
            }
            EventKind::Finished(report) => {
                self.cause = report.first_failure.clone().or(self.cause.take());
                self.line(at, "step", report.message.clone());
                self.report = Some(report.clone());
            }
            EventKind::System { status } => {
                self.line(at, "", format!("The rack says {status}"));
            }
            EventKind::Throttled { .. } => {}
        }
    }

    fn line(&mut self, at: i64, class: &'static str, told: String) {
        self.lines.push(Line { at, told, class });
    }

    fn stack(&mut self, event: &StackEvent) {
        // Whoever takes a roll up tells them again.
        if !self.told.insert(event.id.clone()) {
            return;
        }
        let reason = event.reason.as_deref().unwrap_or_default();
        let class = if event.status.contains("FAILED") || event.status.contains("ROLLBACK") {
            "bad"
        } else {
            ""
        };
        let told = format!("{} {} {reason}", event.logical_id, event.status);
        let time = event.at.as_millisecond();
        self.line(time, class, told.trim_end().to_owned());
        if event.is_about_the_stack() && event.status == "UPDATE_ROLLBACK_IN_PROGRESS" {
            self.is_going_back = true;
        }
        let Some(group) = self.groups.get_mut(&event.logical_id) else {
            return;
        };
        if let Some(rest) = reason.strip_prefix("Rolling update initiated. Terminating ") {
            let kept = rest.split_once("while keeping at least ");
            let kept = kept.and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            group.floor = kept.or(group.floor);
            group.points.push((time, group.in_service));
        } else if let Some(rest) = reason.strip_prefix("Terminating instance(s) [") {
            let ids = rest.split(']').next().unwrap_or_default();
            for id in ids.split(',').map(str::trim) {
                // On the way back those go that are new, and some never were in service.
                if group.arrived.remove(id) || !self.is_going_back {
                    group.in_service -= 1;
                }
            }
            group.points.push((time, group.in_service));
        } else if let Some(id) = reason.strip_prefix("Received SUCCESS signal with UniqueId ")
            && group.arrived.insert(id.trim().to_owned())
        {
            group.in_service += 1;
            group.points.push((time, group.in_service));
        }
    }

    /// Draws how many instances of each group were in service until `end`, in Unix ms by the
    /// rack's time; only those of which anything was heard.
    pub(super) fn plots(&self, end: i64) -> Vec<(String, String)> {
        let mut plots = Vec::new();
        for (name, group) in &self.groups {
            let Some((from, _)) = group.points.first() else {
                continue;
            };
            let counts = group.points.iter().map(|(_, count)| *count);
            let fewest = counts.min().unwrap_or(0);
            let told = match group.floor {
                Some(floor) => format!(
                    "{name}: instances in service over time, {fewest} at the fewest, where the stack \
                     asks for {floor}"
                ),
                None => {
                    format!("{name}: instances in service over time, {fewest} at the fewest")
                }
            };
            let to = end.max(group.points.last().map_or(*from, |(at, _)| *at));
            let plot = Plot {
                told: told.clone(),
                series: vec![Series {
                    name: "in service",
                    class: "new",
                    points: group.points.clone(),
                }],
                floor: group.floor.map(|floor| (floor, "minimum")),
                from: *from,
                to,
                ends: ends(*from, to),
            };
            plots.push((told, plot.svg()));
        }
        plots
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> Plan {
        let group = json!({
            "logical_id": "Instances", "name": "prod-Instances", "instances": 2, "min": 1, "max": 4,
            "policy": {
                "kind": "rolling_update", "batch": 1, "min_in_service": 1, "pause_secs": 60,
                "wait_on_signals": true,
            },
        });
        let plan = json!({
            "roll": "01kb2q5z8g000001", "rack": "prod", "stack_id": "arn", "key_parameter": "Key",
            "old_key": "old", "new_key": "new", "options": {"key_type": "ed25519", "keep_old": false},
            "key_store": "s3", "groups": [group], "spot_fleets": [], "steps": [], "changes": null,
            "warnings": [],
        });
        serde_json::from_value(plan).unwrap()
    }

    fn events(told: &[(&str, &str)]) -> Vec<Event> {
        let events = told.iter().enumerate().map(|(n, (status, reason))| {
            let (logical, physical) = match status.contains("ROLLBACK") {
                true => ("prod", "arn"),
                false => ("Instances", "prod-Instances"),
            };
            let at = format!("2026-11-22T02:00:{n:02}Z");
            json!({
                "v": 1, "seq": n, "at": at, "roll": "01kb2q5z8g000001", "type": "stack", "data": {
                    "id": n.to_string(), "stack_id": "arn", "stack_name": "prod",
                    "logical_id": logical, "physical_id": physical, "resource_type": "",
                    "status": status, "reason": reason, "at": at, "token": null,
                    "operation_id": null,
                },
            })
        });
        events
            .map(|event| serde_json::from_value(event).unwrap())
            .collect()
    }

    fn counts(told: &[(&str, &str)]) -> Vec<i64> {
        // Whoever takes a roll up tells all of it again.
        let twice = [events(told), events(told)].concat();
        let story = Story::of(&plan(), &twice);
        assert_eq!(story.lines.len(), told.len());
        let points = story.groups["Instances"].points.iter();
        points.map(|(_, count)| *count).collect()
    }

    const BEGINS: (&str, &str) = (
        "UPDATE_IN_PROGRESS",
        "Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while \
         keeping at least 1 instance(s) in service.",
    );
    const GOES: (&str, &str) = (
        "UPDATE_IN_PROGRESS",
        "Terminating instance(s) [i-1]; replacing with 1 new instance(s).",
    );

    fn arrives(id: &str) -> String {
        format!("Received SUCCESS signal with UniqueId {id}")
    }

    #[test]
    fn instances_are_in_service_until_they_go_and_once_they_report_in() {
        let arrives = arrives("i-3");
        let told = [BEGINS, GOES, ("UPDATE_IN_PROGRESS", arrives.as_str())];
        assert_eq!(counts(&told), [2, 1, 2]);
    }

    #[test]
    fn on_the_way_back_what_never_reported_in_is_not_missed() {
        let (third, fourth) = (arrives("i-3"), arrives("i-5"));
        let told = [
            BEGINS,
            GOES,
            ("UPDATE_IN_PROGRESS", third.as_str()),
            (
                "UPDATE_IN_PROGRESS",
                "Terminating instance(s) [i-2]; replacing",
            ),
            (
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed",
            ),
            BEGINS,
            (
                "UPDATE_IN_PROGRESS",
                "Terminating instance(s) [i-4]; replacing",
            ),
            ("UPDATE_IN_PROGRESS", fourth.as_str()),
            (
                "UPDATE_IN_PROGRESS",
                "Terminating instance(s) [i-3]; replacing",
            ),
        ];
        assert_eq!(counts(&told), [2, 1, 2, 1, 1, 1, 2, 1]);
    }
}
