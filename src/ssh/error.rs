//! What can go wrong before `ssh` runs.

use std::io;
use std::path::PathBuf;

/// Why nobody can be logged in.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The text is not a private key that can be used, for the reason given.
    #[error("the private key of {name} cannot be used: {reason}")]
    Key {
        /// The key pair's name.
        name: String,
        /// What is wrong with it; never a part of the key.
        reason: &'static str,
    },
    /// There is no place for the agent's socket.
    #[error("there is no place for a private socket: {0}")]
    Socket(#[source] io::Error),
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no `ssh` program.
    #[error("there is no `ssh` program on this machine")]
    NoProgram,
    /// The `ssh` program cannot be started or waited for.
    #[error("cannot run `ssh`: {0}")]
    Program(#[source] io::Error),
}

impl SshError {
    /// Says what to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Key { .. } => Some("`convox instances keyroll` gives every instance a new key"),
            Self::Socket(_) => {
                Some("set XDG_RUNTIME_DIR to a directory of yours with a short path")
            }
            Self::File { .. } => Some("make it yours to read and write, or set XDG_STATE_HOME"),
            Self::NoProgram => Some("install OpenSSH's client"),
            Self::Program(_) => None,
        }
    }
}
