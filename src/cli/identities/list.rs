//! `convox identities list`: list identities.

use clap::Args;
use serde::Deserialize as _;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, print_json};
use crate::ui::{CliError, Exit, Table, one_line};
use crate::unkey::Identity;

/// List identities
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only those whose name has this in it
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl ListArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let printer = context.printer();
        let mut request = json!({ "limit": 100 });
        if let Some(search) = &self.search {
            request["search"] = json!(search);
        }
        let mut table = Table::new(["ID", "EXTERNAL ID", "LIMITS"]);
        loop {
            let page = client.page("identities.listIdentities", &request).await;
            let page = page.map_err(explain)?;
            for item in &page.items {
                if self.service.is_json() {
                    print_json(printer, item);
                } else if let Ok(identity) = Identity::deserialize(item) {
                    table.row([
                        one_line(&identity.id),
                        one_line(&identity.external_id),
                        identity.ratelimits.len().to_string(),
                    ]);
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
