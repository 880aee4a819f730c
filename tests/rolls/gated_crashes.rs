//! Rolls with gates and refreshes of their own that are killed at every line of the journal, and
//! just before it, and taken up again.

use std::sync::Arc;

use convox::roll::{Care, GateStage, Outcome, Strategy};
use convox::sandbox::Scenario;
use convox::sandbox::world::World;
use tokio::sync::Notify;

use crate::gate_keeper::{Keeper, gated, rack_with_policy};
use crate::outcomes::{assert_no_secret, assert_settled};
use crate::rehearsal::{Rehearsal, in_virtual_time, scenario};
use crate::surging::with_surplus;

const OLD: &str = "prod-keypair-4711";

struct Killed<'a> {
    scenario: &'a Scenario,
    strategy: Strategy,
    care: &'a Care,
    /// The first time that the gate is shut; 0 is never.
    shut_from: usize,
    /// The stage at which it is shut.
    shut_at: Option<GateStage>,
    /// Whether another machine, which has no journal, takes the roll up.
    elsewhere: bool,
}

impl Killed<'_> {
    /// Kills the roll at every line and takes it up again; returns how the rolls ended.
    fn at_every_line(&self, before: bool) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for line in 1.. {
            let context = format!("line {line}, before {before}, elsewhere {}", self.elsewhere);
            let Some(outcome) = in_virtual_time(self.at(line, before, &context)) else {
                return outcomes;
            };
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn at(&self, line: usize, before: bool, context: &str) -> Option<Outcome> {
        let rehearsal = Rehearsal::new(self.scenario);
        let was = rehearsal.sandbox.peek(rails);
        let mut keeper = Keeper::of(&rehearsal).shut_from(self.shut_from);
        if let Some(stage) = self.shut_at {
            keeper = keeper.shut_at(stage);
        }
        let tripped = Arc::new(Notify::new());
        let journals = rehearsal.journals();
        let journals = journals.crashing_at(line, before, tripped.clone());
        tokio::select! {
            _ = rehearsal.roll_carefully(journals, self.strategy, self.care, &keeper) => return None,
            () = tripped.notified() => {}
        }
        let rolls = rehearsal.journals().rolls().unwrap();
        let opened = rolls.first().is_some_and(|roll| {
            let lines = rehearsal.journals().read(roll).unwrap();
            lines.is_some_and(|lines| !lines.is_empty())
        });
        if !opened {
            assert_eq!(rehearsal.key_pairs(), [OLD], "{context}");
            return Some(Outcome::NothingChanged);
        }
        let roll = &rolls[0];
        let take_up = async |elsewhere| {
            let journals = match elsewhere {
                true => rehearsal.elsewhere(),
                false => rehearsal.journals(),
            };
            rehearsal.resume_carefully(roll, journals, &keeper).await
        };
        let mut result = take_up(self.elsewhere).await;
        if self.elsewhere && result.is_err() && rehearsal.key_pairs().len() < 2 {
            // No key pair of ours: there is nothing that another machine could know of.
            result = take_up(false).await;
        }
        let report = result.as_ref();
        let report = report.unwrap_or_else(|refusal| panic!("{context}: {refusal}"));
        if self.shut_from > 0 || self.shut_at.is_some() {
            let why = &report.message;
            assert!(
                why.starts_with("the gate exited with 1"),
                "{context}: {why}"
            );
        }
        assert_settled(&rehearsal, &result, context);
        assert_no_secret(&rehearsal, context);
        rehearsal.watcher.assert_whole(context);
        self.assert_whole(&rehearsal, report.outcome, context);
        assert_eq!(rehearsal.sandbox.peek(rails), was, "{context}");
        Some(report.outcome)
    }

    /// All instances carry the key that the stack names, and nothing goes on.
    fn assert_whole(&self, rehearsal: &Rehearsal, outcome: Outcome, context: &str) {
        rehearsal.sandbox.peek(|world| {
            let stack = world.cloudformation.stack("prod").unwrap();
            let named = stack.parameter("Key").unwrap();
            assert_eq!(
                named != OLD,
                outcome == Outcome::Done,
                "{context}: {outcome:?}"
            );
            let group = world.autoscaling.groups().next().unwrap();
            assert_eq!(group.refresh, None, "{context}");
            for refresh in world.autoscaling.refreshes_of(&group.name) {
                // One that goes back goes on, whoever takes it up.
                if refresh.wishes.launch_template.is_some() {
                    assert_ne!(refresh.status, "Cancelled", "{context}");
                }
            }
            for instance in world.live_instances() {
                if instance.state.as_str() == "running" {
                    assert_eq!(instance.key_name.as_deref(), Some(named), "{context}");
                }
            }
        });
    }
}

/// Whether each group protects its new instances, how many it protects, and how many it wants.
fn rails(world: &World) -> Vec<(bool, usize, u32)> {
    let groups = world.autoscaling.groups().map(|group| {
        let serving = group.members();
        let serving = serving.filter(|member| member.lifecycle.as_str() == "InService");
        let protected = serving.filter(|member| member.protected);
        (group.protects_new, protected.count(), group.desired)
    });
    groups.collect()
}

fn ways() -> Vec<bool> {
    // CI also strikes just before a line, which loses it although what it would tell has happened.
    match std::env::var_os("CI") {
        Some(_) => vec![false, true],
        None => vec![false],
    }
}

#[test]
fn a_roll_by_refreshes_is_killed_at_every_line() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = rack_with_policy(dir.path(), "", "[]");
    let mut care = gated();
    care.gates.canary = Some(1);
    let killed = Killed {
        scenario: &scenario,
        strategy: Strategy::Refresh,
        care: &care,
        shut_from: 0,
        shut_at: None,
        elsewhere: false,
    };
    for before in ways() {
        let outcomes = killed.at_every_line(before);
        assert!(outcomes.len() > 15, "{outcomes:?}");
        assert!(outcomes.ends_with(&[Outcome::Done]), "{outcomes:?}");
    }
}

#[test]
fn a_roll_that_a_gate_takes_back_is_killed_at_every_line() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = rack_with_policy(dir.path(), "", "[]");
    let care = gated();
    let killed = Killed {
        scenario: &scenario,
        strategy: Strategy::Refresh,
        care: &care,
        shut_from: 2,
        shut_at: None,
        elsewhere: false,
    };
    for before in ways() {
        let outcomes = killed.at_every_line(before);
        let back = [Outcome::RolledBack, Outcome::NothingChanged];
        assert!(outcomes.len() > 20, "{outcomes:?}");
        assert!(outcomes.iter().all(|it| back.contains(it)), "{outcomes:?}");
    }
}

#[test]
fn a_roll_by_refreshes_goes_on_from_a_machine_without_its_journal() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = rack_with_policy(dir.path(), "", "[]");
    let killed = Killed {
        scenario: &scenario,
        strategy: Strategy::Refresh,
        care: &Care::default(),
        shut_from: 0,
        shut_at: None,
        elsewhere: true,
    };
    for before in ways() {
        let outcomes = killed.at_every_line(before);
        assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    }
}

#[test]
fn a_rolling_update_that_a_gate_takes_back_is_killed_at_every_line() {
    let scenario = scenario("success");
    let care = gated();
    let mut killed = Killed {
        scenario: &scenario,
        strategy: Strategy::CloudFormation,
        care: &care,
        shut_from: 2,
        shut_at: None,
        elsewhere: false,
    };
    for (shut_from, before) in [2, 3]
        .into_iter()
        .flat_map(|n| ways().into_iter().map(move |b| (n, b)))
    {
        killed.shut_from = shut_from;
        let outcomes = killed.at_every_line(before);
        let back = [Outcome::RolledBack, Outcome::NothingChanged];
        assert!(
            outcomes.iter().all(|it| back.contains(it)),
            "{shut_from}: {outcomes:?}"
        );
    }
}

#[test]
fn a_rolling_update_with_guard_rails_that_a_gate_takes_back_is_killed_at_every_line() {
    let scenario = with_surplus(1, 5);
    let care = gated();
    let shut = [(1, None), (0, Some(GateStage::Last))];
    for ((shut_from, shut_at), before) in shut
        .into_iter()
        .flat_map(|shut| ways().into_iter().map(move |before| (shut, before)))
    {
        let killed = Killed {
            scenario: &scenario,
            strategy: Strategy::CloudFormation,
            care: &care,
            shut_from,
            shut_at,
            elsewhere: false,
        };
        let outcomes = killed.at_every_line(before);
        let back = [Outcome::RolledBack, Outcome::NothingChanged];
        assert!(outcomes.len() > 15, "{shut_at:?}: {outcomes:?}");
        assert!(
            outcomes.iter().all(|it| back.contains(it)),
            "{shut_at:?}: {outcomes:?}"
        );
    }
}
