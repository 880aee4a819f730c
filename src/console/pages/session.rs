//! Who is signed in: a random text in a cookie, of which only the hash is kept.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::answer::Wrong;
use crate::console::people::Caller;
use crate::console::service::Service;
use crate::store::{NewSession, Role, StoreError};

/// For how long somebody is signed in who is not seen.
const IDLE: Duration = Duration::from_hours(12);
/// For how long they are at most.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// How exactly it is written down when somebody was seen.
const SEEN: i64 = 5 * 60 * 1000;
/// How many random bytes the text stands for.
const BYTES: usize = 32;

/// The cookie. A browser takes the first from nobody but this host, by `https` alone.
const ENCRYPTED: &str = "__Host-convox";
const PLAIN: &str = "convox";

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) caller: Caller,
    pub(super) session: [u8; 32],
}

/// Finds out who is signed in.
///
/// # Errors
/// As the database's.
pub(super) async fn visitor(
    service: &Service,
    headers: &HeaderMap,
) -> Result<Option<Visitor>, StoreError> {
    let Some(hash) = hash_of(headers) else {
        return Ok(None);
    };
    let (store, now) = (service.store(), service.now());
    let Some(session) = store.session(hash, now).await? else {
        return Ok(None);
    };
    if let Some(key) = &session.key
        && !service.account_key_works(key).await?
    {
        return Ok(None);
    }
    let Some((person, memberships)) = store.person(&session.person).await? else {
        return Ok(None);
    };
    // What a page loads by itself is nobody who is there.
    let is_there = !headers.contains_key("hx-request");
    if is_there && now - session.seen_at >= SEEN {
        let end = later(session.created_at, LONGEST).min(later(now, IDLE));
        store.keep_session(hash, now, end).await?;
    }
    // A deploy key is a machine's, and a person may have become one.
    let memberships: Vec<_> = memberships
        .into_iter()
        .filter(|membership| membership.role != Role::Deploy)
        .collect();
    Ok((!memberships.is_empty()).then_some(Visitor {
        caller: Caller {
            person,
            memberships,
            key: session.key,
        },
        session: hash,
    }))
}

/// Lets somebody be signed in, and returns the header that tells their browser so. Whatever the
/// browser had before opens nothing any more.
///
/// # Errors
/// As the database's.
pub(super) async fn begin(
    service: &Service,
    caller: &Caller,
    before: Option<[u8; 32]>,
    is_encrypted: bool,
) -> Result<HeaderValue, Wrong> {
    let mut bytes = [0; BYTES];
    service.entropy().fill(&mut bytes);
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let now = service.now();
    let new = NewSession {
        hash: Sha256::digest(&text).into(),
        person: caller.person.id.clone(),
        key: caller.key.clone(),
        at: now,
        expires: later(now, IDLE),
        instead_of: before,
    };
    service.store().begin_session(new).await?;
    let cookie = match is_encrypted {
        true => format!("{ENCRYPTED}={text}; Path=/; Secure; HttpOnly; SameSite=Lax"),
        false => format!("{PLAIN}={text}; Path=/; HttpOnly; SameSite=Lax"),
    };
    HeaderValue::from_str(&cookie).map_err(|_| Wrong::Stopped)
}

/// Has a browser forget both cookies.
pub(super) fn forget(headers: &mut HeaderMap) {
    for name in [ENCRYPTED, PLAIN] {
        let secure = if name == ENCRYPTED { " Secure;" } else { "" };
        let cookie = format!("{name}=; Path=/;{secure} HttpOnly; SameSite=Lax; Max-Age=0");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// Returns the hash of what the cookie says; the one that came encrypted goes first.
pub(super) fn hash_of(headers: &HeaderMap) -> Option<[u8; 32]> {
    let texts = headers.get_all(COOKIE).iter();
    let texts: Vec<_> = texts.filter_map(|text| text.to_str().ok()).collect();
    let find = |wanted: &str| {
        let mut pairs = texts.iter().flat_map(|text| text.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == wanted && !value.is_empty()).then(|| value.to_owned())
        })
    };
    let text = find(ENCRYPTED).or_else(|| find(PLAIN))?;
    Some(Sha256::digest(text).into())
}

fn later(at: i64, span: Duration) -> i64 {
    at.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}
