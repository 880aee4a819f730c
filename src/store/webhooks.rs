//! Webhooks, and the deliveries of notices to them.
//!
//! Whoever delivers a notice holds it for a while. One that is killed has perhaps delivered it, and
//! it is delivered again, with the same id.

use std::fmt;
use std::str::FromStr;

use serde_json::json;

use super::Store;
use super::audit::Audited;
use super::error::{StoreError, Thing};
use super::master_keys::Sealed;
use super::notices::NoticeEvent;
use super::value::args;
use crate::keys::{IdKind, new_id};

/// The form of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookKind {
    /// An object with a type, a time and details.
    Json,
    /// What Slack's incoming webhooks take.
    Slack,
}

impl WebhookKind {
    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
        }
    }
}

impl fmt::Display for WebhookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no kind of webhook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of webhook (json, slack)")]
pub struct BadWebhookKind(String);

impl FromStr for WebhookKind {
    type Err = BadWebhookKind;

    fn from_str(text: &str) -> Result<Self, BadWebhookKind> {
        let mut all = [Self::Json, Self::Slack].into_iter();
        let found = all.find(|kind| kind.as_str() == text);
        found.ok_or_else(|| BadWebhookKind(text.to_owned()))
    }
}

/// Somebody to be told.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its id.
    pub id: String,
    /// Where notices are sent.
    pub url: String,
    /// In which form.
    pub kind: WebhookKind,
    /// Which ones.
    pub events: Vec<NoticeEvent>,
    /// What they are signed with, sealed.
    pub secret: Sealed,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: String,
    /// Where notices are sent.
    pub url: String,
    /// In which form.
    pub kind: WebhookKind,
    /// Which ones.
    pub events: Vec<String>,
    /// What they are signed with, sealed.
    pub secret: Vec<u8>,
    /// How many are on their way, and why the last one of them could not be delivered.
    pub waiting: (i64, Option<String>),
}

/// A notice that somebody delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which stays the same however often it is tried.
    pub id: String,
    /// The id of the webhook.
    pub webhook: String,
    /// Where it is sent.
    pub url: String,
    /// In which form.
    pub kind: WebhookKind,
    /// What it is signed with, sealed.
    pub secret: Vec<u8>,
    /// What is told, as JSON.
    pub notice: String,
    /// How often it was tried, this time included.
    pub tries: i64,
    /// When what it tells of happened, in Unix ms.
    pub created_at: i64,
}

impl Store {
    /// Makes an id for a webhook at `now`, in Unix ms.
    #[must_use]
    pub fn new_webhook_id(&self, now: i64) -> String {
        new_id(IdKind::Webhook, now, &self.entropy)
    }

    /// Has somebody told from now on of what happens in the organization in which this is audited.
    ///
    /// # Errors
    /// As the database's.
    pub async fn add_webhook(&self, new: NewWebhook, by: Audited) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let events: Vec<_> = new.events.iter().map(|event| event.as_str()).collect();
                let insert = "INSERT INTO webhooks (id, workspace_id, url, kind, events, secret, \
                              secret_sealed_with, created_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
                let args = args![
                    &new.id,
                    by.workspace(),
                    &new.url,
                    new.kind.as_str(),
                    json!(events).to_string(),
                    new.secret.bytes,
                    new.secret.with,
                    by.at()
                ];
                sql.run(insert.into(), args).await?;
                let told = format!("Added a webhook ({}): {}", new.kind, events.join(", "));
                by.record(sql, "webhook.create", &told, &[&new.id]).await
            })
        })
        .await
    }

    /// Lists whoever is told in an organization, from the first on.
    ///
    /// # Errors
    /// As the database's.
    pub async fn webhooks(&self, workspace: &str) -> Result<Vec<WebhookRow>, StoreError> {
        let workspace = workspace.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT w.id, w.url, w.kind, w.events, w.secret, \
                             (SELECT COUNT(*) FROM deliveries d WHERE d.webhook_id = w.id \
                             AND d.ended_at IS NULL), (SELECT d.failure FROM deliveries d \
                             WHERE d.webhook_id = w.id AND d.ended_at IS NULL \
                             AND d.failure IS NOT NULL ORDER BY d.id DESC LIMIT 1) \
                             FROM webhooks w WHERE w.workspace_id = $1 ORDER BY w.id";
                sql.all(query, args![workspace], |row| {
                    Ok(WebhookRow {
                        id: row.text()?,
                        url: row.text()?,
                        kind: kind(&row.text()?)?,
                        events: serde_json::from_str(&row.text()?)
                            .map_err(|_| StoreError::Shape("events of a webhook"))?,
                        secret: row.bytes()?,
                        waiting: (row.int()?, row.maybe_text()?),
                    })
                })
                .await
            })
        })
        .await
    }

    /// Has somebody not be told any more, of what is on its way neither.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the organization in which this is audited has no such webhook.
    pub async fn remove_webhook(&self, id: &str, by: Audited) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let delete = "DELETE FROM webhooks WHERE id = $1 AND workspace_id = $2";
                if sql.run(delete.into(), args![&id, by.workspace()]).await? == 0 {
                    return Err(StoreError::NotFound(Thing::Webhook));
                }
                by.record(sql, "webhook.delete", "Removed a webhook", &[&id])
                    .await
            })
        })
        .await
    }

    /// Holds a notice that is to be delivered at `now` until `until`, both in Unix ms.
    ///
    /// # Errors
    /// As the database's.
    pub async fn hold_delivery(
        &self,
        now: i64,
        until: i64,
    ) -> Result<Option<Delivery>, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let query = format!(
                    "SELECT id FROM deliveries WHERE ended_at IS NULL AND next_at <= $1 \
                     ORDER BY next_at, id LIMIT 1{}",
                    sql.for_update_of_the_free()
                );
                let Some(mut row) = sql.row(query, args![now]).await? else {
                    return Ok(None);
                };
                let id = row.text()?;
                let hold = "UPDATE deliveries SET next_at = $2, tries = tries + 1 WHERE id = $1";
                sql.run(hold.into(), args![&id, until]).await?;
                let query = "SELECT d.id, w.id, w.url, w.kind, w.secret, d.notice, d.tries, \
                             d.created_at FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id \
                             WHERE d.id = $1";
                let found = sql.all(query, args![id], |row| {
                    Ok(Delivery {
                        id: row.text()?,
                        webhook: row.text()?,
                        url: row.text()?,
                        kind: kind(&row.text()?)?,
                        secret: row.bytes()?,
                        notice: row.text()?,
                        tries: row.int()?,
                        created_at: row.int()?,
                    })
                });
                Ok(found.await?.pop())
            })
        })
        .await
    }

    /// Writes what became of a delivery at `at`: nothing more is to be done, or it is tried again
    /// at `again`, both in Unix ms; and why, if it failed.
    ///
    /// # Errors
    /// As the database's.
    pub async fn delivered(
        &self,
        delivery: &Delivery,
        at: i64,
        again: Option<i64>,
        failure: Option<&str>,
    ) -> Result<(), StoreError> {
        let ended = match again {
            Some(_) => None,
            None => Some(at),
        };
        let args = args![
            &delivery.id,
            delivery.tries,
            ended,
            again.unwrap_or(at),
            failure
        ];
        self.write(move |sql| {
            Box::pin(async move {
                let update = "UPDATE deliveries SET ended_at = $3, next_at = $4, failure = $5 \
                              WHERE id = $1 AND tries = $2 AND ended_at IS NULL";
                sql.run(update.into(), args).await.map(drop)
            })
        })
        .await
    }

    /// Removes deliveries that had ended before `before`, in Unix ms, and forgets what was told once
    /// before then.
    ///
    /// # Errors
    /// As the database's.
    pub async fn remove_old_deliveries(&self, before: i64) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let delete = "DELETE FROM deliveries WHERE ended_at IS NOT NULL AND ended_at < $1";
                sql.run(delete.into(), args![before]).await?;
                let forget = "DELETE FROM told WHERE at < $1";
                sql.run(forget.into(), args![before]).await.map(drop)
            })
        })
        .await
    }

    /// Lists account keys that expire after `now` and until `until`, both in Unix ms: the key's id,
    /// when it expires, whose it is, and one of their organizations, each in turn.
    ///
    /// # Errors
    /// As the database's.
    pub async fn expiring_account_keys(
        &self,
        now: i64,
        until: i64,
    ) -> Result<Vec<(String, i64, String, String)>, StoreError> {
        self.read_once(move |sql| {
            Box::pin(async move {
                // Keys that were rerolled expire since another is in their place.
                let query = "SELECT k.id, k.expires, p.name, m.workspace_id FROM console c \
                             JOIN keys k ON k.api_id = c.api_id \
                             JOIN identities i ON i.id = k.identity_id \
                             JOIN people p ON p.id = i.external_id \
                             JOIN memberships m ON m.person_id = p.id \
                             WHERE k.deleted_at IS NULL AND k.enabled = 1 AND k.expires > $1 \
                             AND k.expires <= $2 AND k.successor_id IS NULL \
                             AND p.deleted_at IS NULL ORDER BY k.expires, k.id, m.workspace_id";
                sql.all(query, args![now, until], |row| {
                    Ok((row.text()?, row.int()?, row.text()?, row.text()?))
                })
                .await
            })
        })
        .await
    }
}

fn kind(text: &str) -> Result<WebhookKind, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Shape("a kind of webhook"))
}
