//! `convox console master-key`: the key that seals what must be read back.

use clap::{Args, Subcommand};

use super::database::{DatabaseArgs, explain, explain_vault};
use crate::cli::context::Context;
use crate::clock::Clock;
use crate::console::{KeySource, Step, prepare, rotate};
use crate::store::Store;
use crate::ui::{CliError, Exit};

/// How many things are sealed anew in one transaction: so few that servers hardly wait for it.
const BATCH: i64 = 100;

/// The key that seals what must be read back
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Rotate(RotateArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Rotate(args) => context.block_on(args.run(context)),
        }
    }
}

/// Make a new master key, seal everything anew with it, and let the old one go
///
/// Servers may run meanwhile. They read the new key where the old one is: from the file, or, when
/// KMS wraps it, from the database. Where servers have files of their own, --prepare comes first.
/// The old key goes once nothing is sealed with it any more; what was stopped in the middle is
/// ended by the same command. A backup of before needs the old key: keep it with the backup.
#[derive(Debug, Args)]
pub(in crate::cli) struct RotateArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    /// Write the new key into the file and stop, so that it can be copied to every server first
    #[arg(long)]
    prepare: bool,

    /// Leave KMS: make the new key in the file `master.key` of the data directory
    ///
    /// Servers need KMS until they are started without `--master-key kms:KEY`.
    #[arg(long)]
    to_file: bool,
}

impl RotateArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut source = self.database.key_source(context).await?;
        if self.to_file {
            source = source.back_to_file();
        }
        let store = self.database.open_existing(context).await?;
        store.check().await.map_err(explain)?;
        let done = match self.prepare {
            true => prepared(&store, &source, context).await,
            false => rotated(&store, &source, context).await,
        };
        store.close().await;
        done?;
        Ok(Exit::Done)
    }
}

async fn prepared(store: &Store, source: &KeySource, context: &Context) -> Result<(), CliError> {
    let id = prepare(store, source, &context.entropy()?).await;
    let id = id.map_err(explain_vault)?;
    let printer = context.printer();
    printer.say(&format!(
        "Master key {id} is in {source}, and seals nothing yet"
    ));
    printer.say("Once every server has the file, run the same without --prepare");
    Ok(())
}

async fn rotated(store: &Store, source: &KeySource, context: &Context) -> Result<(), CliError> {
    let printer = context.printer();
    let told = |step: &Step| {
        if let Step::Named(id) = step {
            printer.say(&format!("Master key {id} seals from now on"));
        }
        Ok(())
    };
    let (clock, entropy) = (Clock::system(), context.entropy()?);
    let done = rotate(store, source, &clock, BATCH, &entropy, told).await;
    let done = done.map_err(explain_vault)?;
    printer.say(&format!("{} things were sealed anew with it", done.sealed));
    for id in &done.gone {
        printer.say(&format!(
            "Master key {id} is gone: only backups of before need it"
        ));
    }
    Ok(())
}
