//! Events of rolls that never happened, for the tests of the renderers.

use jiff::{SignedDuration, Timestamp};

use crate::ids::RollId;
use crate::rack::{ResourceChange, StackEvent};
use crate::roll::{
    Advice, EVENT_VERSION, Event, EventKind, Failure, GroupPlan, Holdout, Outcome, Plan,
    PlannedStep, Progress, Report, RollOptions, RollPolicy, Step,
};

const STACK: &str = "arn:aws:cloudformation:us-east-1:123456789012:stack/prod/4f1";
const OLD: &str = "prod-keypair-1234";
const NEW: &str = "prod-keypair-01kb2q5z8g000001";

pub fn roll() -> RollId {
    "01kb2q5z8g000001".parse().unwrap()
}

/// Numbers events and sets them five seconds apart.
fn stream(kinds: Vec<EventKind>) -> Vec<Event> {
    let start: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
    let event = |(place, kind): (usize, EventKind)| Event {
        v: EVENT_VERSION,
        seq: place as u64 + 1,
        at: start + SignedDuration::from_secs(5 * place as i64),
        roll: roll(),
        kind,
    };
    kinds.into_iter().enumerate().map(event).collect()
}

fn done(step: Step, detail: &str) -> EventKind {
    EventKind::StepDone {
        step,
        detail: detail.to_owned(),
    }
}

fn stack(status: &str, logical_id: &str, reason: Option<&str>) -> EventKind {
    let is_stack = logical_id == "prod";
    EventKind::Stack(StackEvent {
        id: format!("{logical_id}-{status}"),
        stack_id: STACK.to_owned(),
        stack_name: "prod".to_owned(),
        logical_id: logical_id.to_owned(),
        physical_id: if is_stack {
            STACK.to_owned()
        } else {
            format!("prod-{logical_id}")
        },
        resource_type: if is_stack {
            "AWS::CloudFormation::Stack".to_owned()
        } else {
            "AWS::AutoScaling::AutoScalingGroup".to_owned()
        },
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        at: "2026-11-22T03:00:00Z".parse().unwrap(),
        token: Some(roll().to_string()),
        operation_id: None,
    })
}

fn step_of(replaced: u32, total: u32, eta_ms: Option<u64>, rolling_back: bool) -> EventKind {
    EventKind::Progress(Progress {
        total,
        replaced,
        arrived: replaced,
        group: Some("Instances".to_owned()),
        batch: Some(1),
        eta_ms,
        rolling_back,
    })
}

pub fn progress(replaced: u32, total: u32) -> Event {
    stream(vec![step_of(replaced, total, None, false)]).remove(0)
}

fn beginning() -> Vec<EventKind> {
    vec![
        EventKind::Busy {
            status: "UPDATE_IN_PROGRESS".to_owned(),
            retry_in_ms: 5000,
        },
        EventKind::Planned(Box::new(plan())),
        EventKind::StepStarted {
            step: Step::Preserve,
        },
        done(Step::Preserve, "kept the private key of prod-keypair-1234"),
        EventKind::StepStarted { step: Step::Mint },
        done(
            Step::Mint,
            "made prod-keypair-01kb2q5z8g000001, its private half is in the store",
        ),
        EventKind::StepStarted {
            step: Step::Install,
        },
        done(Step::Install, "CloudFormation took the update"),
        EventKind::StepStarted { step: Step::Watch },
        stack("UPDATE_IN_PROGRESS", "prod", Some("User Initiated")),
        stack(
            "UPDATE_IN_PROGRESS",
            "Instances",
            Some("Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1."),
        ),
        EventKind::Throttled {
            api: "DescribeStackEvents".to_owned(),
            retry_in_ms: 2500,
        },
        step_of(0, 3, None, false),
        stack(
            "UPDATE_IN_PROGRESS",
            "Instances",
            Some("Received SUCCESS signal with UniqueId i-0aaaaaaaaaaaaaaa1"),
        ),
        step_of(1, 3, Some(320_000), false),
    ]
}

pub fn success() -> Vec<Event> {
    let mut kinds = beginning();
    kinds.extend([
        step_of(1, 3, Some(310_000), false),
        step_of(2, 3, Some(160_000), false),
        step_of(3, 3, None, false),
        stack("UPDATE_COMPLETE", "Instances", None),
        stack("UPDATE_COMPLETE", "prod", None),
        done(Step::Watch, "prod is UPDATE_COMPLETE"),
        EventKind::StepStarted { step: Step::Verify },
        EventKind::Verified {
            proven: 2,
            holdouts: holdouts(),
            retry_in_ms: Some(5000),
        },
        EventKind::Verified {
            proven: 3,
            holdouts: Vec::new(),
            retry_in_ms: None,
        },
        done(Step::Verify, "every live instance carries the new key"),
        done(
            Step::Promote,
            "prod-keypair-01kb2q5z8g000001 is the default now",
        ),
        done(Step::Retire, "deleted prod-keypair-1234"),
        EventKind::Finished(report(Outcome::Done)),
    ]);
    stream(kinds)
}

pub fn rolled_back() -> Vec<Event> {
    let mut kinds = beginning();
    kinds.extend([
        stack(
            "UPDATE_FAILED",
            "Instances",
            Some("Received 0 SUCCESS signal(s) out of 1.\nUnable to satisfy 100% requirement"),
        ),
        stack(
            "UPDATE_FAILED",
            "ServiceWebApi",
            Some("Resource update cancelled"),
        ),
        EventKind::RollbackDetected {
            cause: Some(failure()),
        },
        stack(
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "prod",
            Some("The following resource(s) failed"),
        ),
        step_of(1, 3, None, true),
        stack("UPDATE_ROLLBACK_COMPLETE", "prod", None),
        done(Step::Discard, "deleted prod-keypair-01kb2q5z8g000001"),
        EventKind::Finished(report(Outcome::RolledBack)),
    ]);
    stream(kinds)
}

fn failure() -> Failure {
    Failure {
        stack: "prod".to_owned(),
        logical_id: "Instances".to_owned(),
        resource_type: "AWS::AutoScaling::AutoScalingGroup".to_owned(),
        reason: "Received 0 SUCCESS signal(s) out of 1.\nUnable to satisfy 100% requirement"
            .to_owned(),
    }
}

fn holdouts() -> Vec<Holdout> {
    vec![
        Holdout {
            instance: "i-0aaaaaaaaaaaaaaa1".to_owned(),
            key_name: Some(OLD.to_owned()),
            owner: Some("prod-Instances-1".to_owned()),
            state: "Terminating:Wait".to_owned(),
        },
        Holdout {
            instance: "i-0bbbbbbbbbbbbbbb2".to_owned(),
            key_name: None,
            owner: None,
            state: "running".to_owned(),
        },
    ]
}

pub fn report(outcome: Outcome) -> Report {
    let (message, hints): (_, &[&str]) = match outcome {
        Outcome::Done => ("all 3 instances of prod carry the new key", &[]),
        Outcome::RolledBack => (
            "the update of prod was rolled back, and prod-keypair-1234 still works",
            &["mend what failed first, then roll again"],
        ),
        Outcome::Unproven => (
            "prod is updated, but 2 instances do not carry the new key",
            &["replace them, then run `convox rolls resume 01kb2q5z8g000001`"],
        ),
        Outcome::Detached => (
            "the update goes on in AWS",
            &["come back with `convox rolls resume 01kb2q5z8g000001`"],
        ),
        other => panic!("no canned report for {other:?}"),
    };
    Report {
        unavailable_ms: None,
        outcome,
        exit_code: outcome.exit_code(),
        message: message.to_owned(),
        hints: hints.iter().map(|hint| (*hint).to_owned()).collect(),
        old_key: Some(OLD.to_owned()),
        new_key: Some(NEW.to_owned()),
        first_failure: (outcome == Outcome::RolledBack).then(failure),
        holdouts: if outcome == Outcome::Unproven {
            holdouts()
        } else {
            Vec::new()
        },
    }
}

pub fn plan() -> Plan {
    let step = |step, changes: &str, waits_for: Option<&str>, undo: Option<&str>| PlannedStep {
        step,
        changes: changes.to_owned(),
        waits_for: waits_for.map(str::to_owned),
        undo: undo.map(str::to_owned),
    };
    Plan {
        kind: crate::roll::KeyKind::Ssh,
        roll: roll(),
        rack: "prod".to_owned(),
        stack_id: STACK.to_owned(),
        key_parameter: "Key".to_owned(),
        old_key: Some(OLD.to_owned()),
        new_key: NEW.to_owned(),
        options: RollOptions::DEFAULT,
        key_store: "s3://prod-settings/".to_owned(),
        groups: vec![GroupPlan {
            logical_id: "Instances".to_owned(),
            name: "prod-Instances-1".to_owned(),
            policy: RollPolicy::RollingUpdate {
                batch: 1,
                min_in_service: 3,
                pause_secs: 300,
                wait_on_signals: true,
            },
            instances: 3,
            min: 3,
            max: 1000,
        }],
        clusters: Vec::new(),
        touches: crate::roll::Touches::default(),
        spot_fleets: vec!["sfr-1".to_owned()],
        gates: crate::roll::Gates::default(),
        refresh: None,
        steps: vec![
            step(Step::Mint, "makes the key pair", None, Some("deleting it")),
            step(
                Step::Install,
                "sets the parameter Key",
                Some("the answer of UpdateStack"),
                Some("the rollback of CloudFormation"),
            ),
            step(Step::Verify, "nothing", Some("every live instance"), None),
        ],
        changes: Some(vec![ResourceChange {
            action: "Modify".to_owned(),
            logical_id: "InstancesLaunchTemplate".to_owned(),
            physical_id: Some("lt-1".to_owned()),
            resource_type: "AWS::EC2::LaunchTemplate".to_owned(),
            replacement: Some("False".to_owned()),
        }]),
        warnings: vec![Advice {
            code: "few-processes".to_owned(),
            message: "web has 1 process, which is gone for a while when its instance goes"
                .to_owned(),
            hint: "scale it to 3 first".to_owned(),
        }],
    }
}
