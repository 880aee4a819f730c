//! Rolls over a rack's API that are taken back: the rack sets the old key again.

use std::sync::Arc;
use std::time::Duration;

use convox::ids::RollId;
use convox::roll::{Journals, Outcome, Refusal, Report};
use tokio::sync::Notify;

use crate::far::{Place, scripts};
use crate::far_rack::{NEVER, Put, Script};
use crate::rehearsal::{in_virtual_time, outcome};

async fn cancel_with(place: &Place, journals: Journals, roll: &RollId) -> Result<Report, Refusal> {
    place.engine(journals).cancel(roll).await
}

async fn cancel(place: &Place, roll: &RollId) -> Result<Report, Refusal> {
    cancel_with(place, place.journals(), roll).await
}

/// A rack whose processes take no new key by themselves.
fn never() -> Script {
    Script {
        flips_at: vec![NEVER, NEVER],
        ..Script::default()
    }
}

#[test]
fn an_unproven_roll_can_be_taken_back() {
    in_virtual_time(async {
        let place = Place::new(&never());
        assert_eq!(outcome(&place.roll().await), Outcome::Unproven);
        let roll = place.only_roll().unwrap();
        let result = cancel(&place, &roll).await;
        assert_eq!(outcome(&result), Outcome::RolledBack, "{result:?}");
        place.assert_settled(&result, "taken back");
        place.assert_no_secret("taken back");
        let asked = place.rack.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(
            asked[1].len(),
            1,
            "only the key is set again: {:?}",
            asked[1].keys()
        );
        // The login is free for the next roll.
        let result = place.roll().await;
        assert_eq!(outcome(&result), Outcome::Unproven, "{result:?}");
    });
}

#[test]
fn a_rollback_that_nobody_saw_is_not_the_end_of_it() {
    in_virtual_time(async {
        let place = Place::new(&Script {
            back_at: Some((80, 150)),
            rests_at: 160,
            ..Script::default()
        });
        let tripped = Arc::new(Notify::new());
        // Killed when the update is accepted.
        let journals = place.journals().crashing_at(7, false, tripped.clone());
        tokio::select! {
            result = place.roll_with(journals) => panic!("it was not killed: {result:?}"),
            () = tripped.notified() => {}
        }
        place.clock.sleep(Duration::from_hours(1)).await;
        let roll = place.only_roll().unwrap();
        let result = place.resume(&roll).await;
        assert_eq!(outcome(&result), Outcome::Unproven, "{result:?}");
        let result = cancel(&place, &roll).await;
        assert_eq!(outcome(&result), Outcome::RolledBack, "{result:?}");
        place.assert_settled(&result, "taken back");
    });
}

#[test]
fn a_roll_that_is_killed_anywhere_can_be_taken_back() {
    for (name, script, _) in scripts() {
        for line in 1.. {
            let context = format!("{name}, killed at {line}");
            let is_over = in_virtual_time(async {
                let place = Place::new(&script);
                let tripped = Arc::new(Notify::new());
                let journals = place.journals().crashing_at(line, false, tripped.clone());
                tokio::select! {
                    _ = place.roll_with(journals) => return true,
                    () = tripped.notified() => {}
                }
                let Some(roll) = place.only_roll() else {
                    return false;
                };
                place.clock.sleep(Duration::from_mins(10)).await;
                let mut result = cancel(&place, &roll).await;
                if result.is_err() {
                    // The new key was proven already: nothing is taken back, but finished.
                    result = place.resume(&roll).await;
                    assert_eq!(outcome(&result), Outcome::Done, "{context}: {result:?}");
                }
                place.assert_settled(&result, &format!("{context}: {result:?}"));
                false
            });
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn taking_back_can_be_killed_as_well() {
    for put in [Put::Accepted, Put::AnswerLost, Put::Lost, Put::Refused] {
        for before in [false, true] {
            for line in 1.. {
                let context = format!("{put:?} {before} {line}");
                let is_over = in_virtual_time(async {
                    let script = Script {
                        puts: vec![Put::Accepted, put],
                        ..never()
                    };
                    let place = Place::new(&script);
                    assert_eq!(outcome(&place.roll().await), Outcome::Unproven, "{context}");
                    let roll = place.only_roll().unwrap();
                    let tripped = Arc::new(Notify::new());
                    let journals = place.journals().crashing_at(line, before, tripped.clone());
                    let result = tokio::select! {
                        result = cancel_with(&place, journals, &roll) => Some(result),
                        () = tripped.notified() => None,
                    };
                    let is_over = result.is_some();
                    if let Some(result) = &result {
                        place.assert_settled(result, &format!("{context}: {result:?}"));
                    }
                    // Whatever was left, coming back to it never lets go of the wrong key.
                    let resumed = place.resume(&roll).await;
                    place.assert_settled(&resumed, &format!("{context}: {resumed:?}"));
                    let ended = match outcome(&resumed) {
                        Outcome::RolledBack => resumed,
                        _ => cancel(&place, &roll).await,
                    };
                    assert_eq!(outcome(&ended), Outcome::RolledBack, "{context}: {ended:?}");
                    place.assert_settled(&ended, &format!("{context}: {ended:?}"));
                    is_over
                });
                if is_over {
                    break;
                }
            }
        }
    }
}
