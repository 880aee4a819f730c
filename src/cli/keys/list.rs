//! `convox keys list`: list the keys of an API.

use clap::Args;
use serde::Deserialize as _;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, key_row, print_json};
use crate::clock::system_now;
use crate::ui::{CliError, Exit, Table};
use crate::unkey::Key;

/// List the keys of an API
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// The API, by its id
    #[arg(long, value_name = "ID")]
    api: String,

    /// Only the keys that were issued to this identity, as you call it
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl ListArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let printer = context.printer();
        let (zone, now) = (context.zone(), system_now().as_millisecond());
        let mut request = json!({ "apiId": self.api, "limit": 100 });
        if let Some(external_id) = &self.external_id {
            request["externalId"] = json!(external_id);
        }
        let mut table = Table::new(["ID", "NAME", "BEGINS", "STATE", "EXPIRES", "IDENTITY"]);
        loop {
            let page = client.page("apis.listKeys", &request).await;
            let page = page.map_err(explain)?;
            for item in &page.items {
                if self.service.is_json() {
                    print_json(printer, item);
                } else if let Ok(key) = Key::deserialize(item) {
                    table.row(key_row(&key, &zone, now));
                }
            }
            match page.cursor {
                Some(cursor) => request["cursor"] = json!(cursor),
                None => break,
            }
        }
        if !self.service.is_json() {
            printer.data(&table.render());
        }
        Ok(Exit::Done)
    }
}
