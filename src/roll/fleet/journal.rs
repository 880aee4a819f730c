//! The journal of a fleet: which racks are in it, and which roll each of them got.
//!
//! A rack's line is on the disk before its roll changes anything, so that a fleet that was killed
//! knows which rolls to take up. What a roll does is in the roll's own journal.

use std::fs::File;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::FleetPlan;
use super::report::RackReport;
use crate::ids::RollId;
use crate::private;
use crate::roll::journal::{
    JOURNAL_VERSION, JournalError, append_line, ids_in, open_lines, read_journal,
};

/// The directory that holds the journals of this machine's user's fleets.
#[derive(Debug, Clone)]
pub struct FleetJournals {
    dir: PathBuf,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetLine {
    /// Version of the format.
    pub v: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub entry: FleetEntry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum FleetEntry {
    /// The fleet begins, with this plan.
    Opened(Box<FleetPlan>),
    /// A rack's roll is about to change something.
    Begun {
        /// The rack.
        rack: String,
        /// Its roll.
        roll: RollId,
    },
    /// A rack's roll has ended, or was left.
    Ended(Box<RackReport>),
    /// No more racks begin.
    Stopped {
        /// Why.
        why: String,
    },
    /// Somebody goes on with it.
    TakenUp,
}

impl FleetJournals {
    /// Uses `dir`, which is made when the first fleet begins.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn path(&self, fleet: &RollId) -> PathBuf {
        self.dir.join(format!("{fleet}.jsonl"))
    }

    /// Begins the journal of a new fleet.
    ///
    /// # Errors
    /// When it cannot be made, or is there already.
    pub fn begin(&self, fleet: &RollId) -> Result<FleetJournal, JournalError> {
        private::create_dir(&self.dir).map_err(JournalError::io("create", &self.dir))?;
        self.open(fleet, true)
    }

    /// Goes on with a journal.
    ///
    /// # Errors
    /// When it cannot be opened, or another process has it open.
    pub fn go_on(&self, fleet: &RollId) -> Result<FleetJournal, JournalError> {
        self.open(fleet, false)
    }

    fn open(&self, fleet: &RollId, is_new: bool) -> Result<FleetJournal, JournalError> {
        let path = self.path(fleet);
        let mut options = private::open_options();
        let file = open_lines(&path, fleet, options.create_new(is_new))?;
        Ok(FleetJournal { path, file })
    }

    /// Reads a journal; `None` when this machine has none for that fleet.
    ///
    /// # Errors
    /// When it cannot be read, or a line cannot be understood.
    pub fn read(&self, fleet: &RollId) -> Result<Option<Vec<FleetLine>>, JournalError> {
        read_journal(&self.path(fleet), |line: &FleetLine| line.v)
    }

    /// Lists the fleets that have a journal here, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn fleets(&self) -> Result<Vec<RollId>, JournalError> {
        ids_in(&self.dir)
    }
}

/// An open journal of a fleet, locked for this process.
#[derive(Debug)]
pub struct FleetJournal {
    path: PathBuf,
    file: File,
}

impl FleetJournal {
    /// Writes a line and waits until it is kept for good.
    ///
    /// # Errors
    /// When it is not: then nothing that the line announces may be done.
    pub fn record(&mut self, at: Timestamp, entry: FleetEntry) -> Result<(), JournalError> {
        let line = FleetLine {
            v: JOURNAL_VERSION,
            at,
            entry,
        };
        append_line(&self.file, &self.path, &line)
    }
}
