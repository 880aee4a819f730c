//! Instance refreshes and alarms: what a roll is led and held by.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::PortError;
use super::fleet::LaunchTemplateRef;

/// The status of an instance refresh (Auto Scaling API reference, `InstanceRefresh`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefreshStatus(pub String);

impl RefreshStatus {
    /// Tells whether it goes on, forward or back. A word that nobody knows does.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !matches!(
            self.0.as_str(),
            "Successful" | "Failed" | "Cancelled" | "RollbackFailed" | "RollbackSuccessful"
        )
    }

    /// Tells whether it has done all that it was to do.
    #[must_use]
    pub fn is_successful(&self) -> bool {
        self.0 == "Successful"
    }
}

/// An instance refresh of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRefresh {
    /// The id.
    pub id: String,
    /// How it is.
    pub status: RefreshStatus,
    /// Why, where Auto Scaling says so.
    pub reason: Option<String>,
    /// When it was begun.
    pub started_at: Option<Timestamp>,
    /// How much of it is done, in percent.
    pub percent: u32,
    /// How many instances are still to be replaced.
    pub to_update: Option<u32>,
    /// At how many percent of new instances it pauses.
    pub checkpoints: Vec<u32>,
    /// The launch template version that it goes to, where it is not the group's own. It becomes the
    /// group's own when the refresh is successful, and not before.
    pub launch_template: Option<LaunchTemplateRef>,
}

/// An instance refresh to be started. What matches already always stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshWish {
    /// The fewest healthy instances, in percent of what is wanted.
    pub min_healthy_percent: u32,
    /// The most, in percent of what is wanted.
    pub max_healthy_percent: u32,
    /// How long a new instance warms up, in seconds; as the group says where it is not said.
    pub warmup_secs: Option<u32>,
    /// How long it is watched before it is successful, in seconds.
    pub bake_secs: u32,
    /// At how many percent of new instances it ends; with all of them where it is not said.
    pub until_percent: Option<u32>,
    /// Alarms that end it when they go off, at most 10.
    pub alarms: Vec<String>,
    /// The launch template version to go to, where it is not the group's own.
    pub launch_template: Option<LaunchTemplateRef>,
}

/// Instance refreshes of Auto Scaling groups.
#[async_trait]
pub trait Refreshes: Send + Sync {
    /// Lists the refreshes of a group, newest first.
    ///
    /// # Errors
    /// The call's.
    async fn list(&self, group: &str) -> Result<Vec<InstanceRefresh>, PortError>;
    /// Starts a refresh and returns its id.
    ///
    /// # Errors
    /// [`PortError::Busy`] when one is under way: no group has two.
    async fn start(&self, group: &str, wish: &RefreshWish) -> Result<String, PortError>;
    /// Cancels the refresh that is under way. Where there is none, nothing is done.
    ///
    /// # Errors
    /// The call's.
    async fn cancel(&self, group: &str) -> Result<(), PortError>;
}

/// A CloudWatch alarm, metric or composite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The name.
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why it has that state.
    pub reason: Option<String>,
}

impl Alarm {
    /// Tells whether it has gone off.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state == "ALARM"
    }
}

/// CloudWatch alarms.
#[async_trait]
pub trait Alarms: Send + Sync {
    /// Describes alarms by their names; those that do not exist are left out.
    ///
    /// # Errors
    /// The call's.
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError>;
}
