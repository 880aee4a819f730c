//! A key: what is known of it, its reroll with a grace period, and who still uses the old one.

use askama::Template;
use axum::response::Response;
use secrecy::ExposeSecret as _;

use super::Visit;
use super::answer::{Wrong, page, see_other};
use super::apis::audited;
use super::frame::Frame;
use super::keys::state_of;
use super::rack::may_change;
use super::words::{Moment, counted, ends};
use crate::keys::analytics::Grain;
use crate::keys::{Api, Grace, IdKind, Key, KeyRecord, new_id};
use crate::plot::{Plot, Series};
use crate::store::{Bucket, Side};

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;
/// For how long after a reroll uses are shown by the hour, in ms.
const HOURLY: i64 = 3 * DAY;

/// A secret that was just made: nothing shows it again.
#[derive(Template)]
#[template(path = "shown_once.html")]
pub(super) struct ShownOnce<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) secret: &'a str,
    pub(super) what: String,
    /// What becomes of the one whose place it takes.
    pub(super) old: Option<String>,
    /// Where to go on.
    pub(super) next: String,
}

#[derive(Template)]
#[template(path = "key.html")]
struct KeyPage<'a> {
    frame: Frame<'a>,
    organization: &'a str,
    key: &'a Key,
    api: &'a Api,
    state: &'static str,
    class: &'static str,
    created: Moment,
    expires: Option<Moment>,
    used: Option<Moment>,
    permissions: String,
    may_reroll: bool,
    may_change: bool,
    rotation: Option<RotationPart>,
}

/// How the reroll stands that a key is one side of.
struct RotationPart {
    old: String,
    new: String,
    rerolled: Moment,
    old_ends: Option<Moment>,
    is_over: bool,
    old_used: Option<Moment>,
    old_uses: String,
    new_uses: String,
    callers: Vec<(String, i64)>,
    plot: Option<String>,
}

/// Shows it.
pub(super) async fn show(visit: &Visit, organization: &str, id: &str) -> Result<Response, Wrong> {
    let membership = visit.membership(organization)?;
    let (store, now) = (visit.service().store(), visit.service().now());
    let (key, api) = store.key(&membership.workspace, id).await?;
    let rotation = match visit.service().both_sides(&key.record).await? {
        Some((old, _)) => Some(rotation(visit, &old, now).await?),
        None => None,
    };
    let (state, class) = state_of(&key, now);
    let may_change = may_change(membership.role);
    page(&KeyPage {
        frame: Frame::of(visit, format!("Key {}", key.id)).within("keys"),
        organization,
        state,
        class,
        created: Moment::at(key.created_at, now),
        expires: Moment::maybe(key.expires, now),
        used: Moment::maybe(key.last_used_at, now),
        permissions: key.all_permissions().join(", "),
        may_reroll: key.rotation.successor.is_none()
            && !key.rotation.is_over(key.expires, now)
            && may_change,
        may_change,
        rotation,
        key: &key,
        api: &api,
    })
}

async fn rotation(visit: &Visit, old: &KeyRecord, now: i64) -> Result<RotationPart, Wrong> {
    let since = old.rotation.rerolled_at.unwrap_or(now);
    let new = old.rotation.successor.clone().unwrap_or_default();
    let (grain, step) = match now - since {
        ..HOURLY => (Grain::Hour, HOUR),
        _ => (Grain::Day, DAY),
    };
    let uses = visit.service().store().uses(old, &new, grain).await?;
    let count = |side: &Side| counted(side.outcomes.values().sum(), "verification");
    let callers = uses.old.callers.iter();
    Ok(RotationPart {
        old: old.id.clone(),
        rerolled: Moment::at(since, now),
        old_ends: Moment::maybe(old.expires, now),
        is_over: old.rotation.is_over(old.expires, now),
        old_used: Moment::maybe(old.last_used_at.filter(|last| *last >= since), now),
        old_uses: count(&uses.old),
        new_uses: count(&uses.new),
        callers: callers
            .map(|caller| (caller.tags.join(", "), caller.count))
            .collect(),
        plot: plot(&uses.buckets, since - since.rem_euclid(step), now, step).map(|it| it.svg()),
        new,
    })
}

/// Plots the uses of both keys by spans of time of `step` ms.
fn plot(buckets: &[Bucket], from: i64, to: i64, step: i64) -> Option<Plot> {
    if buckets.is_empty() {
        return None;
    }
    let count_at = |time: i64| buckets.iter().find(|bucket| bucket.time == time);
    let mut old = Vec::new();
    let mut new = Vec::new();
    let mut time = from;
    while time <= to {
        let bucket = count_at(time).copied().unwrap_or_default();
        old.push((time, bucket.old));
        new.push((time, bucket.new));
        time += step;
    }
    let to = to.max(from + step);
    let unit = if step == HOUR { "hour" } else { "day" };
    Some(Plot {
        told: format!("Verifications of the old and the new key by the {unit}"),
        series: vec![
            Series {
                name: "the old key",
                class: "old",
                points: old,
            },
            Series {
                name: "the new key",
                class: "new",
                points: new,
            },
        ],
        floor: None,
        from,
        to,
        ends: ends(from, to),
    })
}

/// Reads for how long an old key goes on, and words it.
///
/// # Errors
/// When it is none of the choices.
pub(super) fn grace_of(choice: &str) -> Result<Grace, Wrong> {
    match choice {
        "keep" => Ok(Grace::Keep),
        "0" => Ok(Grace::For(0)),
        "1h" => Ok(Grace::For(HOUR)),
        "24h" => Ok(Grace::For(DAY)),
        "7d" => Ok(Grace::For(7 * DAY)),
        _ => Err(Wrong::Bad(
            "Choose how long the old key goes on.".to_owned(),
        )),
    }
}

/// Says what becomes of an old key.
pub(super) fn fate_of(old_expires: Option<i64>, now: i64) -> String {
    match old_expires {
        None => "The old key goes on until somebody cuts it.".to_owned(),
        Some(end) if end <= now => "The old key opens nothing any more.".to_owned(),
        Some(end) => {
            let end = Moment::at(end, now);
            format!("The old key goes on until {} ({}).", end.person, end.ago)
        }
    }
}

/// Rerolls a key, cuts the old one now, takes a reroll back, or switches a key off or on.
pub(super) async fn change(
    visit: &Visit,
    organization: &str,
    id: &str,
    what: &str,
) -> Result<Response, Wrong> {
    let membership = visit.membership(organization)?;
    if !may_change(membership.role) {
        return Err(Wrong::Forbidden);
    }
    let workspace = &membership.workspace;
    let store = visit.service().store();
    let by = audited(visit, workspace)?;
    match what {
        "reroll" => return reroll(visit, organization, workspace, id).await,
        "finish" => {
            store.finish_rotation(id, by).await?;
        }
        "cancel" => {
            store.cancel_rotation(id, by).await?;
        }
        _ => return Err(Wrong::NotFound),
    }
    Ok(see_other(&format!(
        "/key/{}/{id}",
        super::form::encoded(organization)
    )))
}

async fn reroll(
    visit: &Visit,
    organization: &str,
    workspace: &str,
    id: &str,
) -> Result<Response, Wrong> {
    let grace = grace_of(visit.form.exactly("grace"))?;
    let service = visit.service();
    let now = service.now();
    let successor = new_id(IdKind::Key, now, service.entropy());
    let request = service.reroll(id, grace, &successor);
    let done = service
        .rerolled(request, audited(visit, workspace)?)
        .await?;
    page(&ShownOnce {
        frame: Frame::of(visit, "A new key").within("keys"),
        secret: done.secret.expose_secret(),
        what: format!("Key {successor} takes the place of {id}"),
        old: Some(fate_of(done.old_expires, now)),
        next: format!("/key/{}/{id}", super::form::encoded(organization)),
    })
}
