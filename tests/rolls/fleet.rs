//! Fleets: many racks of one account, rolled in waves, throttled, stopped, killed and taken up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use convox::clock::Clock;
use convox::rack::aws::{Budgets, CALLS_PER_SECOND};
use convox::roll::{
    Engine, EngineSource, Fleet, FleetEntry, FleetEvent, FleetJournals, FleetPlan, FleetRack,
    FleetReport, FleetState, Journals, Outcome, RackReport, Refusal, RollOptions, Stop,
};
use convox::sandbox::{Sandbox, Scenario};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::fleets::{Accounts, Counting, most_above, plan_of};
use crate::virtual_time::in_virtual_time;

/// The profile of the account that all racks are in.
const ACCOUNT: &str = "one";
/// A limit that refuses whatever our own budget should have held back.
const LIMIT: &str = "faults:\n  - rate: { api: \"*\", per_second: 5 }\n";

/// An account with racks, and a machine to roll them from.
struct Scene {
    clock: Clock,
    sandboxes: BTreeMap<String, Sandbox>,
    budgets: Option<Budgets>,
    home: TempDir,
}

impl Scene {
    /// Racks of two instances each, and what goes wrong with them.
    fn new(racks: &[&str], faults: &str) -> Self {
        let rack = |name: &&str| format!("  - {{ name: {name}, instances: 2, services: [] }}\n");
        let racks: String = racks.iter().map(rack).collect();
        let text = format!("name: x\nabout: y\nracks:\n{racks}{faults}");
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        let scenario = Scenario::parse(&text, "x.yaml").unwrap();
        let sandbox = Sandbox::new(&scenario, clock.clone()).unwrap();
        sandbox.keep_times();
        Self {
            budgets: Some(Budgets::new(clock.clone(), CALLS_PER_SECOND)),
            clock,
            sandboxes: BTreeMap::from([(ACCOUNT.to_owned(), sandbox)]),
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandboxes[ACCOUNT]
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    fn journals(&self) -> FleetJournals {
        FleetJournals::new(self.home().join("fleets"))
    }

    async fn accounts(&self, stop: &Stop) -> Accounts {
        let budgets = self.budgets.as_ref();
        Accounts::connect(
            &self.sandboxes,
            &self.clock,
            budgets,
            self.home(),
            stop.clone(),
        )
        .await
    }

    fn plan(&self, racks: &[(&str, u32)]) -> FleetPlan {
        plan_of(&self.clock, ACCOUNT, racks)
    }

    /// Rolls a fleet to its end.
    async fn roll(&self, plan: FleetPlan) -> Played {
        self.roll_until(plan, &Stop::new()).await
    }

    async fn roll_until(&self, plan: FleetPlan, stop: &Stop) -> Played {
        let source = self.accounts(stop).await;
        let mut counting = Counting::default();
        let (clock, stop) = (self.clock.clone(), stop.clone());
        let fleet = Fleet::begin(plan, &self.journals(), &source, clock, &mut counting, stop);
        let report = fleet.unwrap().run().await;
        Played {
            report,
            most: counting.most,
        }
    }

    /// Begins a fleet, and is killed after a while.
    async fn roll_and_die(&self, plan: FleetPlan, after: Duration) {
        let clock = self.clock.clone();
        tokio::select! {
            played = self.roll(plan) => panic!("it ended before: {}", played.report.message),
            () = clock.sleep(after) => {}
        }
    }

    /// Takes up a fleet and carries it to its end.
    async fn resume(&self, plan: &FleetPlan) -> FleetReport {
        let stop = Stop::new();
        let source = self.accounts(&stop).await;
        self.resume_by(plan, &source, stop).await
    }

    async fn resume_by(
        &self,
        plan: &FleetPlan,
        source: &impl EngineSource,
        stop: Stop,
    ) -> FleetReport {
        let clock = self.clock.clone();
        let mut events: Vec<FleetEvent> = Vec::new();
        let journals = self.journals();
        let fleet = Fleet::take_up(&plan.fleet, &journals, source, clock, &mut events, stop);
        fleet.unwrap().run().await
    }

    /// The key pairs that live instances of a rack carry.
    fn carried(&self, rack: &str) -> BTreeSet<String> {
        self.sandbox().peek(|world| {
            let of_rack = world.live_instances().filter(|instance| {
                let stack = instance.tags.get("aws:cloudformation:stack-name");
                stack.is_some_and(|stack| stack == rack) && instance.reason.is_none()
            });
            of_rack.filter_map(|it| it.key_name.clone()).collect()
        })
    }

    /// The key pairs that EC2 has for a rack.
    fn pairs(&self, rack: &str) -> BTreeSet<String> {
        let prefix = format!("{rack}-keypair-");
        self.sandbox().peek(|world| {
            let names = world.ec2.key_pairs().map(|pair| pair.name.clone());
            names.filter(|name| name.starts_with(&prefix)).collect()
        })
    }

    /// Checks that a rack has one new key and no other.
    fn assert_rolled(&self, report: &RackReport) {
        let new: BTreeSet<_> = report.new_key.iter().cloned().collect();
        assert_eq!(report.outcome, Some(Outcome::Done), "{}", report.message);
        assert_eq!(self.carried(&report.rack), new, "{}", report.rack);
        assert_eq!(self.pairs(&report.rack), new, "{}", report.rack);
    }

    /// Checks that a rack has the key that it had, and no other.
    fn assert_untouched(&self, rack: &str) {
        let old = BTreeSet::from([format!("{rack}-keypair-4711")]);
        assert_eq!(self.carried(rack), old, "{rack}");
        assert_eq!(self.pairs(rack), old, "{rack}");
    }
}

/// What was seen of a fleet.
struct Played {
    report: FleetReport,
    /// How many racks were under way at most.
    most: usize,
}

fn rack<'r>(report: &'r FleetReport, name: &str) -> &'r RackReport {
    report.racks.iter().find(|rack| rack.rack == name).unwrap()
}

fn spans(report: &FleetReport) -> BTreeMap<&str, (Timestamp, Timestamp)> {
    let span = |rack: &RackReport| rack.began.zip(rack.ended);
    let spans = report.racks.iter();
    spans
        .filter_map(|rack| Some((rack.rack.as_str(), span(rack)?)))
        .collect()
}

#[test]
fn a_canary_is_first_and_each_wave_waits_for_the_one_before() {
    in_virtual_time(async {
        let names = ["a", "b", "c", "d", "e", "z"];
        let scene = Scene::new(&names, "");
        let plan = scene.plan(&[("d", 2), ("a", 1), ("b", 1), ("e", 2), ("c", 1), ("z", 0)]);
        let played = scene.roll(plan).await;
        assert_eq!(played.report.exit_code, 0, "{}", played.report.message);
        for report in &played.report.racks {
            scene.assert_rolled(report);
        }
        let order: Vec<_> = played
            .report
            .racks
            .iter()
            .map(|it| it.rack.as_str())
            .collect();
        assert_eq!(order, ["z", "a", "b", "c", "d", "e"]);
        let spans = spans(&played.report);
        for first in ["a", "b", "c"] {
            assert!(
                spans[first].0 >= spans["z"].1,
                "{first} before the canary's end"
            );
            for second in ["d", "e"] {
                assert!(
                    spans[second].0 >= spans[first].1,
                    "{second} before {first}'s end"
                );
            }
        }
        assert_eq!(played.most, 2, "two at once, as asked, and no more");
    });
}

#[test]
fn no_more_begin_once_so_many_have_failed_and_the_others_are_not_touched() {
    in_virtual_time(async {
        let faults = "faults:\n  - signals: { rack: \"bad-*\", key: new, fate: failure }\n";
        let scene = Scene::new(&["a", "bad-1", "bad-2", "c", "d"], faults);
        let mut plan = scene.plan(&[("bad-1", 1), ("a", 1), ("bad-2", 1), ("c", 1), ("d", 2)]);
        (plan.at_once, plan.stop_after) = (1, 2);
        let played = scene.roll(plan).await;
        let report = &played.report;
        assert_eq!((report.outcome, report.exit_code), (Outcome::RolledBack, 3));
        assert_eq!(report.stopped.as_deref(), Some("2 racks did not end well"));
        scene.assert_rolled(rack(report, "a"));
        for bad in ["bad-1", "bad-2"] {
            assert_eq!(rack(report, bad).outcome, Some(Outcome::RolledBack));
            assert!(rack(report, bad).first_failure.is_some());
            scene.assert_untouched(bad);
        }
        for waiting in ["c", "d"] {
            assert_eq!(rack(report, waiting).state, FleetState::Waiting);
            scene.assert_untouched(waiting);
        }
        let text = serde_json::to_string(report).unwrap();
        assert_eq!(serde_json::from_str::<FleetReport>(&text).unwrap(), *report);
    });
}

#[test]
fn a_canary_that_goes_back_stops_the_fleet_whatever_may_fail() {
    in_virtual_time(async {
        let faults = "faults:\n  - signals: { rack: z, key: new, fate: failure }\n";
        let scene = Scene::new(&["a", "z"], faults);
        let mut plan = scene.plan(&[("a", 1), ("z", 0)]);
        plan.stop_after = 9;
        let played = scene.roll(plan).await;
        let why = played.report.stopped.as_deref();
        assert_eq!(why, Some("the canary z did not end well"));
        scene.assert_untouched("a");
        scene.assert_untouched("z");
    });
}

#[test]
fn a_rack_that_goes_back_or_is_not_there_does_not_hurt_others() {
    in_virtual_time(async {
        let faults = "faults:\n  - signals: { rack: bad, key: new, fate: never }\n";
        let scene = Scene::new(&["a", "bad", "c"], faults);
        let mut plan = scene.plan(&[("a", 1), ("bad", 1), ("c", 1), ("gone", 1)]);
        (plan.at_once, plan.stop_after) = (4, 9);
        let played = scene.roll(plan).await;
        assert_eq!(played.report.exit_code, 3, "{}", played.report.message);
        assert_eq!(played.report.stopped, None);
        scene.assert_rolled(rack(&played.report, "a"));
        scene.assert_rolled(rack(&played.report, "c"));
        scene.assert_untouched("bad");
        let gone = rack(&played.report, "gone");
        assert_eq!(gone.outcome, Some(Outcome::NothingChanged));
        assert!(gone.message.contains("gone"), "{}", gone.message);
    });
}

#[test]
fn a_rack_that_is_busy_is_told_and_the_others_go_on() {
    in_virtual_time(async {
        // The first rack is updated by somebody else, with instances that never come up.
        let faults = "faults:\n  - signals: { rack: a, fate: never }\n  - call:\n      api: \
                      cloudformation:UpdateStack\n      at: 0s\n      input: { StackName: $rack, \
                      UsePreviousTemplate: true, Capabilities: [CAPABILITY_IAM], Parameters: \
                      [$keep, { ParameterKey: InstanceType, ParameterValue: t3.large }] }\n";
        let scene = Scene::new(&["a", "b"], faults);
        scene.clock.sleep(Duration::from_secs(10)).await;
        let mut plan = scene.plan(&[("a", 1), ("b", 1)]);
        plan.stop_after = 2;
        let played = scene.roll(plan).await;
        assert_eq!(played.report.exit_code, 7, "{}", played.report.message);
        assert_eq!(rack(&played.report, "a").outcome, Some(Outcome::Busy));
        scene.assert_rolled(rack(&played.report, "b"));
    });
}

#[test]
fn a_rack_of_a_fleet_costs_a_fraction_of_the_calls_of_one_by_itself() {
    in_virtual_time(async {
        let scene = Scene::new(&["a", "b"], "");
        let played = scene.roll(scene.plan(&[("a", 1)])).await;
        assert_eq!(played.report.exit_code, 0, "{}", played.report.message);
        let of_fleet = scene.sandbox().calls();
        let stop = Stop::new();
        let source = scene.accounts(&stop).await;
        let mut engine = source.engine(&scene.plan(&[("b", 1)]).racks[0]).await;
        let engine = engine.as_mut().unwrap();
        let patience = Duration::from_secs(60);
        let plan = engine.plan(RollOptions::DEFAULT, patience).await.unwrap();
        assert!(plan.changes.is_some(), "a person is shown them");
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let all = scene.sandbox().calls();
        let alone = |api: &str| all[api] - of_fleet.get(api).copied().unwrap_or(0);
        let polls = "cloudformation:DescribeStackEvents";
        let (one, other) = (of_fleet[polls], alone(polls));
        assert!(one * 2 < other, "{one} in a fleet, and {other} alone");
        let preview = "cloudformation:CreateChangeSet";
        assert_eq!((of_fleet.get(preview), alone(preview)), (None, 1));
    });
}

fn many() -> Vec<String> {
    (0..30).map(|number| format!("prod-{number:02}")).collect()
}

/// Rolls thirty racks at once in an account with a limit on calls; returns how that ended, how
/// many calls were refused, of how many, and what was above a budget in the worst moment.
async fn many_at_once(budget: Option<f64>, limit: &str) -> (FleetReport, u64, u64, f64) {
    let names = many();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut scene = Scene::new(&names, limit);
    scene.budgets = budget.map(|most| Budgets::new(scene.clock.clone(), most));
    let racks: Vec<_> = names.iter().map(|name| (*name, 1)).collect();
    let mut plan = scene.plan(&racks);
    plan.at_once = 30;
    let played = scene.roll(plan).await;
    let above = scene.sandbox().times();
    let above = above
        .values()
        .map(|times| most_above(times, CALLS_PER_SECOND));
    let calls = scene.sandbox().calls().values().sum();
    let above = above.fold(0.0, f64::max);
    (played.report, scene.sandbox().throttled(), calls, above)
}

#[test]
fn racks_of_one_account_share_a_budget_that_is_never_exceeded() {
    in_virtual_time(async {
        let (report, refused, _, above) = many_at_once(Some(CALLS_PER_SECOND), LIMIT).await;
        assert_eq!(report.exit_code, 0, "{}", report.message);
        assert_eq!(refused, 0, "no call was one too many");
        assert!(above <= CALLS_PER_SECOND + 0.1, "{above} at once");
        // The same without a budget: the limit is one that thirty racks do reach.
        let (_, refused, _, above) = many_at_once(None, LIMIT).await;
        assert!(refused > 100, "{refused}");
        assert!(above > 4.0 * CALLS_PER_SECOND, "{above}");
    });
}

#[test]
fn a_budget_that_is_too_high_adapts_to_what_the_account_says() {
    in_virtual_time(async {
        let limit = LIMIT.replace("per_second: 5", "per_second: 2");
        let (report, refused, calls, _) = many_at_once(Some(CALLS_PER_SECOND), &limit).await;
        assert_eq!(report.exit_code, 0, "{}", report.message);
        assert!(refused > 0, "the budget is above the limit");
        assert!(refused * 10 < calls, "{refused} of {calls} calls refused");
        let (_, without, calls_without, _) = many_at_once(None, &limit).await;
        let share = |refused: u64, calls: u64| refused * 1000 / calls;
        assert!(
            share(refused, calls) * 3 < share(without, calls_without),
            "{refused} of {calls}, and {without} of {calls_without} without a budget"
        );
    });
}

#[test]
fn a_fleet_that_was_killed_goes_on_and_rolls_no_rack_twice() {
    // While racks are planned and under way, one after the other.
    for seconds in [1, 5, 20, 60, 150, 240, 400, 500] {
        in_virtual_time(async {
            let names = ["a", "b", "c", "z"];
            let scene = Scene::new(&names, "");
            let plan = scene.plan(&[("a", 1), ("b", 1), ("c", 2), ("z", 0)]);
            let after = Duration::from_secs(seconds);
            scene.roll_and_die(plan.clone(), after).await;
            let before = scene.journals().read(&plan.fleet).unwrap().unwrap();
            let done_before: BTreeMap<String, RackReport> = before
                .into_iter()
                .filter_map(|line| match line.entry {
                    FleetEntry::Ended(report) => Some((report.rack.clone(), *report)),
                    _ => None,
                })
                .collect();
            let report = scene.resume(&plan).await;
            assert_eq!(report.exit_code, 0, "after {seconds} s: {}", report.message);
            for name in names {
                scene.assert_rolled(rack(&report, name));
                if let Some(done) = done_before.get(name) {
                    assert_eq!(rack(&report, name), done, "after {seconds} s");
                }
            }
            // And once more: there is nothing left to do.
            let calls = scene.sandbox().calls();
            assert_eq!(scene.resume(&plan).await.racks, report.racks);
            assert_eq!(scene.sandbox().calls(), calls);
        });
    }
}

/// Reaches no rack, as with credentials that have expired.
struct Expired;

impl EngineSource for Expired {
    async fn engine(&self, _: &FleetRack) -> Result<Engine, Refusal> {
        Err(Refusal::unreachable("the SSO token has expired", None))
    }
}

#[test]
fn a_roll_that_could_not_be_taken_up_is_taken_up_later_and_none_is_begun_in_its_place() {
    for is_held in [false, true] {
        in_virtual_time(async {
            let scene = Scene::new(&["a"], "");
            let plan = scene.plan(&[("a", 1)]);
            let after = Duration::from_secs(60);
            scene.roll_and_die(plan.clone(), after).await;
            let rolls = Journals::new(scene.home().join("rolls"));
            let roll = rolls.rolls().unwrap().remove(0);
            let refused = if is_held {
                // Somebody else is at work on that very roll.
                let _held = rolls.reopen(&roll).unwrap();
                scene.resume(&plan).await
            } else {
                scene.resume_by(&plan, &Expired, Stop::new()).await
            };
            let refused = rack(&refused, "a");
            assert!(!refused.is_done(), "{}", refused.message);
            assert_eq!(refused.roll.as_ref(), Some(&roll));
            let report = scene.resume(&plan).await;
            assert_eq!(report.exit_code, 0, "{}", report.message);
            assert_eq!(rack(&report, "a").roll, Some(roll), "the same roll");
            scene.assert_rolled(rack(&report, "a"));
            assert_eq!(rolls.rolls().unwrap().len(), 1, "and no other");
        });
    }
}

#[test]
fn somebody_who_asks_to_stop_is_heeded_and_comes_back_later() {
    in_virtual_time(async {
        let scene = Scene::new(&["a", "b", "c"], "");
        let mut plan = scene.plan(&[("a", 1), ("b", 1), ("c", 1)]);
        plan.at_once = 1;
        let stop = Stop::new();
        let asked = async {
            scene.clock.sleep(Duration::from_secs(120)).await;
            stop.request();
        };
        let (played, ()) = tokio::join!(scene.roll_until(plan.clone(), &stop), asked);
        assert_eq!(played.report.exit_code, 6, "{}", played.report.message);
        assert_eq!(rack(&played.report, "a").outcome, Some(Outcome::Detached));
        assert_eq!(rack(&played.report, "b").state, FleetState::Waiting);
        scene.assert_untouched("c");
        let roll = rack(&played.report, "a").roll.clone();
        let report = scene.resume(&plan).await;
        assert_eq!(report.exit_code, 0, "{}", report.message);
        assert_eq!(
            rack(&report, "a").roll,
            roll,
            "the same roll, carried to its end"
        );
        for report in &report.racks {
            scene.assert_rolled(report);
        }
    });
}

#[test]
fn whenever_somebody_asks_to_stop_a_rack_that_has_not_changed_has_not_begun() {
    let mut minting = 0;
    for seconds in (6..46).step_by(2) {
        in_virtual_time(async {
            let scene = Scene::new(&["a"], "faults:\n  - latency: { api: \"*\", takes: 1s }\n");
            let plan = scene.plan(&[("a", 1)]);
            let stop = Stop::new();
            let asked = async {
                scene.clock.sleep(Duration::from_secs(seconds)).await;
                stop.request();
            };
            let (played, ()) = tokio::join!(scene.roll_until(plan.clone(), &stop), asked);
            let report = rack(&played.report, "a");
            assert_eq!(played.report.exit_code, 6, "{seconds} s: {report:?}");
            let lines = scene.journals().read(&plan.fleet).unwrap().unwrap();
            let is_unchanged = |entry: &FleetEntry| {
                let FleetEntry::Ended(report) = entry else {
                    return false;
                };
                report.outcome == Some(Outcome::NothingChanged)
            };
            if lines.iter().any(|line| is_unchanged(&line.entry)) {
                minting += 1;
                assert_eq!(report.state, FleetState::Waiting, "{seconds} s");
                scene.assert_untouched("a");
            }
            let report = scene.resume(&plan).await;
            assert_eq!(report.exit_code, 0, "{seconds} s: {}", report.message);
            scene.assert_rolled(rack(&report, "a"));
        });
    }
    assert!(minting > 0, "it was never asked for while a key was made");
}

#[test]
fn a_roll_that_goes_on_unseen_is_waited_for_by_no_wave() {
    in_virtual_time(async {
        // Credentials end while the first rack is rolled, and hold again a minute later.
        let faults = "faults:\n  - deny: { api: \"cloudformation:DescribeStackEvents\", after: \
                      \"cloudformation:UpdateStack\", from: 30s, for: 60s }\n";
        let scene = Scene::new(&["a", "b"], faults);
        let mut plan = scene.plan(&[("a", 1), ("b", 2)]);
        plan.stop_after = 2;
        let played = scene.roll(plan.clone()).await;
        let report = &played.report;
        assert_eq!(report.exit_code, 6, "{}", report.message);
        let why = report.stopped.as_deref();
        assert_eq!(why, Some("the roll of a goes on unseen"));
        assert_eq!(rack(report, "b").state, FleetState::Waiting);
        scene.assert_untouched("b");
        scene.clock.sleep(Duration::from_secs(60)).await;
        let again = scene.resume(&plan).await;
        assert_eq!(again.exit_code, 0, "{}", again.message);
        assert_eq!(rack(&again, "a").roll, rack(report, "a").roll);
        for report in &again.racks {
            scene.assert_rolled(report);
        }
    });
}

#[test]
fn of_two_fleets_with_the_same_rack_one_rolls_it_and_the_other_leaves_no_key() {
    in_virtual_time(async {
        // Both have made their plans before either changes anything.
        let scene = Scene::new(&["a"], "faults:\n  - latency: { api: \"*\", takes: 1s }\n");
        let first = scene.roll(scene.plan(&[("a", 1)]));
        let second = async {
            scene.clock.sleep(Duration::from_secs(1)).await;
            let mut plan = scene.plan(&[("a", 1)]);
            plan.wait_busy_ms = 3_600_000;
            scene.roll(plan).await
        };
        let (first, second) = tokio::join!(first, second);
        scene.assert_rolled(rack(&first.report, "a"));
        let second = rack(&second.report, "a");
        assert_eq!(second.outcome, Some(Outcome::NothingChanged));
        assert_eq!(second.new_key, None);
        let why = &second.message;
        assert!(why.contains("meanwhile"), "{why}");
    });
}

#[test]
fn two_convoxes_do_not_work_on_one_fleet() {
    in_virtual_time(async {
        let scene = Scene::new(&["a"], "");
        let plan = scene.plan(&[("a", 1)]);
        let stop = Stop::new();
        let source = scene.accounts(&stop).await;
        let (mut one, mut other) = (Vec::<FleetEvent>::new(), Vec::<FleetEvent>::new());
        let journals = scene.journals();
        let clock = scene.clock.clone();
        let begun = Fleet::begin(
            plan.clone(),
            &journals,
            &source,
            clock.clone(),
            &mut one,
            stop.clone(),
        );
        let again = Fleet::take_up(&plan.fleet, &journals, &source, clock, &mut other, stop);
        assert!(again.err().is_some_and(|refusal| refusal.is_held()));
        drop(begun);
    });
}
