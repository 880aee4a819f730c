//! Notices are delivered to webhooks: at least once each, and tried again for a day.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::background::joined;
use super::rolls::later;
use super::service::Service;
use super::vault::{Vault, VaultError, about};
use crate::ids::Entropy;
use crate::store::{
    Actor, Audited, Delivery, NewWebhook, Notice, NoticeEvent, SealedThing, Store, StoreError,
    WebhookKind, WebhookRow,
};
use crate::webhook::{Message, NotSent, Sender, Target, secret_of};

/// For how long whoever delivers a notice need not be heard of: longer than that may take.
const DELIVERING: Duration = Duration::from_mins(1);
/// After how long a delivery is tried again for the first time; four times longer each time.
const AGAIN: Duration = Duration::from_secs(5);
/// The longest that is waited in between.
const LONGEST: Duration = Duration::from_hours(4);
/// For how long a delivery is tried.
const TRYING: Duration = Duration::from_hours(24);
/// How many notices one server delivers at once.
const AT_ONCE: usize = 20;
/// For how long it is kept what was delivered.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// How long before it expires somebody is told of a key.
const AHEAD: Duration = Duration::from_hours(7 * 24);

impl Service {
    /// Delivers the notices that are due; a task does so every second or two.
    ///
    /// # Errors
    /// As the database's. What was not delivered then is delivered soon.
    pub async fn deliver_notices(&self) -> Result<(), StoreError> {
        let mut delivering = JoinSet::new();
        let mut results = Vec::new();
        loop {
            let now = self.now();
            let held = self.store().hold_delivery(now, later(now, DELIVERING));
            let Some(delivery) = held.await? else {
                break;
            };
            if delivering.len() == AT_ONCE {
                results.extend(delivering.join_next().await.and_then(Result::ok));
            }
            let service = self.clone();
            delivering.spawn(async move { deliver(&service, &delivery).await });
        }
        results.push(joined(delivering).await);
        results.into_iter().collect()
    }

    /// Tells of account keys that expire within a week, and removes what was delivered long ago; a
    /// task does so every minute.
    ///
    /// # Errors
    /// As the database's.
    pub async fn tell_of_expiring_keys(&self) -> Result<(), StoreError> {
        let (now, store) = (self.now(), self.store());
        let keys = store.expiring_account_keys(now, later(now, AHEAD)).await?;
        for (key, expires, person, workspace) in keys {
            let at = Timestamp::from_millisecond(expires).unwrap_or_default();
            let notice = Notice {
                event: NoticeEvent::Expiring,
                message: format!("An account key of {person} expires at {at:.0}"),
                data: json!({ "account_key": key, "person": person, "expires": format!("{at:.0}") }),
            };
            let by = Audited::new(&workspace, Actor::System, now, self.entropy());
            let what = format!("expiring:{key}:{expires}:{workspace}");
            store.tell_once(&what, notice, by).await?;
        }
        let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        store.remove_old_deliveries(now.saturating_sub(kept)).await
    }
}

/// Tries to deliver a notice, and writes what became of it.
async fn deliver(service: &Service, delivery: &Delivery) -> Result<(), StoreError> {
    let sent = send(service, delivery).await;
    let (now, store) = (service.now(), service.store());
    let why = match sent {
        Ok(()) => return store.delivered(delivery, now, None, None).await,
        Err(error) => error.to_string(),
    };
    let again = later(now, pause(delivery.tries));
    let is_over = again > later(delivery.created_at, TRYING);
    if is_over {
        let Delivery { id, webhook, .. } = delivery;
        service.log(&format!("notice {id} is not delivered to {webhook}: {why}"));
    }
    let again = Some(again).filter(|_| !is_over);
    store.delivered(delivery, now, again, Some(&why)).await
}

/// Returns after how long a delivery is tried again that was tried so often.
fn pause(tries: i64) -> Duration {
    let times = u32::try_from(tries - 1).unwrap_or(0).min(10);
    (AGAIN * 4_u32.saturating_pow(times)).min(LONGEST)
}

/// Why a notice was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It could not be signed.
    #[error("the signing secret cannot be opened: {0}")]
    Secret(#[from] VaultError),
    /// It was not sent, or not answered with success.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// Nothing can be sent from here.
    #[error("no connections can be made: the machine's certificates cannot be read")]
    NoSender,
}

async fn send(service: &Service, delivery: &Delivery) -> Result<(), Undelivered> {
    let thing = SealedThing::WebhookSecret(delivery.webhook.clone());
    let secret = service.unseal(&delivery.secret, &about(&thing)).await?;
    let secret = SecretString::from(secret.as_str());
    let loopback = service.options().loopback_webhooks;
    let target = Target::new(&delivery.url, loopback).map_err(NotSent::from)?;
    let message = Message {
        id: &delivery.id,
        at: service.clock().now().as_second(),
        body: &body(delivery.kind, &delivery.notice),
    };
    let sender = service.sender().ok_or(Undelivered::NoSender)?;
    Ok(sender.send(&target, message, &secret).await?)
}

/// Writes a notice as its receiver takes it.
fn body(kind: WebhookKind, notice: &str) -> String {
    match kind {
        WebhookKind::Json => notice.to_owned(),
        WebhookKind::Slack => slack(notice).to_string(),
    }
}

/// Writes a notice as Slack's incoming webhooks take it.
/// <https://api.slack.com/reference/surfaces/formatting#escaping>
fn slack(notice: &str) -> Value {
    let notice: Value = serde_json::from_str(notice).unwrap_or_default();
    let words = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let (event, message) = (words(&notice["type"]), words(&notice["data"]["message"]));
    let details = ["roll", "wave", "next"].map(|name| {
        let value = notice["data"][name].as_str();
        value.map_or_else(String::new, |value| format!(" · {name} {}", escaped(value)))
    });
    let section = json!({ "type": "mrkdwn", "text": message });
    let context = json!({ "type": "mrkdwn", "text": format!("{event}{}", details.concat()) });
    json!({
        "text": message,
        "blocks": [
            { "type": "section", "text": section },
            { "type": "context", "elements": [context] },
        ],
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Somebody to be told.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Where notices are sent.
    pub url: String,
    /// In which form.
    pub kind: WebhookKind,
    /// Which ones.
    pub events: Vec<NoticeEvent>,
}

/// Has somebody told of what happens in the organization in which this is audited. Returns the
/// webhook's id and the secret that notices are signed with, which is kept sealed.
///
/// # Errors
/// As the database's.
pub async fn add_webhook(
    store: &Store,
    vault: &Vault,
    receiver: Receiver,
    by: Audited,
    entropy: &Entropy,
) -> Result<(String, SecretString), StoreError> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let secret = secret_of(&bytes);
    let id = store.new_webhook_id(by.at());
    let about = about(&SealedThing::WebhookSecret(id.clone()));
    let new = NewWebhook {
        id: id.clone(),
        url: receiver.url,
        kind: receiver.kind,
        events: receiver.events,
        secret: vault.seal(secret.expose_secret(), &about, entropy),
    };
    store.add_webhook(new, by).await?;
    Ok((id, secret))
}

/// Sends a notice that tells of nothing, signed as others are; `now` is when.
///
/// # Errors
/// When it was not answered with success.
pub async fn test_webhook(
    store: &Store,
    vault: &Vault,
    webhook: &WebhookRow,
    now: Timestamp,
) -> Result<(), Undelivered> {
    let about = about(&SealedThing::WebhookSecret(webhook.id.clone()));
    let secret = vault.open(store, &webhook.secret, &about).await?;
    let secret = SecretString::from(secret.as_str());
    let data = json!({ "message": "This is a test of a webhook of the console" });
    let notice = json!({ "type": "webhook.test", "timestamp": format!("{now:.3}"), "data": data });
    // Whoever asks for it is on this machine anyway.
    let target = Target::new(&webhook.url, true).map_err(NotSent::from)?;
    let id = format!("test_{}", now.as_millisecond());
    let message = Message {
        id: &id,
        at: now.as_second(),
        body: &body(webhook.kind, &notice.to_string()),
    };
    let sender = Sender::new().ok_or(Undelivered::NoSender)?;
    Ok(sender.send(&target, message, &secret).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_again_later_each_time_for_a_day() {
        let pauses = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(|tries| pause(tries).as_secs());
        assert_eq!(pauses, [5, 20, 80, 320, 1280, 5120, 14400, 14400, 14400]);
    }

    #[test]
    fn slack_is_told_no_markup_that_is_in_a_name() {
        let notice = json!({
            "type": "roll.failed",
            "data": { "message": "<!channel> & <https://evil|prod>", "roll": "r<1" },
        });
        let told = slack(&notice.to_string());
        let text = "&lt;!channel&gt; &amp; &lt;https://evil|prod&gt;";
        assert_eq!(told["text"], text);
        assert_eq!(told["blocks"][0]["text"]["text"], text);
        let context = &told["blocks"][1]["elements"][0]["text"];
        assert_eq!(context, "roll.failed · roll r&lt;1");
    }
}
