//! `convox apis create`: make an API.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, print_json};
use crate::ui::{CliError, Exit};
use crate::unkey::{MadeApi, Repeat};

/// Make an API: a set of keys
///
/// Its id is printed on stdout. Only our own key service takes --prefix, --bytes and --recoverable.
#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    name: String,

    /// Prefix of keys that name none
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,

    /// Random bytes of keys that name no number, 16 to 255
    #[arg(long, value_name = "NUMBER")]
    bytes: Option<u8>,

    /// Let keys be made whose secret can be read back
    #[arg(long)]
    recoverable: bool,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl CreateArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let mut request = json!({ "name": self.name });
        if let Some(prefix) = &self.prefix {
            request["defaultPrefix"] = json!(prefix);
        }
        if let Some(bytes) = self.bytes {
            request["defaultBytes"] = json!(bytes);
        }
        if self.recoverable {
            request["storeEncryptedKeys"] = json!(true);
        }
        let answer = client
            .call::<MadeApi>("apis.createApi", &request, Repeat::Never)
            .await
            .map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &answer.json);
        } else {
            printer.data(&format!("{}\n", answer.data.api_id));
        }
        Ok(Exit::Done)
    }
}
