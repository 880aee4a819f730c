//! `convox console waves`: one key of many racks, a canary first.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::database::explain;
use super::organization::OrganizationArgs;
use super::schedules::kind;
use crate::cli::context::Context;
use crate::console::schedule::Glob;
use crate::console::{CONCURRENCY, NoWave, Wave, begin_wave};
use crate::store::{RackKeyKind, StoreError, WaveRack, WaveRackState, WaveRow};
use crate::ui::{CliError, Exit, Table};

/// How many waves are listed.
const LISTED: i64 = 20;

/// Rolls of one key of many racks, a canary first
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Start(StartArgs),
    List(ListArgs),
    Show(ShowArgs),
    Stop(StopArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Start(args) => context.block_on(args.run(context)),
            Self::List(args) => context.block_on(args.run(context)),
            Self::Show(args) => context.block_on(args.run(context)),
            Self::Stop(args) => context.block_on(args.run(context)),
        }
    }
}

/// Have the servers roll a key of many racks
///
/// The canary is rolled first, and the others once that has ended well, so many at once. The first
/// roll that does not end well stops the wave: no more begin, and those under way go on.
#[derive(Debug, Args)]
pub(in crate::cli) struct StartArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Which key: ssh, which opens the instances, or api, the racks' passwords
    #[arg(long, value_name = "KEY", default_value_t = RackKeyKind::Ssh, value_parser = kind)]
    key: RackKeyKind,

    /// Names of racks, or patterns of names such as `staging-*`
    #[arg(long, value_name = "GLOB", required = true, num_args = 1..)]
    racks: Vec<String>,

    /// Name of the rack that is rolled first
    #[arg(long, value_name = "RACK")]
    canary: Option<String>,

    /// How many racks are rolled at once
    #[arg(long, value_name = "N", default_value_t = CONCURRENCY, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
}

impl StartArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let wave = Wave {
            key: self.key,
            racks: self.racks.iter().map(|glob| Glob::new(glob)).collect(),
            canary: self.canary,
            concurrency: self.concurrency,
        };
        let begun = begin_wave(&place.store, &wave, None, place.audited()).await;
        let id = begun.map_err(|error| match error {
            NoWave::NoRack(_) => CliError::failed(error.to_string())
                .hint("`convox console racks list` lists those that the console knows"),
            NoWave::NotRolled(..) => CliError::failed(error.to_string()).hint(
                "of a rack whose API alone it knows it rolls the API key: `--key api`; its SSH key \
                 is rolled with `convox instances keyroll`",
            ),
            NoWave::Store(error) => explain(error),
        })?;
        let told = "Begun; a server of the console sees to it, and `waves show` how far it is";
        context.printer().say(told);
        context.printer().data(&format!("{id}\n"));
        place.close().await
    }
}

/// List the last waves, the newest first
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: OrganizationArgs,
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let (store, organization) = (&place.store, &place.organization.id);
        let mut table = Table::new(["WAVE", "KEY", "BEGAN", "DONE", "STATE"]);
        for wave in store.waves(organization, LISTED).await.map_err(explain)? {
            let found = store.wave(organization, &wave.id).await;
            let (wave, racks) = found.map_err(explain)?;
            let done = racks.iter().filter(|it| it.state == WaveRackState::Done);
            let done = format!("{}/{}", done.count(), racks.len());
            let state = state(&wave);
            let began = Timestamp::from_millisecond(wave.created_at).unwrap_or_default();
            let began = format!("{began:.0}");
            table.row([wave.id, wave.key_kind, began, done, state]);
        }
        context.printer().data(&table.render());
        place.close().await
    }
}

/// Show how each rack of a wave stands
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Id of the wave
    wave: String,
}

impl ShowArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let found = place.store.wave(&place.organization.id, &self.wave).await;
        let (wave, racks) = found.map_err(|error| about(&self.wave, error))?;
        let mut table = Table::new(["RACK", "ROLL", "STATE"]);
        for rack in racks {
            let state = state_of(&rack);
            let name = match rack.is_canary {
                true => format!("{} (canary)", rack.name),
                false => rack.name,
            };
            table.row([name, rack.roll.unwrap_or_default(), state]);
        }
        context
            .printer()
            .say(&format!("Wave {}: {}", wave.id, state(&wave)));
        context.printer().data(&table.render());
        place.close().await
    }
}

/// Have no more rolls of a wave begin; those that are under way go on
#[derive(Debug, Args)]
pub(in crate::cli) struct StopArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Id of the wave
    wave: String,
}

impl StopArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let stopped = place
            .store
            .stop_wave(&self.wave, "by the operator", place.audited());
        stopped.await.map_err(|error| about(&self.wave, error))?;
        let told = format!("No more rolls of wave {} begin", self.wave);
        context.printer().say(&told);
        place.close().await
    }
}

fn state(wave: &WaveRow) -> String {
    match (&wave.stopped, wave.ended_at) {
        (None, None) => "under way".to_owned(),
        (None, Some(_)) => "done".to_owned(),
        (Some(why), Some(_)) => format!("stopped: {why}"),
        (Some(why), None) => format!("stopping: {why}"),
    }
}

fn state_of(rack: &WaveRack) -> String {
    match &rack.state {
        WaveRackState::Waiting => "waiting".to_owned(),
        WaveRackState::Rolling => "rolling".to_owned(),
        WaveRackState::Left(why) => format!("left: {why}"),
        WaveRackState::Done => "done".to_owned(),
        WaveRackState::Failed(why) => format!("failed: {why}"),
    }
}

fn about(wave: &str, error: StoreError) -> CliError {
    match error {
        StoreError::NotFound(_) => {
            CliError::failed(format!("there is no wave {wave}, or it is over"))
                .hint("`convox console waves list` lists them")
        }
        error => explain(error),
    }
}
