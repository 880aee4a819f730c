//! The only place that names an `aws-sdk` crate: the ports over the real APIs.
//!
//! [`Account::connect`] finds credentials and a region, [`Account::rack`] puts
//! the adapters of one rack together. Both are cheap: a client is made when it
//! is first used, and no call is made before then.

mod account;
mod alarms;
mod balancers;
mod bucket;
mod budget;
mod cluster;
mod commands;
mod data_keys;
mod error;
mod fleet;
mod key_pairs;
mod parameters;
mod preview;
mod quotas;
mod refreshes;
mod scaling;
mod services;
mod settings;
mod stacks;
mod system;
#[cfg(test)]
mod tests;
mod transport;

pub use account::{Access, Account, Identity, KeyStoreChoice, Target};
pub use budget::{Budget, Budgets, CALLS_PER_SECOND};
pub use transport::{InProcess, Trace, Transport};
