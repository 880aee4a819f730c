//! Many small records by the hash of a secret, in as little room as can be.
//!
//! Records lie one after the other in boxes. When there are as many boxes as there may be, the one
//! that was filled first is cleared: what was asked for since it was put in stays, up to half a
//! box, and the rest is forgotten. A table tells where each record is, four bytes for each.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::keys::Hash;

/// How many bytes a box holds.
const BOX: usize = 64 * 1024;
/// The largest record: four of them fit in a box.
const LARGEST: usize = BOX / 4 - HEAD;
/// What comes before a record: the beginning of the hash, whether it was asked for, its length.
const HEAD: usize = NAME + 1 + 2;
/// How much of a hash is kept. To find a secret that is taken for another by 128 bits is as hard as
/// to guess a secret, which has no more.
const NAME: usize = 16;

type Name = [u8; NAME];

/// Where a record begins.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    number: u16,
    at: u16,
}

/// A shelf of boxes.
pub(super) struct Shelf {
    hasher: RandomState,
    table: HashTable<Place>,
    boxes: Vec<Vec<u8>>,
    /// The box that is being filled.
    open: usize,
    most: usize,
}

impl Shelf {
    /// Makes a shelf that takes about `bytes` at most.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            table: HashTable::new(),
            boxes: Vec::new(),
            open: 0,
            // Two at least, so that one is filled while the other is cleared.
            most: (bytes / BOX).clamp(2, usize::from(u16::MAX)),
        }
    }

    /// Returns the record of a hash, if it is here.
    pub(super) fn get(&mut self, hash: &Hash) -> Option<&[u8]> {
        let place = self.find(&name(hash))?;
        let the_box = &mut self.boxes[usize::from(place.number)];
        let at = usize::from(place.at);
        // Memory that is only read stays in more than one processor's cache.
        if the_box[at + NAME] == 0 {
            the_box[at + NAME] = 1;
        }
        Some(record(the_box, at))
    }

    /// Puts a record in the place of the one that the hash had. One that is too large is not kept.
    pub(super) fn put(&mut self, hash: &Hash, bytes: &[u8]) {
        let name = name(hash);
        self.drop(&name);
        if bytes.len() <= LARGEST {
            let place = self.append(&name, bytes);
            let (hasher, boxes) = (&self.hasher, &self.boxes);
            let rehash = |place: &Place| hasher.hash_one(name_at(boxes, *place));
            let _ = self
                .table
                .insert_unique(hasher.hash_one(name), place, rehash);
        }
    }

    /// Forgets the record of a hash.
    pub(super) fn remove(&mut self, hash: &Hash) {
        self.drop(&name(hash));
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.boxes.clear();
        self.open = 0;
    }

    /// Returns how many records there are.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Tells whether what comes next may take the place of something.
    pub(super) fn is_full(&self) -> bool {
        self.boxes.len() == self.most
    }

    fn find(&self, name: &Name) -> Option<Place> {
        let is_it = |place: &Place| name_at(&self.boxes, *place) == name;
        self.table.find(self.hasher.hash_one(name), is_it).copied()
    }

    fn drop(&mut self, name: &Name) {
        let boxes = &self.boxes;
        let is_it = |place: &Place| name_at(boxes, *place) == name;
        if let Ok(entry) = self.table.find_entry(self.hasher.hash_one(name), is_it) {
            entry.remove();
        }
    }

    fn append(&mut self, name: &Name, bytes: &[u8]) -> Place {
        let needed = HEAD + bytes.len();
        let has_room = |the_box: &Vec<u8>| the_box.len() + needed <= BOX;
        if !self.boxes.get(self.open).is_some_and(has_room) {
            self.open_next();
        }
        let the_box = &mut self.boxes[self.open];
        let at = the_box.len();
        the_box.extend_from_slice(name);
        the_box.push(0);
        // A record is smaller than a box, and so is where it begins.
        the_box.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
        the_box.extend_from_slice(bytes);
        Place {
            number: u16::try_from(self.open).unwrap_or(0),
            at: u16::try_from(at).unwrap_or(0),
        }
    }

    fn open_next(&mut self) {
        if self.boxes.len() < self.most {
            self.open = self.boxes.len();
            self.boxes.push(Vec::with_capacity(BOX));
            return;
        }
        self.open = (self.open + 1) % self.most;
        self.clear_open();
    }

    /// Clears the open box of all that was not asked for since it was put in.
    fn clear_open(&mut self) {
        let mut old = Vec::with_capacity(BOX);
        std::mem::swap(&mut old, &mut self.boxes[self.open]);
        let number = u16::try_from(self.open).unwrap_or(0);
        let mut at = 0;
        while at < old.len() {
            let end = at + HEAD + record(&old, at).len();
            let mut name = [0; NAME];
            name.copy_from_slice(&old[at..at + NAME]);
            let place = Place {
                number,
                at: u16::try_from(at).unwrap_or(0),
            };
            let was_asked_for = old[at + NAME] == 1;
            let hash = self.hasher.hash_one(name);
            if let Ok(mut entry) = self.table.find_entry(hash, |there| *there == place) {
                let the_box = &mut self.boxes[self.open];
                if was_asked_for && the_box.len() + (end - at) <= BOX / 2 {
                    entry.get_mut().at = u16::try_from(the_box.len()).unwrap_or(0);
                    let begins = the_box.len();
                    the_box.extend_from_slice(&old[at..end]);
                    the_box[begins + NAME] = 0;
                } else {
                    entry.remove();
                }
            }
            at = end;
        }
    }
}

fn name(hash: &Hash) -> Name {
    let mut name = [0; NAME];
    name.copy_from_slice(&hash.as_bytes()[..NAME]);
    name
}

fn name_at(boxes: &[Vec<u8>], place: Place) -> &[u8] {
    let at = usize::from(place.at);
    &boxes[usize::from(place.number)][at..at + NAME]
}

fn record(the_box: &[u8], at: usize) -> &[u8] {
    let length = [the_box[at + NAME + 1], the_box[at + NAME + 2]];
    let begins = at + HEAD;
    &the_box[begins..begins + usize::from(u16::from_le_bytes(length))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn hash(number: u32) -> Hash {
        Hash::of(&number.to_string())
    }

    #[test]
    fn what_is_put_is_got_until_it_is_removed() {
        let mut shelf = Shelf::new(1 << 20);
        for number in 0..1000 {
            shelf.put(&hash(number), &number.to_le_bytes());
        }
        assert_eq!(shelf.get(&hash(7)), Some(&7_u32.to_le_bytes()[..]));
        shelf.put(&hash(7), b"another");
        assert_eq!(shelf.get(&hash(7)), Some(&b"another"[..]));
        shelf.remove(&hash(7));
        assert_eq!(shelf.get(&hash(7)), None);
        assert_eq!(shelf.len(), 999);
        shelf.clear();
        assert_eq!(shelf.get(&hash(8)), None);
        assert_eq!(shelf.len(), 0);
    }

    #[test]
    fn room_is_bounded_and_what_is_asked_for_stays() {
        let mut shelf = Shelf::new(4 * BOX);
        shelf.put(&hash(0), b"asked for");
        for number in 1..100_000_u32 {
            shelf.put(&hash(number), &[1; 100]);
            assert_eq!(shelf.get(&hash(0)), Some(&b"asked for"[..]), "{number}");
        }
        assert!(shelf.boxes.len() == 4 && shelf.len() < 4 * BOX / 100);
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut shelf = Shelf::new(4 * BOX);
        shelf.put(&hash(0), b"small");
        shelf.put(&hash(0), &vec![1; LARGEST + 1]);
        assert_eq!(shelf.get(&hash(0)), None);
        shelf.put(&hash(0), &vec![1; LARGEST]);
        assert_eq!(shelf.get(&hash(0)).map(<[u8]>::len), Some(LARGEST));
    }

    proptest! {
        /// Whatever is there is what was put last, and what was removed is not there.
        #[test]
        fn nothing_old_is_ever_got(
            steps in proptest::collection::vec((0_u32..40, 0_usize..9000, 0_u8..4), 1..400),
        ) {
            let mut shelf = Shelf::new(3 * BOX);
            let mut last: HashMap<u32, Vec<u8>> = HashMap::new();
            for (turn, (number, length, what)) in steps.into_iter().enumerate() {
                if what == 0 {
                    shelf.remove(&hash(number));
                    last.remove(&number);
                } else {
                    let bytes = vec![u8::try_from(turn % 251).unwrap(); length];
                    shelf.put(&hash(number), &bytes);
                    prop_assert_eq!(shelf.get(&hash(number)), Some(&bytes[..]));
                    last.insert(number, bytes);
                }
                for other in 0..40 {
                    let found = shelf.get(&hash(other)).map(<[u8]>::to_vec);
                    if found.is_some() {
                        prop_assert_eq!(found.as_ref(), last.get(&other));
                    }
                }
            }
        }
    }
}
