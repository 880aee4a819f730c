//! A rack: how it is, its instances, its rolls, and the buttons that roll its keys.

use askama::Template;
use axum::response::Response;

use super::Visit;
use super::answer::{Wrong, page, see_other};
use super::apis::audited;
use super::form::encoded;
use super::frame::Frame;
use super::racks::class_of;
use super::roll::RollLine;
use super::words::{Age, Moment};
use crate::console::schedule::{BadSchedule, Schedule};
use crate::console::schedules::Scheduled;
use crate::rack::{SystemDescription, SystemInstance};
use crate::store::{RackKeyKind, RackKind, RackRecord, Role};

/// How many rolls are listed.
const ROLLS: i64 = 20;

#[derive(Template)]
#[template(path = "rack.html")]
struct RackPage<'a> {
    frame: Frame<'a>,
    record: &'a RackRecord,
    status: &'a str,
    status_class: &'static str,
    described: Option<&'a SystemDescription>,
    trouble: Option<&'a str>,
    seen: Option<Moment>,
    instances: Vec<Cell>,
    no_instances: Option<&'a str>,
    key: Option<&'a str>,
    ssh: Age,
    api: Age,
    rolls: Vec<RollLine>,
    under_way: Option<String>,
    may_change: bool,
    /// Whether the rack rolls its SSH key by itself.
    is_far: bool,
    ssh_schedule: ScheduleLine,
    api_schedule: ScheduleLine,
}

/// When a key is rolled by itself.
struct ScheduleLine {
    /// As a sentence; empty if it is not.
    sentence: String,
    next: Option<Moment>,
}

impl ScheduleLine {
    fn of(scheduled: Option<Scheduled>, now: i64) -> Self {
        let next = scheduled.as_ref().and_then(|it| it.next);
        Self {
            sentence: scheduled.map_or_else(String::new, |it| it.schedule.to_string()),
            next: next.map(|at| Moment::at(at.as_millisecond(), now)),
        }
    }
}

/// An instance in a grid.
pub(super) struct Cell {
    pub(super) id: String,
    /// A class of the style.
    pub(super) class: &'static str,
    /// What is said of it.
    pub(super) told: String,
    started: i64,
}

impl Cell {
    /// Shows an instance, as one of those with the `old` or the `new` key.
    pub(super) fn of(instance: &SystemInstance, old: Option<&str>, new: Option<&str>) -> Self {
        let key = instance.key_name.as_deref();
        let (class, whose) = match key {
            Some(_) if key == new => ("new", "the new key"),
            Some(_) if key == old => ("old", "the old key"),
            Some(_) => ("other", "another key"),
            None => ("other", "a key that is not told"),
        };
        let name = key.unwrap_or("unknown");
        let state = match instance.status.as_str() {
            "" => String::new(),
            status => format!(", {status}"),
        };
        Self {
            id: instance.id.clone(),
            class,
            told: format!("{} has {whose} ({name}){state}", instance.id),
            started: instance.started.map_or(0, jiff::Timestamp::as_millisecond),
        }
    }

    /// Puts cells in order: the one that was started first first.
    pub(super) fn order(cells: &mut [Self]) {
        cells.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
    }
}

/// Finds a rack that whoever is signed in may see, and their role there.
///
/// # Errors
/// When there is none such.
pub(super) async fn find(
    visit: &Visit,
    organization: &str,
    name: &str,
) -> Result<(RackRecord, Role), Wrong> {
    let membership = visit.membership(organization)?;
    let store = visit.service().store();
    let record = store.rack_called(&membership.workspace, name).await?;
    Ok((record, membership.role))
}

/// Tells whether a role may change what it sees.
pub(super) fn may_change(role: Role) -> bool {
    matches!(role, Role::Operator | Role::Admin)
}

/// Shows it.
pub(super) async fn show(visit: &Visit, organization: &str, name: &str) -> Result<Response, Wrong> {
    let (record, role) = find(visit, organization, name).await?;
    let store = visit.service().store();
    let rolls = store.rolls(&record.id, ROLLS).await?;
    let of_racks = store.rolls_of_racks(&record.workspace).await?;
    let of_rack = of_racks.into_iter().find(|it| it.rack == record.id);
    let of_rack = of_rack.unwrap_or_default();
    let (service, pages) = (visit.service(), &visit.pages);
    let (sight, listed) = tokio::join!(
        pages.descriptions.of(service, &record, i64::MIN),
        pages.instances.of(service, &record, i64::MIN),
    );
    let sight = sight.as_deref();
    let now = service.now();
    let described = sight.and_then(|sight| sight.what.told.as_ref().ok());
    let trouble = sight.and_then(|sight| sight.what.told.as_ref().err());
    let key = described.and_then(|it| it.parameters.get("Key"));
    let key = key.map(String::as_str).filter(|key| !key.is_empty());
    let listed = listed.as_deref().map(|sight| sight.what.as_ref());
    let mut instances: Vec<Cell> = match listed {
        Some(Ok(listed)) => listed.iter().map(|it| Cell::of(it, None, key)).collect(),
        _ => Vec::new(),
    };
    Cell::order(&mut instances);
    let status = match (sight, described) {
        (None, _) => "not seen yet",
        (Some(_), None) => "unreachable",
        (_, Some(described)) => described.status.as_str(),
    };
    let ssh_schedule = service.schedule_of(&record, RackKeyKind::Ssh).await?;
    let api_schedule = service.schedule_of(&record, RackKeyKind::Api).await?;
    let is_live = of_rack.under_way.is_some() || sight.is_none() || listed.is_none();
    let title = record.full_name();
    page(&RackPage {
        frame: Frame::of(visit, title).within("racks").live(is_live, 5),
        status,
        status_class: class_of(status),
        described,
        trouble: trouble.map(String::as_str),
        seen: Moment::maybe(sight.map(|sight| sight.at), now),
        instances,
        no_instances: match listed {
            Some(Err(told)) => Some(told),
            _ => None,
        },
        key,
        ssh: Age::of(
            sight.and_then(|it| it.what.key_made).or(of_rack.ssh_rolled),
            now,
        ),
        api: Age::of(of_rack.api_rolled, now),
        rolls: rolls.iter().map(|roll| RollLine::of(roll, now)).collect(),
        under_way: of_rack.under_way,
        may_change: may_change(role),
        is_far: record.kind == RackKind::Api,
        ssh_schedule: ScheduleLine::of(ssh_schedule, now),
        api_schedule: ScheduleLine::of(api_schedule, now),
        record: &record,
    })
}

/// Has a key be rolled by itself as a sentence says, or not any more if it is empty.
pub(super) async fn set_schedule(
    visit: &Visit,
    organization: &str,
    name: &str,
    kind: &str,
) -> Result<Response, Wrong> {
    let (record, role) = find(visit, organization, name).await?;
    if !may_change(role) {
        return Err(Wrong::Forbidden);
    }
    let key: RackKeyKind = kind.parse().map_err(|_| Wrong::NotFound)?;
    let sentence = visit.form.get("sentence");
    let schedule: Option<Schedule> = sentence
        .map(str::parse)
        .transpose()
        .map_err(|error: BadSchedule| Wrong::Bad(format!("{error}; {}", error.hint())))?;
    let by = audited(visit, &record.workspace)?;
    let service = visit.service();
    service
        .set_schedule(&record, key, schedule.as_ref(), by)
        .await?;
    let address = format!("/rack/{}/{}", encoded(organization), encoded(name));
    Ok(see_other(&address))
}
