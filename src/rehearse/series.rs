//! Counts over time: how long they are below a mark, and what they add up to.

/// A count that stays until the next point: milliseconds since the roll began, and the count.
pub(super) type Points = [(u64, u64)];

/// Returns how long a count is below `mark` between `from` and `until`, in milliseconds.
pub(super) fn below_ms(points: &Points, mark: u64, from: u64, until: u64) -> u64 {
    let ends = points.iter().skip(1).map(|(at, _)| *at).chain([until]);
    let spans = points.iter().zip(ends);
    spans
        .filter(|((_, count), _)| *count < mark)
        .map(|((begin, _), end)| end.min(until).saturating_sub((*begin).max(from)))
        .sum()
}

/// Adds up by how much a count is above `mark` until `until`: counts times milliseconds.
pub(super) fn above(points: &Points, mark: u64, until: u64) -> u64 {
    let ends = points.iter().skip(1).map(|(at, _)| *at).chain([until]);
    let spans = points.iter().zip(ends);
    spans
        .map(|((begin, count), end)| {
            count.saturating_sub(mark) * end.min(until).saturating_sub(*begin)
        })
        .sum()
}

/// Returns a count as it is at an instant; nothing before the first point.
pub(super) fn at(points: &Points, instant: u64) -> u64 {
    let after = points.partition_point(|(at, _)| *at <= instant);
    after
        .checked_sub(1)
        .and_then(|last| points.get(last))
        .map_or(0, |(_, count)| *count)
}

/// Returns the value below which `percent` of `values` lie, by the nearest rank.
pub(super) fn quantile(sorted: &[u64], percent: u64) -> u64 {
    let count = u64::try_from(sorted.len()).unwrap_or(u64::MAX);
    let rank = (count * percent).div_ceil(100).max(1) - 1;
    let place = usize::try_from(rank).unwrap_or(usize::MAX);
    sorted.get(place).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [(u64, u64); 4] = [(0, 3), (100, 1), (150, 0), (400, 4)];

    #[test]
    fn a_count_is_below_a_mark_for_so_long() {
        assert_eq!(below_ms(&POINTS, 1, 0, 1000), 250);
        assert_eq!(below_ms(&POINTS, 2, 0, 1000), 300);
        assert_eq!(below_ms(&POINTS, 2, 120, 300), 180);
        assert_eq!(below_ms(&POINTS, 0, 0, 1000), 0);
        assert_eq!(below_ms(&[], 1, 0, 1000), 0);
    }

    #[test]
    fn what_is_above_adds_up() {
        assert_eq!(above(&POINTS, 3, 1000), 600);
        assert_eq!(above(&POINTS, 4, 1000), 0);
    }

    #[test]
    fn a_count_stays_until_the_next_point() {
        for (instant, count) in [(0, 3), (99, 3), (100, 1), (399, 0), (5000, 4)] {
            assert_eq!(at(&POINTS, instant), count, "{instant}");
        }
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!([5, 50, 95].map(|q| quantile(&values, q)), [5, 50, 95]);
        assert_eq!([5, 50, 95].map(|q| quantile(&[7, 9], q)), [7, 7, 9]);
        assert_eq!(quantile(&[], 50), 0);
    }
}
