//! A rack behind its own HTTP API, or behind a console that passes requests on to it.
//!
//! The dialect is the classic command line's: the same paths, headers and forms, so that racks
//! and consoles which have spoken to it for years notice no difference. Two things are done
//! better: certificates are verified, and a password goes out as the bytes that it is.
//!
//! `User-Agent: convox.go/dev` and `Version: dev` name that dialect and nothing else. Servers
//! may decide by `Version` what a client understands; `dev` is what a build says which is none
//! of the classic's own releases, and that is what this program is. Any other word would be a
//! release that it is not, or one that no server knows.

mod calls;
mod client;
mod endpoint;
mod error;
mod exchange;
mod fingerprint;
mod form;
mod gateway;
mod logs;
mod model;
mod overlap;
mod probe;
mod proxy;
mod shell;
mod socket;
mod system;
mod trust;

pub use client::{Remote, RemoteOptions, SessionStore};
pub use endpoint::{DEFAULT_CONSOLE, Endpoint};
pub use error::RemoteError;
pub use fingerprint::{Fingerprint, KnownRacks};
pub use gateway::RemoteGateway;
pub use logs::{LogOptions, Logs};
pub use model::{AccountKeyroll, Auth, ConsoleRoll, Keyroll, Organization, RackListing};
pub use proxy::Proxies;
pub use shell::{Shell, ShellEvent, ShellInput, Size};
pub use trust::Trust;
