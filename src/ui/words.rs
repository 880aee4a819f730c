//! What each event of a roll says to a person, whoever draws it.

use std::time::Duration;

use super::text::{count, one_line, span};
use crate::rack::{KeyProof, StackEvent};
use crate::roll::{Event, EventKind, Failure, GateReport, InstanceReport, Progress, RefreshReport};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Only for somebody who wants every detail.
    Detail,
    /// Worth a line.
    Normal,
    /// Something to look at.
    Warning,
    /// Something went wrong.
    Bad,
}

/// One line about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub weight: Weight,
    /// What it is about: a step, or a kind of news.
    pub label: &'static str,
    /// The news.
    pub text: String,
}

/// Turns events into lines, and remembers what has been said so as not to repeat it.
#[derive(Debug, Default)]
pub struct Narrator {
    last_progress: Option<Progress>,
    /// The reason of the last failure that has been told.
    told: Option<String>,
}

impl Narrator {
    /// Returns the line for an event; none when there is nothing new to say.
    ///
    /// The last event, `Finished`, has no line: the command words the outcome.
    pub fn line(&mut self, event: &Event) -> Option<Line> {
        let (weight, label, text) = match &event.kind {
            EventKind::Planned(plan) => {
                if plan.is_api() {
                    let text = format!(
                        "roll {} of {}: a new password for the rack API",
                        plan.roll, plan.rack
                    );
                    return Some(Line {
                        weight: Weight::Normal,
                        label: "plan",
                        text,
                    });
                }
                let old = plan.old_key.as_deref().unwrap_or("no key");
                let text = format!(
                    "roll {} of {}: {old} -> {}",
                    plan.roll, plan.rack, plan.new_key
                );
                (Weight::Normal, "plan", text)
            }
            EventKind::Resumed { from_journal, step } => {
                let from = if *from_journal {
                    "its journal"
                } else {
                    "the tags in the account"
                };
                (
                    Weight::Normal,
                    "resume",
                    format!("going on with {step}, as {from} tells"),
                )
            }
            EventKind::StepStarted { step } => (Weight::Detail, step.as_str(), "begins".to_owned()),
            EventKind::StepDone { step, detail } => (Weight::Normal, step.as_str(), detail.clone()),
            EventKind::StepFailed { step, message } => {
                (Weight::Bad, step.as_str(), format!("failed: {message}"))
            }
            EventKind::Busy {
                status,
                retry_in_ms,
            } => {
                let wait = millis(*retry_in_ms);
                (
                    Weight::Normal,
                    "busy",
                    format!("the stack is {status}, looking again in {wait}"),
                )
            }
            EventKind::Throttled { api, retry_in_ms } => {
                let wait = millis(*retry_in_ms);
                (
                    Weight::Detail,
                    "throttled",
                    format!("{api}, asking again in {wait}"),
                )
            }
            EventKind::Stack(event) => {
                let weight = stack_weight(event);
                if weight == Weight::Bad {
                    self.told.clone_from(&event.reason);
                }
                (weight, "event", stack_words(event))
            }
            EventKind::System { status } => {
                (Weight::Normal, "rack", format!("the rack is {status}"))
            }
            EventKind::Progress(progress) => {
                if !self.is_news(progress) {
                    return None;
                }
                let text = progress_words(progress);
                self.last_progress = Some(progress.clone());
                (Weight::Normal, "progress", text)
            }
            EventKind::RollbackDetected { cause } => {
                let cause = match cause {
                    None => "; what failed first is not known yet".to_owned(),
                    Some(failure) if self.told.as_ref() == Some(&failure.reason) => String::new(),
                    Some(failure) => format!("; first failure: {}", failure_words(failure)),
                };
                let text = format!("CloudFormation is going back{cause}");
                (Weight::Bad, "rollback", text)
            }
            EventKind::Verified {
                proven,
                holdouts,
                retry_in_ms,
            } => {
                let proof = format!("{} with the new key", count(*proven, "instance"));
                let again = retry_in_ms
                    .map(|ms| format!(", looking again in {}", millis(ms)))
                    .unwrap_or_default();
                match holdouts.len() {
                    0 => (Weight::Detail, "verify", proof),
                    held => {
                        let text = format!("{proof}, {held} without it{again}");
                        (Weight::Warning, "verify", text)
                    }
                }
            }
            EventKind::Restarting {
                desired,
                fresh,
                stale,
            } => {
                let text = format!(
                    "{fresh} of the rack API's {desired} processes started anew, {stale} to go"
                );
                (Weight::Normal, "restart", text)
            }
            EventKind::Refresh(report) => refresh_words(report),
            EventKind::Gate(report) => {
                let weight = match report.open {
                    Some(false) => Weight::Bad,
                    _ => Weight::Normal,
                };
                (weight, "gate", gate_words(report))
            }
            EventKind::Instance(report) => instance_words(report),
            EventKind::Warning { message } => (Weight::Warning, "warning", message.clone()),
            EventKind::Finished(_) => return None,
        };
        Some(Line {
            weight,
            label,
            text: one_line(&text),
        })
    }

    /// Tells whether progress has moved enough for a line: at most some twenty for any roll.
    fn is_news(&self, now: &Progress) -> bool {
        let Some(last) = &self.last_progress else {
            return now.total > 0;
        };
        let stride = (now.total / 20).max(1);
        let is_end = now.replaced == now.total && last.replaced != now.total;
        now.rolling_back != last.rolling_back
            || now.group != last.group
            || now.replaced.abs_diff(last.replaced) >= stride
            || is_end
    }
}

/// Words how far an instance refresh is; only what is more than a number is worth a line.
fn refresh_words(report: &RefreshReport) -> (Weight, &'static str, String) {
    let weight = match report.status.as_str() {
        "Pending" | "InProgress" => Weight::Detail,
        "Failed" | "RollbackFailed" => Weight::Bad,
        "Cancelled" | "Cancelling" | "RollbackInProgress" => Weight::Warning,
        _ => Weight::Normal,
    };
    let reason = report.reason.as_deref().unwrap_or_default();
    let text = format!(
        "the instance refresh of {} is {}, {}% done. {reason}",
        report.group, report.status, report.percent
    );
    (
        weight,
        "refresh",
        text.trim_end_matches([' ', '.']).to_owned(),
    )
}

/// Words a gate that is asked, or has answered.
pub(super) fn gate_words(report: &GateReport) -> String {
    let (replaced, total) = (report.replaced, report.total);
    let done = format!("{replaced} of {total} with the new key");
    match (report.open, report.why.as_deref()) {
        (None, _) => format!("asking whether to go on: {done}"),
        (Some(true), _) => format!("open: {done}"),
        (Some(false), why) => format!("shut: {}", why.unwrap_or("it does not say why")),
    }
}

/// Words how far the instances are, pace and time left included.
pub fn progress_words(progress: &Progress) -> String {
    let moved = if progress.rolling_back {
        "going back: "
    } else {
        ""
    };
    format!(
        "{moved}{} of {} replaced{}",
        progress.replaced,
        count(
            usize::try_from(progress.total).unwrap_or(usize::MAX),
            "instance"
        ),
        pace_words(progress)
    )
}

/// Words the group, the batch and the time left, each after a comma.
pub fn pace_words(progress: &Progress) -> String {
    let mut text = String::new();
    match (&progress.group, progress.batch) {
        (Some(group), Some(batch)) => text.push_str(&format!(", {group} {batch} at a time")),
        (Some(group), None) => text.push_str(&format!(", {group}")),
        (None, _) => {}
    }
    if let Some(eta) = progress.eta_ms.filter(|eta| *eta > 0) {
        text.push_str(&format!(", about {} left", millis(eta)));
    }
    text
}

/// Words what failed, where and why.
pub fn failure_words(failure: &Failure) -> String {
    format!(
        "{} ({}): {}",
        failure.logical_id,
        failure.resource_type,
        one_line(&failure.reason)
    )
}

/// Words what came of an instance whose key was shut out.
fn instance_words(report: &InstanceReport) -> (Weight, &'static str, String) {
    let id = &report.instance;
    let (weight, text) = match (&report.error, report.proof) {
        (Some(error), _) => (Weight::Bad, format!("{id} is not done: {error}")),
        (None, Some(KeyProof::Login)) => (
            Weight::Normal,
            format!("{id} let the new key in and refused the old one"),
        ),
        (None, _) => (
            Weight::Normal,
            format!("{id}: its sshd takes the new key and no more the old one"),
        ),
    };
    (weight, "instance", text)
}

/// Words a stack event.
pub fn stack_words(event: &StackEvent) -> String {
    let reason = event
        .reason
        .as_deref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    one_line(&format!("{} {}{reason}", event.status, event.logical_id))
}

fn stack_weight(event: &StackEvent) -> Weight {
    let reason = event.reason.as_deref().unwrap_or_default();
    if event.status.ends_with("_FAILED") {
        let is_noise = reason.to_ascii_lowercase().contains("cancelled");
        if is_noise {
            Weight::Detail
        } else {
            Weight::Bad
        }
    } else if event.is_about_the_stack() || reason.starts_with("Rolling update initiated") {
        Weight::Normal
    } else {
        Weight::Detail
    }
}

fn millis(ms: u64) -> String {
    // Below a second nobody cares, and above one nobody cares for the rest.
    span(if ms < 1000 {
        Duration::from_millis(ms)
    } else {
        Duration::from_secs(ms / 1000)
    })
}
