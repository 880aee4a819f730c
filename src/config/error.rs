//! What can be wrong with configuration.

use std::io;
use std::path::PathBuf;

use crate::ids::RollId;

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither `HOME` nor the XDG variable says where files are.
    #[error("there is no home directory")]
    NoHome,
    /// The file is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what is expected of it.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file, or its directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds secrets, and others may read it.
    #[error("{} holds secrets and is open to others (mode {mode:04o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another roll has left a new password for the same host.
    #[error("roll {roll} has a new password for {host} that is neither promoted nor discarded")]
    AlreadyStaged {
        /// The host.
        host: String,
        /// That roll.
        roll: RollId,
    },
    /// Nothing says which rack is meant.
    #[error("no rack is named")]
    NoRack {
        /// The racks of the configuration file.
        known: Vec<String>,
    },
}

impl ConfigError {
    /// Says what to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoHome => "set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME".to_owned(),
            Self::Unreadable { .. } => "make it a file that you may read, or remove it".to_owned(),
            Self::Invalid { hint, .. } => hint.clone(),
            Self::Unwritable { .. } => "make it yours to write".to_owned(),
            Self::OpenToOthers { path, .. } => format!("chmod 600 {}", path.display()),
            Self::AlreadyStaged { roll, .. } => {
                format!("`convox rolls resume {roll}` brings that roll to its end")
            }
            Self::NoRack { known } if known.is_empty() => {
                "name one with --rack or CONVOX_RACK".to_owned()
            }
            Self::NoRack { known } => {
                format!("name one with --rack or CONVOX_RACK: {}", known.join(", "))
            }
        }
    }
}
