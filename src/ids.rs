//! Randomness as a parameter, and identifiers that sort by the time they were made.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// A source of random bytes: the operating system's, or one that repeats.
#[derive(Debug, Clone)]
pub struct Entropy(Arc<Mutex<StdRng>>);

impl Entropy {
    /// Seeds from the operating system; its bytes are fit for secrets.
    ///
    /// # Errors
    /// Fails when the operating system has no randomness to give.
    pub fn system() -> Result<Self, rand::rngs::SysError> {
        Ok(Self(Arc::new(Mutex::new(StdRng::try_from_rng(
            &mut SysRng,
        )?))))
    }

    /// Gives the same bytes for the same seed, for rehearsals and tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(bytes);
    }

    /// Returns 64 random bits.
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_u64()
    }
}

/// Crockford's base 32, in lower case: no letter is mistaken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Names one roll: 10 characters of time (ms) and 6 of chance, sortable as text.
///
/// It is the client request token of the update, a tag on the key pair and part
/// of the key pair's name, so it holds only what each of them allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RollId(String);

/// The text is not a roll id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a roll id (16 letters and digits)")]
pub struct BadRollId(String);

impl RollId {
    const LEN: usize = 16;

    /// Makes a new id at `now`.
    #[must_use]
    pub fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let chance = entropy.next_u64();
        let digit = |bits: u64, place: u32| {
            char::from(ALPHABET[usize::try_from((bits >> (5 * place)) & 31).unwrap_or(0)])
        };
        let time = (0..10).rev().map(|place| digit(millis, place));
        let luck = (0..6).rev().map(|place| digit(chance, place));
        Self(time.chain(luck).collect())
    }

    /// Returns when the id was made, by the clock of the machine that made it.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        let digits = self.0.bytes().take(10).map(|byte| {
            ALPHABET
                .iter()
                .position(|digit| *digit == byte)
                .and_then(|n| i64::try_from(n).ok())
        });
        let millis = digits.fold(0, |millis, digit| (millis << 5) | digit.unwrap_or(0));
        Timestamp::from_millisecond(millis).unwrap_or_default()
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RollId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RollId {
    type Err = BadRollId;

    fn from_str(text: &str) -> Result<Self, BadRollId> {
        let good = text.len() == Self::LEN && text.bytes().all(|b| ALPHABET.contains(&b));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadRollId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for RollId {
    type Error = BadRollId;

    fn try_from(text: String) -> Result<Self, BadRollId> {
        text.parse()
    }
}

impl From<RollId> for String {
    fn from(id: RollId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_later_and_read_back() {
        let entropy = Entropy::seeded(1);
        let at = |ms| RollId::generate(Timestamp::from_millisecond(ms).unwrap(), &entropy);
        let ids: Vec<_> = [0, 1, 31, 32, 1 << 20, 1_795_000_000_000].map(at).into();
        assert!(ids.is_sorted());
        assert_eq!(ids[5].made_at().as_millisecond(), 1_795_000_000_000);
        for id in &ids {
            assert_eq!(&id.as_str().parse::<RollId>().unwrap(), id);
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "short", "0123456789abcdeu", "0123456789ABCDEF"] {
            assert!(text.parse::<RollId>().is_err(), "{text}");
        }
    }
}
