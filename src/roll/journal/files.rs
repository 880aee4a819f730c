//! Journals in a directory of this machine: two files of JSON lines for each roll.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::lines::{append_line, ids_in, open_lines, read_journal, read_lines, write_whole};
use super::{Entry, JOURNAL_VERSION, JournalError, JournalKeeper, JournalWriter, Line};
use crate::ids::RollId;
use crate::private;
use crate::roll::event::{Event, EventKind};

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
        let file = open_lines(&path, roll, options)?;
        Ok(Journal {
            path,
            file,
            events: self.events_path(roll),
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
        read_journal(&self.path(roll), |line: &Line| line.v)
    }

    /// Reads the events of a roll, of all runs that followed it; `None` when this machine has
    /// none. What several runs were told by the stack is told once.
    ///
    /// # Errors
    /// When the file cannot be read or a line cannot be understood.
    pub fn events(&self, roll: &RollId) -> Result<Option<Vec<Event>>, JournalError> {
        let events: Option<Vec<Event>> = read_lines(&self.events_path(roll))?;
        Ok(events.map(told_once))
    }

    /// Lists the rolls that have a journal here, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn rolls(&self) -> Result<Vec<RollId>, JournalError> {
        ids_in(&self.dir)
    }
}

/// An open journal, locked for this process.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where events are kept.
    events: PathBuf,
    lines: usize,
    tripwire: Option<Tripwire>,
    full_from: Option<usize>,
}

#[async_trait]
impl JournalWriter for Journal {
    async fn record(&mut self, at: Timestamp, entry: Entry) -> Result<(), JournalError> {
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
        append_line(&self.file, &self.path, &line)?;
        self.trip(false).await;
        Ok(())
    }

    fn keep_event(&mut self, event: &Event) {
        let Ok(mut text) = serde_json::to_vec(event) else {
            return;
        };
        text.push(b'\n');
        // Open no longer than that takes: a fleet has hundreds of journals open at once, and a
        // process may have few files.
        let mut options = private::open_options();
        if let Ok(file) = options.create(true).append(true).open(&self.events) {
            // A full disk must not stop a roll that is under way.
            let _ = write_whole(&file, &file, &text);
        }
    }
}

impl Journal {
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

#[async_trait]
impl JournalKeeper for Journals {
    async fn begin(&self, roll: &RollId) -> Result<Box<dyn JournalWriter>, JournalError> {
        Ok(Box::new(self.create(roll)?))
    }

    async fn go_on(&self, roll: &RollId) -> Result<Box<dyn JournalWriter>, JournalError> {
        Ok(Box::new(self.reopen(roll)?))
    }

    async fn lines(&self, roll: &RollId) -> Result<Option<Vec<Line>>, JournalError> {
        self.read(roll)
    }

    async fn all(&self) -> Result<Vec<RollId>, JournalError> {
        self.rolls()
    }
}

/// Leaves out what several runs were told by the stack, but for the first time.
fn told_once(mut events: Vec<Event>) -> Vec<Event> {
    let mut told = BTreeSet::new();
    events.retain(|event| match &event.kind {
        EventKind::Stack(stack) => told.insert(stack.id.clone()),
        _ => true,
    });
    events
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ids::Entropy;
    use crate::roll::journal::Effect;

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
    fn an_open_journal_has_no_file_open_for_events() {
        let dir = tempfile::tempdir().unwrap();
        let journals = Journals::new(dir.path().to_owned());
        let mut journal = journals.create(&id(1)).unwrap();
        let event = Event {
            v: crate::roll::EVENT_VERSION,
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            roll: id(1),
            kind: EventKind::Warning {
                message: "once".to_owned(),
            },
        };
        journal.keep_event(&event);
        fs::remove_file(journals.events_path(&id(1))).unwrap();
        journal.keep_event(&event);
        assert_eq!(journals.events(&id(1)).unwrap(), Some(vec![event]));
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
