//! Small files of one directory: read with care, replaced whole, under a lock.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::json::{from_json, to_json};
use crate::config::ConfigError;
use crate::private;

type Result<T> = std::result::Result<T, ConfigError>;

/// Keeps other processes of ours out while files change.
const LOCK: &str = ".convox.lock";

/// A directory of small files.
#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: PathBuf,
}

/// The time during which this thread alone may change the files.
pub(super) struct Locked<'a> {
    files: &'a Files,
    _lock: File,
}

impl Files {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads a file without the blanks around its text; `None` where there is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        let path = self.path(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Reads a file that holds secrets, and refuses one that others may read.
    pub(super) fn secret(&self, name: &str) -> Result<Option<Zeroizing<String>>> {
        let path = self.path(name);
        let unreadable = |source| ConfigError::Unreadable {
            path: path.clone(),
            source,
        };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let data = file.metadata().map_err(&unreadable)?;
        if data.is_dir() {
            return Ok(None);
        }
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&data.permissions()) & 0o777;
            if mode & 0o077 != 0 {
                return Err(ConfigError::OpenToOthers { path, mode });
            }
        }
        let length = usize::try_from(data.len()).unwrap_or(0);
        let mut text = Zeroizing::new(String::with_capacity(length + 1));
        file.read_to_string(&mut text).map_err(&unreadable)?;
        Ok(Some(text))
    }

    /// Reads a JSON object with secrets in it; a missing file is an empty one.
    pub(super) fn json<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T> {
        let text = self.secret(name)?;
        self.parse(name, text.as_ref().map_or("", |text| text.as_str()))
    }

    /// Reads a JSON object that anybody may see; a missing file is an empty one.
    pub(super) fn plain_json<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T> {
        let text = self.text(name)?;
        self.parse(name, text.as_deref().unwrap_or_default())
    }

    fn parse<T: DeserializeOwned + Default>(&self, name: &str, text: &str) -> Result<T> {
        from_json(text).map_err(|error| ConfigError::Invalid {
            path: self.path(name),
            line: error.line,
            column: error.column,
            message: error.message.to_owned(),
            hint: "mend the file or move it away; nothing was changed in it".to_owned(),
        })
    }

    /// Makes the directory if need be, and waits for other processes to be done.
    pub(super) fn lock(&self) -> Result<Locked<'_>> {
        private::create_dir(&self.dir).map_err(|source| ConfigError::Unwritable {
            path: self.dir.clone(),
            source,
        })?;
        let path = self.path(LOCK);
        let lock =
            private::lock(&path).map_err(|source| ConfigError::Unwritable { path, source })?;
        Ok(Locked {
            files: self,
            _lock: lock,
        })
    }
}

impl Locked<'_> {
    /// Puts `bytes` in the place of a file: all of them, or nothing is changed.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.files.path(name);
        // Whoever keeps a link there, to files kept elsewhere, means the file behind it.
        let target = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        private::replace(&target, bytes).map_err(|source| ConfigError::Unwritable { path, source })
    }

    /// Writes a JSON object.
    pub(super) fn replace_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.files.path(name);
        let bytes = to_json(value).map_err(|source| ConfigError::Unwritable { path, source })?;
        self.replace(name, &bytes)
    }

    /// Removes a file; one that is not there is no error.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let path = self.files.path(name);
        match fs::remove_file(&path) {
            Err(error) if !is_absent(&error) => Err(ConfigError::Unwritable {
                path,
                source: error,
            }),
            _ => Ok(()),
        }
    }
}

/// Tells whether there is no such file, be it that what is above it is none either.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}
