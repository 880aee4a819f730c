//! `convox apis delete`: delete an API.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, agree, explain, print_json};
use crate::ui::{CliError, Exit};

/// Delete an API and all its keys, which open nothing any more
#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArgs {
    /// The API, by its id
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
            &format!("Delete {} and all its keys?", self.id),
        )?;
        let request = json!({ "apiId": self.id });
        let done = client.done("apis.deleteApi", &request).await;
        done.map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &json!({ "apiId": self.id }));
        }
        printer.say(&format!("Deleted {} and all its keys", self.id));
        Ok(Exit::Done)
    }
}
