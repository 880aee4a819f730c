//! A roll: live while it goes on, and as it was afterwards.

use askama::Template;
use axum::response::Response;

use super::Visit;
use super::answer::{Wrong, page, see_other};
use super::frame::Frame;
use super::rack::{Cell, may_change};
use super::story::{Far, Story};
use super::words::{Moment, counted, span};
use crate::console::broker::without_engine_hints;
use crate::console::rolls;
use crate::rack::PortError;
use crate::roll::{Event, Outcome, Plan, Progress, Report, Step};
use crate::store::{Audited, RackRecord, Role, RollRow};

/// How many lines of what happened are shown.
const LINES: usize = 200;

/// A roll in a list.
pub(super) struct RollLine {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) began: Moment,
    pub(super) state: &'static str,
    pub(super) class: &'static str,
}

impl RollLine {
    /// Words a roll as it is seen at `now`.
    pub(super) fn of(roll: &RollRow, now: i64) -> Self {
        let (state, class) = state_of(roll, false);
        Self {
            id: roll.id.clone(),
            kind: kind_of(roll),
            began: Moment::at(roll.created_at, now),
            state,
            class,
        }
    }
}

fn kind_of(roll: &RollRow) -> &'static str {
    match roll.key_kind.as_str() {
        "api" => "API key",
        _ => "SSH key",
    }
}

fn report_of(roll: &RollRow) -> Option<Report> {
    serde_json::from_str(roll.report.as_deref()?).ok()
}

/// Words how a roll stands, with a class of the style.
fn state_of(roll: &RollRow, goes_back: bool) -> (&'static str, &'static str) {
    match report_of(roll).map(|report| report.outcome) {
        Some(Outcome::Done) => ("done", "good"),
        Some(Outcome::RolledBack) => ("rolled back", "bad"),
        Some(Outcome::NothingChanged) => ("nothing changed", "bad"),
        Some(Outcome::Busy) => ("the stack was busy", "bad"),
        Some(Outcome::Unproven) => ("not proven", "bad"),
        Some(Outcome::Stuck) => ("stuck", "bad"),
        Some(Outcome::Detached) => ("left", "bad"),
        None if roll.ended_at.is_some() => ("given up", "bad"),
        None if goes_back => ("going back", "bad"),
        None => ("under way", "going"),
    }
}

#[derive(Template)]
#[template(path = "roll.html")]
struct RollPage<'a> {
    frame: Frame<'a>,
    id: &'a str,
    record: &'a RackRecord,
    kind: &'static str,
    state: &'static str,
    class: &'static str,
    is_live: bool,
    is_under_way: bool,
    is_left: bool,
    may_cancel: bool,
    may_change: bool,
    began: Moment,
    took: Option<String>,
    old_key: Option<&'a str>,
    new_key: &'a str,
    bar: Option<Bar>,
    told: String,
    steps: Vec<StepLine<'a>>,
    cells: Vec<Cell>,
    plots: Vec<(String, String)>,
    story: &'a Story,
    report: Option<&'a Report>,
    lines: Vec<EventLine>,
    earlier: usize,
}

struct StepLine<'a> {
    name: &'static str,
    changes: &'a str,
    far: &'static str,
    class: &'static str,
    told: Option<&'a str>,
}

struct EventLine {
    at: Moment,
    time: String,
    told: String,
    class: &'static str,
}

struct Bar {
    value: u32,
    most: u32,
}

async fn find(visit: &Visit, id: &str) -> Result<(RollRow, RackRecord, Role), Wrong> {
    let visitor = visit.visitor()?;
    let store = visit.service().store();
    let roll = store.roll(id).await?;
    let record = store.rack(&roll.rack).await?;
    let mut memberships = visitor.caller.memberships.iter();
    // Whoever does not belong there is told no more than who asks for what is not there.
    let membership = memberships.find(|it| it.workspace == record.workspace);
    let membership = membership.ok_or(Wrong::NotFound)?;
    Ok((roll, record, membership.role))
}

/// Shows it.
pub(super) async fn show(visit: &Visit, id: &str) -> Result<Response, Wrong> {
    let (roll, record, role) = find(visit, id).await?;
    let store = visit.service().store();
    let plan: Plan = serde_json::from_str(&roll.plan).map_err(|_| Wrong::Stopped)?;
    let events = events_of(visit, &roll).await?;
    let story = Story::of(&plan, &events);
    let mut report = report_of(&roll).or_else(|| story.report.clone());
    report.iter_mut().for_each(hint_for_the_page);
    let is_under_way = roll.ended_at.is_none();
    let now = visit.service().now();
    let is_left = rolls::is_left(&roll, now);
    let last = store.rolls(&record.id, 1).await?.pop();
    let is_last = last.is_some_and(|last| last.id == roll.id);
    let (cells, seen_at) = match is_last && !plan.is_api() {
        true => cells(visit, &record, &plan, roll.ended_at.unwrap_or(i64::MIN)).await,
        false => (Vec::new(), None),
    };
    // The last look at the instances is one from after the end.
    let is_live = match (roll.ended_at, seen_at) {
        (Some(ended), Some(seen)) => seen < ended,
        (ended, _) => ended.is_none(),
    };
    let (state, class) = state_of(&roll, story.goes_back);
    let ended = events.last().map_or(0, |event| event.at.as_millisecond());
    let took = roll.ended_at.and_then(|_| {
        let first = events.first()?.at.as_millisecond();
        Some(span((ended - first).max(0)))
    });
    let earlier = story.lines.len().saturating_sub(LINES);
    let shown = story.lines.iter().skip(earlier).rev();
    let lines = shown.map(|line| {
        let at = Moment::at(line.at, now);
        EventLine {
            time: at.machine.get(11..19).unwrap_or_default().to_owned(),
            at,
            told: line.told.clone(),
            class: line.class,
        }
    });
    let may_change = may_change(role);
    page(&RollPage {
        frame: Frame::of(visit, format!("Roll of {}", record.full_name()))
            .within("racks")
            .live(is_live, 3),
        id: &roll.id,
        kind: kind_of(&roll),
        state,
        class,
        is_live,
        is_under_way,
        is_left,
        may_cancel: is_under_way && !is_left && may_cancel(&plan, &story),
        may_change,
        began: Moment::at(roll.created_at, now),
        took,
        old_key: plan.old_key.as_deref(),
        new_key: &plan.new_key,
        bar: bar(&story),
        told: told(&story, report.as_ref()),
        steps: plan
            .steps
            .iter()
            .map(|planned| {
                let (far, told) = story.step(planned.step);
                StepLine {
                    name: planned.step.as_str(),
                    changes: &planned.changes,
                    far: far.as_str(),
                    class: far.class(),
                    told,
                }
            })
            .collect(),
        cells,
        plots: story.plots(ended),
        story: &story,
        report: report.as_ref(),
        lines: lines.collect(),
        earlier,
        record: &record,
    })
}

async fn events_of(visit: &Visit, roll: &RollRow) -> Result<Vec<Event>, Wrong> {
    let events = visit.service().store().roll_events(&roll.id, 0).await?;
    let events = events.iter().map(|text| serde_json::from_str(text));
    Ok(events.filter_map(Result::ok).collect())
}

/// Puts what can be done on the pages in the place of what only the engine's own machine can do.
fn hint_for_the_page(report: &mut Report) {
    without_engine_hints(report);
    let hint = match report.outcome {
        Outcome::RolledBack => {
            "Mend what failed first, and roll again from the rack's page; the old key still works."
        }
        _ if !report.is_over() => "The console tries again by itself, or when it is told to go on.",
        _ => return,
    };
    report.hints.push(hint.to_owned());
}

/// Tells whether the update that is under way is the roll's own, and not on its way back: another's
/// is not ours to cancel.
fn may_cancel(plan: &Plan, story: &Story) -> bool {
    let (watching, _) = story.step(Step::Watch);
    watching == Far::UnderWay && !story.goes_back && !plan.is_far()
}

/// Returns the instances that were seen at or after `since`, if they can be, and when they were.
async fn cells(
    visit: &Visit,
    record: &RackRecord,
    plan: &Plan,
    since: i64,
) -> (Vec<Cell>, Option<i64>) {
    let seen = &visit.pages.instances;
    let Some(sight) = seen.of(visit.service(), record, since).await else {
        return (Vec::new(), None);
    };
    let (old, new) = (plan.old_key.as_deref(), Some(plan.new_key.as_str()));
    let seen = sight.what.iter().flatten();
    let mut cells: Vec<_> = seen.map(|it| Cell::of(it, old, new)).collect();
    Cell::order(&mut cells);
    (cells, Some(sight.at))
}

fn bar(story: &Story) -> Option<Bar> {
    if let Some(progress) = &story.progress {
        return (progress.total > 0).then_some(Bar {
            value: progress.replaced.min(progress.total),
            most: progress.total,
        });
    }
    let (desired, fresh, _) = story.restarting?;
    (desired > 0).then_some(Bar {
        value: fresh.min(desired),
        most: desired,
    })
}

/// Says in one line how far it is.
fn told(story: &Story, report: Option<&Report>) -> String {
    if let Some(report) = report {
        return report.message.clone();
    }
    if let Some((desired, fresh, stale)) = story.restarting {
        return format!("{fresh} of {desired} processes of the rack API are new, {stale} are old");
    }
    match &story.progress {
        Some(progress) => told_of(progress),
        None => "The roll has begun".to_owned(),
    }
}

fn told_of(progress: &Progress) -> String {
    let Progress {
        total, replaced, ..
    } = progress;
    let mut told = format!(
        "{replaced} of {} replaced",
        counted((*total).into(), "instance")
    );
    if let Some(batch) = progress.batch {
        told = format!("{told}, {batch} at a time");
    }
    if let Some(eta) = progress.eta_ms.and_then(|eta| i64::try_from(eta).ok()) {
        told = format!("{told}, about {} left", span(eta));
    }
    if progress.rolling_back {
        told = format!("Going back: {told}");
    }
    told
}

/// Cancels a roll, goes on with one that was left, or gives one up.
pub(super) async fn change(visit: &Visit, id: &str, what: &str) -> Result<Response, Wrong> {
    let (roll, record, role) = find(visit, id).await?;
    if !may_change(role) {
        return Err(Wrong::Forbidden);
    }
    let service = visit.service();
    let (actor, now) = (visit.visitor()?.caller.actor(), service.now());
    let by = Audited::new(&record.workspace, actor, now, service.entropy());
    let by = by.request(&visit.request);
    match what {
        "cancel" => {
            let told = format!("Cancel roll {} of {}", roll.id, record.full_name());
            let store = service.store();
            store
                .note("roll.cancel", &told, &[&record.id, &roll.id], by)
                .await?;
            cancel(visit, &roll, &record).await?;
        }
        "resume" => rolls::hasten(service, &roll.id, by).await?,
        "give-up" => service.store().give_up_roll(&roll.id, by).await?,
        _ => return Err(Wrong::NotFound),
    }
    Ok(see_other(&format!("/rolls/{}", roll.id)))
}

/// Has CloudFormation take the update back. Whoever is at work on the roll sees that, and lets the
/// new key go as after any other way back.
async fn cancel(visit: &Visit, roll: &RollRow, record: &RackRecord) -> Result<(), Wrong> {
    if roll.ended_at.is_some() {
        return Err(Wrong::Conflict("The roll is over.".to_owned()));
    }
    let plan: Plan = serde_json::from_str(&roll.plan).map_err(|_| Wrong::Stopped)?;
    let events = events_of(visit, roll).await?;
    if !may_cancel(&plan, &Story::of(&plan, &events)) {
        let told = "There is nothing to cancel: the roll's own update is not under way now.";
        return Err(Wrong::Conflict(told.to_owned()));
    }
    let found = visit.service().find_rack(record).await?;
    let stacks = &found.rack.stacks;
    let stack = stacks.describe(&plan.stack_id).await?;
    if stack.status.0 != "UPDATE_IN_PROGRESS" {
        let told = "There is nothing to cancel: the stack is not being updated now.";
        return Err(Wrong::Conflict(told.to_owned()));
    }
    let token = format!("{}-cancel", plan.roll);
    match stacks.cancel_update(&plan.stack_id, &token).await {
        Err(PortError::Busy { .. }) => {
            let told = "The update is past the point where it can be cancelled.";
            Err(Wrong::Conflict(told.to_owned()))
        }
        result => Ok(result?),
    }
}
