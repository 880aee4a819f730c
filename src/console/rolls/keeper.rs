//! The journal of a roll in the console's database.
//!
//! Whoever finds that the roll is somebody else's by now writes nothing and does nothing any more,
//! as after a crash: the other one goes on where the journal ends.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::console::service::Service;
use crate::ids::RollId;
use crate::roll::{
    Entry, Event, JOURNAL_VERSION, JournalError, JournalKeeper, JournalWriter, Line,
};

/// How many events are written together at most.
const EVENTS_AT_ONCE: usize = 100;
/// How often a line that could not be written is tried again, for as long as there is the lease.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Keeps the journals of a rack's rolls for one term of work on one of them.
pub(super) struct Keeper {
    service: Service,
    rack: String,
    term: i64,
}

impl Keeper {
    pub(super) fn new(service: &Service, rack: &str, term: i64) -> Self {
        Self {
            service: service.clone(),
            rack: rack.to_owned(),
            term,
        }
    }

    fn open(&self, roll: &RollId) -> Box<dyn JournalWriter> {
        let (service, roll, term) = (self.service.clone(), roll.to_string(), self.term);
        let (events, waiting) = mpsc::unbounded_channel();
        tokio::spawn(write_events(service.clone(), roll.clone(), term, waiting));
        Box::new(Writer {
            service,
            roll,
            term,
            events,
        })
    }
}

#[async_trait]
impl JournalKeeper for Keeper {
    async fn begin(&self, roll: &RollId) -> Result<Box<dyn JournalWriter>, JournalError> {
        Ok(self.open(roll))
    }

    async fn go_on(&self, roll: &RollId) -> Result<Box<dyn JournalWriter>, JournalError> {
        Ok(self.open(roll))
    }

    async fn lines(&self, roll: &RollId) -> Result<Option<Vec<Line>>, JournalError> {
        let texts = self.service.store().roll_lines(roll.as_str()).await;
        let texts = texts.map_err(|error| JournalError::Kept(error.to_string()))?;
        if texts.is_empty() {
            return Ok(None);
        }
        let lines: Result<Vec<Line>, _> = texts.iter().map(|it| serde_json::from_str(it)).collect();
        let lines = lines.map_err(|error| JournalError::Kept(error.to_string()))?;
        if lines.iter().any(|line| line.v > JOURNAL_VERSION) {
            let told = "it was written by a newer version of convox";
            return Err(JournalError::Kept(told.to_owned()));
        }
        Ok(Some(lines))
    }

    async fn all(&self) -> Result<Vec<RollId>, JournalError> {
        let rolls = self.service.store().rolls(&self.rack, i64::MAX).await;
        let rolls = rolls.map_err(|error| JournalError::Kept(error.to_string()))?;
        let ids = rolls.iter().rev().map(|roll| roll.id.parse());
        Ok(ids.filter_map(Result::ok).collect())
    }
}

struct Writer {
    service: Service,
    roll: String,
    term: i64,
    events: mpsc::UnboundedSender<String>,
}

#[async_trait]
impl JournalWriter for Writer {
    async fn record(&mut self, at: Timestamp, entry: Entry) -> Result<(), JournalError> {
        let line = Line {
            v: JOURNAL_VERSION,
            at,
            entry,
        };
        let line = serde_json::to_string(&line);
        let line = line.map_err(|error| JournalError::Kept(error.to_string()))?;
        loop {
            let written = self.service.store();
            match written
                .write_roll_line(&self.roll, self.term, line.clone())
                .await
            {
                Ok(true) => return Ok(()),
                // Whoever holds the lease drops this.
                Ok(false) => std::future::pending().await,
                // The same line twice says no more than once.
                Err(_) => self.service.clock().sleep(AGAIN).await,
            }
        }
    }

    fn keep_event(&mut self, event: &Event) {
        if let Ok(text) = serde_json::to_string(event) {
            // Whoever writes them is there as long as this is.
            let _ = self.events.send(text);
        }
    }
}

/// Writes events until there are no more; those that cannot be written are lost.
async fn write_events(
    service: Service,
    roll: String,
    term: i64,
    mut waiting: mpsc::UnboundedReceiver<String>,
) {
    let mut some = Vec::new();
    while waiting.recv_many(&mut some, EVENTS_AT_ONCE).await > 0 {
        let events = std::mem::take(&mut some);
        let _ = service.store().write_roll_events(&roll, term, events).await;
    }
}
