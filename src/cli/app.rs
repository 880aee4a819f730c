//! The whole command line: global flags, the tree of commands, and the way into each.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::context::Context;
use super::{
    account, api, apis, complete, completions, console, identities, instances, keys, login, logout,
    man, rack, racks, rehearse, rolls, sandbox, switch, usage, version,
};
use crate::ui::{CliError, Exit, Printer, Verbosity, print_error_json};

/// Explains the exit codes at the end of `--help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, and nothing is changed
  2  the command line or a configuration file is wrong
  3  rolled back, and the old key still works
  4  the stack is complete, but the new key is not proven
  5  stuck, a person must act
  6  detached, the roll goes on
  7  the stack is busy with another operation";

/// Rolls every key of a rack without ever locking anybody out
#[derive(Debug, Parser)]
#[command(
    name = "convox",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = EXIT_CODES,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,

    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct GlobalArgs {
    /// AWS region [default: as the AWS CLI finds it]
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "REGION"
    )]
    pub(crate) region: Option<String>,

    /// Profile of the AWS configuration files
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "NAME",
        add = complete::profiles()
    )]
    pub(crate) profile: Option<String>,

    /// Send every AWS call to this address instead
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "URL",
        conflicts_with = "sandbox"
    )]
    pub(crate) endpoint_url: Option<String>,

    /// Use the little AWS account that lives on this machine
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        conflicts_with = "profile"
    )]
    pub(crate) sandbox: bool,

    /// How to reach the rack [default: its API where a host is chosen, else AWS]
    #[arg(
        long,
        global = true,
        value_enum,
        help_heading = "Global options",
        value_name = "WAY"
    )]
    pub(crate) via: Option<Via>,

    /// Also believe the certificates of this file, in PEM form, when reaching an API
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "FILE"
    )]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Say only how it ended
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Global options",
        conflicts_with = "verbose"
    )]
    pub(crate) quiet: bool,

    /// Tell every detail
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) verbose: bool,
}

/// The ways to a rack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// With AWS credentials, in the account that the rack is in
    Aws,
    /// By its HTTP API, or a console's
    Api,
    /// In the little AWS account on this machine, as `--sandbox`
    Sandbox,
}

impl GlobalArgs {
    /// Refuses flags that contradict each other, which clap cannot tell by value, and makes
    /// `--via sandbox` and `--sandbox` one.
    pub(super) fn settle(mut self) -> Result<Self, CliError> {
        let Some(via) = self.via else {
            return Ok(self);
        };
        let name = match via {
            Via::Aws => "--via aws",
            Via::Api => "--via api",
            Via::Sandbox => "--via sandbox",
        };
        let others = [
            ("--sandbox", self.sandbox, via != Via::Sandbox),
            ("--region <REGION>", self.region.is_some(), via == Via::Api),
            ("--profile <NAME>", self.profile.is_some(), via != Via::Aws),
            (
                "--endpoint-url <URL>",
                self.endpoint_url.is_some(),
                via != Via::Aws,
            ),
        ];
        if let Some((other, ..)) = others.iter().find(|(_, given, clash)| *given && *clash) {
            let message = format!("`{name}` and `{other}` do not go together");
            return Err(CliError::usage(message).hint("leave one of them out"));
        }
        self.sandbox |= via == Via::Sandbox;
        Ok(self)
    }
}

/// What a command writes on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// Lines for a person
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Login(login::LoginArgs),
    Logout(logout::LogoutArgs),
    Racks(racks::RacksArgs),
    Switch(switch::SwitchArgs),
    /// Show a rack, or do something with it
    Rack(rack::RackCommand),
    /// List the instances of a rack, or do something with them
    Instances(instances::InstancesCommand),
    /// Ask a rack's HTTP API directly
    #[command(subcommand)]
    Api(api::Command),
    Version(version::VersionArgs),
    /// Roll the key that you log in to a console with
    #[command(subcommand)]
    Account(account::Command),
    Rehearse(rehearse::RehearseArgs),
    /// Look at rolls, go on with them or undo them
    #[command(subcommand)]
    Rolls(rolls::Command),
    /// Issue, verify and reroll the keys of an API of your own
    #[command(subcommand)]
    Keys(keys::Command),
    /// Manage the APIs that keys are issued for
    #[command(subcommand)]
    Apis(apis::Command),
    /// Manage those whom keys are issued to
    #[command(subcommand)]
    Identities(identities::Command),
    /// Serve keys and racks to people and programs
    #[command(subcommand)]
    Console(console::Command),
    /// Manage the little AWS account on this machine
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Returns what stdout is for, so that an error can be written in the same language.
    fn output(&self) -> Output {
        match self {
            Self::Rack(command) => command.output(),
            Self::Instances(command) => command.output(),
            Self::Rehearse(args) => args.output(),
            Self::Rolls(command) => command.output(),
            Self::Racks(args) => args.output(),
            Self::Api(command) => command.output(),
            Self::Version(args) => args.output(),
            Self::Switch(args) => args.output(),
            Self::Sandbox(command) => command.output(),
            Self::Keys(command) => command.output(),
            Self::Apis(command) => command.output(),
            Self::Identities(command) => command.output(),
            Self::Login(_)
            | Self::Logout(_)
            | Self::Account(_)
            | Self::Console(_)
            | Self::Completions(_)
            | Self::Man(_) => Output::Text,
        }
    }

    fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Login(args) => args.run(context),
            Self::Logout(args) => args.run(context),
            Self::Racks(args) => context.block_on(args.run(context)),
            Self::Switch(args) => args.run(context),
            Self::Rack(command) => command.run(context),
            Self::Instances(command) => command.run(context),
            Self::Api(command) => context.block_on(command.run(context)),
            Self::Version(args) => context.block_on(args.run(context)),
            Self::Account(command) => context.block_on(command.run(context)),
            Self::Rehearse(args) => context.block_on(args.run(context)),
            Self::Rolls(command) => command.run(context),
            Self::Keys(command) => context.block_on(command.run(context)),
            Self::Apis(command) => context.block_on(command.run(context)),
            Self::Identities(command) => context.block_on(command.run(context)),
            Self::Console(command) => command.run(context),
            Self::Sandbox(command) => command.run(context),
            Self::Completions(args) => args.run(context),
            Self::Man(args) => args.run(context),
        }
    }
}

/// Runs the command line `args`, the program's name first, and returns how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let mut args = args.into_iter().peekable();
    let program = args.next();
    if args.next_if(|arg| arg == complete::COMMAND).is_some() {
        return complete::answer(args);
    }
    let cli = match Cli::try_parse_from(program.into_iter().chain(args)) {
        Ok(cli) => cli,
        Err(error) => return usage::print(&Printer::stdio(Verbosity::Normal), &error),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    let printer = Printer::stdio(verbosity);
    let output = cli.command.output();
    let command = cli.command;
    let result = cli
        .global
        .settle()
        .and_then(|global| command.run(&Context::new(printer.clone(), global)));
    result.unwrap_or_else(|error| {
        printer.error(&error);
        if output == Output::Json {
            print_error_json(&printer, &error);
        }
        error.exit()
    })
}

/// Returns the command line as clap knows it, for completions and tests.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        command().debug_assert();
    }

    #[test]
    fn summaries_are_imperative_and_have_no_period() {
        fn walk(command: &clap::Command) {
            for inner in command.get_subcommands() {
                let about = inner
                    .get_about()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(!about.is_empty(), "{} has no summary", inner.get_name());
                assert!(!about.ends_with('.'), "{}: {about}", inner.get_name());
                for arg in inner.get_arguments().filter(|arg| !arg.is_hide_set()) {
                    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                    assert!(
                        !help.is_empty(),
                        "{} {} has no help",
                        inner.get_name(),
                        arg.get_id()
                    );
                    assert!(
                        !help.ends_with('.'),
                        "{} {}",
                        inner.get_name(),
                        arg.get_id()
                    );
                }
                walk(inner);
            }
        }
        walk(&command());
    }
}
