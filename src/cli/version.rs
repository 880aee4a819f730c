//! `convox version`: print the versions of this program and of the rack.

use clap::Args;
use serde_json::json;

use super::app::{Output, Via};
use super::context::Context;
use super::reach::{How, Way, decide, reach};
use super::session::RackArgs;
use crate::ui::{CliError, Exit};

/// Print the versions of this program and of the rack
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl VersionArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let client = env!("CARGO_PKG_VERSION");
        if self.output == Output::Text {
            // Told whatever becomes of the server.
            printer.data(&format!("client: {client}\n"));
        }
        let server = self.server(context).await?;
        printer.data(&match (self.output, &server) {
            (Output::Text, None) => "server: none\n".to_owned(),
            (Output::Text, Some((version, place))) => format!("server: {version} ({place})\n"),
            (Output::Json, None) => format!("{}\n", json!({ "client": client, "server": null })),
            (Output::Json, Some((version, place))) => {
                let server = json!({ "version": version, "host": place });
                format!("{}\n", json!({ "client": client, "server": server }))
            }
        });
        Ok(Exit::Done)
    }

    /// Asks the rack for its release, where one is chosen: AWS is not searched for one.
    async fn server(&self, context: &Context) -> Result<Option<(String, String)>, CliError> {
        let decision = decide(context, self.rack.rack.as_deref())?;
        let is_asked_for = context.global().via == Some(Via::Aws) || self.rack.rack.is_some();
        if matches!(decision.way, Way::Aws) && !is_asked_for {
            return Ok(None);
        }
        let reached = reach(context, &self.rack).await?;
        let system = reached.system().describe().await?;
        let place = match reached.how() {
            How::Api(remote) => remote.host().to_owned(),
            How::Aws(_) if context.global().sandbox => "sandbox".to_owned(),
            How::Aws(_) => system.region,
        };
        Ok(Some((system.version, place)))
    }
}
