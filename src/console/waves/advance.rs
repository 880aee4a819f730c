//! What is done next of a wave.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::console::background::joined;
use crate::console::rolls::{NotBegun, begin_by_itself, later};
use crate::console::schedule::{Schedule, next_opening};
use crate::console::schedules::freezes_of;
use crate::console::service::Service;
use crate::roll::{Lineup, Next, Place, Turn};
use crate::store::{Actor, Audited, Cause, StoreError, Thing, WaveRack, WaveRackState, WaveRow};

/// How often each wave is seen to.
const SEEING: Duration = Duration::from_secs(2);
/// For how long whoever begins a roll need not be heard of: planning one takes a while.
const BEGINNING: Duration = Duration::from_mins(10);

impl Service {
    /// Does what is next of every wave; a task does so every few seconds.
    ///
    /// # Errors
    /// As the database's. What was not done then is done soon.
    pub async fn advance_waves(&self) -> Result<(), StoreError> {
        let mut seeing = JoinSet::new();
        loop {
            let now = self.now();
            let held = self.store().hold_wave(now, later(now, SEEING)).await?;
            let Some(wave) = held else {
                break;
            };
            let service = self.clone();
            seeing.spawn(async move { advance(&service, &wave).await });
        }
        joined(seeing).await
    }
}

async fn advance(service: &Service, wave: &WaveRow) -> Result<(), StoreError> {
    let store = service.store();
    let (wave, racks) = store.wave(&wave.workspace, &wave.id).await?;
    let failed = racks.iter().find_map(failure);
    if let (None, Some(why)) = (&wave.stopped, &failed) {
        return stop(service, &wave, why).await;
    }
    let is = |state: &WaveRackState| racks.iter().filter(|it| it.state == *state).count();
    let left = racks
        .iter()
        .filter(|it| matches!(it.state, WaveRackState::Left(_)));
    let rolling = is(&WaveRackState::Rolling) + left.count();
    if wave.stopped.is_some() || is(&WaveRackState::Waiting) == 0 {
        return match rolling {
            0 => store.end_wave(&wave.id, audited(service, &wave)).await,
            _ => Ok(()),
        };
    }
    if !is_open(service, &wave).await? {
        return Ok(());
    }
    let lineup = Lineup {
        at_once: usize::try_from(wave.concurrency).unwrap_or(1),
        stop_after: 1,
    };
    let places: Vec<_> = racks.iter().map(place).collect();
    let Next::Begin(next) = lineup.next(&places) else {
        return Ok(());
    };
    let until = later(service.now(), BEGINNING);
    store.leave_wave(&wave.id, until).await?;
    for at in next {
        if !begin(service, &wave, &racks[at]).await? {
            break;
        }
    }
    store
        .leave_wave(&wave.id, later(service.now(), SEEING))
        .await
}

/// Says how a rack of a wave stands. One that was left still takes the room of one.
fn place(rack: &WaveRack) -> Place {
    Place {
        wave: u32::from(!rack.is_canary),
        is_canary: rack.is_canary,
        turn: match rack.state {
            WaveRackState::Waiting => Turn::Waiting,
            WaveRackState::Rolling | WaveRackState::Left(_) => Turn::Rolling,
            WaveRackState::Done => Turn::Done,
            WaveRackState::Failed(_) => Turn::Failed,
        },
    }
}

/// Begins the roll of a rack; tells whether the next one may begin too.
async fn begin(service: &Service, wave: &WaveRow, member: &WaveRack) -> Result<bool, StoreError> {
    let store = service.store();
    let refuse = async |why: String| {
        let by = audited(service, wave);
        store.wave_refused(wave, member, &why, by).await?;
        Ok(false)
    };
    let rack = match store.rack(&member.rack).await {
        Ok(rack) => rack,
        Err(StoreError::NotFound(Thing::Rack)) => {
            return refuse("the rack was forgotten".to_owned()).await;
        }
        Err(error) => return Err(error),
    };
    let key = wave
        .key_kind
        .parse()
        .map_err(|_| StoreError::Shape("a kind of key"))?;
    let cause = Cause::Wave {
        wave: wave.id.clone(),
        number: member.number,
    };
    match begin_by_itself(service, &rack, key, cause, wave.person.clone()).await {
        Ok(_) => Ok(true),
        // Its turn comes when the other roll, or whatever the stack is busy with, has ended.
        Err(NotBegun::Stopped) => Ok(true),
        Err(error) if error.is_of_a_moment() => Ok(true),
        Err(NotBegun::Store(error)) => Err(error),
        Err(error) => refuse(error.to_string()).await,
    }
}

fn failure(rack: &WaveRack) -> Option<String> {
    match &rack.state {
        WaveRackState::Failed(why) | WaveRackState::Left(why) => {
            Some(format!("{}: {why}", rack.name))
        }
        _ => None,
    }
}

async fn stop(service: &Service, wave: &WaveRow, why: &str) -> Result<(), StoreError> {
    let stopped = service.store();
    match stopped
        .stop_wave(&wave.id, why, audited(service, wave))
        .await
    {
        // Somebody else has.
        Err(StoreError::NotFound(_)) => Ok(()),
        stopped => stopped,
    }
}

/// Tells whether rolls of a wave may begin just now.
async fn is_open(service: &Service, wave: &WaveRow) -> Result<bool, StoreError> {
    let Some(sentence) = &wave.sentence else {
        return Ok(true);
    };
    let schedule: Schedule = sentence
        .parse()
        .map_err(|_| StoreError::Shape("a schedule that cannot be read here"))?;
    let now = service.clock().now();
    let freezes = freezes_of(service.store(), &wave.workspace, now).await?;
    Ok(next_opening(&schedule, now, &freezes).is_some_and(|opens| opens <= now))
}

fn audited(service: &Service, wave: &WaveRow) -> Audited {
    let (now, entropy) = (service.now(), service.entropy());
    Audited::new(&wave.workspace, Actor::System, now, entropy)
}
