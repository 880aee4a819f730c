//! An AWS account in memory: one world, one clock, AWS's wire protocols, and scenarios.
//!
//! [`Sandbox`] turns an HTTP request into an HTTP response, whoever sends it: an
//! SDK in this process, or any AWS client through [`serve()`]. Signatures are not
//! verified; that, and loopback only, is what makes it a rehearsal.

mod account;
pub mod api;
pub mod autoscaling;
pub mod balancers;
pub mod cloudformation;
pub mod cloudwatch;
pub mod ec2;
pub mod ecs;
mod hidden;
pub mod kms;
pub mod ledger;
mod paging;
mod persist;
pub mod quotas;
mod rack_api;
mod run_command;
pub mod s3;
pub mod scenario;
mod serve;
pub mod ssm;
mod sts;
mod wire;
pub mod world;

pub use account::{Handler, Sandbox};
pub use persist::{DEFAULT_SPEED, PersistError, reset};
pub use scenario::{Scenario, ScenarioError};
pub use serve::{bind, serve};
