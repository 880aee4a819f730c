//! Stands in for what other branches bring, so that callers can be written against it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Place;
use crate::cli::context::Context;
use crate::rack::{PortError, System, SystemDescription, SystemInstance};
use crate::ui::CliError;

/// Stands in for `rack::remote::Remote`.
pub(crate) struct Remote;

/// Stands in for the faces of a rack.
pub(super) struct NotYet;

fn not_yet<T>() -> Result<T, PortError> {
    Err(PortError::NotFound {
        what: "the way to this rack is not built yet".to_owned(),
    })
}

pub(super) fn connect(_: &Context, _: &Place) -> Result<Remote, CliError> {
    Ok(Remote)
}

#[async_trait]
impl System for NotYet {
    async fn describe(&self) -> Result<SystemDescription, PortError> {
        not_yet()
    }

    async fn instances(&self) -> Result<Vec<SystemInstance>, PortError> {
        not_yet()
    }

    async fn set_parameters(&self, _: &BTreeMap<String, String>) -> Result<(), PortError> {
        not_yet()
    }

    async fn terminate(&self, _: &str) -> Result<(), PortError> {
        not_yet()
    }
}
