//! `convox keys delete`: delete a key.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, agree, explain, print_json};
use crate::ui::{CliError, Exit};

/// Delete a key, which opens nothing any more
#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArgs {
    /// The key, by its id
    #[arg(value_name = "ID")]
    id: String,

    /// Leave nothing of it
    #[arg(long)]
    permanent: bool,

    /// Do not ask whether to go ahead
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl DeleteArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        agree(context, self.yes, &format!("Delete {}?", self.id))?;
        let request = json!({ "keyId": self.id, "permanent": self.permanent });
        let done = client.done("keys.deleteKey", &request).await;
        done.map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &json!({ "keyId": self.id }));
        }
        printer.say(&format!("Deleted {}", self.id));
        Ok(Exit::Done)
    }
}
