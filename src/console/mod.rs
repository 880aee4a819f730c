//! The console: a server that stands between people, racks and keys.

mod account_keys;
mod background;
mod broker;
mod connection;
mod counter;
mod demo;
mod doctor;
mod init;
mod memory;
mod pages;
mod passwords;
mod people;
mod racks;
mod rolls;
mod rotation;
mod serve;
mod service;
mod shells;
mod stalled;
mod tls;
mod v2;
mod vault;
mod written;

pub use connection::ConnectionOptions;
pub use demo::furnish;
pub use doctor::{Examined, examine};
pub use init::{Initialized, initialize};
pub use passwords::{BadPassword, Passwords};
pub use people::{AccountKey, Issuer, add_person, issue_account_key};
pub use racks::{FoundGateway, FoundRack, RackFinder};
pub use serve::{router, serve};
pub use service::{Service, ServiceOptions};
pub use shells::Shells;
pub use tls::{TlsError, TlsFiles, make_certificate};
pub use v2::openapi;
pub use vault::{
    KeySource, Rotated, Step, Vault, VaultError, first_key, prepare, rotate, seal_rack_key,
};
