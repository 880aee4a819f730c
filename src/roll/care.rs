//! How careful a roll is, beyond what its options say.

use super::gate::Gates;
use super::refresh::RefreshSettings;

/// What somebody asks a roll to heed on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Care {
    /// What must hold between two batches.
    pub gates: Gates,
    /// How instance refreshes of our own are done.
    pub refresh: RefreshSettings,
}
