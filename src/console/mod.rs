//! The console: a server that stands between people, racks and keys.

mod background;
mod counter;
mod init;
mod memory;
mod serve;
mod service;
mod v2;
mod vault;

pub use init::{Initialized, initialize};
pub use serve::{ServeError, router, serve};
pub use service::{Service, ServiceOptions};
pub use v2::openapi;
pub use vault::{MasterKey, VaultError};
