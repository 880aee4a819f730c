//! `AutoScalingRollingUpdate`: a group's instances are replaced in batches.
//!
//! The sentences are those of real accounts. CloudFormation raises the group so that
//! enough instances stay in service, starts new ones, waits for their signals and
//! terminates old ones. It does not wait for terminating lifecycle hooks: it says
//! "Successfully terminated" while an instance may still be in `Terminating:Wait`.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::autoscaling::{Group, GroupChange, TemplateVersion};
use super::super::world::World;
use super::policy::RollingPolicy;
use super::stack::Stack;
use super::{OperationDue, failure, operation, provision};

/// How soon a group that has not started its instances is looked at again.
const AGAIN: Duration = Duration::from_secs(10);

/// The sizes that a group has when nobody rolls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    pub min: u32,
    pub max: u32,
    pub desired: Option<u32>,
}

/// A rolling update under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Roll {
    /// The group's name.
    pub group: String,
    pub policy: RollingPolicy,
    /// The sizes to leave behind.
    pub sizes: Sizes,
    /// Instances still to be replaced, oldest first.
    obsolete: VecDeque<String>,
    /// How many there were to replace.
    total: usize,
    /// How many have been replaced.
    done: usize,
    /// How many instances the group has at the most while it rolls.
    capacity: u32,
    /// How many instances should be left in the end.
    goal: u32,
    /// How many up-to-date instances there are, or will be when their signals are in.
    fresh: u32,
    /// Which batch this is; 0 only adds instances.
    batch: u32,
    /// How many instances the batch adds.
    expected: u32,
    /// The instances that the batch takes away.
    leaving: Vec<String>,
    /// Whether the new instances of the batch have been announced.
    added: bool,
    /// Whether the old instances of the batch have been announced as gone.
    terminated: bool,
    /// Whether every new instance of the batch has signalled, or need not.
    answered: bool,
    /// Who has signalled for this batch.
    heard: BTreeSet<String>,
    /// Who has signalled at all.
    known: BTreeSet<String>,
    successes: u32,
    failures: u32,
}

/// The next moment of a rolling update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// It begins.
    Start,
    /// New instances are announced.
    Added,
    /// Old instances are announced as gone.
    Terminated,
    /// The pause is over.
    Paused,
    /// Signals have been waited for long enough.
    TimedOut,
    /// The group has its old sizes back.
    Over,
}

/// What comes of a moment.
enum Next {
    GoOn,
    Fail(String),
    Done,
}

/// Returns the members that were not started from the group's launch configuration or from
/// `wanted`, the version of its launch template, those on the way out left aside.
pub(super) fn obsolete_members(
    group: &Group,
    wanted: Option<&TemplateVersion>,
) -> VecDeque<String> {
    group
        .members()
        .filter(|member| !member.lifecycle.is_leaving() && !member.starts_as(group, wanted))
        .map(|member| member.instance.clone())
        .collect()
}

impl Roll {
    /// Prepares the roll of a group.
    pub(super) fn new(
        group: &Group,
        policy: RollingPolicy,
        sizes: Sizes,
        obsolete: VecDeque<String>,
    ) -> Self {
        let total = obsolete.len();
        let goal = sizes
            .desired
            .unwrap_or(group.desired)
            .max(policy.min_instances_in_service);
        let batch = policy.max_batch_size.min(count(total));
        let capacity = (policy.min_instances_in_service + batch)
            .max(goal)
            .max(group.desired)
            .min(sizes.max);
        Self {
            group: group.name.clone(),
            policy,
            sizes: Sizes {
                desired: Some(sizes.desired.unwrap_or(group.desired)),
                ..sizes
            },
            obsolete,
            total,
            done: 0,
            capacity,
            goal: goal.min(sizes.max),
            fresh: count(group.active().saturating_sub(total)),
            batch: 0,
            expected: 0,
            leaving: Vec::new(),
            added: false,
            terminated: false,
            answered: false,
            heard: BTreeSet::new(),
            known: BTreeSet::new(),
            successes: 0,
            failures: 0,
        }
    }

    /// Tells whether everything that the batch waits for has come.
    fn batch_is_over(&self) -> bool {
        self.added && self.terminated && self.answered
    }

    /// Tells whether one more failure would be too many.
    fn has_failed(&self) -> bool {
        let spared = 100_u32.saturating_sub(self.policy.min_successful_percent);
        self.failures > self.capacity.saturating_mul(spared) / 100
    }

    fn announcement(&self) -> String {
        let mut text = format!(
            "Rolling update initiated. Terminating {} obsolete instance(s) in batches of {}, \
             while keeping at least {} instance(s) in service.",
            self.total, self.policy.max_batch_size, self.policy.min_instances_in_service
        );
        if self.policy.wait_on_signals {
            text.push_str(&format!(
                " Waiting on resource signals with a timeout of {} when new instances are added \
                 to the autoscaling group.",
                self.policy.pause_text
            ));
        }
        text
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Carries out the next moment of a group's roll.
pub(super) fn on_act(world: &mut World, stack: &mut Stack, name: &str, batch: u32, act: Act) {
    with_roll(world, stack, name, |world, stack, roll| {
        if roll.batch != batch {
            return Next::GoOn;
        }
        match act {
            Act::Start => start(world, stack, name, roll),
            Act::Added => added(world, stack, name, roll),
            Act::Terminated => terminated(world, stack, name, roll),
            Act::Paused => {
                roll.answered = true;
                go_on(world, stack, name, roll)
            }
            Act::TimedOut => timed_out(world, stack, name, roll),
            Act::Over => Next::Done,
        }
    });
}

/// Takes the signal of a new instance.
pub(super) fn on_signal(
    world: &mut World,
    stack: &mut Stack,
    name: &str,
    unique_id: &str,
    success: bool,
) {
    with_roll(world, stack, name, |world, stack, roll| {
        let is_old = roll
            .leaving
            .iter()
            .chain(&roll.obsolete)
            .any(|old| old == unique_id);
        if is_old || roll.answered || !roll.known.insert(unique_id.to_owned()) {
            return Next::GoOn;
        }
        roll.heard.insert(unique_id.to_owned());
        let word = if success { "SUCCESS" } else { "FAILURE" };
        say(
            world,
            stack,
            name,
            format!("Received {word} signal with UniqueId {unique_id}"),
        );
        if success {
            roll.successes += 1;
        } else {
            roll.failures += 1;
            if roll.has_failed() {
                return Next::Fail(format!(
                    "Received {} FAILURE signal(s) out of {}. Unable to satisfy {}% \
                     MinSuccessfulInstancesPercent requirement",
                    roll.failures, roll.capacity, roll.policy.min_successful_percent
                ));
            }
        }
        roll.answered = count(roll.heard.len()) >= roll.expected;
        go_on(world, stack, name, roll)
    });
}

/// Takes the roll out of the operation while something happens to it.
fn with_roll(
    world: &mut World,
    stack: &mut Stack,
    name: &str,
    act: impl FnOnce(&mut World, &mut Stack, &mut Roll) -> Next,
) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    let Some(mut roll) = operation.rolls.remove(name) else {
        return;
    };
    match act(world, stack, &mut roll) {
        Next::GoOn => {
            if let Some(operation) = &mut stack.operation {
                operation.rolls.insert(name.to_owned(), roll);
            }
        }
        Next::Fail(reason) => failure::fail(world, stack, name, reason),
        Next::Done => provision::settle(world, stack, name),
    }
}

fn say(world: &mut World, stack: &mut Stack, name: &str, reason: String) {
    stack.turn_resource(world, name, "UPDATE_IN_PROGRESS", Some(reason));
}

fn schedule(world: &mut World, stack: &Stack, name: &str, roll: &Roll, after: Duration, act: Act) {
    let what = OperationDue::Roll {
        logical_id: name.to_owned(),
        batch: roll.batch,
        act,
    };
    operation::later(world, stack, after, what);
}

fn start(world: &mut World, stack: &mut Stack, name: &str, roll: &mut Roll) -> Next {
    let Some(group) = world.autoscaling.group(&roll.group) else {
        return Next::Fail(gone(&roll.group));
    };
    let active = count(group.active());
    let raised = group.min < roll.capacity || group.desired < roll.capacity;
    let announcement = roll.announcement();
    let raise = format!(
        "Temporarily setting autoscaling group MinSize and DesiredCapacity to {}.",
        roll.capacity
    );
    if raised && world.chance.bits().is_multiple_of(2) {
        say(world, stack, name, raise);
        say(world, stack, name, announcement);
    } else {
        say(world, stack, name, announcement);
        if raised {
            say(world, stack, name, raise);
        }
    }
    world.suspend_processes(&roll.group, &roll.policy.suspend);
    let change = GroupChange {
        min: Some(roll.capacity),
        desired: Some(roll.capacity),
        ..GroupChange::default()
    };
    if let Err(error) = world.update_group(&roll.group, change) {
        return Next::Fail(error.message);
    }
    let surge = roll.capacity.saturating_sub(active);
    if surge == 0 {
        return next_batch(world, stack, name, roll);
    }
    roll.expected = surge;
    roll.fresh += surge;
    roll.terminated = true;
    expect_instances(world, stack, name, roll);
    Next::GoOn
}

/// Announces the new instances of the batch after a while, which may be after their signals.
fn expect_instances(world: &mut World, stack: &Stack, name: &str, roll: &Roll) {
    let (least, most) = (world.pace.configure_ms.0, world.pace.shutdown_ms.1);
    let most = if world.events_are_shuffled() {
        most.saturating_mul(2)
    } else {
        most
    };
    let after = world.chance.span((least, most.max(least)));
    schedule(world, stack, name, roll, after, Act::Added);
}

/// Begins the next batch, or ends the roll when there is nothing left to replace.
fn next_batch(world: &mut World, stack: &mut Stack, name: &str, roll: &mut Roll) -> Next {
    if roll.obsolete.is_empty() {
        return end(world, stack, name, roll);
    }
    let Some(group) = world.autoscaling.group(&roll.group) else {
        return Next::Fail(gone(&roll.group));
    };
    let spare = count(group.active())
        .saturating_sub(roll.policy.min_instances_in_service)
        .max(1);
    let size = roll
        .policy
        .max_batch_size
        .min(spare)
        .min(count(roll.obsolete.len()));
    let replaced = roll.goal.saturating_sub(roll.fresh).min(size);
    roll.batch += 1;
    roll.expected = replaced;
    roll.fresh += replaced;
    roll.heard.clear();
    roll.added = replaced == 0;
    roll.answered = replaced == 0;
    roll.terminated = false;
    roll.leaving = roll
        .obsolete
        .drain(..usize::try_from(size).unwrap_or(0))
        .collect();
    let listed = roll.leaving.join(",");
    let text =
        format!("Terminating instance(s) [{listed}]; replacing with {replaced} new instance(s).");
    say(world, stack, name, text);
    for (at, instance) in roll.leaving.iter().enumerate() {
        // One that is gone already is what was wanted.
        let shrink = count(at) >= replaced;
        drop(world.terminate_member(instance, shrink));
    }
    let after = world.chance.span(world.pace.shutdown_ms);
    if replaced == 0 {
        schedule(world, stack, name, roll, after, Act::Terminated);
        return Next::GoOn;
    }
    // Both are often told in the same second, in either order.
    let apart = if world.events_are_shuffled() {
        world.chance.span((50, 800))
    } else {
        Duration::ZERO
    };
    match world.chance.bits() % 4 {
        0 => {
            schedule(world, stack, name, roll, after, Act::Terminated);
            schedule(world, stack, name, roll, after + apart, Act::Added);
        }
        1 => {
            schedule(world, stack, name, roll, after, Act::Added);
            schedule(world, stack, name, roll, after + apart, Act::Terminated);
        }
        _ => {
            schedule(world, stack, name, roll, after, Act::Terminated);
            expect_instances(world, stack, name, roll);
        }
    }
    Next::GoOn
}

fn added(world: &mut World, stack: &mut Stack, name: &str, roll: &mut Roll) -> Next {
    let Some(group) = world.autoscaling.group(&roll.group) else {
        return Next::Fail(gone(&roll.group));
    };
    if let Some(failure) = &group.launch_failure {
        return Next::Fail(launch_failed(failure));
    }
    if count(group.active()) < roll.fresh + count(roll.obsolete.len()) {
        schedule(world, stack, name, roll, AGAIN, Act::Added);
        return Next::GoOn;
    }
    roll.added = true;
    let (expected, pause) = (roll.expected, &roll.policy.pause_text);
    let (text, act, after) = if roll.policy.wait_on_signals {
        let text = format!(
            "New instance(s) added to autoscaling group - Waiting on {expected} resource \
             signal(s) with a timeout of {pause}."
        );
        (text, Act::TimedOut, roll.policy.pause)
    } else {
        let text = format!("New instance(s) added to autoscaling group - Pausing for {pause}.");
        (text, Act::Paused, roll.policy.pause)
    };
    say(world, stack, name, text);
    if !roll.answered {
        schedule(world, stack, name, roll, after, act);
    }
    go_on(world, stack, name, roll)
}

fn terminated(world: &mut World, stack: &mut Stack, name: &str, roll: &mut Roll) -> Next {
    roll.done += roll.leaving.len();
    let listed = roll.leaving.join(",");
    // To the nearest whole percent: 33, 67, 100.
    let total = roll.total.max(1);
    let progress = (roll.done * 200 + total) / (2 * total);
    let text = format!("Successfully terminated instance(s) [{listed}] (Progress {progress}%).");
    say(world, stack, name, text);
    roll.terminated = true;
    go_on(world, stack, name, roll)
}

fn timed_out(world: &mut World, stack: &mut Stack, name: &str, roll: &mut Roll) -> Next {
    if roll.answered {
        return Next::GoOn;
    }
    let missing = roll.expected.saturating_sub(count(roll.heard.len()));
    let text = format!(
        "Failed to receive {missing} resource signal(s) for the current batch.  Each resource \
         signal timeout is counted as a FAILURE."
    );
    say(world, stack, name, text);
    roll.failures += missing;
    if roll.has_failed() {
        return Next::Fail(format!(
            "Received {} SUCCESS signal(s) out of {}.  Unable to satisfy {}% \
             MinSuccessfulInstancesPercent requirement",
            roll.successes, roll.capacity, roll.policy.min_successful_percent
        ));
    }
    roll.answered = true;
    go_on(world, stack, name, roll)
}

fn go_on(world: &mut World, stack: &mut Stack, name: &str, roll: &mut Roll) -> Next {
    if roll.batch_is_over() {
        next_batch(world, stack, name, roll)
    } else {
        Next::GoOn
    }
}

/// Gives the group its sizes back; a surplus is scaled in at one go by the group itself.
fn end(world: &mut World, stack: &mut Stack, name: &str, roll: &mut Roll) -> Next {
    world.resume_processes(&roll.group, &roll.policy.suspend);
    let Sizes { min, max, desired } = roll.sizes;
    let change = GroupChange {
        min: Some(min),
        max: Some(max),
        desired: desired.map(|desired| desired.clamp(min, max)),
        ..GroupChange::default()
    };
    if let Err(error) = world.update_group(&roll.group, change) {
        return Next::Fail(error.message);
    }
    roll.batch += 1;
    let after = world.chance.span(world.pace.configure_ms);
    schedule(world, stack, name, roll, after, Act::Over);
    Next::GoOn
}

fn gone(group: &str) -> String {
    format!("AutoScalingGroup {group} not found")
}

/// Says why a group could not start an instance, as the event of its update does.
pub(super) fn launch_failed(failure: &str) -> String {
    if failure.contains("Launching EC2 instance failed") {
        failure.to_owned()
    } else {
        format!(
            "{}. Launching EC2 instance failed.",
            failure.trim_end_matches('.')
        )
    }
}
