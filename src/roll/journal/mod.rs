//! The journal of a roll: one durable line before and one after every effect.
//!
//! A journal says what was meant and what is known to have happened; it never
//! holds a secret. An effect that started and has no outcome is observed again
//! in the account and never blindly repeated.

mod files;
mod lines;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use files::{Journal, Journals};
pub(super) use lines::{append_line, ids_in, open_lines, read_journal};

use super::event::Event;
use super::outcome::Report;
use super::plan::Plan;
use crate::ids::RollId;

/// The version that every line carries.
pub const JOURNAL_VERSION: u32 = 1;

/// One thing that a roll does to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Keep the current private key under its key pair's name.
    PreserveKey,
    /// Make the new key pair in EC2.
    CreateKeyPair,
    /// Keep its private half, or the new API key, in the key store.
    StoreKey,
    /// Hand the new API key to whoever keeps one, beside the one that works.
    StageKey,
    /// Get the groups ready: hooks that hold instances, protection from scale-in.
    GuardRack,
    /// Change the stack's parameter.
    UpdateStack,
    /// Have ECS move tasks away from instances.
    EmptyInstances,
    /// Let instances go that are held or protected.
    LetInstancesGo,
    /// Keep instances that were to go: protect them, and have ECS give them tasks again.
    KeepInstances,
    /// Put back the hooks and the protection that groups had.
    PutBackRack,
    /// Replace the rack API's processes.
    RestartService,
    /// Make the new key the default one.
    PromoteKey,
    /// Delete the old key pair in EC2.
    DeleteOldKeyPair,
    /// Forget the old private key.
    ForgetOldKey,
    /// Forget the copy of the new API key that was kept during the roll.
    ForgetStagedKey,
    /// Cancel the update.
    CancelUpdate,
    /// Go on with a rollback that failed, or start one that was disabled.
    ContinueRollback,
    /// Delete the new key pair in EC2, on the way back.
    DeleteNewKeyPair,
    /// Have whoever keeps the API key forget the new one, on the way back.
    UnstageKey,
    /// Forget the new private key, on the way back.
    ForgetNewKey,
    /// Start an instance refresh of a group.
    StartRefresh,
    /// Cancel an instance refresh of a group.
    CancelRefresh,
    /// Set the stack's parameter to the old key again.
    RevertStack,
    /// Say at the new key pair that a revocation is at work with it, or no more.
    MarkKeyPair,
    /// Let the new key in on instances.
    AdmitKey,
    /// Tag instances with the key that opens them.
    NameKey,
    /// Shut a leaked key out on instances.
    ExcludeKey,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Version of the format.
    pub v: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Entry {
    /// The roll begins, with this plan.
    Opened(Box<Plan>),
    /// An effect is about to be tried.
    Started(Effect),
    /// The effect has happened.
    Finished(Effect),
    /// The effect has not happened.
    Failed {
        /// The effect.
        effect: Effect,
        /// Why, in one line.
        message: String,
    },
    /// An effect is about to be tried on instances.
    Asked {
        /// The effect.
        effect: Effect,
        /// Their ids.
        instances: Vec<String>,
    },
    /// What came of an effect on instances. Those that no line names may have it or not.
    Answered {
        /// The effect.
        effect: Effect,
        /// Those where it has happened.
        done: Vec<String>,
        /// Those where it is not known to have happened, and why.
        failed: BTreeMap<String, String>,
    },
    /// Instances that were protected from scale-in before the roll: they stay so.
    Spared {
        /// Their ids.
        instances: Vec<String>,
    },
    /// A gate is shut, or a step has failed: the roll is taken back from here.
    Halted {
        /// Why, in one line.
        why: String,
    },
    /// The way back has begun; the roll does not go forward any more.
    TurnedBack,
    /// The roll came to an end, or was left.
    Closed(Box<Report>),
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line is damaged, or was written by a newer version.
    #[error("{}, line {line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// Whoever keeps the journals refused.
    #[error("cannot keep the journal: {0}")]
    Kept(String),
    /// Another process follows the same roll.
    #[error("another convox is at work on roll {0}")]
    Held(RollId),
}

impl JournalError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

/// Whoever keeps journals: a directory of this machine, or a database.
#[async_trait]
pub trait JournalKeeper: Send + Sync {
    /// Begins the journal of a new roll.
    ///
    /// # Errors
    /// When it cannot be made, or is there already.
    async fn begin(&self, roll: &RollId) -> Result<Box<dyn JournalWriter>, JournalError>;

    /// Goes on with a journal.
    ///
    /// # Errors
    /// When it cannot be opened, or somebody else has it open.
    async fn go_on(&self, roll: &RollId) -> Result<Box<dyn JournalWriter>, JournalError>;

    /// Reads a journal; `None` when there is none for that roll.
    ///
    /// # Errors
    /// When it cannot be read or a line cannot be understood.
    async fn lines(&self, roll: &RollId) -> Result<Option<Vec<Line>>, JournalError>;

    /// Lists the rolls that have a journal, oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    async fn all(&self) -> Result<Vec<RollId>, JournalError>;
}

/// An open journal that nobody else writes.
#[async_trait]
pub trait JournalWriter: Send {
    /// Writes a line and waits until it is kept for good.
    ///
    /// # Errors
    /// When it is not: then nothing that the line announces may be done.
    async fn record(&mut self, at: Timestamp, entry: Entry) -> Result<(), JournalError>;

    /// Keeps an event for the timeline. Losing one in a crash harms nothing.
    fn keep_event(&mut self, event: &Event);
}
