//! How the console logs in to instances.

use std::path::PathBuf;

/// What the system's `ssh` is run with, on behalf of people.
#[derive(Debug, Clone)]
pub struct Shells {
    /// The directory of host keys, a file for each rack.
    pub known_hosts: PathBuf,
    /// Directories in one of which sockets of agents may be made.
    pub sockets: Vec<PathBuf>,
    /// The file that `ssh` reads in place of the server's own `~/.ssh/config`.
    pub config: Option<PathBuf>,
}
