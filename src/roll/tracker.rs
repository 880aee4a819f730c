//! Makes sense of a stack's events: how far the instances are, what failed first, how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::event::Progress;
use super::outcome::Failure;
use super::pacing::Expectation;
use crate::rack::{StackEvent, StackStatus, StatusClass};

/// The state of one update, as its events tell it.
#[derive(Debug)]
pub(super) struct Tracker {
    /// The stack's ARN.
    root: String,
    token: String,
    /// Whether an event without a token may be the update's first.
    token_optional: bool,
    /// Whether it may be the making or the deletion of the stack too.
    any_operation: bool,
    /// Instances expected to be replaced, by group, until CloudFormation says how many.
    groups: BTreeMap<String, GroupProgress>,
    current_group: Option<String>,
    started: bool,
    rolling_back: bool,
    /// Only leftovers are being deleted: whatever happens now, the end is decided.
    cleaning_up: bool,
    /// Resources that have begun to change and not finished.
    outstanding: BTreeSet<(String, String)>,
    first_failure: Option<Failure>,
    /// Which gate we have cancelled the update for, in a line.
    cancelled_for: Option<String>,
    /// Resources that failed since the last time the stack itself spoke.
    failed_lately: Vec<String>,
    roll_began: Option<Timestamp>,
    /// When the update's own first event was.
    began_at: Option<Timestamp>,
    /// When the stack last came to an end.
    ended_at: Option<Timestamp>,
    end: Option<End>,
}

#[derive(Debug, Clone, Default)]
struct GroupProgress {
    /// Whether the plan says that it rolls.
    expected: bool,
    obsolete: u32,
    batch: Option<u32>,
    gone: u32,
    arrived: u32,
    announced: bool,
}

/// How the update ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    /// What the last status means.
    pub(super) class: StatusClass,
    /// The last status.
    pub(super) status: StackStatus,
    /// Its reason.
    pub(super) reason: Option<String>,
    /// Resources that failed in the last phase, for a rollback that is to go on without them.
    pub(super) failed: Vec<String>,
}

/// What an event changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noticed {
    /// It belongs to the update that is followed.
    pub(super) ours: bool,
    /// The counts of instances have changed.
    pub(super) progress: bool,
    /// The update has just begun to go back.
    pub(super) rollback: bool,
}

/// Reasons that only say that something else failed.
const NOISE: [&str; 3] = [
    "Resource update cancelled",
    "Resource creation cancelled",
    "Resource deletion cancelled",
];

impl Tracker {
    /// Follows the update of stack `root` that was made with `token`, over groups with so many
    /// instances each.
    pub(super) fn new(
        root: &str,
        token: &str,
        groups: impl IntoIterator<Item = (String, u32)>,
    ) -> Self {
        let groups = groups
            .into_iter()
            .map(|(group, obsolete)| {
                (
                    group,
                    GroupProgress {
                        expected: true,
                        obsolete,
                        ..Default::default()
                    },
                )
            })
            .collect();
        Self {
            root: root.to_owned(),
            token: token.to_owned(),
            token_optional: true,
            any_operation: false,
            groups,
            current_group: None,
            started: false,
            rolling_back: false,
            cleaning_up: false,
            outstanding: BTreeSet::new(),
            first_failure: None,
            cancelled_for: None,
            failed_lately: Vec::new(),
            roll_began: None,
            began_at: None,
            ended_at: None,
            end: None,
        }
    }

    /// Takes no event without our token for the update's first. Needed where events from before
    /// the update are read too; an account that tells no tokens cannot be followed that way.
    pub(super) fn strictly(mut self) -> Self {
        self.token_optional = false;
        self
    }

    /// Takes the making, the import and the deletion of the stack for an operation as well.
    pub(super) fn of_any_operation(mut self) -> Self {
        self.any_operation = true;
        self
    }

    /// Tells whether the update's own first event has been seen.
    pub(super) fn has_started(&self) -> bool {
        self.started
    }

    /// Returns when the update began, by its first event.
    pub(super) fn began_at(&self) -> Option<Timestamp> {
        self.began_at
    }

    /// Returns when the stack came to its end, by its last event.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.end.as_ref().and(self.ended_at)
    }

    /// Returns how the update ended, once it has.
    pub(super) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Returns what failed first.
    pub(super) fn first_failure(&self) -> Option<&Failure> {
        self.first_failure.as_ref()
    }

    /// Says why we cancel the update: CloudFormation knows only that somebody did. What has failed
    /// before that is told all the same.
    pub(super) fn cancel_for(&mut self, why: &str) {
        self.cancelled_for = Some(why.to_owned());
    }

    /// Tells whether the update goes, or has gone, back.
    pub(super) fn is_rolling_back(&self) -> bool {
        self.rolling_back
    }

    /// Forgets an end that is about to be left: a rollback that failed is made to go on.
    pub(super) fn expect_more(&mut self) {
        self.end = None;
        self.failed_lately.clear();
    }

    /// Says what may come next, and so how soon to look again.
    pub(super) fn expectation(&self) -> Expectation {
        if self.cleaning_up {
            return Expectation::EndIsNear;
        }
        if !self.rolling_back
            && self.groups.values().any(|group| group.expected)
            && self.groups.values().all(|group| !group.announced)
        {
            return Expectation::Starting;
        }
        let mut replacing = false;
        let mut working = false;
        for (_, logical) in &self.outstanding {
            match self.groups.get(logical).filter(|group| group.announced) {
                Some(group) if group.gone < group.obsolete => replacing = true,
                // All its instances are replaced: it finishes within seconds.
                Some(_) => {}
                None => working = true,
            }
        }
        match (replacing, working) {
            (true, _) => Expectation::Replacing,
            (false, true) => Expectation::Working,
            (false, false) => Expectation::EndIsNear,
        }
    }

    /// Takes the next event in order.
    pub(super) fn observe(&mut self, event: &StackEvent) -> Noticed {
        let of_root = event.is_about_the_stack() && event.stack_id == self.root;
        if !self.started {
            let begins = of_root
                && (event.status == "UPDATE_IN_PROGRESS"
                    || (self.any_operation && begins_an_operation(event)));
            let token_fits = event
                .token
                .as_ref()
                .map_or(self.token_optional, |token| *token == self.token);
            if !(begins && token_fits) {
                return Noticed::default();
            }
            self.started = true;
            self.began_at = Some(event.at);
            return Noticed {
                ours: true,
                ..Noticed::default()
            };
        }
        if self.end.as_ref().is_some_and(|end| is_final(end.class)) {
            // What comes after the end belongs to somebody else's operation.
            return Noticed::default();
        }
        let mut noticed = Noticed {
            ours: true,
            ..Noticed::default()
        };
        if of_root {
            noticed.rollback = self.observe_stack(event);
        } else {
            noticed.progress = self.observe_resource(event);
        }
        noticed
    }

    /// Returns whether the rollback has just begun.
    fn observe_stack(&mut self, event: &StackEvent) -> bool {
        let status = StackStatus(event.status.clone());
        self.cleaning_up = event.status.ends_with("_CLEANUP_IN_PROGRESS");
        match status.class() {
            StatusClass::InProgress => {
                self.end = None;
                false
            }
            StatusClass::RollingBack => {
                self.end = None;
                self.failed_lately.clear();
                let began = !self.rolling_back;
                if began {
                    self.turn_back(event);
                }
                began
            }
            StatusClass::Deleting => {
                self.blame(event);
                self.end = None;
                false
            }
            class => {
                if class != StatusClass::Good && class != StatusClass::RolledBack {
                    self.blame(event);
                }
                self.outstanding.clear();
                self.ended_at = Some(event.at);
                self.end = Some(End {
                    class,
                    status,
                    reason: event.reason.clone(),
                    failed: std::mem::take(&mut self.failed_lately),
                });
                false
            }
        }
    }

    fn turn_back(&mut self, event: &StackEvent) {
        self.rolling_back = true;
        if let (Some(why), None) = (&self.cancelled_for, &self.first_failure) {
            self.first_failure = Some(Failure {
                stack: event.stack_name.clone(),
                logical_id: "gate".to_owned(),
                resource_type: "Convox::Gate".to_owned(),
                reason: why.clone(),
            });
        }
        self.blame(event);
        self.outstanding.clear();
        self.current_group = None;
        self.roll_began = None;
        for group in self.groups.values_mut() {
            *group = GroupProgress::default();
        }
    }

    /// Returns whether the counts have changed.
    fn observe_resource(&mut self, event: &StackEvent) -> bool {
        let key = (event.stack_id.clone(), event.logical_id.clone());
        if event.status.ends_with("_IN_PROGRESS") {
            self.outstanding.insert(key);
        } else {
            self.outstanding.remove(&key);
        }
        if event.status.ends_with("_FAILED") && !is_noise(event) {
            self.blame(event);
            if !self.failed_lately.contains(&event.logical_id) {
                self.failed_lately.push(event.logical_id.clone());
            }
        }
        let Some(reason) = &event.reason else {
            return false;
        };
        let Some(said) = RollMessage::read(reason) else {
            return false;
        };
        self.count(&event.logical_id, said, event.at);
        true
    }

    fn count(&mut self, logical_id: &str, said: RollMessage, at: Timestamp) {
        let group = self.groups.entry(logical_id.to_owned()).or_default();
        match said {
            RollMessage::Initiated { obsolete, batch } => {
                *group = GroupProgress {
                    obsolete,
                    batch: Some(batch),
                    announced: true,
                    ..GroupProgress::default()
                };
                self.roll_began.get_or_insert(at);
            }
            RollMessage::Arrived => group.arrived += 1,
            RollMessage::Gone(instances) => {
                group.gone = (group.gone + instances).min(group.obsolete.max(instances));
            }
        }
        self.current_group = Some(logical_id.to_owned());
    }

    /// Keeps the first failure that is not about another one. A nested stack's own failure
    /// gives way to what failed inside it.
    fn blame(&mut self, event: &StackEvent) {
        let wraps = |kind: &str| kind == "AWS::CloudFormation::Stack";
        let open = match &self.first_failure {
            None => true,
            Some(failure) => wraps(&failure.resource_type) && !wraps(&event.resource_type),
        };
        if open {
            let reason = event.reason.clone().unwrap_or_else(|| event.status.clone());
            self.first_failure = Some(Failure {
                stack: event.stack_name.clone(),
                logical_id: event.logical_id.clone(),
                resource_type: event.resource_type.clone(),
                reason: reason.trim().to_owned(),
            });
        }
    }

    /// Returns how far the instances are, with the time left by the pace so far.
    pub(super) fn progress(&self, now: Timestamp) -> Progress {
        let sum = |count: fn(&GroupProgress) -> u32| self.groups.values().map(count).sum::<u32>();
        let (total, replaced) = (sum(|group| group.obsolete), sum(|group| group.gone));
        let passed = self
            .roll_began
            .and_then(|began| Duration::try_from(now.duration_since(began)).ok())
            .unwrap_or_default();
        let eta = (replaced > 0 && total >= replaced)
            .then(|| passed / replaced * (total - replaced))
            .and_then(|left| u64::try_from(left.as_millis()).ok());
        let current = self
            .current_group
            .as_ref()
            .and_then(|name| self.groups.get(name));
        Progress {
            total,
            replaced,
            arrived: sum(|group| group.arrived),
            group: self.current_group.clone(),
            batch: current.and_then(|group| group.batch),
            eta_ms: eta,
            rolling_back: self.rolling_back,
        }
    }
}

/// Tells whether an operation of the event's stack begins with it. A rollback belongs to what
/// it takes back.
pub(super) fn begins_an_operation(event: &StackEvent) -> bool {
    event.is_about_the_stack()
        && matches!(
            event.status.as_str(),
            "CREATE_IN_PROGRESS"
                | "UPDATE_IN_PROGRESS"
                | "IMPORT_IN_PROGRESS"
                | "DELETE_IN_PROGRESS"
        )
}

/// Nothing follows these but another operation.
fn is_final(class: StatusClass) -> bool {
    matches!(
        class,
        StatusClass::Good | StatusClass::RolledBack | StatusClass::Deleted
    )
}

fn is_noise(event: &StackEvent) -> bool {
    event
        .reason
        .as_deref()
        .is_some_and(|reason| NOISE.iter().any(|noise| reason.starts_with(noise)))
}

/// What CloudFormation says of a rolling update, in the reason of a group's event.
#[derive(Debug, PartialEq, Eq)]
enum RollMessage {
    Initiated { obsolete: u32, batch: u32 },
    Arrived,
    Gone(u32),
}

impl RollMessage {
    fn read(reason: &str) -> Option<Self> {
        if let Some(rest) = reason.strip_prefix("Rolling update initiated. Terminating ") {
            let (obsolete, rest) = rest.split_once(" obsolete instance(s) in batches of ")?;
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let batch = rest[..digits].parse().ok()?;
            return Some(Self::Initiated {
                obsolete: obsolete.parse().ok()?,
                batch,
            });
        }
        if reason.starts_with("Received SUCCESS signal") {
            return Some(Self::Arrived);
        }
        let rest = reason.strip_prefix("Successfully terminated instance(s) [")?;
        let (instances, _) = rest.split_once(']')?;
        u32::try_from(instances.split(',').count())
            .ok()
            .map(Self::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tail::tests::event;
    use super::*;

    fn said(id: &str, logical: &str, status: &str, reason: &str) -> StackEvent {
        let mut event = event(id, 1_000, logical, status);
        event.reason = Some(reason.to_owned());
        event
    }

    fn tracker() -> Tracker {
        let mut tracker = Tracker::new("arn:root", "token", [("Instances".to_owned(), 3)]);
        assert!(
            tracker
                .observe(&event("s", 0, "prod", "UPDATE_IN_PROGRESS"))
                .ours
        );
        tracker
    }

    #[test]
    fn an_end_before_the_beginning_is_not_believed() {
        let mut tracker = Tracker::new("arn:root", "token", []);
        let mut other = event("x", 0, "prod", "UPDATE_IN_PROGRESS");
        other.token = Some("somebody else's".to_owned());
        assert!(!tracker.observe(&other).ours);
        tracker.observe(&event("y", 0, "prod", "UPDATE_COMPLETE"));
        assert_eq!(tracker.end(), None);
        assert!(!tracker.has_started());
    }

    #[test]
    fn the_classic_transcript_counts_instances() {
        let mut tracker = tracker();
        let texts = [
            "Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1, while \
             keeping at least 3 instance(s) in service. Waiting on resource signals with a \
             timeout of PT15M when new instances are added to the autoscaling group.",
            "Received SUCCESS signal with UniqueId i-81c6a159",
            "Successfully terminated instance(s) [i-48fa9d90] (Progress 33%).",
        ];
        for (n, text) in texts.iter().enumerate() {
            let noticed = tracker.observe(&said(
                &n.to_string(),
                "Instances",
                "UPDATE_IN_PROGRESS",
                text,
            ));
            assert!(noticed.progress, "{text}");
        }
        let progress = tracker.progress(Timestamp::from_millisecond(61_000).unwrap());
        assert_eq!(
            (
                progress.total,
                progress.replaced,
                progress.arrived,
                progress.batch
            ),
            (3, 1, 1, Some(1))
        );
        assert_eq!(progress.eta_ms, Some(120_000));
        assert_eq!(tracker.expectation(), Expectation::Replacing);
    }

    #[test]
    fn the_first_failure_is_not_the_noise_around_it() {
        let mut tracker = tracker();
        tracker.observe(&said(
            "1",
            "Api",
            "UPDATE_FAILED",
            "Resource update cancelled",
        ));
        tracker.observe(&said(
            "2",
            "Instances",
            "UPDATE_FAILED",
            "Received 0 SUCCESS signal(s) out of 1.",
        ));
        let back = tracker.observe(&said(
            "3",
            "prod",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "The following resource(s) failed to update: [Instances]. ",
        ));
        assert!(back.rollback);
        assert_eq!(tracker.first_failure().unwrap().logical_id, "Instances");
        let again = tracker.observe(&event("4", 9, "prod", "UPDATE_ROLLBACK_COMPLETE"));
        assert!(!again.rollback);
        assert_eq!(tracker.end().unwrap().class, StatusClass::RolledBack);
    }

    #[test]
    fn a_cancelled_update_names_the_stack() {
        let mut tracker = tracker();
        tracker.observe(&said(
            "1",
            "prod",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "User Initiated",
        ));
        let failure = tracker.first_failure().unwrap();
        assert_eq!(
            (failure.logical_id.as_str(), failure.reason.as_str()),
            ("prod", "User Initiated")
        );
    }

    #[test]
    fn a_failed_rollback_lists_what_to_skip_and_can_go_on() {
        let mut tracker = tracker();
        tracker.observe(&said("1", "Instances", "UPDATE_FAILED", "no signal"));
        tracker.observe(&event("2", 2, "prod", "UPDATE_ROLLBACK_IN_PROGRESS"));
        tracker.observe(&said("3", "Instances", "UPDATE_FAILED", "no key pair"));
        tracker.observe(&event("4", 4, "prod", "UPDATE_ROLLBACK_FAILED"));
        let end = tracker.end().unwrap();
        assert_eq!(
            (end.class, end.failed.as_slice()),
            (StatusClass::RollbackFailed, &["Instances".to_owned()][..])
        );
        tracker.expect_more();
        assert_eq!(tracker.end(), None);
        tracker.observe(&said(
            "5",
            "prod",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "User Initiated",
        ));
        tracker.observe(&event("6", 6, "prod", "UPDATE_ROLLBACK_COMPLETE"));
        assert_eq!(tracker.end().unwrap().class, StatusClass::RolledBack);
        assert_eq!(tracker.first_failure().unwrap().reason, "no signal");
    }

    #[test]
    fn what_follows_the_end_is_somebody_elses() {
        let mut tracker = tracker();
        tracker.observe(&event("1", 1, "prod", "UPDATE_COMPLETE"));
        assert!(
            !tracker
                .observe(&event("2", 2, "prod", "UPDATE_IN_PROGRESS"))
                .ours
        );
        assert_eq!(tracker.end().unwrap().class, StatusClass::Good);
    }

    #[test]
    fn inside_a_nested_stack_the_leaf_is_to_blame() {
        let mut tracker = tracker();
        let mut wrapper = said("1", "Child", "UPDATE_FAILED", "Embedded stack failed");
        wrapper.resource_type = "AWS::CloudFormation::Stack".to_owned();
        tracker.observe(&wrapper);
        tracker.observe(&said("2", "Leaf", "UPDATE_FAILED", "the reason"));
        assert_eq!(tracker.first_failure().unwrap().logical_id, "Leaf");
    }
}
