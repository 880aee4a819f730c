//! `convox console`: the server of keys and racks.

mod account_rack;
mod api_rack;
mod audit;
mod backup;
mod certificate;
mod database;
mod demo;
mod doctor;
mod finder;
mod freezes;
mod init;
mod master_key;
mod migrate;
mod openapi;
mod organization;
mod people;
mod policy;
mod racks;
mod restore;
mod rolls;
mod schedules;
mod serve;
mod waves;
mod webhooks;

use clap::Subcommand;

use super::context::Context;
use crate::ui::{CliError, Exit};

/// The commands of the console.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Init(init::InitArgs),
    Serve(serve::ServeArgs),
    Migrate(migrate::MigrateArgs),
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApiArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Doctor(doctor::DoctorArgs),
    #[command(subcommand)]
    MasterKey(master_key::Command),
    #[command(subcommand)]
    People(people::Command),
    #[command(subcommand)]
    Racks(racks::Command),
    #[command(subcommand)]
    Rolls(rolls::Command),
    #[command(subcommand)]
    Schedules(schedules::Command),
    #[command(subcommand)]
    Freezes(freezes::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Waves(waves::Command),
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    Audit(audit::AuditArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Init(args) => context.block_on(args.run(context)),
            Self::Serve(args) => context.block_on_threads(args.run(context)),
            Self::Migrate(args) => context.block_on(args.run(context)),
            Self::OpenApi(args) => args.run(context),
            Self::Backup(args) => context.block_on(args.run(context)),
            Self::Restore(args) => context.block_on(args.run(context)),
            Self::Doctor(args) => context.block_on(args.run(context)),
            Self::MasterKey(command) => command.run(context),
            Self::People(command) => command.run(context),
            Self::Racks(command) => command.run(context),
            Self::Rolls(command) => command.run(context),
            Self::Schedules(command) => command.run(context),
            Self::Freezes(command) => command.run(context),
            Self::Policy(command) => command.run(context),
            Self::Waves(command) => command.run(context),
            Self::Webhooks(command) => command.run(context),
            Self::Audit(args) => context.block_on(args.run(context)),
        }
    }
}
