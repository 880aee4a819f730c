//! Instances whose sshd does not take the new key, or cannot be asked whether it does: the old key
//! stays there, and they are named.

use convox::rack::KeyType;
use convox::roll::{Outcome, Report, RevocationOptions};
use convox::sandbox::scenario::{Fault, Faults, SshdOdd, SshdState};

use crate::rehearsal::{Rehearsal, in_virtual_time, scenario};
use crate::revoking::{OLD, assert_shut, doors, engine, resume, revoke};

/// A rack of three, the second of which has an odd sshd.
fn odd(sshd: SshdState) -> Rehearsal {
    let mut scenario = scenario("success");
    scenario.faults = vec![Fault::Sshd(SshdOdd {
        sshd,
        from: 2,
        times: Some(1),
    })];
    Rehearsal::new(&scenario)
}

fn second(rehearsal: &Rehearsal) -> String {
    rehearsal.sandbox.peek(|world| {
        let mut live: Vec<_> = world.live_instances().collect();
        live.sort_by_key(|instance| (instance.launched, &instance.id));
        live[1].id.clone()
    })
}

/// The lines of an instance, and the key that its tag names.
fn door(rehearsal: &Rehearsal, id: &str) -> (Vec<String>, Option<String>) {
    rehearsal.sandbox.peek(|world| {
        let instance = world.ec2.instance(id).unwrap();
        let tag = instance.tags.get("convox:key").cloned();
        (instance.authorized_keys.clone(), tag)
    })
}

fn held_out(report: &Report) -> Vec<(&str, &str)> {
    let holdouts = report.holdouts.iter();
    holdouts
        .map(|it| (it.instance.as_str(), it.state.as_str()))
        .collect()
}

#[test]
fn where_sshd_does_not_take_the_new_key_the_old_one_stays_and_the_instance_is_named() {
    let refuses = "not proven: sshd takes no keys of the type ssh-ed25519";
    let elsewhere = "not proven: sshd reads /etc/ssh/keys/ec2-user, and not \
                     /home/ec2-user/.ssh/authorized_keys";
    for (sshd, lines, why) in [
        (SshdState::RefusesEd25519, 2, refuses),
        (SshdState::ReadsElsewhere, 2, elsewhere),
        // Nothing is changed where nobody could tell what came of it.
        (SshdState::NoClient, 1, "not proven: there is no ssh client"),
    ] {
        in_virtual_time(async {
            let context = format!("{sshd:?}");
            let rehearsal = odd(sshd);
            let id = second(&rehearsal);
            let old_line = door(&rehearsal, &id).0.remove(0);
            let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
            let expected = format!("its command ended as Failed: {why}");
            assert_eq!(held_out(&report), [(id.as_str(), expected.as_str())]);
            assert_eq!((report.outcome, report.exit_code), (Outcome::Unproven, 4));
            assert!(report.hints[0].contains("--through ssh"), "{report:?}");
            let (kept, tag) = door(&rehearsal, &id);
            assert_eq!(kept[0], old_line, "{context}: nobody is locked out");
            assert_eq!((kept.len(), tag), (lines, None), "{context}");
            let others = doors(&rehearsal).into_iter();
            let shut = others.filter(|(lines, tag)| lines.len() == 1 && tag == &report.new_key);
            assert_eq!(shut.count(), 2, "{context}: the others are shut");
            rehearsal.watcher.assert_whole(&context);

            // Once somebody has mended its sshd, the same roll goes on.
            rehearsal
                .sandbox
                .with(|world| world.faults = Faults::default());
            let roll = rehearsal.journals().rolls().unwrap().remove(0);
            let report = resume(&rehearsal, &roll, rehearsal.journals()).await;
            let report = report.unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{context}: {report:?}");
            assert_shut(&rehearsal, &report.new_key.unwrap(), &context);
            rehearsal.watcher.assert_whole(&context);
        });
    }
}

#[test]
fn a_second_file_that_names_the_old_key_is_found() {
    in_virtual_time(async {
        let rehearsal = odd(SshdState::ReadsSecondFile);
        let id = second(&rehearsal);
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        let why = "its command ended as Failed: sshd reads /home/ec2-user/.ssh/authorized_keys2, \
                   which names the old key";
        assert_eq!(held_out(&report), [(id.as_str(), why)]);
        assert_eq!((report.outcome, report.exit_code), (Outcome::Unproven, 4));
        let (_, tag) = door(&rehearsal, &id);
        assert_eq!(tag, report.new_key, "the new key opens it");
        rehearsal.watcher.assert_whole("a second file");
    });
}

#[test]
fn an_sshd_that_takes_the_type_of_the_new_key_lets_it_be_done() {
    in_virtual_time(async {
        let rehearsal = odd(SshdState::RefusesEd25519);
        let mut engine = engine(&rehearsal, rehearsal.journals()).await;
        let options = RevocationOptions {
            key: None,
            key_type: Some(KeyType::Rsa),
        };
        let plan = engine.plan_revocation(options).await.unwrap();
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_shut(&rehearsal, &report.new_key.unwrap(), "rsa");
    });
}

#[test]
fn the_new_key_is_of_the_type_of_the_leaked_one_unless_another_is_asked_for() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let mut engine = engine(&rehearsal, rehearsal.journals()).await;
        let rsa = RevocationOptions {
            key: None,
            key_type: Some(KeyType::Rsa),
        };
        let plan = engine.plan_revocation(rsa).await.unwrap();
        assert_eq!(plan.options.key_type, KeyType::Rsa);
        let report = engine.run(plan, false).await;
        let out = report.new_key.clone();
        let made = |key: Option<&str>| RevocationOptions {
            key: key.map(str::to_owned),
            key_type: None,
        };
        // The RSA key that has just been put in is out as well.
        let plan = engine.plan_revocation(made(out.as_deref())).await.unwrap();
        assert_eq!(plan.options.key_type, KeyType::Rsa, "{report:?}");
        let fresh = Rehearsal::new(&scenario("success"));
        let mut engine = crate::revoking::engine(&fresh, fresh.journals()).await;
        let plan = engine.plan_revocation(made(Some(OLD))).await.unwrap();
        assert_eq!(plan.options.key_type, KeyType::Ed25519, "as the old one");
    });
}
