//! `convox api`: ask a rack's HTTP API, or a console's, directly.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::app::Output;
use super::complete;
use super::context::Context;
use super::reach::reach_by_api;
use super::sandbox_api;
use super::session::RackArgs;
use crate::ui::{CliError, Exit};

/// Ask a rack's HTTP API directly.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print what a path of the API answers
    Get(GetArgs),
}

/// Print what a path of the API answers
///
/// The answer is printed as JSON, its keys in order. Nothing of it is hidden.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// Path, such as /instances
    #[arg(value_name = "PATH", add = complete::api_paths())]
    path: String,

    /// What to write on stdout: indented, or on one line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl Command {
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Get(args) => args.output,
        }
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Get(args) => args.run(context).await,
        }
    }
}

impl GetArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if !self.path.starts_with('/') {
            let message = format!("`{}` is no path: it does not begin with a slash", self.path);
            return Err(CliError::usage(message).hint("try `convox api get /instances`"));
        }
        let answer = self.ask(context).await?;
        let text = match self.output {
            Output::Text => serde_json::to_string_pretty(&answer),
            Output::Json => serde_json::to_string(&answer),
        };
        let text = text.map_err(|error| CliError::failed(error.to_string()))?;
        context.printer().data(&format!("{text}\n"));
        Ok(Exit::Done)
    }

    async fn ask(&self, context: &Context) -> Result<Value, CliError> {
        if context.global().sandbox {
            let name = self.rack.rack.as_deref();
            return sandbox_api::get_json(context, name, &self.path).await;
        }
        let Some(remote) = reach_by_api(context, &self.rack).await? else {
            return Err(
                CliError::usage("nothing says where the rack's API is").hint(
                    "log in with `convox login HOST`, or set RACK_URL, or CONVOX_HOST and \
                     CONVOX_PASSWORD",
                ),
            );
        };
        Ok(remote.get_json(&self.path).await?)
    }
}
