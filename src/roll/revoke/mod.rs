//! Shutting out a key that is known to be out, instance by instance and with none replaced.
//!
//! The new key is made and kept as in every roll. What differs is what is changed: not the
//! stack, but the `authorized_keys` of every live instance. On each the new line goes in and is
//! proven, a tag says which key opens the instance from then on, and only then the old line goes.
//! Every one of these may be done again, so a revocation that was left is simply done again.

mod alone;
mod engine;
mod outside;
mod plan;
mod retire;
mod run;
mod ssm;
mod work;

use std::sync::Arc;

pub(in crate::roll) use alone::{TAG_REVOKING, mark};
pub use plan::{PlannedInstance, RevocationOptions, RevocationPlan};
pub use ssm::SsmAccess;

use crate::rack::{KeyAccess, PrivateKey};

/// The tag that says which leaked key a key pair was made to take the place of.
pub const TAG_REVOKES: &str = "convox:revokes";

/// Reads the public half of key pair `name`, as a line of `authorized_keys`, from the private
/// one; an error says in a few words why it cannot be told.
pub type PublicLineOf = fn(&str, &PrivateKey) -> Result<String, String>;

/// What it takes to change which keys instances let in.
#[derive(Clone)]
pub struct KeyTools {
    /// The ways to instances, the one that is tried first first.
    pub ways: Vec<Arc<dyn KeyAccess>>,
    /// How public keys are told.
    pub public_line: PublicLineOf,
}
