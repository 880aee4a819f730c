//! Logging in to instances: which one, with which key, and how it is known to be the right one.
//!
//! The system's own `ssh` does the talking. It is given an agent of ours on a private socket,
//! so that a private key is never in a file, in an argument or in the environment.

mod access;
mod agent;
mod choose;
mod client;
mod der;
mod error;
mod host_keys;
mod key;
mod login;
mod private_dir;
mod terminal;

pub use access::{SshAccess, SshSettings};
pub use agent::{Agent, Seen};
pub use choose::{Candidate, ChooseError, choose};
pub use client::{Attended, Ended, HostKeyCheck, Invocation, Ran};
pub use error::SshError;
pub use host_keys::{HostKey, KnownHosts, Learned, host_keys_of_console};
pub use key::SigningKey;
pub use login::{Hosts, LoginError, Logins};
pub use private_dir::PrivateDir;
pub use terminal::Terminal;
