//! Which racks a fleet has, and in which order they are rolled.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::RollId;
use crate::roll::lineup::Lineup;
use crate::roll::plan::RollOptions;
use crate::roll::preflight::Refusal;

/// What a roll of many racks will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// The fleet roll's own id; each rack's roll has another.
    pub fleet: RollId,
    /// The racks, canaries first and then wave by wave.
    pub racks: Vec<FleetRack>,
    /// How many racks are rolled at once, from 1.
    pub at_once: u32,
    /// So many racks that do not end well, and no more begin; from 1.
    pub stop_after: u32,
    /// What was asked for, of every rack.
    pub options: RollOptions,
    /// How long a stack that is busy is waited for, in milliseconds.
    pub wait_busy_ms: u64,
    /// How many calls of each API are made in a second at most, in each account and region, where
    /// that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
}

/// One rack of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetRack {
    /// What the fleet calls it, which no other of the fleet is called.
    pub name: String,
    /// Its own name, where another of the fleet in another place has the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The wave that it belongs to; 0 is before all others.
    pub wave: u32,
    /// Whether all waves wait for it to end well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
    /// Where it is, as far as the list of racks says.
    #[serde(default, flatten)]
    pub place: RackPlace,
    /// Where it was found when the fleet began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<RackHome>,
}

/// The account and region that a rack is in, whichever profile or role leads there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RackHome {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
}

impl FleetRack {
    /// Returns the rack's own name.
    #[must_use]
    pub fn rack(&self) -> &str {
        self.rack.as_deref().unwrap_or(&self.name)
    }

    /// Refuses to roll a rack of the same name in another place than the one where this one was
    /// found.
    ///
    /// # Errors
    /// The calls go elsewhere, or nobody can tell where to.
    pub fn check_home(&self, now: Option<&RackHome>) -> Result<(), Refusal> {
        let Some(home) = &self.home else {
            return Ok(());
        };
        let elsewhere = match now {
            Some(now) if now == home => return Ok(()),
            Some(now) => format!("calls go to account {} in {}", now.account, now.region),
            None => "nobody says which account calls go to".to_owned(),
        };
        let RackHome { account, region } = home;
        let rack = self.rack();
        let message = format!("{rack} is in account {account} in {region}, and {elsewhere}");
        let hint = "go on with the profile and the region that the fleet was begun with";
        Err(Refusal::unreachable(&message, Some(hint.to_owned())))
    }
}

/// Where a rack is. What is not said is as for a single roll.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RackPlace {
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The profile of the shared AWS configuration files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The ARN of a role to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
}

impl FleetPlan {
    /// Returns how many at once, and how many may fail.
    #[must_use]
    pub fn lineup(&self) -> Lineup {
        let number = |it: u32| usize::try_from(it).unwrap_or(usize::MAX);
        Lineup {
            at_once: number(self.at_once),
            stop_after: number(self.stop_after),
        }
    }

    /// Returns how long a stack that is busy is waited for.
    #[must_use]
    pub fn wait_busy(&self) -> Duration {
        Duration::from_millis(self.wait_busy_ms)
    }

    /// Puts the racks in the order in which they begin: canaries, then wave by wave.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.racks.sort_by_key(|rack| (!rack.canary, rack.wave));
        for rack in self.racks.iter_mut().filter(|rack| rack.canary) {
            rack.wave = 0;
        }
        self
    }

    /// Returns how many waves there are, that of the canaries included.
    #[must_use]
    pub fn waves(&self) -> usize {
        let waves: std::collections::BTreeSet<u32> =
            self.racks.iter().map(|rack| rack.wave).collect();
        waves.len()
    }
}
