//! What becomes of a balance of credits when somebody sets it.

use super::model::{Credits, Refill};

/// A change of a balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditsChange {
    /// There is no limit any more, and nothing that fills up.
    Unlimited,
    /// What is given is set, and the rest stays as it is.
    Set {
        /// What is left.
        remaining: Option<i64>,
        /// How it fills up again; `Some(None)` is not at all.
        refill: Option<Option<Refill>>,
    },
    /// So many more.
    Increment(i64),
    /// So many fewer, but not less than nothing.
    Decrement(i64),
}

/// A balance that has a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// What is left.
    pub remaining: i64,
    /// How it fills up again.
    pub refill: Option<Refill>,
}

/// Why a balance is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditsRefusal {
    /// There is nothing to count from.
    #[error("The key has no limit of credits. Set one before it is incremented or decremented.")]
    Unlimited,
    /// There is nothing to fill up.
    #[error("Credits that are refilled need a number that remains.")]
    NothingToRefill,
}

/// Decides what a balance is after a change; none for no limit.
///
/// `credits` is the balance as it stands, filled up if that was due.
///
/// # Errors
/// When a key without a limit is counted up or down, or is to fill up.
pub fn balance_after(
    credits: Option<&Credits>,
    change: &CreditsChange,
) -> Result<Option<Balance>, CreditsRefusal> {
    let remaining = credits.and_then(|credits| credits.remaining);
    let refill = || credits.and_then(|credits| credits.refill.clone());
    let counted = |count: fn(i64, i64) -> i64, by: &i64| {
        let remaining = remaining.ok_or(CreditsRefusal::Unlimited)?;
        Ok(Some(Balance {
            remaining: count(remaining, *by).max(0),
            refill: refill(),
        }))
    };
    match change {
        CreditsChange::Unlimited => Ok(None),
        CreditsChange::Increment(by) => counted(i64::saturating_add, by),
        CreditsChange::Decrement(by) => counted(i64::saturating_sub, by),
        CreditsChange::Set {
            remaining: set,
            refill: refilled,
        } => match (set.or(remaining), refilled) {
            (Some(remaining), Some(refill)) => Ok(Some(Balance {
                remaining,
                refill: refill.clone(),
            })),
            (Some(remaining), None) => Ok(Some(Balance {
                remaining,
                refill: refill(),
            })),
            (None, Some(Some(_))) => Err(CreditsRefusal::NothingToRefill),
            (None, _) => Ok(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RefillInterval;

    fn daily() -> Refill {
        Refill {
            interval: RefillInterval::Daily,
            amount: 10,
            day: None,
        }
    }

    fn credits(remaining: Option<i64>) -> Credits {
        Credits {
            pool: "pool_1".to_owned(),
            remaining,
            refill: remaining.map(|_| daily()),
            refilled_at: Some(0),
        }
    }

    fn left(before: Option<i64>, change: &CreditsChange) -> Result<Option<i64>, CreditsRefusal> {
        let after = balance_after(Some(&credits(before)), change)?;
        Ok(after.map(|after| after.remaining))
    }

    #[test]
    fn a_balance_is_counted_from_what_is_left_and_never_below_nothing() {
        for (before, change, after) in [
            (Some(5), CreditsChange::Increment(3), Ok(Some(8))),
            (Some(5), CreditsChange::Decrement(3), Ok(Some(2))),
            (Some(5), CreditsChange::Decrement(6), Ok(Some(0))),
            (
                Some(1),
                CreditsChange::Increment(i64::MAX),
                Ok(Some(i64::MAX)),
            ),
            (
                None,
                CreditsChange::Increment(1),
                Err(CreditsRefusal::Unlimited),
            ),
            (
                None,
                CreditsChange::Decrement(1),
                Err(CreditsRefusal::Unlimited),
            ),
            (Some(5), CreditsChange::Unlimited, Ok(None)),
            (None, CreditsChange::Unlimited, Ok(None)),
        ] {
            assert_eq!(left(before, &change), after, "{before:?} {change:?}");
        }
    }

    #[test]
    fn what_is_not_given_stays() {
        let set = |remaining, refill| CreditsChange::Set { remaining, refill };
        let before = credits(Some(5));
        let after = |change| balance_after(Some(&before), &change).unwrap().unwrap();
        assert_eq!(after(set(Some(7), None)).refill, Some(daily()));
        assert_eq!(after(set(None, Some(None))).remaining, 5);
        assert_eq!(after(set(None, Some(None))).refill, None);
        assert_eq!(after(CreditsChange::Decrement(1)).refill, Some(daily()));
        let nothing = balance_after(None, &set(None, Some(Some(daily()))));
        assert_eq!(nothing, Err(CreditsRefusal::NothingToRefill));
        assert_eq!(balance_after(None, &set(None, Some(None))), Ok(None));
        assert!(balance_after(None, &set(Some(1), Some(Some(daily())))).is_ok());
    }
}
