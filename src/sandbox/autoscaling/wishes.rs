//! How an instance refresh is to be done (`RefreshPreferences` of the API reference).

use serde::{Deserialize, Serialize};

use super::spec::WantedVersion;

/// How a refresh is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefreshWishes {
    /// The fewest members in service, in percent of what is wanted.
    pub min_healthy_percent: u32,
    /// The most members, in percent of what is wanted: above 100, new ones come before old ones go.
    pub max_healthy_percent: u32,
    /// Seconds that a new member needs before it counts.
    pub warmup_secs: u64,
    /// At how many percent of new members it pauses, ascending. It ends at the last.
    pub checkpoints: Vec<u32>,
    /// Seconds that it pauses at each.
    pub checkpoint_delay_secs: u64,
    /// Seconds for which it looks at its alarms before it is successful.
    pub bake_secs: u64,
    /// Whether members that already match stay.
    pub skip_matching: bool,
    /// Whether a failure takes the group back.
    pub auto_rollback: bool,
    /// What becomes of members that are protected from scale-in.
    pub protected: Stance,
    /// What becomes of members in standby.
    pub standby: Stance,
    /// Alarms of which none may go off.
    pub alarms: Vec<String>,
    /// What the group is to be made from.
    pub launch_template: Option<WantedVersion>,
}

impl Default for RefreshWishes {
    fn default() -> Self {
        Self {
            min_healthy_percent: 90,
            max_healthy_percent: 100,
            warmup_secs: 0,
            checkpoints: Vec::new(),
            checkpoint_delay_secs: 3600,
            bake_secs: 0,
            skip_matching: false,
            auto_rollback: false,
            protected: Stance::Wait,
            standby: Stance::Wait,
            alarms: Vec::new(),
            launch_template: None,
        }
    }
}

/// What becomes of a member that somebody has set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stance {
    /// It is replaced (`Refresh` of protected ones, `Terminate` of those in standby).
    Replace,
    /// It stays as it is.
    Ignore,
    /// The refresh waits for somebody to let it go.
    Wait,
}

impl Stance {
    /// Reads what the API calls it; `None` for a word that it does not know.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "Refresh" | "Terminate" => Some(Self::Replace),
            "Ignore" => Some(Self::Ignore),
            "Wait" => Some(Self::Wait),
            _ => None,
        }
    }
}

impl RefreshWishes {
    /// Returns the fewest healthy members of `desired`. Where none may be added before, one at
    /// least goes at a time.
    pub(super) fn least(&self, desired: usize) -> usize {
        let percent = usize::try_from(self.min_healthy_percent.min(100)).unwrap_or(100);
        let least = (desired * percent).div_ceil(100);
        if self.may_add(desired) == 0 {
            least.min(desired.saturating_sub(1))
        } else {
            least
        }
    }

    /// Returns how many members there may be above `desired`.
    pub(super) fn may_add(&self, desired: usize) -> usize {
        let above = self.max_healthy_percent.saturating_sub(100);
        let above = usize::try_from(above).unwrap_or(0);
        (desired * above).div_ceil(100)
    }
}
