//! `/account/keyroll`: whoever asks gets another account key in the place of the one they ask with.

use std::time::Duration;

use axum::response::Response;
use http::Method;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::answer::{Refused, json, plain, unknown};
use super::{Asked, Caller};
use crate::console::service::Service;
use crate::keys::{Grace, IdKind, SecretFormat, new_id};
use crate::store::{Answered, Audited, RerollRequest, StoreError};

/// How long the old key goes on working where nobody says.
const GRACE: Duration = Duration::from_hours(1);
/// How long it may go on at most.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// A key that was just made. It is answered once, and kept nowhere.
#[derive(Serialize)]
struct Rolled<'a> {
    id: &'a str,
    key: &'a str,
    /// From when on the old key opens nothing, in Unix ms.
    #[serde(rename = "old-expires")]
    old_expires: Option<i64>,
}

/// Answers what is asked of the caller's own account.
pub(super) async fn answer(
    service: &Service,
    caller: &Caller,
    asked: &Asked,
    request: &str,
) -> Result<Response, Refused> {
    let Some(key) = &caller.key else {
        return Ok(unknown());
    };
    if asked.method != Method::POST {
        return Ok(unknown());
    }
    let home = service.home().await?;
    let (now, entropy) = (service.now(), service.entropy());
    let by = Audited::new(&home.workspace, caller.actor(), now, entropy).request(request);
    match asked.path.as_str() {
        "/account/keyroll" => {
            let grace = grace(&asked.body)?;
            let (record, _) = service.store().key_record(&home.workspace, key).await?;
            let format = SecretFormat::new(record.prefix.as_deref(), record.bytes)
                .map_err(|error| StoreError::Unfit(error.to_string()))?;
            let (id, secret) = (new_id(IdKind::Key, now, entropy), format.mint(entropy));
            let text = secret.text.clone();
            let reroll = RerollRequest {
                key: key.clone(),
                grace: Grace::For(i64::try_from(grace.as_millis()).unwrap_or(i64::MAX)),
                successor: id.clone(),
                secret,
                format,
                sealed: None,
            };
            let told = format!("Roll account key {key} to {id}");
            note(service, caller, "account.keyroll", &told, request).await?;
            let done = service.store().reroll_key(reroll, by, None).await?;
            let old_expires = match done {
                Answered::Now(rerolled) => rerolled.old_expires,
                Answered::Before(_) => None,
            };
            Ok(json(&Rolled {
                id: &id,
                key: text.expose_secret(),
                old_expires,
            }))
        }
        // With the new key: the old one goes now.
        "/account/keyroll/finish" => {
            let (record, _) = service.store().key_record(&home.workspace, key).await?;
            let old = record.rotation.predecessor;
            let old = old.ok_or_else(|| Refused::Bad("this key replaces no other".to_owned()))?;
            let told = format!("Let account key {old} go");
            note(service, caller, "account.keyroll.finish", &told, request).await?;
            service.store().finish_rotation(&old, by).await?;
            Ok(plain("ok"))
        }
        // With the old key: it is whole again, and the new one goes.
        "/account/keyroll/cancel" => {
            let told = format!("Take back the roll of account key {key}");
            note(service, caller, "account.keyroll.cancel", &told, request).await?;
            service.store().cancel_rotation(key, by).await?;
            Ok(plain("ok"))
        }
        _ => Ok(unknown()),
    }
}

/// Tells every organization that the caller belongs to what is about to be done.
async fn note(
    service: &Service,
    caller: &Caller,
    event: &str,
    told: &str,
    request: &str,
) -> Result<(), StoreError> {
    for membership in &caller.memberships {
        let (now, entropy) = (service.now(), service.entropy());
        let by = Audited::new(&membership.workspace, caller.actor(), now, entropy);
        let by = by.request(request);
        let targets = [caller.person.id.as_str()];
        service.store().note(event, told, &targets, by).await?;
    }
    Ok(())
}

/// Reads for how long the old key goes on: `grace`, in seconds.
fn grace(body: &[u8]) -> Result<Duration, Refused> {
    let mut fields = form_urlencoded::parse(body);
    let Some((_, text)) = fields.find(|(name, _)| name == "grace") else {
        return Ok(GRACE);
    };
    let seconds: Option<u64> = text.parse().ok();
    let grace = seconds.map(Duration::from_secs);
    grace
        .filter(|grace| *grace <= LONGEST)
        .ok_or_else(|| Refused::Bad("grace is a number of seconds, 30 days at most".to_owned()))
}
