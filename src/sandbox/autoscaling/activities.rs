//! What a group did and why, as `DescribeScalingActivities` tells it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many activities a group remembers. AWS forgets after six weeks instead.
const REMEMBERED: usize = 10_000;

/// One activity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Activity {
    /// The id, a UUID.
    pub id: String,
    /// What.
    pub description: String,
    /// Why.
    pub cause: String,
    /// From when.
    pub started: Timestamp,
    /// Until when.
    pub ended: Option<Timestamp>,
    /// `InProgress`, `Successful`, `Failed`, `Cancelled`, ...
    pub status: String,
    /// What went wrong.
    pub message: Option<String>,
}

/// The activities of a group, by number.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Activities {
    entries: BTreeMap<u64, Activity>,
    next: u64,
}

impl Activities {
    /// Writes down that something has begun and returns its number.
    pub fn begin(&mut self, id: String, now: Timestamp, description: String, cause: String) -> u64 {
        let number = self.next;
        self.next += 1;
        let activity = Activity {
            id,
            description,
            cause,
            started: now,
            ended: None,
            status: "InProgress".to_owned(),
            message: None,
        };
        self.entries.insert(number, activity);
        if self.entries.len() > REMEMBERED {
            self.entries.pop_first();
        }
        number
    }

    /// Writes down how something ended; what has ended before is left alone.
    pub fn end(&mut self, number: u64, now: Timestamp, status: &str, message: Option<String>) {
        if let Some(activity) = self.entries.get_mut(&number)
            && activity.ended.is_none()
        {
            activity.ended = Some(now);
            activity.status = status.to_owned();
            activity.message = message;
        }
    }

    /// Returns an activity by its number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Activity> {
        self.entries.get(&number)
    }

    /// Goes through the activities, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Activity> {
        self.entries.values().rev()
    }

    /// Goes through the activities with their numbers, newest first.
    pub(super) fn newest_first_numbered(&self) -> impl Iterator<Item = (u64, &Activity)> {
        self.entries
            .iter()
            .rev()
            .map(|(number, activity)| (*number, activity))
    }
}
