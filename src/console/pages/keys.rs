//! The keys of an API: listed, looked for, and made.

use std::time::Duration;

use askama::Template;
use axum::response::Response;
use secrecy::ExposeSecret as _;

use super::Visit;
use super::answer::{Wrong, page};
use super::apis::audited;
use super::frame::Frame;
use super::key::ShownOnce;
use super::rack::may_change;
use super::words::Moment;
use crate::keys::{Api, IdKind, Key, SecretFormat, new_id};
use crate::store::{NewKey, Page, StoreError};

/// How many keys are on a page.
const KEYS: i64 = 50;
/// For how long keys are looked for.
const LOOKING: Duration = Duration::from_secs(3);

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage<'a> {
    frame: Frame<'a>,
    organization: &'a str,
    api: &'a Api,
    keys: Vec<KeyLine>,
    next: Option<String>,
    search: &'a str,
    trouble: Option<&'static str>,
    may_change: bool,
}

/// A key in a list.
struct KeyLine {
    id: String,
    start: String,
    name: String,
    identity: String,
    state: &'static str,
    class: &'static str,
    created: Moment,
    used: Option<Moment>,
}

/// Words whether a key opens anything, with a class of the style.
pub(super) fn state_of(key: &Key, now: i64) -> (&'static str, &'static str) {
    if key.rotation.is_over(key.expires, now) {
        let is_replaced = key.rotation.successor.is_some();
        return (if is_replaced { "replaced" } else { "expired" }, "unknown");
    }
    if !key.enabled {
        return ("disabled", "bad");
    }
    match key.rotation.successor {
        Some(_) => ("in its grace period", "going"),
        None => ("active", "good"),
    }
}

impl KeyLine {
    fn of(key: &Key, now: i64) -> Self {
        let (state, class) = state_of(key, now);
        let identity = key.identity.as_ref();
        Self {
            id: key.id.clone(),
            start: key.start.clone(),
            name: key.name.clone().unwrap_or_default(),
            identity: identity.map_or_else(String::new, |it| it.external_id.clone()),
            state,
            class,
            created: Moment::at(key.created_at, now),
            used: Moment::maybe(key.last_used_at, now),
        }
    }
}

/// Shows them.
pub(super) async fn show(visit: &Visit, organization: &str, api: &str) -> Result<Response, Wrong> {
    let membership = visit.membership(organization)?;
    let (store, now) = (visit.service().store(), visit.service().now());
    let api = store.api(&membership.workspace, api).await?;
    let search = visit.query.get("search").unwrap_or_default();
    let wanted = Page {
        cursor: visit.query.get("from").map(str::to_owned),
        limit: KEYS,
        search: (!search.is_empty()).then(|| search.to_owned()),
    };
    let workspace = &membership.workspace;
    let found = match search {
        "" => store.keys_of_api(workspace, &api.id, None, wanted).await,
        _ => store.search_keys(workspace, &api.id, wanted, LOOKING).await,
    };
    let (found, next, trouble) = match found {
        Ok(found) => (found.items, found.next, None),
        Err(StoreError::TimedOut) => {
            let told = "There are too many keys to look through: look for a whole id or identity.";
            (Vec::new(), None, Some(told))
        }
        Err(error) => return Err(error.into()),
    };
    page(&KeysPage {
        frame: Frame::of(visit, format!("Keys of {}", api.name)).within("keys"),
        organization,
        keys: found.iter().map(|key| KeyLine::of(key, now)).collect(),
        next,
        search,
        trouble,
        may_change: may_change(membership.role),
        api: &api,
    })
}

/// Makes a key, and shows it this once.
pub(super) async fn create(
    visit: &Visit,
    organization: &str,
    api: &str,
) -> Result<Response, Wrong> {
    let membership = visit.membership(organization)?;
    if !may_change(membership.role) {
        return Err(Wrong::Forbidden);
    }
    let (service, store) = (visit.service(), visit.service().store());
    let api = store.api(&membership.workspace, api).await?;
    let prefix = visit.form.get("prefix").or(api.default_prefix.as_deref());
    let format = SecretFormat::new(prefix, api.default_bytes);
    let format = format.map_err(|error| Wrong::Bad(error.to_string()))?;
    let external_id = visit.form.get("identity");
    if let Some(id) = external_id {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if id.len() > 255 || !id.bytes().all(is_good) {
            let told = "An identity has letters, digits and _ . -, at most 255.";
            return Err(Wrong::Bad(told.to_owned()));
        }
    }
    let now = service.now();
    let expires = match visit.form.get("days") {
        None => None,
        Some(days) => {
            let days: Option<i64> = days.parse().ok();
            let days = days.filter(|days| (1..=3650).contains(days));
            let days = days.ok_or_else(|| Wrong::Bad("A key expires in 1 to 3650 days.".into()))?;
            Some(now + days * 24 * 60 * 60 * 1000)
        }
    };
    let (id, secret) = (
        new_id(IdKind::Key, now, service.entropy()),
        format.mint(service.entropy()),
    );
    let text = secret.text.clone();
    let name = visit.form.get("name");
    let new = NewKey {
        id: id.clone(),
        api: api.id.clone(),
        secret,
        format,
        name: name.map(|name| name.chars().take(255).collect()),
        external_id: external_id.map(str::to_owned),
        meta: None,
        roles: Vec::new(),
        permissions: Vec::new(),
        expires,
        credits: None,
        ratelimits: Vec::new(),
        enabled: true,
        sealed: None,
    };
    let by = audited(visit, &membership.workspace)?;
    store.create_key(new, by, None).await?;
    page(&ShownOnce {
        frame: Frame::of(visit, "A new key").within("keys"),
        secret: text.expose_secret(),
        what: format!("Key {id} of {}", api.name),
        old: None,
        next: format!("/key/{}/{id}", super::form::encoded(organization)),
    })
}
