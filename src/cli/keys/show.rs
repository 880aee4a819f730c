//! `convox keys show`: show a key.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, key_info, print_json};
use crate::clock::system_now;
use crate::ui::{CliError, Exit};
use crate::unkey::{Key, Repeat};

/// Show a key, without its secret
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The key, by its id
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl ShowArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let request = json!({ "keyId": self.id });
        let answer = client
            .call::<Key>("keys.getKey", &request, Repeat::Safe)
            .await
            .map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &answer.json);
        } else {
            let now = system_now().as_millisecond();
            printer.data(&key_info(&answer.data, &context.zone(), now).render());
        }
        Ok(Exit::Done)
    }
}
