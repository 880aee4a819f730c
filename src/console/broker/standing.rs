//! The one word by which a rack stands, while the console rolls its keys and after it.
//!
//! Whoever waits for a roll hears nothing but this word, and takes `running`, twice in a row, for
//! success: so it is not said before a roll has ended well, nor soon after one that has not.

use crate::roll::{Outcome, Report};
use crate::store::RollRow;

/// For how long a roll that did not end well is told, in ms: longer than the 35 minutes for which
/// the classic command line waits.
const TOLD: i64 = 40 * 60_000;

/// What a rack at rest says of itself.
const AT_REST: [&str; 2] = ["running", "converging"];

/// Returns the word for a rack whose own is `own`, and whose last roll is `roll`, at `now`, in Unix
/// ms; `goes_back` tells whether the roll was seen to go back.
pub(super) fn word(own: &str, roll: Option<&RollRow>, goes_back: bool, now: i64) -> String {
    let Some(roll) = roll else {
        return own.to_owned();
    };
    let is_at_rest = AT_REST.contains(&own);
    if !is_at_rest || roll.ended_at.is_some_and(|ended| now - ended > TOLD) {
        return own.to_owned();
    }
    let report = roll.report.as_deref();
    let report: Option<Report> = report.and_then(|text| serde_json::from_str(text).ok());
    let word = match report.map(|report| report.outcome) {
        Some(Outcome::Done) => own,
        Some(Outcome::RolledBack | Outcome::NothingChanged | Outcome::Busy) => "rollback",
        Some(Outcome::Unproven | Outcome::Stuck) => "failed",
        // What comes before and after the update is part of the roll too.
        _ if goes_back => "rollback",
        _ if roll.ended_at.is_none() => "updating",
        _ => "failed",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll(ended: Option<(i64, Outcome)>) -> RollRow {
        let report = ended.map(|(_, outcome)| Report {
            outcome,
            exit_code: outcome.exit_code(),
            message: String::new(),
            hints: Vec::new(),
            old_key: None,
            new_key: None,
            first_failure: None,
            holdouts: Vec::new(),
            unavailable_ms: None,
        });
        RollRow {
            id: "01kb2q5z8g000001".to_owned(),
            rack: "rack_1".to_owned(),
            key_kind: "ssh".to_owned(),
            person: None,
            plan: String::new(),
            term: 1,
            lease_until: 0,
            created_at: 0,
            ended_at: ended.map(|(at, _)| at),
            report: report.map(|report| serde_json::to_string(&report).unwrap()),
            schedule: None,
            wave: None,
        }
    }

    #[test]
    fn running_is_said_only_where_it_means_success() {
        let word = |own, roll: Option<RollRow>, now| word(own, roll.as_ref(), false, now);
        assert_eq!(word("running", None, 0), "running");
        assert_eq!(word("running", Some(roll(None)), 0), "updating");
        assert_eq!(word("rollback", Some(roll(None)), 0), "rollback");
        assert_eq!(
            super::word("running", Some(&roll(None)), true, 0),
            "rollback"
        );
        for (outcome, expected) in [
            (Outcome::Done, "running"),
            (Outcome::RolledBack, "rollback"),
            (Outcome::NothingChanged, "rollback"),
            (Outcome::Unproven, "failed"),
            (Outcome::Stuck, "failed"),
        ] {
            let ended = |now| word("running", Some(roll(Some((1000, outcome)))), now);
            assert_eq!(ended(1000), expected);
            assert_eq!(ended(1000 + 35 * 60_000), expected);
            assert_eq!(ended(1001 + TOLD), "running");
        }
        // Tried again later, and not over yet.
        let unproven = RollRow {
            ended_at: None,
            ..roll(Some((0, Outcome::Unproven)))
        };
        assert_eq!(word("running", Some(unproven), 0), "failed");
        let stuck = roll(Some((0, Outcome::RolledBack)));
        assert_eq!(word("updating", Some(stuck), 1), "updating");
    }
}
