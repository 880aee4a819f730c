//! Rolls that begin by themselves when it is time.
//!
//! Every server looks at every schedule in turn, and holds it meanwhile. Whoever finds that it is
//! time holds it for longer and begins the roll; the roll's row and the word that the schedule was
//! tried are one transaction. A server that is killed before leaves it to the next one.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::background::joined;
use super::rolls::{NotBegun, begin_by_itself, later};
use super::schedules::{Scheduled, freezes_of};
use super::service::Service;
use crate::rack::PortError;
use crate::store::{
    Actor, Audited, Cause, HeldSchedule, Notice, NoticeEvent, RackKeyKind, RackRecord, ScheduleRow,
    StoreError, Thing,
};

/// How often each schedule is looked at.
const LOOKING: Duration = Duration::from_mins(1);
/// How long before a roll it is told that it is going to begin.
const PLANNED: Duration = Duration::from_hours(24);
/// After how long a key that is due is overdue: every window of the week has passed.
const LATE: Duration = Duration::from_hours(8 * 24);
/// For how long whoever begins a roll need not be heard of: planning one takes a while.
const BEGINNING: Duration = Duration::from_mins(10);

impl Service {
    /// Begins the rolls for which it is time; a task does so every few seconds.
    ///
    /// # Errors
    /// As the database's. What has not begun then is looked at again soon.
    pub async fn begin_due_rolls(&self) -> Result<(), StoreError> {
        let mut looking = JoinSet::new();
        loop {
            let now = self.now();
            let until = later(now, LOOKING);
            let Some(row) = self.store().hold_schedule(now, until).await? else {
                break;
            };
            let (service, id) = (self.clone(), row.id.clone());
            let held = HeldSchedule { id, until };
            looking.spawn(async move { look(&service, row, held).await });
        }
        joined(looking).await
    }
}

/// Begins the roll of a schedule if it is time.
async fn look(service: &Service, row: ScheduleRow, held: HeldSchedule) -> Result<(), StoreError> {
    let rack = match service.store().rack(&row.rack).await {
        Ok(rack) => rack,
        Err(StoreError::NotFound(Thing::Rack)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let now = service.clock().now();
    let (scheduled, is_due) = is_due(service, &rack, row).await?;
    if !is_due {
        return tell_ahead(service, &rack, &scheduled, now).await;
    }
    let until = later(service.now(), BEGINNING);
    let Some(held) = service.store().hold_on(&held, until).await? else {
        return Ok(());
    };
    let name = rack.full_name();
    let cause = Cause::Schedule(held.clone());
    match begin_by_itself(service, &rack, scheduled.key, cause, None).await {
        Ok(_) | Err(NotBegun::Stopped) => Ok(()),
        Err(error) if error.is_of_a_moment() => {
            let soon = later(service.now(), LOOKING);
            service.store().hold_on(&held, soon).await.map(drop)
        }
        Err(NotBegun::Store(error)) => Err(error),
        Err(error) => {
            let (why, key) = (error.to_string(), scheduled.key);
            service.log(&format!(
                "the {key} key of {name} is due, and is not rolled: {why}"
            ));
            let (now, entropy) = (service.now(), service.entropy());
            let by = Audited::new(&rack.workspace, Actor::System, now, entropy);
            let failed = service
                .store()
                .schedule_failed(&held, &rack, key.as_str(), &why, by);
            failed.await.map(drop)
        }
    }
}

/// Tells once that a key is going to be rolled within a day, and once that a roll is overdue.
async fn tell_ahead(
    service: &Service,
    rack: &RackRecord,
    scheduled: &Scheduled,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (id, key, name) = (&scheduled.id, scheduled.key, &rack.name);
    let soon = now.saturating_add(PLANNED).unwrap_or(Timestamp::MAX);
    let next = scheduled
        .next
        .map_or_else(|| "never".to_owned(), |next| format!("{next:.0}"));
    let tell = async |event: NoticeEvent, what: String, message: String| {
        let notice = Notice::of_rack(event, message, name, key.as_str())
            .with("schedule", Some(id))
            .with("next", Some(&next));
        let (at, entropy) = (now.as_millisecond(), service.entropy());
        let by = Audited::new(&rack.workspace, Actor::System, at, entropy);
        service.store().tell_once(&what, notice, by).await.map(drop)
    };
    if scheduled.next.is_some_and(|next| next <= soon) {
        let told = format!("The {key} key of {name} is going to be rolled at {next}");
        tell(NoticeEvent::Planned, format!("planned:{id}:{next}"), told).await?;
    }
    let since = scheduled.past.since;
    let late = LATE + Duration::from_hours(24) * u32::from(scheduled.schedule.every);
    if since.saturating_add(late).is_ok_and(|late| late <= now) {
        let told = format!("The {key} key of {name} is of {since:.0}, and its roll is overdue");
        let what = format!("overdue:{id}:{}", since.as_millisecond());
        tell(NoticeEvent::Expiring, what, told).await?;
    }
    Ok(())
}

/// Returns the schedule, and whether it is time for it. How old the key is the rack itself has the
/// last word on, where it tells: somebody may have rolled it elsewhere.
async fn is_due(
    service: &Service,
    rack: &RackRecord,
    mut row: ScheduleRow,
) -> Result<(Scheduled, bool), StoreError> {
    let now = service.clock().now();
    let freezes = freezes_of(service.store(), &rack.workspace, now).await?;
    let is_unknown = row.rolled_at.is_none() && row.key_since.is_none();
    let is_now = |scheduled: &Scheduled| scheduled.next.is_some_and(|next| next <= now);
    let scheduled = Scheduled::of(row.clone(), &freezes, now)?;
    let seems_due = is_now(&scheduled);
    if scheduled.key != RackKeyKind::Ssh || !(seems_due || is_unknown) {
        return Ok((scheduled, seems_due));
    }
    let made = match key_made_at(service, rack).await {
        Ok(made) => made.map(Timestamp::as_millisecond),
        // The roll itself will say what is wrong.
        Err(_) => return Ok((scheduled, seems_due)),
    };
    let made = made.unwrap_or(row.known_since);
    if row.key_since.is_none_or(|since| since < made) {
        service.store().learn_age(&row.id, made).await?;
        row.key_since = Some(made);
    }
    let scheduled = Scheduled::of(row, &freezes, now)?;
    let is_due = is_now(&scheduled);
    Ok((scheduled, is_due))
}

/// Asks a rack when its key pair was made, where that is known.
async fn key_made_at(service: &Service, rack: &RackRecord) -> Result<Option<Timestamp>, PortError> {
    let rack = service.find_rack(rack).await?.rack;
    let stack = rack.stacks.describe(&rack.stack).await?;
    let Some(name) = stack.parameter(&rack.key_parameter) else {
        return Ok(None);
    };
    let pair = rack.key_pairs.find(name).await?;
    Ok(pair.and_then(|pair| pair.created_at))
}
