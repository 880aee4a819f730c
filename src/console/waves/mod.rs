//! Waves: one key of many racks is rolled, so many racks at once, a canary before all others.
//!
//! A wave is rows, which any server sees to. The first roll that does not end well stops it: no
//! more begin, and those that are under way go on to their ends.

mod advance;
mod due;

use super::schedule::Glob;
use super::schedules::rolls_itself;
use crate::store::{Audited, HeldSchedule, NewWave, RackKeyKind, RackRecord, Store, StoreError};

/// How many racks are rolled at once unless it is said.
pub const CONCURRENCY: u16 = 1;

/// Which racks a wave is over, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// Which key is rolled.
    pub key: RackKeyKind,
    /// Which racks.
    pub racks: Vec<Glob>,
    /// The rack that all others wait for; it need not be one of those.
    pub canary: Option<String>,
    /// How many racks are rolled at once, from 1.
    pub concurrency: u16,
}

/// Why a wave has not begun.
#[derive(Debug, thiserror::Error)]
pub enum NoWave {
    /// No rack has such a name.
    #[error("no rack is called {0}")]
    NoRack(String),
    /// The console cannot roll such a key of any rack that has such a name.
    #[error("the console cannot roll the {1} key of {0} by itself")]
    NotRolled(String, RackKeyKind),
    /// The database does not do what it should.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Wave {
    /// Finds its racks, the canary first and the others by name.
    ///
    /// # Errors
    /// [`NoWave::NoRack`] when one of the patterns, or the canary's name, is no rack's, and
    /// [`NoWave::NotRolled`] when it is only that of racks whose key the console cannot roll.
    pub fn order<'r>(&self, racks: &'r [RackRecord]) -> Result<Vec<&'r RackRecord>, NoWave> {
        for glob in &self.racks {
            self.some_rolled(racks, glob.to_string(), |rack| glob.fits(&rack.name))?;
        }
        let canary = self.canary_of(racks)?;
        Ok(canary.into_iter().chain(self.others(racks)).collect())
    }

    /// Returns the canary, if there is to be one.
    fn canary_of<'r>(&self, racks: &'r [RackRecord]) -> Result<Option<&'r RackRecord>, NoWave> {
        let Some(name) = &self.canary else {
            return Ok(None);
        };
        let canary = self.some_rolled(racks, name.clone(), |rack| rack.name == *name)?;
        Ok(Some(canary))
    }

    /// Returns the first of those that `fits` whose key the console can roll; `called` is how a
    /// person calls them.
    fn some_rolled<'r>(
        &self,
        racks: &'r [RackRecord],
        called: String,
        fits: impl Fn(&RackRecord) -> bool,
    ) -> Result<&'r RackRecord, NoWave> {
        let mut fitting = racks.iter().filter(|rack| fits(rack)).peekable();
        if fitting.peek().is_none() {
            return Err(NoWave::NoRack(called));
        }
        let rolled = fitting.find(|rack| rolls_itself(rack, self.key));
        rolled.ok_or(NoWave::NotRolled(called, self.key))
    }

    fn is_canary(&self, rack: &RackRecord) -> bool {
        self.canary.as_ref() == Some(&rack.name)
    }

    /// Returns its racks but the canary.
    fn others<'r>(&self, racks: &'r [RackRecord]) -> impl Iterator<Item = &'r RackRecord> {
        racks.iter().filter(|rack| {
            !self.is_canary(rack)
                && rolls_itself(rack, self.key)
                && self.racks.iter().any(|glob| glob.fits(&rack.name))
        })
    }
}

/// Begins a wave over racks of the organization in which this is audited, and returns its id. A
/// server sees to it.
///
/// # Errors
/// As [`Wave::order`]'s, and the database's.
pub async fn begin_wave(
    store: &Store,
    wave: &Wave,
    person: Option<String>,
    by: Audited,
) -> Result<String, NoWave> {
    let racks = store.racks(by.workspace()).await?;
    let ordered = wave.order(&racks)?;
    let new = new_wave(wave, &ordered, person, None);
    Ok(store.begin_wave(new, by).await?)
}

fn new_wave(
    wave: &Wave,
    ordered: &[&RackRecord],
    person: Option<String>,
    schedule: Option<(HeldSchedule, String)>,
) -> NewWave {
    NewWave {
        key_kind: wave.key.as_str(),
        concurrency: i64::from(wave.concurrency.max(1)),
        person,
        schedule,
        racks: ordered.iter().map(|rack| rack.id.clone()).collect(),
        has_canary: wave.canary.is_some(),
    }
}
