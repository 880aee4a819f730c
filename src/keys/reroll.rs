//! One key takes the place of another.
//!
//! The rules, each of which upstream broke at some time: the old key's life is never lengthened,
//! an expired key is never revived, a key is replaced once, and the new one inherits the expiry
//! that the old one had of its own.

use super::model::Rotation;

/// For how long the old key goes on working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// As long as it would have.
    Keep,
    /// For so many milliseconds; 0 is at once.
    For(i64),
}

impl Grace {
    /// Returns from when on a key that would expire at `expires` opens nothing.
    #[must_use]
    pub fn end(self, now: i64, expires: Option<i64>) -> Option<i64> {
        match self {
            Self::Keep => expires,
            Self::For(ms) => {
                let end = now.saturating_add(ms.max(0));
                Some(expires.map_or(end, |expires| expires.min(end)))
            }
        }
    }
}

/// Why a key is not rerolled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RerollRefusal {
    /// It has expired already.
    #[error("the key has expired")]
    Expired {
        /// The key that took its place, if one did.
        successor: Option<String>,
    },
    /// It was rerolled already.
    #[error("the key was rerolled before, to {successor}")]
    Rerolled {
        /// The key that took its place.
        successor: String,
    },
    /// It was never rerolled, or that was taken back.
    #[error("the key is not being rotated")]
    NotRotating,
    /// The old key has expired, so that nothing can be taken back.
    #[error("the grace period is over")]
    Over,
}

/// What becomes of the old key, and what the new one begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reroll {
    /// From when on the old key opens nothing.
    pub old_expires: Option<i64>,
    /// How the old key stands from now on.
    pub old: Rotation,
    /// From when on the new key opens nothing.
    pub new_expires: Option<i64>,
    /// How the new key stands.
    pub new: Rotation,
}

/// Decides what a reroll at `now` does to the key `id`, which expires at `expires` and has stood
/// like `rotation`, when `successor` is to take its place.
///
/// # Errors
/// When the key has expired, or was rerolled before. Then nothing is to be changed.
pub fn reroll(
    id: &str,
    expires: Option<i64>,
    rotation: &Rotation,
    successor: &str,
    grace: Grace,
    now: i64,
) -> Result<Reroll, RerollRefusal> {
    if is_past(expires, now) {
        return Err(RerollRefusal::Expired {
            successor: rotation.successor.clone(),
        });
    }
    if let Some(successor) = &rotation.successor {
        return Err(RerollRefusal::Rerolled {
            successor: successor.clone(),
        });
    }
    Ok(Reroll {
        old_expires: grace.end(now, expires),
        old: Rotation {
            successor: Some(successor.to_owned()),
            rerolled_at: Some(now),
            expires_before: expires,
            ..rotation.clone()
        },
        new_expires: expires,
        new: Rotation {
            predecessor: Some(id.to_owned()),
            ..Rotation::default()
        },
    })
}

/// Ends the grace period of a rerolled key at `now`: returns its expiry.
///
/// # Errors
/// When it is not being rotated.
pub fn finish(
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> Result<Option<i64>, RerollRefusal> {
    if rotation.successor.is_none() {
        return Err(RerollRefusal::NotRotating);
    }
    Ok(Grace::For(0).end(now, expires))
}

/// Makes a rerolled key whole again: returns its expiry and how it stands.
///
/// # Errors
/// When it is not being rotated, or has expired meanwhile: nothing is revived.
pub fn cancel(
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> Result<(Option<i64>, Rotation), RerollRefusal> {
    if rotation.successor.is_none() {
        return Err(RerollRefusal::NotRotating);
    }
    if is_past(expires, now) {
        return Err(RerollRefusal::Over);
    }
    let whole = Rotation {
        successor: None,
        rerolled_at: None,
        expires_before: None,
        ..rotation.clone()
    };
    Ok((rotation.expires_before, whole))
}

/// Tells whether a key that expires at `expires` opens nothing any more: from that millisecond on.
pub(super) fn is_past(expires: Option<i64>, now: i64) -> bool {
    expires.is_some_and(|expires| now >= expires)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_000_000_000;

    fn plain(expires: Option<i64>, grace: Grace) -> Result<Reroll, RerollRefusal> {
        reroll(
            "key_old",
            expires,
            &Rotation::default(),
            "key_new",
            grace,
            NOW,
        )
    }

    #[test]
    fn nothing_means_at_once() {
        let done = plain(None, Grace::For(0)).unwrap();
        assert_eq!(done.old_expires, Some(NOW));
        assert!(is_past(done.old_expires, NOW), "the same millisecond");
        assert_eq!(done.new_expires, None);
    }

    #[test]
    fn a_grace_period_is_exact() {
        let done = plain(None, Grace::For(60_001)).unwrap();
        assert_eq!(done.old_expires, Some(NOW + 60_001));
        assert!(!is_past(done.old_expires, NOW + 60_000));
        assert!(is_past(done.old_expires, NOW + 60_001));
    }

    #[test]
    fn a_key_is_replaced_once() {
        let done = plain(None, Grace::For(60_000)).unwrap();
        let again = reroll(
            "key_old",
            done.old_expires,
            &done.old,
            "key_2",
            Grace::Keep,
            NOW,
        );
        let successor = "key_new".to_owned();
        assert_eq!(again, Err(RerollRefusal::Rerolled { successor }));
        // The new one may be replaced in its turn.
        assert!(reroll("key_new", None, &done.new, "key_2", Grace::Keep, NOW).is_ok());
    }

    #[test]
    fn what_was_taken_back_can_be_done_again() {
        let before = Some(NOW + 100_000);
        let done = plain(before, Grace::For(60_000)).unwrap();
        let (expires, whole) = cancel(done.old_expires, &done.old, NOW + 1).unwrap();
        assert_eq!((expires, &whole), (before, &Rotation::default()));
        assert!(reroll("key_old", expires, &whole, "key_2", Grace::Keep, NOW + 2).is_ok());
        let late = cancel(done.old_expires, &done.old, NOW + 60_000);
        assert_eq!(late, Err(RerollRefusal::Over));
        assert_eq!(cancel(None, &whole, NOW), Err(RerollRefusal::NotRotating));
    }

    proptest! {
        #[test]
        fn no_life_is_lengthened_and_nobody_is_revived(
            expires in proptest::option::of(-1000_i64..1000),
            grace in proptest::option::of(0_i64..2000),
        ) {
            let expires = expires.map(|at| NOW + at);
            let grace = grace.map_or(Grace::Keep, Grace::For);
            match plain(expires, grace) {
                Err(refusal) => {
                    prop_assert!(is_past(expires, NOW));
                    prop_assert_eq!(refusal, RerollRefusal::Expired { successor: None });
                }
                Ok(done) => {
                    let life = |expires: Option<i64>| expires.unwrap_or(i64::MAX);
                    prop_assert!(life(done.old_expires) <= life(expires));
                    prop_assert_eq!(done.new_expires, expires);
                    prop_assert_eq!(done.old.expires_before, expires);
                    let cut = finish(done.old_expires, &done.old, NOW + 5).unwrap();
                    prop_assert!(life(cut) <= life(done.old_expires).min(NOW + 5));
                }
            }
        }
    }
}
