//! The little account that lives on between commands: one file, shared by processes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::scenario::{Scenario, ScenarioError};
use super::world::World;
use crate::clock::{Clock, system_now};
use crate::private;

/// How much faster than the wall clock a persistent account lives when not told otherwise.
///
/// A roll of three instances takes about four and a half minutes, and so about ten seconds.
pub const DEFAULT_SPEED: f64 = 32.0;

/// The form of the file; a change of any stored type makes it another one.
const VERSION: u32 = 3;
const WORLD: &str = "world.json";
const LOCK: &str = "lock";
/// The longest absence that the account makes up for, in its own time.
const LONGEST_ABSENCE: Duration = Duration::from_secs(3 * 24 * 3600);

/// Why the account that is kept cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not an account, or not a whole one; `convox sandbox reset` helps.
    #[error("{} is damaged (`convox sandbox reset` starts anew)", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another version wrote the file; `convox sandbox reset` helps.
    #[error(
        "{} has form {found} and this convox reads form {VERSION} (`convox sandbox reset` starts \
         anew)",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The form it has.
        found: u32,
    },
    /// The first world cannot be made.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// The file's head, which every version can read.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Deserialize)]
struct Kept {
    /// When it was written, by the wall clock.
    saved: Timestamp,
    world: World,
}

#[derive(Serialize)]
struct Keeping<'a> {
    version: u32,
    saved: Timestamp,
    world: &'a World,
}

/// The directory of a persistent account.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    /// The file as this process last read or wrote it.
    seen: Mutex<Option<Stamp>>,
}

/// Tells one writing of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: u64,
    length: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let data = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(&data);
        #[cfg(not(unix))]
        let file = 0;
        Some(Self {
            file,
            length: data.len(),
            modified: data.modified().ok(),
        })
    }
}

/// The time during which this process alone may use the file.
pub(super) struct Session<'a> {
    store: &'a Store,
    lock: File,
}

impl Store {
    /// Opens the account in `dir` and says what time it is there.
    pub(super) fn open(dir: &Path, speed: f64) -> Result<(Self, World, Clock), PersistError> {
        private::create_dir(dir).map_err(|source| PersistError::File {
            path: dir.to_owned(),
            source,
        })?;
        let store = Self {
            dir: dir.to_owned(),
            seen: Mutex::new(None),
        };
        let lock = store.lock()?;
        let real = system_now();
        let path = store.dir.join(WORLD);
        let (world, clock) = if path.exists() {
            let Kept { saved, world } = read(&path)?;
            let absent = Duration::try_from(real.duration_since(saved)).unwrap_or_default();
            let lived = absent.mul_f64(speed.clamp(0.0, 1e6)).min(LONGEST_ABSENCE);
            let now = world.now.saturating_add(lived).unwrap_or(world.now);
            (world, Clock::starting_at(now, speed))
        } else {
            let seed = u64::try_from(real.as_millisecond()).unwrap_or(1);
            let scenario = Scenario {
                seed,
                ..Scenario::default()
            };
            (
                World::of_scenario(&scenario, real)?,
                Clock::starting_at(real, speed),
            )
        };
        Session {
            store: &store,
            lock,
        }
        .save(&world)?;
        Ok((store, world, clock))
    }

    /// Keeps other processes out and brings `world` up to what they have written.
    pub(super) fn begin(&self, world: &mut World) -> Result<Session<'_>, PersistError> {
        let lock = self.lock()?;
        let path = self.dir.join(WORLD);
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if Stamp::of(&path) != seen {
            *world = read(&path)?.world;
        }
        Ok(Session { store: self, lock })
    }

    fn lock(&self) -> Result<File, PersistError> {
        let path = self.dir.join(LOCK);
        private::lock(&path).map_err(|source| PersistError::File { path, source })
    }
}

impl Session<'_> {
    /// Writes the world, whole or not at all, and lets other processes in.
    pub(super) fn save(self, world: &World) -> Result<(), PersistError> {
        let path = self.store.dir.join(WORLD);
        let written = self.write(&path, world);
        written.map_err(|source| PersistError::File {
            path: path.clone(),
            source,
        })?;
        *self
            .store
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Stamp::of(&path);
        self.lock
            .unlock()
            .map_err(|source| PersistError::File { path, source })
    }

    /// Not `private::replace`: a sandbox is saved at every call, and need not outlive a power cut.
    fn write(&self, path: &Path, world: &World) -> io::Result<()> {
        let fresh = self.store.dir.join("world.json.new");
        let kept = Keeping {
            version: VERSION,
            saved: system_now(),
            world,
        };
        let mut file = private::open_options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&fresh)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        fs::rename(&fresh, path)
    }
}

fn read(path: &Path) -> Result<Kept, PersistError> {
    let text = fs::read(path).map_err(|source| PersistError::File {
        path: path.to_owned(),
        source,
    })?;
    let damaged = |source| PersistError::Damaged {
        path: path.to_owned(),
        source,
    };
    let Head { version } = serde_json::from_slice(&text).map_err(damaged)?;
    if version != VERSION {
        return Err(PersistError::OtherVersion {
            path: path.to_owned(),
            found: version,
        });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

/// Forgets the account that is kept in `dir`; the next command starts with a new one.
///
/// # Errors
/// When the file is there and cannot be removed.
pub fn reset(dir: &Path) -> Result<(), PersistError> {
    let path = dir.join(WORLD);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(PersistError::File { path, source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_account_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(WORLD);
        fs::write(&path, "{\"version\": 3, \"saved\"").unwrap();
        let error = Store::open(dir.path(), 1.0).unwrap_err();
        assert!(matches!(error, PersistError::Damaged { .. }), "{error}");
        assert!(
            error.to_string().contains("convox sandbox reset"),
            "{error}"
        );
        fs::write(&path, "{\"version\": 9}").unwrap();
        let error = Store::open(dir.path(), 1.0).unwrap_err();
        assert!(error.to_string().contains("has form 9"), "{error}");
        reset(dir.path()).unwrap();
        reset(dir.path()).unwrap();
        assert!(!path.exists());
    }
}
