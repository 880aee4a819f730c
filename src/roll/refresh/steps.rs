//! How many instances are new after each step. Pure.

use super::RefreshSettings;
use crate::roll::gate::Gates;

/// Where a roll pauses for its gates when nobody says where, in percent.
const QUARTERS: [u32; 4] = [25, 50, 75, 100];

/// Lists after how many new instances of `total` a group's roll pauses, ascending; the last is all.
pub(super) fn steps(
    total: u32,
    settings: &RefreshSettings,
    gates: &Gates,
    canary: Option<u32>,
) -> Vec<u32> {
    let percents: &[u32] = if !settings.checkpoints.is_empty() {
        &settings.checkpoints
    } else if gates.asks() && canary.is_none() {
        &QUARTERS
    } else {
        &[]
    };
    let counts = percents
        .iter()
        .map(|percent| (total * percent).div_ceil(100));
    let mut steps: Vec<u32> = canary.into_iter().chain(counts).collect();
    steps.retain(|step| (1..total).contains(step));
    steps.push(total);
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// Returns how many instances are new, at the most, when the first of the steps `all` has ended.
pub(super) fn first_stop(all: &[u32], total: u32) -> u32 {
    let first = all.first().copied().unwrap_or(total);
    match percent_for(first, 0, total) {
        None => total,
        Some(percent) => (total * percent).div_ceil(100).max(first),
    }
}

/// Returns at how many percent a refresh is to end so that `target` of `total` instances are new,
/// where `new` are already; none where all are to be.
///
/// Auto Scaling counts in whole percent, and has come to a checkpoint when at least that many are
/// new: beyond a hundred instances a step may be coarser than asked for.
pub(super) fn percent_for(target: u32, new: u32, total: u32) -> Option<u32> {
    if target >= total {
        return None;
    }
    let of = |count: u32| count.saturating_mul(100) / total.max(1);
    let percent = of(target).max(of(new) + 1);
    (percent < 100).then_some(percent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(checkpoints: &[u32]) -> RefreshSettings {
        RefreshSettings {
            checkpoints: checkpoints.to_vec(),
            ..RefreshSettings::default()
        }
    }

    fn gated() -> Gates {
        Gates {
            command: Some("true".to_owned()),
            ..Gates::default()
        }
    }

    #[test]
    fn a_roll_pauses_where_it_is_told_to() {
        let none = Gates::default();
        assert_eq!(steps(6, &at(&[]), &none, None), [6]);
        assert_eq!(steps(6, &at(&[]), &none, Some(1)), [1, 6]);
        assert_eq!(steps(6, &at(&[]), &gated(), Some(2)), [2, 6]);
        assert_eq!(steps(6, &at(&[]), &gated(), None), [2, 3, 5, 6]);
        assert_eq!(
            steps(10, &at(&[20, 50, 100]), &gated(), Some(1)),
            [1, 2, 5, 10]
        );
        assert_eq!(steps(1, &at(&[50]), &gated(), None), [1]);
    }

    #[test]
    fn percents_are_those_at_which_auto_scaling_stops() {
        assert_eq!(percent_for(1, 0, 3), Some(33));
        assert_eq!(percent_for(2, 1, 3), Some(66));
        assert_eq!(percent_for(3, 2, 3), None);
        assert_eq!(percent_for(1, 0, 1000), Some(1));
        assert_eq!(first_stop(&[1, 3], 3), 1);
        assert_eq!(first_stop(&[1, 1000], 1000), 10);
        assert_eq!(first_stop(&[3], 3), 3);
    }

    proptest! {
        #[test]
        fn every_step_gets_on_and_up_to_a_hundred_none_goes_too_far(
            (total, target, new) in (1_u32..2000)
                .prop_flat_map(|total| (Just(total), 1..=total))
                .prop_flat_map(|(total, target)| (Just(total), Just(target), 0..target)),
        ) {
            let needed = match percent_for(target, new, total) {
                None => total,
                Some(percent) => (total * percent).div_ceil(100),
            };
            prop_assert!(needed > new, "{needed}");
            if total <= 100 {
                prop_assert_eq!(needed, target);
            }
        }
    }
}
