//! Changes of a rack that are tried out in a rehearsal, and nowhere else.

use serde::Serialize;

/// What is changed before a rack is rehearsed; nothing, by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tweak {
    /// `MaxBatchSize` of every group.
    pub batch: Option<u32>,
    /// `MinInstancesInService` of every group that keeps fewer, at most what it has.
    pub keeps_all_in_service: bool,
    /// `PauseTime` of every group, in seconds.
    pub pause_secs: Option<u64>,
    /// How long new instances warm up before old ones go, in seconds, of every group that does not
    /// wait for signals: `PauseTime`, or `InstanceWarmup` of an instance refresh.
    pub warm_up_secs: Option<u64>,
    /// The fewest tasks of every service that has any.
    pub processes: Option<u32>,
    /// The least `minimumHealthyPercent` of every service.
    pub minimum_healthy_percent: Option<u32>,
    /// How long an instance is given to be emptied, in seconds.
    pub drain_secs: Option<u32>,
    /// How long instances boot, in percent of what was measured.
    pub boot_percent: Option<u32>,
}
