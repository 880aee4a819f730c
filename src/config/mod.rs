//! Files and environment: which rack is meant, where it is and where its keys are kept.
//!
//! The file is `$XDG_CONFIG_HOME/convox/config.yaml`. A real Convox rack needs
//! none: its stack has the rack's name and its own settings bucket.

pub mod classic;
mod environment;
mod error;
mod explain;
mod file;
mod racks;
mod settings;

pub use environment::Environment;
pub use error::ConfigError;
pub use file::{Config, KeyStoreSetting};
pub use racks::{RackSettings, named, nearest};
pub use settings::{Setting, Told};
