//! `convox identities create`: make an identity.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{Limit, Metadata, ServiceArgs, explain, print_json};
use crate::ui::{CliError, Exit};
use crate::unkey::{MadeIdentity, Repeat};

/// Make an identity, whose keys share metadata and limits
///
/// Its id is printed on stdout.
#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// What you call it
    #[arg(value_name = "EXTERNAL_ID")]
    external_id: String,

    /// JSON object to keep with it
    #[arg(long, value_name = "JSON")]
    meta: Option<Metadata>,

    /// Limit that all its keys share, such as requests=100/1m; may be given several times
    #[arg(long = "ratelimit", value_name = "NAME=LIMIT/SPAN")]
    ratelimits: Vec<Limit>,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl CreateArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let mut request = json!({ "externalId": self.external_id });
        if let Some(meta) = &self.meta {
            request["meta"] = json!(meta.0);
        }
        if !self.ratelimits.is_empty() {
            request["ratelimits"] = self.ratelimits.iter().map(Limit::json).collect();
        }
        let answer = client
            .call::<MadeIdentity>("identities.createIdentity", &request, Repeat::Never)
            .await
            .map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &answer.json);
        } else {
            printer.data(&format!("{}\n", answer.data.identity_id));
        }
        Ok(Exit::Done)
    }
}
