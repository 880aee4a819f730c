//! Instances, keys and ways that are not as a revocation would like them to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use convox::rack::{Instance, KeyAccess, KeyAnswer, KeyDeed, KeySwap, KeyType, PortError, Through};
use convox::roll::{Effect, Entry, EventKind, KeyTools, Outcome, Report};
use convox::sandbox::ec2::{self, InstanceState, LaunchSpec, Owner};
use convox::sandbox::scenario::{Fault, Latency, Span};
use convox::ssh::SigningKey;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::rehearsal::{Rehearsal, in_virtual_time, scenario};
use crate::revoking::{OLD, assert_shut, calls, doors, engine, options, planned, resume, revoke};

fn ids(rehearsal: &Rehearsal) -> BTreeSet<String> {
    rehearsal
        .sandbox
        .peek(|world| world.live_instances().map(|it| it.id.clone()).collect())
}

fn held_out(report: &Report) -> BTreeMap<&str, &str> {
    let holdouts = report.holdouts.iter();
    holdouts
        .map(|it| (it.instance.as_str(), it.state.as_str()))
        .collect()
}

/// Waits for a state of the account that has to come within minutes.
async fn wait_until(rehearsal: &Rehearsal, is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        rehearsal.clock.sleep(Duration::from_millis(50)).await;
    }
    panic!("it never comes to that");
}

#[test]
fn an_instance_of_nobody_that_the_key_opens_is_named_until_it_is_gone() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let spec = LaunchSpec {
            key_name: Some(OLD.to_owned()),
            ..LaunchSpec::default()
        };
        let stray = rehearsal
            .sandbox
            .with(|world| world.start_instance(spec, Owner::Nobody).unwrap());
        rehearsal.clock.sleep(Duration::from_secs(60)).await;
        let plan = planned(&rehearsal).await.unwrap();
        let instances = &plan.revocation().unwrap().instances;
        let named = instances.iter().find(|it| it.id == stray).unwrap();
        assert_eq!(named.through, None);
        let why = "it is in no group that a roll of this rack replaces";
        assert_eq!(named.unreached.as_deref(), Some(why));
        let warned = plan.warnings.iter().find(|it| it.code == "outside");
        assert!(warned.unwrap().message.contains(&stray), "{warned:?}");

        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::Unproven, 4));
        let expected = BTreeMap::from([(stray.as_str(), why)]);
        assert_eq!(held_out(&report), expected, "{report:?}");
        rehearsal
            .sandbox
            .with(|world| world.terminate_instance(&stray, "a test"));
        rehearsal.clock.sleep(Duration::from_secs(120)).await;
        let roll = rehearsal.journals().rolls().unwrap().remove(0);
        let report = resume(&rehearsal, &roll, rehearsal.journals()).await;
        let report = report.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_shut(&rehearsal, &report.new_key.unwrap(), "it is gone");
    });
}

/// Has the group of an instance replace it, and returns the new one as soon as it is there.
async fn replaced(rehearsal: &Rehearsal) -> String {
    let gone = ids(rehearsal).into_iter().next().unwrap();
    rehearsal
        .sandbox
        .with(|world| world.terminate_instance(&gone, "a test"));
    let is_pending = |it: &&ec2::Instance| it.state == InstanceState::Pending;
    let find = || {
        rehearsal.sandbox.peek(|world| {
            let found = world.live_instances().find(is_pending);
            found.map(|it| it.id.clone())
        })
    };
    wait_until(rehearsal, || find().is_some()).await;
    find().unwrap()
}

/// What was told of an instance, one after the other.
fn told_of(rehearsal: &Rehearsal, id: &str) -> Vec<Option<String>> {
    let told = rehearsal.tape.events().into_iter();
    told.filter_map(|event| match event.kind {
        EventKind::Instance(report) if report.instance == id => Some(report.error),
        _ => None,
    })
    .collect()
}

#[test]
fn an_instance_that_is_starting_is_waited_for() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let starting = replaced(&rehearsal).await;
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_shut(&rehearsal, &report.new_key.unwrap(), "it runs by now");
        assert_eq!(told_of(&rehearsal, &starting), [None]);
        rehearsal.watcher.assert_whole("starting");
    });
}

#[test]
fn an_instance_that_is_pending_for_long_is_named_and_mended_once_it_runs() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        rehearsal
            .sandbox
            .with(|world| world.pace.pending_ms = (200_000, 200_001));
        let pending = replaced(&rehearsal).await;
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Unproven, "{report:?}");
        assert!(held_out(&report).contains_key(pending.as_str()));
        assert_eq!(told_of(&rehearsal, &pending).len(), 1, "it is told once");
        rehearsal.clock.sleep(Duration::from_secs(300)).await;
        let roll = rehearsal.journals().rolls().unwrap().remove(0);
        let report = resume(&rehearsal, &roll, rehearsal.journals()).await;
        let report = report.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_shut(&rehearsal, &report.new_key.unwrap(), "it runs");
        rehearsal.watcher.assert_whole("pending");
    });
}

#[test]
fn an_instance_that_starts_during_the_run_is_done_by_the_same_run() {
    in_virtual_time(async {
        let mut scenario = scenario("success");
        scenario.faults = vec![Fault::Latency(Latency {
            api: "*".to_owned(),
            takes: Span(Duration::from_millis(300)),
        })];
        let rehearsal = Rehearsal::new(&scenario);
        let late = async {
            // The instances have been listed, and the old line is in on none of them any more.
            wait_until(&rehearsal, || {
                doors(&rehearsal).iter().all(|(_, tag)| tag.is_some())
            })
            .await;
            rehearsal.sandbox.with(|world| {
                world.pace.pending_ms = (10, 20);
                let owner = world.live_instances().next().unwrap();
                let group = "aws:autoscaling:groupName".to_owned();
                let name = owner.tags.get(&group).unwrap().clone();
                let spec = LaunchSpec {
                    key_name: Some(OLD.to_owned()),
                    tags: BTreeMap::from([(group, name)]),
                    ..LaunchSpec::default()
                };
                world.start_instance(spec, Owner::Nobody).unwrap()
            })
        };
        let (report, late) = tokio::join!(revoke(&rehearsal, rehearsal.journals()), late);
        let report = report.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let told = rehearsal.tape.events().into_iter();
        let told: BTreeSet<String> = told
            .filter_map(|event| match event.kind {
                EventKind::Instance(report) if report.error.is_none() => Some(report.instance),
                _ => None,
            })
            .collect();
        assert!(told.contains(&late), "{told:?}");
        assert_eq!(told, ids(&rehearsal));
        let new = report.new_key;
        assert!(doors(&rehearsal).iter().all(|(_, tag)| *tag == new));
    });
}

/// Makes the rack keep another private key than the one that its instances were started with, as
/// the classic does when its update is refused.
async fn keep_another(rehearsal: &Rehearsal) {
    let rack = rehearsal.rack().await;
    let (name, tags) = ("prod-keypair-1000", BTreeMap::new());
    let other = rack.key_pairs.create(name, KeyType::Rsa, &tags).await;
    rack.keys.put(name, &other.unwrap().private).await.unwrap();
    rack.keys.promote(name).await.unwrap();
    rack.keys.delete(name).await.unwrap();
    rack.key_pairs.delete(name).await.unwrap();
}

#[test]
fn the_line_that_ec2_has_is_shut_out_where_another_key_is_kept() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        keep_another(&rehearsal).await;
        let plan = planned(&rehearsal).await.unwrap();
        assert!(plan.warnings.iter().any(|it| it.code == "two-keys"));
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_shut(&rehearsal, &report.new_key.unwrap(), "two keys");
    });
}

#[test]
fn an_instance_whose_line_nobody_knows_is_not_taken_for_shut() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        keep_another(&rehearsal).await;
        rehearsal
            .sandbox
            .with(|world| world.delete_key_pair(OLD).unwrap());
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::Unproven, 4));
        let told = held_out(&report);
        assert_eq!(told.len(), 3, "{report:?}");
        let why =
            format!("it was started with {OLD}, and its authorized_keys do not have the line");
        assert!(told.values().all(|it| it.starts_with(&why)), "{told:?}");
        for (lines, tag) in doors(&rehearsal) {
            assert_eq!((lines.len(), tag), (2, None), "the true line is still in");
        }
    });
}

/// A way to instances that notes what it is asked for, and does not lead to `lost`.
#[derive(Default)]
struct Noted {
    lost: Option<String>,
    unvouched: BTreeSet<String>,
    done: Mutex<BTreeSet<(String, KeyDeed)>>,
}

#[async_trait]
impl KeyAccess for Noted {
    fn through(&self) -> Through {
        Through::Ssh
    }

    async fn unreached(
        &self,
        instances: &[Instance],
    ) -> Result<BTreeMap<String, String>, PortError> {
        let mut ids = instances.iter().map(|it| it.id.clone());
        let lost = ids.find(|id| Some(id) == self.lost.as_ref());
        Ok(lost.into_iter().map(|id| (id, "no route".into())).collect())
    }

    async fn carry_out(
        &self,
        deed: KeyDeed,
        _: &KeySwap,
        instances: &[Instance],
        answers: &UnboundedSender<KeyAnswer>,
    ) {
        for instance in instances {
            let (instance, result) = (instance.id.clone(), Ok(()));
            self.done.lock().unwrap().insert((instance.clone(), deed));
            let answer = KeyAnswer {
                instance,
                deed,
                result,
            };
            answers.send(answer).unwrap();
        }
    }

    fn unvouched(&self, ids: &[String]) -> Vec<String> {
        let ids = ids.iter().filter(|id| self.unvouched.contains(*id));
        ids.cloned().collect()
    }
}

#[test]
fn where_ssm_fails_the_next_way_is_taken() {
    in_virtual_time(async {
        let mut scenario = scenario("success");
        scenario.faults = vec![Fault::Deny(calls("ssm:SendCommand"))];
        let rehearsal = Rehearsal::new(&scenario);
        let lost = ids(&rehearsal).into_iter().next();
        let unvouched: BTreeSet<String> = ids(&rehearsal).into_iter().take(2).collect();
        let noted = Arc::new(Noted {
            lost: lost.clone(),
            unvouched: unvouched.clone(),
            ..Noted::default()
        });
        let mut engine = engine(&rehearsal, rehearsal.journals()).await;
        let ssm = convox::roll::SsmAccess::new(
            Arc::clone(&engine.rack().commands),
            rehearsal.clock.clone(),
        );
        engine.set_key_tools(KeyTools {
            ways: vec![Arc::new(ssm), Arc::clone(&noted) as Arc<dyn KeyAccess>],
            public_line: |name, key| match SigningKey::read(name, key) {
                Ok(key) => Ok(key.public_line()),
                Err(error) => Err(error.to_string()),
            },
        });
        let plan = engine.plan_revocation(options()).await.unwrap();
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::Unproven, "{report:?}");
        let (told, lost) = (held_out(&report), lost.unwrap());
        let why = told.get(lost.as_str()).unwrap();
        assert!(why.contains("ssm:SendCommand"), "{why}");
        assert!(why.ends_with("; no route"), "{why}");
        assert_eq!(told.len(), 1, "{told:?}");
        let done = noted.done.lock().unwrap();
        assert_eq!(
            done.len(),
            2 * 4,
            "two instances went all the way: {done:?}"
        );
        // Of those that were reached, and of no other.
        let stranger = unvouched.iter().find(|id| **id != lost).unwrap();
        let warned = rehearsal.tape.events().into_iter().filter(|event| {
            matches!(&event.kind, EventKind::Warning { message }
                if message.starts_with(&format!("no console has told the host keys of {stranger}:")))
        });
        assert_eq!(warned.count(), 1);
    });
}

#[test]
fn one_that_is_gone_keeps_no_other_from_being_tagged() {
    in_virtual_time(async {
        let mut scenario = scenario("success");
        scenario.faults = vec![Fault::Latency(Latency {
            api: "ec2:CreateTags".to_owned(),
            takes: Span(Duration::from_secs(20)),
        })];
        let rehearsal = Rehearsal::new(&scenario);
        let one = ids(&rehearsal).into_iter().next().unwrap();
        let gone = async {
            wait_until(&rehearsal, || {
                doors(&rehearsal).iter().all(|(lines, _)| lines.len() == 2)
            })
            .await;
            // By then all are on their way to be tagged.
            rehearsal.clock.sleep(Duration::from_secs(10)).await;
            rehearsal.sandbox.with(|world| {
                world.terminate_instance(&one, "a test");
                ec2::on_due(world, ec2::Due::Terminated(one.clone()));
                ec2::on_due(world, ec2::Due::Forgotten(one.clone()));
            });
        };
        let (report, ()) = tokio::join!(revoke(&rehearsal, rehearsal.journals()), gone);
        let report = report.unwrap();
        let new = report.new_key.clone();
        let doors = doors(&rehearsal).into_iter();
        let shut = doors.filter(|(lines, tag)| *tag == new && lines.len() == 1);
        // The two others, and whatever has come in the place of the one that is gone.
        assert!(shut.count() >= 2, "{report:?}");
        assert!(!held_out(&report).contains_key(one.as_str()), "{report:?}");
    });
}

#[test]
fn a_key_that_instances_let_in_is_not_made_again_when_ec2_has_lost_it() {
    in_virtual_time(async {
        let undisturbed = Rehearsal::new(&scenario("success"));
        let journals = undisturbed.journals();
        revoke(&undisturbed, journals.clone()).await.unwrap();
        let roll = journals.rolls().unwrap().remove(0);
        let lines = journals.read(&roll).unwrap().unwrap();
        let is_let_in = |entry: &Entry| {
            let Entry::Answered { effect, .. } = entry else {
                return false;
            };
            *effect == Effect::AdmitKey
        };
        let line = lines.iter().position(|line| is_let_in(&line.entry));
        let rehearsal = Rehearsal::new(&scenario("success"));
        let tripped = Arc::new(Notify::new());
        let line = line.unwrap() + 1;
        let journals = rehearsal.journals();
        let killed = journals.crashing_at(line, false, Arc::clone(&tripped));
        tokio::select! {
            report = revoke(&rehearsal, killed) => panic!("it ended before: {report:?}"),
            () = tripped.notified() => {}
        }
        let roll = rehearsal.journals().rolls().unwrap().remove(0);
        let names = rehearsal.sandbox.peek(|world| world.key_pair_names());
        let new = names.into_iter().find(|name| name != OLD).unwrap();
        let keys = rehearsal.rack().await.keys;
        let kept = keys.get(&new).await.unwrap().unwrap();
        rehearsal
            .sandbox
            .with(|world| world.delete_key_pair(&new).unwrap());
        let report = resume(&rehearsal, &roll, rehearsal.journals()).await;
        let report = report.unwrap();
        assert_ne!(report.outcome, Outcome::Done, "{report:?}");
        assert!(report.message.contains(&new), "{report:?}");
        // It opens what has been tagged so far, and whoever logs in has it.
        let after = keys.get(&new).await.unwrap().unwrap();
        assert!(after.is_same_as(&kept), "it was put over");
        rehearsal.watcher.assert_whole("lost in EC2");
    });
}
