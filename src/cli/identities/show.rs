//! `convox identities show`: show an identity.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, identity_info, print_json};
use crate::ui::{CliError, Exit};
use crate::unkey::{Identity, Repeat};

/// Show an identity
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The identity, by its id or as you call it
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl ShowArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let request = json!({ "identity": self.id });
        let answer = client
            .call::<Identity>("identities.getIdentity", &request, Repeat::Safe)
            .await
            .map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &answer.json);
        } else {
            printer.data(&identity_info(&answer.data).render());
        }
        Ok(Exit::Done)
    }
}
