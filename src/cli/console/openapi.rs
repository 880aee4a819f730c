//! `convox console openapi`: print the description of the key service's API.

use clap::Args;

use crate::cli::context::Context;
use crate::console::openapi;
use crate::ui::{CliError, Exit};

/// Print the description of the key service's API, as /openapi.json serves it
#[derive(Debug, Args)]
pub(in crate::cli) struct OpenApiArgs {}

impl OpenApiArgs {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let text = serde_json::to_string_pretty(&openapi())
            .map_err(|error| CliError::failed(error.to_string()))?;
        context.printer().data(&format!("{text}\n"));
        Ok(Exit::Done)
    }
}
