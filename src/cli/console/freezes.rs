//! `convox console freezes`: spans in which nothing begins by itself.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::database::explain;
use super::organization::OrganizationArgs;
use super::schedules::bad;
use crate::cli::context::Context;
use crate::console::schedule::{BadSchedule, FreezeBounds, Zone};
use crate::store::{FreezeRow, StoreError};
use crate::ui::{CliError, Exit, Table};

/// Spans in which no roll begins by itself
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Add(AddArgs),
    List(ListArgs),
    Remove(RemoveArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Add(args) => context.block_on(args.run(context)),
            Self::List(args) => context.block_on(args.run(context)),
            Self::Remove(args) => context.block_on(args.run(context)),
        }
    }
}

/// Have nothing begin by itself for some days or hours
///
/// Rolls that are under way go on, and people may begin others.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Its first day, such as 2026-12-20, or when it begins, such as 2026-12-20T18:00:00+01:00
    #[arg(long, value_name = "DAY|TIME")]
    from: String,

    /// Its last day, or when it is over
    #[arg(long, value_name = "DAY|TIME")]
    to: String,

    /// Whose days are meant
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl AddArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let read = || {
            let zone =
                Zone::named(&self.zone).ok_or_else(|| BadSchedule::Zone(self.zone.clone()))?;
            FreezeBounds::read(&self.from)?.to(FreezeBounds::read(&self.to)?, &zone)
        };
        let freeze = read().map_err(|error| bad(&error))?;
        let place = self.place.open(context).await?;
        let (from, to) = (freeze.from.as_millisecond(), freeze.to.as_millisecond());
        let added = place
            .store
            .add_freeze(from, to, &self.reason, place.audited());
        let added = added.await.map_err(explain)?;
        let told = format!(
            "Nothing begins by itself from {:.0} to {:.0}: {}",
            freeze.from, freeze.to, added.id
        );
        context.printer().say(&told);
        place.close().await
    }
}

/// List the freezes that are not over
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: OrganizationArgs,
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let now = place.now().as_millisecond();
        let freezes = place.store.freezes(&place.organization.id, now).await;
        let mut table = Table::new(["FREEZE", "FROM", "TO", "REASON"]);
        for freeze in freezes.map_err(explain)? {
            let FreezeRow {
                id,
                starts_at,
                ends_at,
                reason,
            } = freeze;
            table.row([id, shown(starts_at), shown(ends_at), reason]);
        }
        context.printer().data(&table.render());
        place.close().await
    }
}

/// End a freeze, or have it not begin
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Id of the freeze
    freeze: String,
}

impl RemoveArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let removed = place.store.remove_freeze(&self.freeze, place.audited());
        removed.await.map_err(|error| match error {
            StoreError::NotFound(_) => {
                CliError::failed(format!("there is no freeze {}", self.freeze))
                    .hint("`convox console freezes list` lists those that are not over")
            }
            error => explain(error),
        })?;
        context
            .printer()
            .say(&format!("Freeze {} is removed", self.freeze));
        place.close().await
    }
}

fn shown(millis: i64) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{at:.0}")
}
