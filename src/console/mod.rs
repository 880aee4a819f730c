//! The console: a server that stands between people, racks and keys.

mod account_keys;
mod background;
mod broker;
mod connection;
mod counter;
mod demo;
mod doctor;
mod due;
mod init;
mod memory;
mod notify;
mod pages;
mod passwords;
mod people;
mod racks;
mod rolls;
mod rotation;
pub mod schedule;
mod schedules;
mod serve;
mod service;
mod shells;
mod stalled;
mod tls;
mod v2;
mod vault;
mod waves;
mod written;

pub use crate::webhook::Target as WebhookTarget;
pub use connection::ConnectionOptions;
pub use demo::furnish;
pub use doctor::{Examined, examine};
pub use init::{Initialized, initialize};
pub use notify::{Receiver, Undelivered, add_webhook, test_webhook};
pub use passwords::{BadPassword, Passwords};
pub use people::{AccountKey, Issuer, add_person, issue_account_key};
pub use racks::{FoundGateway, FoundRack, RackFinder};
pub use schedules::{Scheduled, rolls_itself, schedule_of, schedules_of, set_schedule};
pub use serve::{router, serve};
pub use service::{Service, ServiceOptions};
pub use shells::Shells;
pub use tls::{TlsError, TlsFiles, make_certificate};
pub use v2::openapi;
pub use vault::{
    KeySource, Rotated, Step, Vault, VaultError, first_key, prepare, rotate, seal_rack_key,
};
pub use waves::{CONCURRENCY, NoWave, Wave, begin_wave};
