//! Waves that begin by themselves when it is time.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Wave, new_wave};
use crate::console::rolls::later;
use crate::console::schedule::{Freeze, Glob, Past, Schedule, next_roll};
use crate::console::schedules::freezes_of;
use crate::console::service::Service;
use crate::store::{
    Actor, Audited, HeldSchedule, RackRecord, StoreError, WaveSchedule, WaveScheduleRow,
};

/// How often each schedule of a wave is looked at.
const LOOKING: Duration = Duration::from_mins(1);

impl Service {
    /// Begins the waves for which it is time; a task does so every few seconds.
    ///
    /// # Errors
    /// As the database's. What has not begun then is looked at again soon.
    pub async fn begin_due_waves(&self) -> Result<(), StoreError> {
        loop {
            let now = self.now();
            let until = later(now, LOOKING);
            let Some(row) = self.store().hold_wave_schedule(now, until).await? else {
                return Ok(());
            };
            let id = row.id.clone();
            look(self, &row, HeldSchedule { id, until }).await?;
        }
    }
}

/// Begins a wave over the racks whose keys are due, after the canary, if there are any.
async fn look(
    service: &Service,
    row: &WaveScheduleRow,
    held: HeldSchedule,
) -> Result<(), StoreError> {
    let store = service.store();
    let (wave, schedule) = read(&row.said)?;
    if store.has_wave_under_way(&row.id).await? {
        return Ok(());
    }
    let now = service.clock().now();
    let freezes = freezes_of(store, &row.workspace, now).await?;
    let racks = store.racks(&row.workspace).await?;
    let rolled = store
        .last_good_rolls(&row.workspace, wave.key.as_str())
        .await?;
    let tried = row.tried_at.map(instant);
    let is_due = |rack: &RackRecord| is_due(&schedule, rack, &rolled, tried, now, &freezes);
    let canary = wave.canary_of(&racks);
    let due: Vec<_> = wave.others(&racks).filter(|rack| is_due(rack)).collect();
    let is_canary_due = || matches!(canary, Ok(Some(rack)) if is_due(rack));
    if due.is_empty() && !is_canary_due() {
        return Ok(());
    }
    let by = Audited::new(
        &row.workspace,
        Actor::System,
        now.as_millisecond(),
        service.entropy(),
    );
    let canary = match canary {
        Ok(canary) => canary,
        Err(why) => {
            let (why, name) = (why.to_string(), &row.said.name);
            service.log(&format!("wave {name} is due, and does not begin: {why}"));
            return store.wave_schedule_failed(&held, name, &why, by).await;
        }
    };
    let due: Vec<_> = canary.into_iter().chain(due).collect();
    let new = new_wave(&wave, &due, None, Some((held, row.said.sentence.clone())));
    match store.begin_wave(new, by).await {
        // Somebody else looks at it, or a rack has just been forgotten.
        Ok(_) | Err(StoreError::Unfit(_) | StoreError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_due(
    schedule: &Schedule,
    rack: &RackRecord,
    rolled: &HashMap<String, i64>,
    tried: Option<Timestamp>,
    now: Timestamp,
    freezes: &[Freeze],
) -> bool {
    let since = rolled.get(&rack.id).copied().unwrap_or(rack.created_at);
    let past = Past {
        since: instant(since),
        tried,
    };
    next_roll(schedule, past, now, freezes).is_some_and(|next| next <= now)
}

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

fn read(said: &WaveSchedule) -> Result<(Wave, Schedule), StoreError> {
    let shape = StoreError::Shape("a schedule of a wave that cannot be read here");
    let (Ok(schedule), Ok(key)) = (said.sentence.parse(), said.key_kind.parse()) else {
        return Err(shape);
    };
    let wave = Wave {
        key,
        racks: said
            .racks
            .iter()
            .map(|pattern| Glob::new(pattern))
            .collect(),
        canary: said.canary.clone(),
        concurrency: u16::try_from(said.concurrency).map_err(|_| shape)?,
    };
    Ok((wave, schedule))
}
