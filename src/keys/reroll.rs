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
    /// The key that took its place was rerolled itself, so that nothing can be taken back.
    #[error("the key that took its place was rerolled, to {successor}")]
    Continued {
        /// The key that took that one's place.
        successor: String,
    },
    /// Another key took its place for good: it is not brought back, and has no say over what both
    /// have in common.
    #[error("the key was replaced by {successor}")]
    Replaced {
        /// The key that took its place.
        successor: String,
    },
    /// Another key is taking its place, and it may only end earlier than it is to.
    #[error("the key is being replaced by {successor}")]
    Lengthened {
        /// The key that takes its place.
        successor: String,
    },
    /// The reroll that made it was taken back.
    #[error("the reroll that made the key was taken back")]
    TakenBack {
        /// The key that was made whole again.
        predecessor: Option<String>,
    },
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
    if rotation.is_over(expires, now) {
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

/// Ends the grace period of a rerolled key at `now`: returns its expiry and how it stands.
///
/// # Errors
/// When it is not being rotated.
pub fn finish(
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> Result<(Option<i64>, Rotation), RerollRefusal> {
    if rotation.successor.is_none() {
        return Err(RerollRefusal::NotRotating);
    }
    let finished = Rotation {
        finished_at: Some(now),
        ..rotation.clone()
    };
    Ok((Grace::For(0).end(now, expires), finished))
}

/// Makes a rerolled key whole again: returns its expiry and how it stands. `next` is the key that
/// its successor was rerolled to.
///
/// # Errors
/// When it is not being rotated, or has expired meanwhile: nothing is revived. When its successor
/// was rerolled too: that one's successor would go on, and both would open the same for good.
pub fn cancel(
    expires: Option<i64>,
    rotation: &Rotation,
    next: Option<String>,
    now: i64,
) -> Result<(Option<i64>, Rotation), RerollRefusal> {
    if rotation.successor.is_none() {
        return Err(RerollRefusal::NotRotating);
    }
    if rotation.is_over(expires, now) {
        return Err(RerollRefusal::Over);
    }
    if let Some(successor) = next {
        return Err(RerollRefusal::Continued { successor });
    }
    let whole = Rotation {
        successor: None,
        rerolled_at: None,
        expires_before: None,
        ..rotation.clone()
    };
    Ok((rotation.expires_before, whole))
}

/// Gives a key another expiry at `now`: returns it, and how the key stands.
///
/// A key that is being replaced keeps what is set here when its reroll is taken back.
///
/// # Errors
/// When another key took its place, or its reroll was taken back: nothing is revived; and when
/// another key is taking its place and it would live longer than it is to.
pub fn set_expiry(
    expires: Option<i64>,
    rotation: &Rotation,
    to: Option<i64>,
    now: i64,
) -> Result<(Option<i64>, Rotation), RerollRefusal> {
    if to == expires {
        return Ok((expires, rotation.clone()));
    }
    still_counts(expires, rotation, now)?;
    let Some(successor) = rotation.successor.clone() else {
        return Ok((to, rotation.clone()));
    };
    if expires.is_some_and(|expires| to.is_none_or(|to| to > expires)) {
        return Err(RerollRefusal::Lengthened { successor });
    }
    let shortened = Rotation {
        expires_before: to,
        ..rotation.clone()
    };
    Ok((to, shortened))
}

/// Makes sure at `now` that no other key has taken the place of this one for good.
///
/// # Errors
/// When one has. What the two have in common is that one's.
pub fn still_counts(
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> Result<(), RerollRefusal> {
    if rotation.cancelled_at.is_some() {
        return Err(RerollRefusal::TakenBack {
            predecessor: rotation.predecessor.clone(),
        });
    }
    match &rotation.successor {
        Some(successor) if rotation.is_over(expires, now) => Err(RerollRefusal::Replaced {
            successor: successor.clone(),
        }),
        _ => Ok(()),
    }
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
        let (expires, whole) = cancel(done.old_expires, &done.old, None, NOW + 1).unwrap();
        assert_eq!((expires, &whole), (before, &Rotation::default()));
        assert!(reroll("key_old", expires, &whole, "key_2", Grace::Keep, NOW + 2).is_ok());
        let late = cancel(done.old_expires, &done.old, None, NOW + 60_000);
        assert_eq!(late, Err(RerollRefusal::Over));
        let never = cancel(None, &whole, None, NOW);
        assert_eq!(never, Err(RerollRefusal::NotRotating));
        let next = Some("key_2".to_owned());
        let continued = cancel(done.old_expires, &done.old, next, NOW + 1);
        let successor = "key_2".to_owned();
        assert_eq!(continued, Err(RerollRefusal::Continued { successor }));
    }

    #[test]
    fn a_clock_that_is_behind_revives_nobody() {
        let cut = plain(None, Grace::For(0)).unwrap();
        let (expires, old, before) = (cut.old_expires, &cut.old, NOW - 600_000);
        let successor = Some("key_new".to_owned());
        let again = reroll("key_old", expires, old, "key_2", Grace::Keep, before);
        assert_eq!(again, Err(RerollRefusal::Expired { successor }));
        let undone = cancel(expires, old, None, before);
        assert_eq!(undone, Err(RerollRefusal::Over));
        let replaced = Err(RerollRefusal::Replaced {
            successor: "key_new".to_owned(),
        });
        assert_eq!(set_expiry(expires, old, None, before), replaced);
        let graceful = plain(None, Grace::For(60_000)).unwrap();
        let (expires, old) = finish(graceful.old_expires, &graceful.old, NOW + 5).unwrap();
        assert!(old.is_over(expires, before), "finished is finished");
    }

    #[test]
    fn an_old_key_ends_earlier_and_never_later() {
        let done = plain(Some(NOW + 100_000), Grace::For(60_000)).unwrap();
        let set = |to, now| set_expiry(done.old_expires, &done.old, to, now);
        let lengthened = Err(RerollRefusal::Lengthened {
            successor: "key_new".to_owned(),
        });
        assert_eq!(set(None, NOW), lengthened);
        assert_eq!(set(Some(NOW + 60_001), NOW), lengthened);
        let same = set(Some(NOW + 60_000), NOW).unwrap();
        assert_eq!(same, (done.old_expires, done.old.clone()));
        let (expires, old) = set(Some(NOW + 30_000), NOW).unwrap();
        let (whole, _) = cancel(expires, &old, None, NOW + 1).unwrap();
        assert_eq!(whole, Some(NOW + 30_000), "what was set is not lost");
        assert!(set(Some(NOW), NOW + 60_000).is_err(), "it is over");
        // The new key is nobody's old key.
        assert!(set_expiry(done.new_expires, &done.new, None, NOW).is_ok());
        let cancelled = Rotation {
            cancelled_at: Some(NOW),
            ..done.new.clone()
        };
        let predecessor = Some("key_old".to_owned());
        let revived = set_expiry(Some(NOW), &cancelled, None, NOW + 1);
        assert_eq!(revived, Err(RerollRefusal::TakenBack { predecessor }));
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
                    let (cut, _) = finish(done.old_expires, &done.old, NOW + 5).unwrap();
                    prop_assert!(life(cut) <= life(done.old_expires).min(NOW + 5));
                }
            }
        }
    }
}
