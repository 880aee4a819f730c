//! `convox identities delete`: delete an identity.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, agree, explain, print_json};
use crate::ui::{CliError, Exit};

/// Delete an identity, whose keys stay
#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArgs {
    /// The identity, by its id or as you call it
    #[arg(value_name = "ID")]
    id: String,

    /// Do not ask whether to go ahead
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl DeleteArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        agree(
            context,
            self.yes,
            &format!("Delete the identity {}?", self.id),
        )?;
        let request = json!({ "identity": self.id });
        let done = client.done("identities.deleteIdentity", &request).await;
        done.map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &json!({ "identity": self.id }));
        }
        printer.say(&format!("Deleted the identity {}", self.id));
        Ok(Exit::Done)
    }
}
