//! The console: a server that stands between people, racks and keys.

mod background;
mod broker;
mod connection;
mod counter;
mod doctor;
mod due;
mod init;
mod memory;
mod notify;
mod people;
mod racks;
mod rolls;
pub mod schedule;
mod schedules;
mod serve;
mod service;
mod stalled;
mod tls;
mod v2;
mod vault;
mod waves;
mod written;

pub use crate::webhook::Target as WebhookTarget;
pub use connection::ConnectionOptions;
pub use doctor::{Examined, examine};
pub use init::{Initialized, initialize};
pub use notify::{Receiver, Undelivered, add_webhook, test_webhook};
pub use people::{AccountKey, Issuer, add_person, issue_account_key};
pub use racks::{FoundRack, RackFinder};
pub use schedules::{Scheduled, schedule_of, schedules_of, set_schedule};
pub use serve::{router, serve};
pub use service::{Service, ServiceOptions};
pub use tls::{TlsError, TlsFiles, make_certificate};
pub use v2::openapi;
pub use vault::{KeySource, Rotated, Step, Vault, VaultError, first_key, prepare, rotate};
pub use waves::{CONCURRENCY, NoWave, Wave, begin_wave};
