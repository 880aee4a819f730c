//! `convox sandbox serve`: serve the account to any AWS client.

use clap::Args;

use crate::cli::context::Context;
use crate::ui::{CliError, Exit};

/// Serve the account to any AWS client, on the loopback address only
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Port to listen on
    #[arg(long, default_value_t = 4566, value_name = "PORT")]
    port: u16,
}

impl ServeArgs {
    pub(crate) async fn run(self, _context: &Context) -> Result<Exit, CliError> {
        Err(CliError::failed(format!(
            "cannot serve on {} yet",
            self.port
        )))
    }
}
