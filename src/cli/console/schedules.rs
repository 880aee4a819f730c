//! `convox console schedules`: when keys of racks are rolled by themselves.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::database::explain;
use super::organization::OrganizationArgs;
use super::racks::about;
use crate::cli::context::Context;
use crate::console::schedule::{BadSchedule, Schedule};
use crate::console::{Scheduled, schedule_of, schedules_of, set_schedule};
use crate::store::{BadRackKeyKind, RackKeyKind};
use crate::ui::{CliError, Exit, Table};

/// When keys of racks are rolled by themselves
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Set(SetArgs),
    List(ListArgs),
    Remove(RemoveArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Set(args) => context.block_on(args.run(context)),
            Self::List(args) => context.block_on(args.run(context)),
            Self::Remove(args) => context.block_on(args.run(context)),
        }
    }
}

/// Have a key of a rack be rolled by itself from now on
///
/// A schedule is a sentence: how often, and then, if it matters, on which days, between which times
/// and by whose clocks, such as `every 90 days, Tue 03:00-05:00 Europe/Paris`. Days are `Tue`,
/// `Mon-Fri`, `Tue,Thu` or `daily`; a window may pass midnight (`22:00-02:00`). In a freeze nothing
/// begins unless the sentence ends with `also in a freeze`.
///
/// A key is due so many days after it came, whoever rolled it. A roll begins within a window and
/// may go on after it. One that does not succeed is not tried again before the next window, or
/// without windows before a day is over.
#[derive(Debug, Args)]
pub(in crate::cli) struct SetArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    #[command(flatten)]
    key: KeyArgs,

    /// When, such as `every 90 days, Tue 03:00-05:00 Europe/Paris`
    schedule: String,
}

/// Which key of which rack.
#[derive(Debug, Args)]
struct KeyArgs {
    /// Name of the rack
    rack: String,

    /// Which key: ssh, which opens its instances, or api, its password
    #[arg(long, value_name = "KEY", default_value_t = RackKeyKind::Ssh, value_parser = kind)]
    key: RackKeyKind,
}

impl SetArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let schedule: Schedule = self.schedule.parse().map_err(|error| bad(&error))?;
        let place = self.place.open(context).await?;
        let KeyArgs { rack, key } = &self.key;
        let record = place.store.rack_called(&place.organization.id, rack).await;
        let record = record.map_err(|error| about(rack, error))?;
        let by = place.audited();
        let set = set_schedule(&place.store, &record, *key, &schedule, by).await;
        set.map_err(explain)?;
        let scheduled = schedule_of(&place.store, &record, *key, place.now()).await;
        let scheduled = scheduled.map_err(explain)?;
        let next = scheduled.map_or_else(String::new, |it| next(&it));
        let told = format!("The {key} key of {rack} is rolled {schedule}; next: {next}");
        context.printer().say(&told);
        place.close().await
    }
}

/// List when which key is rolled, and when next
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: OrganizationArgs,
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let racks = place.store.racks(&place.organization.id).await;
        let racks = racks.map_err(explain)?.into_iter();
        let names: BTreeMap<_, _> = racks.map(|rack| (rack.id, rack.name)).collect();
        let scheduled = schedules_of(&place.store, &place.organization.id, place.now()).await;
        let mut table = Table::new(["RACK", "KEY", "NEXT", "SCHEDULE"]);
        for it in scheduled.map_err(explain)? {
            let rack = names.get(&it.rack).cloned().unwrap_or_default();
            table.row([rack, it.key.to_string(), next(&it), it.schedule.to_string()]);
        }
        context.printer().data(&table.render());
        place.close().await
    }
}

/// Have a key of a rack not be rolled by itself any more
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    #[command(flatten)]
    key: KeyArgs,
}

impl RemoveArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let KeyArgs { rack, key } = &self.key;
        let failed = |error| about(rack, error);
        let record = place.store.rack_called(&place.organization.id, rack).await;
        let record = record.map_err(failed)?;
        let removed = place
            .store
            .remove_schedule(&record.id, key.as_str(), place.audited());
        if !removed.await.map_err(failed)? {
            let told = format!("the {key} key of {rack} has no schedule");
            return Err(CliError::failed(told)
                .hint("`convox console schedules list` lists those that there are"));
        }
        let told = format!("The {key} key of {rack} is not rolled by itself any more");
        context.printer().say(&told);
        place.close().await
    }
}

/// Says when a key is rolled next, by the clocks of the schedule's zone.
fn next(scheduled: &Scheduled) -> String {
    let Some(next) = scheduled.next else {
        return "never, for a freeze".to_owned();
    };
    match &scheduled.schedule.window {
        None => format!("{next:.0}"),
        Some(window) => {
            let told = next.to_zoned(window.zone().rules().clone());
            told.strftime("%Y-%m-%d %H:%M %Z").to_string()
        }
    }
}

/// Says what is wrong with a schedule.
pub(super) fn bad(error: &BadSchedule) -> CliError {
    CliError::usage(error.to_string()).hint(error.hint())
}

pub(super) fn kind(text: &str) -> Result<RackKeyKind, BadRackKeyKind> {
    text.parse()
}
