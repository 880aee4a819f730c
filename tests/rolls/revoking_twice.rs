//! Revocations that meet: another revocation, or a roll.

use std::time::Duration;

use convox::roll::{Outcome, RollOptions};
use convox::sandbox::scenario::{Fault, Latency, Span};

use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time, scenario};
use crate::revoking::{OLD, assert_shut, doors, resume, revoke, revoke_key, stored};

/// A rack whose calls take as long as they do over a network, so that two can be under way.
fn slow() -> Rehearsal {
    let mut scenario = scenario("success");
    scenario.faults = vec![Fault::Latency(Latency {
        api: "*".to_owned(),
        takes: Span(Duration::from_millis(300)),
    })];
    Rehearsal::new(&scenario)
}

#[test]
fn of_two_that_begin_at_once_one_goes_on_and_the_other_takes_its_key_back() {
    in_virtual_time(async {
        let rehearsal = slow();
        let second = async {
            rehearsal.clock.sleep(Duration::from_millis(120)).await;
            revoke(&rehearsal, rehearsal.elsewhere()).await.unwrap()
        };
        let first = revoke(&rehearsal, rehearsal.journals());
        let (first, second) = tokio::join!(first, second);
        let first = first.unwrap();
        assert_eq!(first.outcome, Outcome::Done, "{first:?}");
        assert_eq!(second.outcome, Outcome::Busy, "{second:?}");
        assert_eq!(second.exit_code, 7);
        assert_eq!(second.new_key, None, "it is taken back");
        let new = first.new_key.unwrap();
        assert_shut(&rehearsal, &new, "two at once");
        assert_eq!(rehearsal.key_pairs(), [new, OLD.to_owned()]);
        rehearsal.watcher.assert_open("two at once");
    });
}

#[test]
fn one_that_begins_later_is_refused_until_the_first_is_over() {
    in_virtual_time(async {
        let rehearsal = slow();
        let second = async {
            rehearsal.clock.sleep(Duration::from_secs(6)).await;
            revoke(&rehearsal, rehearsal.elsewhere()).await.unwrap_err()
        };
        let first = revoke(&rehearsal, rehearsal.journals());
        let (first, second) = tokio::join!(first, second);
        assert_eq!(second.outcome, Outcome::Busy, "{second:?}");
        assert_eq!(second.reasons[0].code, "revocation-under-way");
        let new = first.unwrap().new_key.unwrap();
        assert_shut(&rehearsal, &new, "one after the other");
        let again = revoke(&rehearsal, rehearsal.elsewhere()).await.unwrap();
        assert_eq!(again.outcome, Outcome::Done, "{again:?}");
        assert_eq!(again.new_key, Some(new), "it uses the same new key");
        rehearsal.watcher.assert_whole("one after the other");
    });
}

#[test]
fn a_roll_spares_a_key_that_was_put_in_while_it_ran() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let mut roll = rehearsal.engine(rehearsal.journals()).await;
        let plan = roll.plan(OPTIONS, WAIT_BUSY).await.unwrap();
        let (id, newest) = (plan.roll.clone(), plan.new_key.clone());
        assert_eq!(roll.run(plan, true).await.outcome, Outcome::Detached);
        rehearsal.clock.sleep(Duration::from_secs(5)).await;
        let revoked = revoke_key(&rehearsal, Some(OLD)).await.unwrap();
        let stand_in = revoked.new_key.unwrap();
        let rolled = rehearsal.resume(&id, rehearsal.journals()).await.unwrap();
        assert_eq!(rolled.outcome, Outcome::Done, "{rolled:?}");
        assert_eq!(rehearsal.key_pairs(), [newest, stand_in.clone()]);
        assert!(stored(&rehearsal, &stand_in).await);
        // The next one was begun after it.
        let options = RollOptions { ..OPTIONS };
        let mut next = rehearsal.engine(rehearsal.journals()).await;
        let plan = next.plan(options, WAIT_BUSY).await.unwrap();
        let newest = plan.new_key.clone();
        assert_eq!(next.run(plan, false).await.outcome, Outcome::Done);
        assert_eq!(rehearsal.key_pairs(), [newest]);
        assert!(!stored(&rehearsal, &stand_in).await);
        rehearsal.watcher.assert_open("rolled twice");
    });
}

#[test]
fn one_whose_new_key_is_out_too_is_not_gone_on_with() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("revoke-key/no-agent"));
        let first = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(first.outcome, Outcome::Unproven);
        let left = rehearsal.journals().rolls().unwrap().remove(0);
        let out = first.new_key.unwrap();
        revoke_key(&rehearsal, Some(&out)).await.unwrap();
        let before = doors(&rehearsal);
        for journals in [rehearsal.journals(), rehearsal.elsewhere()] {
            let refusal = resume(&rehearsal, &left, journals).await.unwrap_err();
            assert_eq!(refusal.reasons[0].code, "stand-in-out", "{refusal:?}");
            assert_eq!(refusal.outcome, Outcome::NothingChanged);
        }
        assert_eq!(doors(&rehearsal), before);
    });
}
