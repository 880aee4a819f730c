//! The journal of a roll: one durable line before and one after every effect.
//!
//! A journal says what was meant and what is known to have happened; it never
//! holds a secret. An effect that started and has no outcome is observed again
//! in the account and never blindly repeated.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::event::{Event, EventKind};
use super::outcome::Report;
use super::plan::Plan;
use crate::ids::RollId;
use crate::private;

/// The version that every line carries.
const JOURNAL_VERSION: u32 = 1;

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
    /// Change the stack's parameter.
    UpdateStack,
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
    /// Another process follows the same roll.
    #[error("another convox is at work on roll {0}")]
    Held(RollId),
}

impl JournalError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

/// The directory that holds all journals of this machine's user.
#[derive(Debug, Clone)]
pub struct Journals {
    dir: PathBuf,
    tripwire: Option<Tripwire>,
    full_from: Option<usize>,
}

/// Where a rehearsal of a crash stops writing.
#[derive(Debug, Clone)]
struct Tripwire {
    line: usize,
    before: bool,
    tripped: Arc<Notify>,
}

impl Journals {
    /// Uses `dir`, which is made when the first roll begins.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            tripwire: None,
            full_from: None,
        }
    }

    /// Rehearses a crash: stops for good right after line `line` (or right before it is
    /// written), and notifies. Lines are counted from 1 over the whole file.
    #[must_use]
    pub fn crashing_at(mut self, line: usize, before: bool, tripped: Arc<Notify>) -> Self {
        self.tripwire = Some(Tripwire {
            line,
            before,
            tripped,
        });
        self
    }

    /// Rehearses a full disk: line `line` and all that follow cannot be written.
    #[must_use]
    pub fn full_from(mut self, line: usize) -> Self {
        self.full_from = Some(line);
        self
    }

    fn path(&self, roll: &RollId) -> PathBuf {
        self.dir.join(format!("{roll}.jsonl"))
    }

    fn events_path(&self, roll: &RollId) -> PathBuf {
        self.dir.join(format!("{roll}.events.jsonl"))
    }

    /// Begins a journal. Its directory is for its owner only.
    ///
    /// # Errors
    /// When the directory or the file cannot be made.
    pub fn create(&self, roll: &RollId) -> Result<Journal, JournalError> {
        private::create_dir(&self.dir).map_err(JournalError::io("create", &self.dir))?;
        self.open_file(roll, private::open_options().create_new(true), 0)
    }

    /// Goes on with a journal.
    ///
    /// # Errors
    /// When it cannot be opened, or another process has it open.
    pub fn reopen(&self, roll: &RollId) -> Result<Journal, JournalError> {
        private::create_dir(&self.dir).map_err(JournalError::io("create", &self.dir))?;
        let lines = self.read(roll)?.map_or(0, |lines| lines.len());
        self.open_file(roll, private::open_options().create(true), lines)
    }

    fn open_file(
        &self,
        roll: &RollId,
        options: &mut OpenOptions,
        lines: usize,
    ) -> Result<Journal, JournalError> {
        let path = self.path(roll);
        options.append(true).read(true);
        let file = options
            .open(&path)
            .map_err(JournalError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Held(roll.clone())),
            Err(TryLockError::Error(source)) => {
                return Err(JournalError::io("lock", &path)(source));
            }
        }
        cut_torn_line(&file).map_err(JournalError::io("mend", &path))?;
        let mut events = private::open_options();
        events.create(true).append(true);
        let events_path = self.events_path(roll);
        let events = events
            .open(&events_path)
            .map_err(JournalError::io("open", &events_path))?;
        Ok(Journal {
            path,
            file,
            events,
            lines,
            tripwire: self.tripwire.clone(),
            full_from: self.full_from,
        })
    }

    /// Reads a journal; `None` when this machine has none for that roll.
    ///
    /// A last line that was cut off by a crash is passed over.
    ///
    /// # Errors
    /// When the file cannot be read or a line cannot be understood.
    pub fn read(&self, roll: &RollId) -> Result<Option<Vec<Line>>, JournalError> {
        let path = self.path(roll);
        let lines: Option<Vec<Line>> = read_lines(&path)?;
        if let Some(index) = lines
            .as_ref()
            .and_then(|lines| lines.iter().position(|line| line.v > JOURNAL_VERSION))
        {
            let message = "written by a newer version of convox".to_owned();
            return Err(JournalError::Line {
                path,
                line: index + 1,
                message,
            });
        }
        Ok(lines)
    }

    /// Reads the events of a roll, of all runs that followed it; `None` when this machine has
    /// none. What several runs were told by the stack is told once.
    ///
    /// # Errors
    /// When the file cannot be read or a line cannot be understood.
    pub fn events(&self, roll: &RollId) -> Result<Option<Vec<Event>>, JournalError> {
        let mut told = BTreeSet::new();
        let mut is_new = |event: &Event| match &event.kind {
            EventKind::Stack(stack) => told.insert(stack.id.clone()),
            _ => true,
        };
        let events: Option<Vec<Event>> = read_lines(&self.events_path(roll))?;
        Ok(events.map(|mut events| {
            events.retain(|event| is_new(event));
            events
        }))
    }

    /// Lists the rolls that have a journal here, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn rolls(&self) -> Result<Vec<RollId>, JournalError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(JournalError::io("read", &self.dir)(error)),
        };
        let mut rolls = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(JournalError::io("read", &self.dir))?
                .file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            rolls.extend(id.and_then(|id| id.parse::<RollId>().ok()));
        }
        rolls.sort();
        Ok(rolls)
    }
}

/// An open journal, locked for this process.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    events: File,
    lines: usize,
    tripwire: Option<Tripwire>,
    full_from: Option<usize>,
}

impl Journal {
    /// Writes a line and waits until the disk has it.
    ///
    /// # Errors
    /// When the disk refuses: then nothing that the line announces may be done.
    pub async fn record(&mut self, at: Timestamp, entry: Entry) -> Result<(), JournalError> {
        self.lines += 1;
        self.trip(true).await;
        if self.full_from.is_some_and(|line| self.lines >= line) {
            let full = io::ErrorKind::StorageFull.into();
            return Err(JournalError::io("write", &self.path)(full));
        }
        let line = Line {
            v: JOURNAL_VERSION,
            at,
            entry,
        };
        let mut text = serde_json::to_vec(&line)
            .map_err(|error| JournalError::io("write", &self.path)(error.into()))?;
        text.push(b'\n');
        self.file
            .write_all(&text)
            .map_err(JournalError::io("write", &self.path))?;
        self.file
            .sync_data()
            .map_err(JournalError::io("sync", &self.path))?;
        self.trip(false).await;
        Ok(())
    }

    /// Keeps an event for the timeline. Losing one in a crash harms nothing.
    pub fn keep_event(&mut self, event: &Event) {
        if let Ok(mut text) = serde_json::to_vec(event) {
            text.push(b'\n');
            // A full disk must not stop a roll that is under way.
            let _ = self.events.write_all(&text);
        }
    }

    async fn trip(&self, before: bool) {
        if let Some(wire) = &self.tripwire
            && wire.line == self.lines
            && wire.before == before
        {
            wire.tripped.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// Reads JSON lines; `None` when there is no file. A last line without its end is passed over.
fn read_lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<Vec<T>>, JournalError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("open", path)(error)),
    };
    let mut reader = BufReader::new(file);
    let mut lines = Vec::new();
    let mut text = String::new();
    loop {
        text.clear();
        reader
            .read_line(&mut text)
            .map_err(JournalError::io("read", path))?;
        if !text.ends_with('\n') {
            return Ok(Some(lines));
        }
        let line = serde_json::from_str(&text).map_err(|error| JournalError::Line {
            path: path.to_owned(),
            line: lines.len() + 1,
            message: error.to_string(),
        })?;
        lines.push(line);
    }
}

/// Removes a last line that a crash cut off, so that the next one starts clean.
fn cut_torn_line(file: &File) -> io::Result<()> {
    let mut whole = 0;
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text)?;
        if text.last() != Some(&b'\n') {
            return if read == 0 {
                Ok(())
            } else {
                file.set_len(whole)
            };
        }
        whole += u64::try_from(read).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Entropy;

    fn id(millis: i64) -> RollId {
        RollId::generate(
            Timestamp::from_millisecond(millis).unwrap(),
            &Entropy::seeded(7),
        )
    }

    #[tokio::test]
    async fn lines_come_back_and_a_torn_one_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let journals = Journals::new(dir.path().join("rolls"));
        let roll = id(1);
        let mut journal = journals.create(&roll).unwrap();
        journal
            .record(Timestamp::UNIX_EPOCH, Entry::Started(Effect::CreateKeyPair))
            .await
            .unwrap();
        drop(journal);

        let path = journals.path(&roll);
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"v\":1,\"at\":");
        fs::write(&path, torn).unwrap();
        assert_eq!(journals.read(&roll).unwrap().unwrap().len(), 1);

        let mut journal = journals.reopen(&roll).unwrap();
        journal
            .record(
                Timestamp::UNIX_EPOCH,
                Entry::Finished(Effect::CreateKeyPair),
            )
            .await
            .unwrap();
        drop(journal);
        let entries: Vec<_> = journals
            .read(&roll)
            .unwrap()
            .unwrap()
            .into_iter()
            .map(|line| line.entry)
            .collect();
        assert_eq!(
            entries,
            [
                Entry::Started(Effect::CreateKeyPair),
                Entry::Finished(Effect::CreateKeyPair)
            ]
        );
    }

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let journals = Journals::new(dir.path().to_owned());
        let held = journals.create(&id(1)).unwrap();
        assert!(matches!(
            journals.reopen(&id(1)),
            Err(JournalError::Held(_))
        ));
        drop(held);
        assert!(journals.reopen(&id(1)).is_ok());
    }

    #[test]
    fn a_newer_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let journals = Journals::new(dir.path().to_owned());
        fs::write(
            journals.path(&id(1)),
            "{\"v\":2,\"at\":\"1970-01-01T00:00:00Z\",\"type\":\"turned_back\"}\n",
        )
        .unwrap();
        let error = journals.read(&id(1)).unwrap_err().to_string();
        assert!(error.contains("newer version"), "{error}");
    }

    #[test]
    fn rolls_are_listed_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let journals = Journals::new(dir.path().to_owned());
        for millis in [3, 1, 2] {
            journals.create(&id(millis)).unwrap();
        }
        assert_eq!(journals.rolls().unwrap(), [id(1), id(2), id(3)]);
    }
}
