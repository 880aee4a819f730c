//! Which series are written down already, in a table of fixed size.
//!
//! A series that is not found here is written once more, which changes nothing. So each has one
//! place, and whoever comes last has it: of a million series one in four is found.

use crate::keys::analytics::SeriesId;

/// How many places there are: 2 MiB.
const PLACES: usize = 1 << 18;

/// Series by a part of their names, which are hashes.
pub(super) struct Written(Vec<u64>);

impl Default for Written {
    fn default() -> Self {
        Self(vec![0; PLACES])
    }
}

impl Written {
    /// Tells whether a series is found.
    pub(super) fn has(&self, id: SeriesId) -> bool {
        let (place, name) = place_of(id);
        self.0[place] == name
    }

    /// Notes that a series is written down.
    pub(super) fn put(&mut self, id: SeriesId) {
        let (place, name) = place_of(id);
        self.0[place] = name;
    }
}

/// Returns the place of a series, and what is kept of its name: with the place, 82 of 128 bits.
fn place_of(id: SeriesId) -> (usize, u64) {
    let bytes = u128::from_be_bytes(*id.as_bytes());
    let place = usize::try_from(bytes % PLACES as u128).unwrap_or(0);
    // 0 is a place where nothing is.
    let name = u64::try_from(bytes >> 64).unwrap_or(0).max(1);
    (place, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Hash;

    #[test]
    fn what_was_put_is_found_until_another_takes_its_place() {
        let id = |number: u64| SeriesId::new(Hash::of(&number.to_string()));
        let mut written = Written::default();
        assert!(!written.has(id(0)));
        for number in 0..1_000_000 {
            written.put(id(number));
            assert!(written.has(id(number)));
        }
        let found = (0..1_000_000).filter(|number| written.has(id(*number)));
        let found = found.count();
        assert!((200_000..300_000).contains(&found), "{found}");
        let others = (1_000_000..2_000_000).filter(|number| written.has(id(*number)));
        assert_eq!(others.count(), 0);
    }
}
