//! One revocation of a rack at a time: tags of key pairs say which one is at work.
//!
//! Two that put different keys in would each take out, tag and prove what the other has just
//! changed. EC2 has no lock to take, so each first says at its own key pair that it is at work, and
//! only then looks who else has said so: of two, at least one sees the other, and leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::TAG_REVOKES;
use crate::ids::RollId;
use crate::rack::KeyPair;
use crate::roll::forward::{TAG_RACK, TAG_ROLL};
use crate::roll::journal::Effect;
use crate::roll::outcome::Outcome;
use crate::roll::plan::Advice;
use crate::roll::preflight::{Refusal, advice};
use crate::roll::run::{Run, Trouble};

/// The tag that says which revocation is putting a key pair in, and since when; empty afterwards.
pub(in crate::roll) const TAG_REVOKING: &str = "convox:revoking";
/// How long a revocation that nobody ends is taken to be at work; it lasts a minute or two.
const LEFT_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// How often EC2 is asked for a key pair that it has just made.
const LOOKS: u32 = 4;

/// Returns what the tag of a key pair says while `roll` is putting it in.
pub(in crate::roll) fn mark(roll: &RollId, now: Timestamp) -> String {
    format!("{roll} {now:.0}")
}

/// Returns the revocation that is putting a key pair in, if one is.
pub(super) fn at_work(pair: &KeyPair, now: Timestamp) -> Option<RollId> {
    let said = pair.tags.get(super::TAG_REVOKING)?;
    let (roll, since) = said.split_once(' ')?;
    let since: Timestamp = since.parse().ok()?;
    let is_left = now.duration_since(since) > LEFT_AFTER;
    roll.parse().ok().filter(|_| !is_left)
}

/// Returns the revocation other than `own` that is putting a key pair of the rack in, if any is.
pub(super) fn other_at_work(made: &[KeyPair], own: &RollId, now: Timestamp) -> Option<RollId> {
    let mut rolls = made.iter().filter_map(|pair| at_work(pair, now));
    rolls.find(|roll| roll != own)
}

/// Says that another revocation has to end first.
pub(super) fn busy(rack: &str, other: &RollId) -> Refusal {
    Refusal {
        outcome: Outcome::Busy,
        reasons: vec![words(rack, other)],
    }
}

fn words(rack: &str, other: &RollId) -> Advice {
    advice(
        "revocation-under-way",
        format!("another revocation of {rack} is under way, as roll {other}"),
        format!(
            "run this again when it is over; one that was left goes on with `convox rolls resume \
             {other}`"
        ),
    )
}

/// Refuses to go on letting a key in that has itself been shut out since.
pub(super) fn refuse_leaked(made: &[KeyPair], new: &str, old: &str) -> Result<(), Refusal> {
    let is_out = |pair: &KeyPair| pair.tags.get(TAG_REVOKES).is_some_and(|it| it == new);
    if !made.iter().any(is_out) {
        return Ok(());
    }
    Err(Refusal::nothing_changed(advice(
        "stand-in-out",
        format!("{new}, which was to take the place of {old}, is out itself: it is not let in"),
        format!("`convox instances revoke-key --key {old}` lets in another key"),
    )))
}

impl Run<'_> {
    /// Says at the new key pair that this revocation is at work.
    pub(super) async fn say_at_work(&mut self) -> Result<(), Trouble> {
        let value = mark(&self.plan.roll, self.clock.now());
        self.tag_new_pair(&value).await
    }

    /// Says that it is no more, as far as that can be said: it is forgotten after a while anyway.
    pub(super) async fn say_done(&mut self) {
        if let Err(trouble) = self.tag_new_pair("").await {
            let (new, why) = (self.plan.new_key.clone(), trouble.message);
            self.warn(format!(
                "{new} goes on saying that it is being put in: {why}"
            ));
        }
    }

    async fn tag_new_pair(&mut self, value: &str) -> Result<(), Trouble> {
        let name = self.plan.new_key.clone();
        let pair = self
            .patiently(async |rack| rack.key_pairs.find(&name).await)
            .await?;
        let Some(pair) = pair else {
            return Err(gone(&name));
        };
        self.started(Effect::MarkKeyPair).await?;
        self.patiently(async |rack| rack.key_pairs.tag(&pair, super::TAG_REVOKING, value).await)
            .await?;
        self.finished(Effect::MarkKeyPair).await?;
        Ok(())
    }

    /// Makes sure that no other revocation of the rack is at work, after this one has said that it
    /// is. Of two that have made their keys the one whose key is older goes on.
    pub(super) async fn check_alone(&mut self) -> Result<(), Trouble> {
        let tags = BTreeMap::from([(TAG_RACK.to_owned(), self.plan.rack.clone())]);
        for _ in 0..LOOKS {
            let made = self
                .patiently(async |rack| rack.key_pairs.tagged(&tags).await)
                .await?;
            let own = made.iter().find(|pair| pair.name == self.plan.new_key);
            let Some(own) = own else {
                self.clock.sleep(Duration::from_secs(1)).await;
                continue;
            };
            let is_behind = |pair: &&KeyPair| {
                let is_fresh = |pair: &KeyPair| {
                    let roll = at_work(pair, self.clock.now()).map(|roll| roll.to_string());
                    roll.is_some() && roll.as_ref() == pair.tags.get(TAG_ROLL)
                };
                let age = |pair: &KeyPair| (pair.created_at, pair.name.clone());
                is_fresh(own) && is_fresh(pair) && age(own) < age(pair)
            };
            let ahead = made.iter().filter(|pair| !is_behind(pair));
            let ahead: Vec<KeyPair> = ahead.cloned().collect();
            return match other_at_work(&ahead, &self.plan.roll, self.clock.now()) {
                None => Ok(()),
                Some(other) => {
                    let Advice { message, hint, .. } = words(&self.plan.rack, &other);
                    Err(Trouble::new(message).hint(hint).outcome(Outcome::Busy))
                }
            };
        }
        Err(gone(&self.plan.new_key))
    }
}

fn gone(name: &str) -> Trouble {
    Trouble::new(format!("EC2 has no key pair {name} any more"))
        .hint("run `convox instances revoke-key` again, which makes another")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Entropy;

    #[test]
    fn a_mark_is_heeded_for_a_while_and_no_longer_than_that() {
        let now: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
        let entropy = Entropy::seeded(1);
        let (own, other) = (
            RollId::generate(now, &entropy),
            RollId::generate(now, &entropy),
        );
        let pair = |said: &str| KeyPair {
            id: String::new(),
            name: "new".to_owned(),
            fingerprint: String::new(),
            tags: BTreeMap::from([(TAG_REVOKING.to_owned(), said.to_owned())]),
            created_at: None,
        };
        let marked = [pair(""), pair("nonsense"), pair(&mark(&other, now))];
        let seen = |own, minutes| {
            let later = now + SignedDuration::from_mins(minutes);
            other_at_work(&marked, own, later)
        };
        assert_eq!(seen(&own, 1), Some(other.clone()));
        assert_eq!(seen(&other, 1), None, "it is its own");
        assert_eq!(seen(&own, 16), None, "it was left");
    }
}
