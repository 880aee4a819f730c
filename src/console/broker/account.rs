//! `/account/keyroll`: whoever asks gets another account key in the place of the one they ask with.

use std::time::Duration;

use axum::response::Response;
use http::Method;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::answer::{Refused, json, plain, unknown};
use super::{Asked, Caller};
use crate::console::account_keys::KeyHolder;
use crate::console::service::Service;
use crate::keys::Grace;

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
    let holder = KeyHolder {
        service,
        caller,
        request,
    };
    match asked.path.as_str() {
        "/account/keyroll" => {
            let grace = i64::try_from(grace(&asked.body)?.as_millis()).unwrap_or(i64::MAX);
            let rolled = holder.roll(key, Grace::For(grace)).await?;
            Ok(json(&Rolled {
                id: &rolled.id,
                key: rolled.secret.expose_secret(),
                old_expires: rolled.old_expires,
            }))
        }
        // With the new key: the old one goes now.
        "/account/keyroll/finish" => {
            let home = service.home().await?;
            let (record, _) = service.store().key_record(&home.workspace, key).await?;
            let old = record.rotation.predecessor;
            let old = old.ok_or_else(|| Refused::Bad("this key replaces no other".to_owned()))?;
            holder.finish(&old).await?;
            Ok(plain("ok"))
        }
        // With the old key: it is whole again, and the new one goes.
        "/account/keyroll/cancel" => {
            holder.cancel(key).await?;
            Ok(plain("ok"))
        }
        _ => Ok(unknown()),
    }
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
