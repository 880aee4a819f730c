//! `convox console rolls`: the rolls that the console's servers work on.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::database::explain;
use super::organization::OrganizationArgs;
use crate::cli::context::Context;
use crate::ids::RollId;
use crate::roll::Report;
use crate::store::{RollRow, StoreError};
use crate::ui::{CliError, Exit, Table};

/// How many rolls of a rack are listed.
const LISTED: i64 = 20;

/// The rolls of racks' keys that the console's servers work on
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    List(ListArgs),
    GiveUp(GiveUpArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::List(args) => context.block_on(args.run(context)),
            Self::GiveUp(args) => context.block_on(args.run(context)),
        }
    }
}

/// List the last rolls of each rack, the newest first
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: OrganizationArgs,
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let mut table = Table::new(["ROLL", "RACK", "KEY", "BEGAN", "STATE"]);
        let racks = place.store.racks(&place.organization.id).await;
        for rack in racks.map_err(explain)? {
            let rolls = place.store.rolls(&rack.id, LISTED).await.map_err(explain)?;
            for roll in rolls {
                let began = Timestamp::from_millisecond(roll.created_at).unwrap_or_default();
                let state = state(&roll);
                let began = format!("{began:.0}");
                table.row([roll.id, rack.full_name(), roll.key_kind, began, state]);
            }
        }
        context.printer().data(&table.render());
        place.close().await
    }
}

/// Says how a roll stands.
fn state(roll: &RollRow) -> String {
    let report = roll.report.as_deref();
    let report: Option<Report> = report.and_then(|text| serde_json::from_str(text).ok());
    match (roll.ended_at, report) {
        (Some(_), Some(report)) if report.is_over() => report.message,
        (Some(_), _) => "given up".to_owned(),
        (None, Some(report)) => format!("tried again later: {}", report.message),
        (None, None) => "under way".to_owned(),
    }
}

/// End a roll that cannot go on: nothing is changed any more, and what is left of it stays
///
/// Both keys are left as they are, so look at the rack first. The record of the rack's password
/// goes on holding the one from before.
#[derive(Debug, Args)]
pub(in crate::cli) struct GiveUpArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Id of the roll
    roll: RollId,
}

impl GiveUpArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let given_up = place
            .store
            .give_up_roll(self.roll.as_str(), place.audited());
        given_up.await.map_err(|error| match error {
            StoreError::NotFound(_) => {
                CliError::failed(format!("no roll {} is under way", self.roll))
                    .hint("`convox console rolls list` lists them")
            }
            error => explain(error),
        })?;
        context
            .printer()
            .say(&format!("Roll {} is given up", self.roll));
        place.close().await
    }
}
