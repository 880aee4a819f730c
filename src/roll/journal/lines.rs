//! Files of JSON lines, of which each is on the disk before what it announces is done.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{JOURNAL_VERSION, JournalError};
use crate::ids::RollId;

/// Opens the file of `id` to add lines, and locks it for this process.
///
/// # Errors
/// When it cannot be opened, or another process has it open.
pub(in crate::roll) fn open_lines(
    path: &Path,
    id: &RollId,
    options: &mut OpenOptions,
) -> Result<File, JournalError> {
    options.append(true).read(true);
    let file = options.open(path).map_err(JournalError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(JournalError::Held(id.clone())),
        Err(TryLockError::Error(source)) => return Err(JournalError::io("lock", path)(source)),
    }
    cut_torn_line(&file).map_err(JournalError::io("mend", path))?;
    Ok(file)
}

/// Adds a line, and returns when it is kept for good.
///
/// # Errors
/// When it is not: then nothing that the line announces may be done, and nothing is left of it
/// that the next line would be added to.
pub(in crate::roll) fn append_line(
    file: &File,
    path: &Path,
    line: &impl Serialize,
) -> Result<(), JournalError> {
    let mut text =
        serde_json::to_vec(line).map_err(|error| JournalError::io("write", path)(error.into()))?;
    text.push(b'\n');
    write_whole(file, file, &text).map_err(JournalError::io("write", path))?;
    file.sync_data().map_err(JournalError::io("sync", path))
}

/// Writes all of `text` by `to`, the end of `file`, or nothing: a disk may have room for a part.
pub(super) fn write_whole(file: &File, mut to: impl io::Write, text: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    to.write_all(text).inspect_err(|_| {
        // Where even that fails, whoever opens the journal next cuts what is torn.
        let _ = file.set_len(before);
    })
}

/// Reads the lines of a journal; `version` tells the version of each.
///
/// # Errors
/// When the file cannot be read, or a line cannot be understood.
pub(in crate::roll) fn read_journal<T: for<'a> Deserialize<'a>>(
    path: &Path,
    version: fn(&T) -> u32,
) -> Result<Option<Vec<T>>, JournalError> {
    let lines: Option<Vec<T>> = read_lines(path)?;
    let newer = lines
        .iter()
        .flatten()
        .position(|line| version(line) > JOURNAL_VERSION);
    match newer {
        Some(index) => Err(JournalError::Line {
            path: path.to_owned(),
            line: index + 1,
            message: "written by a newer version of convox".to_owned(),
        }),
        None => Ok(lines),
    }
}

/// Lists whose journals are in a directory, oldest first.
///
/// # Errors
/// When the directory cannot be read.
pub(in crate::roll) fn ids_in(dir: &Path) -> Result<Vec<RollId>, JournalError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::io("read", dir)(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(JournalError::io("read", dir))?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        ids.extend(id.and_then(|id| id.parse::<RollId>().ok()));
    }
    ids.sort();
    Ok(ids)
}

/// Reads JSON lines; `None` when there is no file. A last line without its end is passed over.
pub(super) fn read_lines<T: for<'a> Deserialize<'a>>(
    path: &Path,
) -> Result<Option<Vec<T>>, JournalError> {
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

    /// A disk with room for so many bytes.
    struct Room<'a>(&'a File, usize);

    impl io::Write for Room<'_> {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let fits = text.len().min(self.1);
            self.1 -= fits;
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.write(&text[..fits])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_the_disk_had_no_room_for_spoils_none_that_follows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines.jsonl");
        let mut options = fs::File::options();
        let file = options.append(true).create_new(true).open(&path).unwrap();
        append_line(&file, &path, &"first").unwrap();
        let refused = write_whole(&file, Room(&file, 4), b"\"second\"\n");
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::StorageFull);
        append_line(&file, &path, &"third").unwrap();
        let lines: Option<Vec<String>> = read_lines(&path).unwrap();
        assert_eq!(lines.unwrap(), ["first", "third"]);
    }
}
