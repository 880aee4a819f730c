//! The outbox: what is told to other programs, written in the transaction of what it tells of.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::StoreError;
use super::value::args;
use crate::ids::Entropy;
use crate::keys::{IdKind, new_id};

/// What others can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeEvent {
    /// A key is going to be rolled within a day.
    Planned,
    /// A roll has begun.
    Started,
    /// A roll has ended, and the new key is the rack's.
    Done,
    /// A roll was taken back, and the old key is the rack's.
    RolledBack,
    /// A roll could not begin, or did not end well.
    Failed,
    /// An account key is about to expire, or a rack's key waits for a roll that is overdue.
    Expiring,
}

impl NoticeEvent {
    /// All events.
    pub const ALL: [Self; 6] = [
        Self::Planned,
        Self::Started,
        Self::Done,
        Self::RolledBack,
        Self::Failed,
        Self::Expiring,
    ];

    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "roll.planned",
            Self::Started => "roll.started",
            Self::Done => "roll.done",
            Self::RolledBack => "roll.rolled_back",
            Self::Failed => "roll.failed",
            Self::Expiring => "key.expiring",
        }
    }
}

impl fmt::Display for NoticeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no event (roll.planned, roll.started, roll.done, roll.rolled_back, roll.failed, \
     key.expiring)"
)]
pub struct BadNoticeEvent(String);

impl FromStr for NoticeEvent {
    type Err = BadNoticeEvent;

    fn from_str(text: &str) -> Result<Self, BadNoticeEvent> {
        let found = Self::ALL.into_iter().find(|event| event.as_str() == text);
        found.ok_or_else(|| BadNoticeEvent(text.to_owned()))
    }
}

/// What is told; never a secret.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What has happened.
    pub event: NoticeEvent,
    /// The same in words.
    pub message: String,
    /// Details by name.
    pub data: Json,
}

impl Notice {
    /// Tells of something that has to do with a rack's key.
    #[must_use]
    pub fn of_rack(event: NoticeEvent, message: String, rack: &str, key_kind: &str) -> Self {
        let data = json!({ "rack": rack, "key": key_kind });
        Self {
            event,
            message,
            data,
        }
    }

    /// Adds a detail, if there is one.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.data[name] = value.into();
        }
        self
    }

    /// Returns what is sent, as of `at` in Unix ms.
    fn to_json(&self, at: i64) -> Json {
        let at = Timestamp::from_millisecond(at).unwrap_or_default();
        let mut data = self.data.clone();
        data["message"] = self.message.as_str().into();
        json!({ "type": self.event.as_str(), "timestamp": format!("{at:.3}"), "data": data })
    }
}

impl Store {
    /// Tells whoever wants to know in the organization in which this is audited, once for `what`;
    /// tells whether nobody was told that before.
    ///
    /// # Errors
    /// As the database's.
    pub async fn tell_once(
        &self,
        what: &str,
        notice: Notice,
        by: Audited,
    ) -> Result<bool, StoreError> {
        let (what, entropy) = (what.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                let insert =
                    "INSERT INTO told (what, at) VALUES ($1, $2) ON CONFLICT (what) DO NOTHING";
                if sql.run(insert.into(), args![&what, by.at()]).await? == 0 {
                    return Ok(false);
                }
                tell(sql, &notice, &by, &entropy).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Tells whoever wants to know in the organization in which something is audited.
pub(super) async fn tell(
    sql: &mut dyn Sql,
    notice: &Notice,
    by: &Audited,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let query = "SELECT id, events FROM webhooks WHERE workspace_id = $1 ORDER BY id";
    let webhooks = sql.all(query, args![by.workspace()], |row| {
        Ok((row.text()?, row.maybe_json()?))
    });
    let event = notice.event.as_str();
    for (webhook, events) in webhooks.await? {
        let events = events.unwrap_or_default();
        let wants = events
            .as_array()
            .is_some_and(|it| it.contains(&json!(event)));
        if !wants {
            continue;
        }
        let insert = "INSERT INTO deliveries (id, webhook_id, event, notice, tries, next_at, \
                      created_at) VALUES ($1, $2, $3, $4, 0, $5, $5)";
        let id = new_id(IdKind::Delivery, by.at(), entropy);
        let text = notice.to_json(by.at()).to_string();
        sql.run(insert.into(), args![id, webhook, event, text, by.at()])
            .await?;
    }
    Ok(())
}

/// Tells of how a roll ended, of which `report` says how.
pub(super) fn of_end(report: &str, rack: &str, key_kind: &str, roll: &str) -> Notice {
    let report: Json = serde_json::from_str(report).unwrap_or_default();
    let event = match report["outcome"].as_str() {
        Some("done") => NoticeEvent::Done,
        Some("rolled_back") => NoticeEvent::RolledBack,
        _ => NoticeEvent::Failed,
    };
    let said = report["message"].as_str().unwrap_or("given up");
    let message = match event {
        NoticeEvent::Done => format!("The {key_kind} key of {rack} is rolled: {said}"),
        NoticeEvent::RolledBack => {
            format!("The roll of the {key_kind} key of {rack} was taken back: {said}")
        }
        _ => format!("The roll of the {key_kind} key of {rack} failed: {said}"),
    };
    Notice::of_rack(event, message, rack, key_kind).with("roll", Some(roll))
}
