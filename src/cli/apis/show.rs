//! `convox apis show`: show an API.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, print_json};
use crate::ui::{CliError, Exit, Info, one_line};
use crate::unkey::{Api, Repeat};

/// Show an API
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The API, by its id
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl ShowArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let request = json!({ "apiId": self.id });
        let answer = client
            .call::<Api>("apis.getApi", &request, Repeat::Safe)
            .await
            .map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &answer.json);
        } else {
            let mut info = Info::new();
            info.row("API", &one_line(&answer.data.id));
            info.row("Name", &one_line(&answer.data.name));
            printer.data(&info.render());
        }
        Ok(Exit::Done)
    }
}
