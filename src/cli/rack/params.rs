//! `convox rack params`: show the parameters of a rack.

use clap::{Args, Subcommand};

use super::params_set::ParamsSetArgs;
use crate::cli::app::Output;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::reach::reach;
use crate::cli::session::RackArgs;
use crate::rack::{GroupProblem, ParameterGroup};
use crate::ui::{CliError, Exit, print_parameters};

/// `convox rack params`, alone or with what is to be done with them.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ParamsCommand {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    show: ParamsArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Set(ParamsSetArgs),
}

impl ParamsCommand {
    pub(super) fn output(&self) -> Output {
        match &self.command {
            None => self.show.output,
            Some(Command::Set(args)) => args.output(),
        }
    }

    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            None => context.block_on(self.show.run(context)),
            Some(Command::Set(args)) => args.run(context),
        }
    }
}

#[derive(Debug, Args)]
struct ParamsArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// Show only this group: api, build, instances, logging, meta, network, nlb, scaling,
    /// security or storage; the beginning of a name will do
    #[arg(short, long, value_name = "GROUP", add = complete::groups())]
    group: Option<String>,

    /// Show secret values on a terminal too
    #[arg(long)]
    reveal: bool,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ParamsArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let group = self.group.as_deref().map(ParameterGroup::find);
        let group = group.transpose()?;
        let printer = context.printer();
        let reached = reach(context, &self.rack).await?;
        let mut parameters = reached.system().describe().await?.parameters;
        if let Some(group) = group {
            parameters.retain(|key, _| group.has(key));
            if parameters.is_empty() {
                let name = group.name();
                printer.say(&format!(
                    "NOTICE: no params in group '{name}' for this rack"
                ));
            }
        }
        let as_json = self.output == Output::Json;
        print_parameters(printer, &parameters, self.reveal, as_json);
        Ok(Exit::Done)
    }
}

impl From<GroupProblem> for CliError {
    fn from(problem: GroupProblem) -> Self {
        let groups = ParameterGroup::names().join(", ");
        Self::usage(problem.to_string()).hint(format!("available groups: {groups}"))
    }
}
