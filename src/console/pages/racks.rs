//! The first page: all racks that somebody may see, and how old their keys are.

use std::collections::HashMap;

use askama::Template;
use axum::response::Response;
use jiff::Timestamp;

use super::Visit;
use super::answer::{Wrong, page};
use super::frame::Frame;
use super::words::{Age, Moment, counted};
use crate::console::schedules::schedules_of;
use crate::store::{RackRecord, RackRolls};

#[derive(Template)]
#[template(path = "racks.html")]
struct RacksPage<'a> {
    frame: Frame<'a>,
    racks: Vec<RackLine>,
    told: String,
}

struct RackLine {
    organization: String,
    name: String,
    kind: &'static str,
    status: String,
    status_class: &'static str,
    version: String,
    ssh: Age,
    api: Age,
    roll: Option<String>,
    /// When a key is rolled by itself next.
    next: Option<Moment>,
}

/// Returns the class of the style for how a rack is.
pub(super) fn class_of(status: &str) -> &'static str {
    match status {
        "running" | "converging" => "good",
        "updating" => "going",
        "rollback" | "failed" => "bad",
        _ => "unknown",
    }
}

/// Shows it.
pub(super) async fn show(visit: &Visit) -> Result<Response, Wrong> {
    let visitor = visit.visitor()?;
    let store = visit.service().store();
    let mut records: Vec<RackRecord> = Vec::new();
    let mut rolls: HashMap<String, RackRolls> = HashMap::new();
    for membership in &visitor.caller.memberships {
        records.extend(store.racks(&membership.workspace).await?);
        let of_racks = store.rolls_of_racks(&membership.workspace).await?;
        rolls.extend(of_racks.into_iter().map(|it| (it.rack.clone(), it)));
    }
    let mut next: HashMap<String, Timestamp> = HashMap::new();
    for membership in &visitor.caller.memberships {
        let now = visit.service().clock().now();
        for scheduled in schedules_of(store, &membership.workspace, now).await? {
            if let Some(at) = scheduled.next {
                let soonest = next.entry(scheduled.rack).or_insert(at);
                *soonest = at.min(*soonest);
            }
        }
    }
    let sights = visit
        .pages
        .descriptions
        .all(visit.service(), &records)
        .await;
    let now = visit.service().now();
    let mut racks = Vec::new();
    for (record, sight) in records.into_iter().zip(sights) {
        let rolls = rolls.remove(&record.id).unwrap_or_default();
        let sight = sight.as_deref().map(|sight| &sight.what);
        let described = sight.and_then(|sight| sight.told.as_ref().ok());
        let status = match (sight, described) {
            (None, _) => "not seen yet",
            (Some(_), None) => "unreachable",
            (_, Some(described)) => described.status.as_str(),
        };
        racks.push(RackLine {
            kind: record.kind.as_str(),
            status: status.to_owned(),
            status_class: class_of(status),
            version: described.map_or_else(String::new, |it| it.version.clone()),
            ssh: Age::of(sight.and_then(|it| it.key_made).or(rolls.ssh_rolled), now),
            api: Age::of(rolls.api_rolled, now),
            roll: rolls.under_way,
            next: next
                .get(&record.id)
                .map(|at| Moment::at(at.as_millisecond(), now)),
            organization: record.organization,
            name: record.name,
        });
    }
    let rolling = racks.iter().filter(|rack| rack.roll.is_some()).count();
    let told = match rolling {
        0 => counted_racks(racks.len()),
        _ => format!(
            "{}, {rolling} with a roll under way",
            counted_racks(racks.len())
        ),
    };
    page(&RacksPage {
        frame: Frame::of(visit, "Racks").within("racks").live(true, 30),
        racks,
        told,
    })
}

fn counted_racks(racks: usize) -> String {
    counted(i64::try_from(racks).unwrap_or(i64::MAX), "rack")
}
