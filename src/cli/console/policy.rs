//! `convox console policy`: schedules of many racks from one file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::database::explain;
use super::organization::{OrganizationArgs, Place};
use crate::cli::context::Context;
use crate::console::schedule::{BadPolicy, Policy, Schedule, WaveRule};
use crate::console::{Scheduled, rolls_itself, schedules_of, set_schedule};
use crate::store::{RackKeyKind, RackRecord, WaveSchedule, WaveScheduleRow};
use crate::ui::{CliError, Exit};

/// Schedules of many racks from one file
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Apply(ApplyArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Apply(args) => context.block_on(args.run(context)),
        }
    }
}

/// Such a file, for the help.
const EXAMPLE: &str = r#"Such a file:

    schedules:
      - racks: [prod-eu, "prod-us-*"]
        keys: [ssh]
        schedule: every 90 days, Tue 03:00-05:00 Europe/Paris
      - racks: ["staging-*"]
        keys: [ssh, api]
        every: 30 days
        window: {days: Mon-Fri, from: "03:00", to: "05:00", zone: UTC}
    waves:
      - name: lab
        racks: ["lab-*"]
        canary: lab-eu
        concurrency: 3
        schedule: every 30 days, daily 03:00-05:00 UTC"#;

/// Have racks be rolled as a YAML file says
///
/// Of every rack that the file names it is the truth: a schedule that is not in it is removed. Of
/// two rules for the same key of a rack the first counts. Other racks are left as they are. A wave
/// rolls the racks whose keys are due, so many at once and its canary first; where the file says
/// anything of waves, those that are not in it do not begin any more.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct ApplyArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// The file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is to become of a schedule.
enum Change<'p> {
    Set(&'p Schedule),
    Remove,
}

impl ApplyArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let shown = self.file.display();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| CliError::usage(format!("cannot read {shown}: {error}")))?;
        let policy = Policy::read(&text).map_err(|error| {
            let hint = match &error {
                BadPolicy::Schedule(_, error) => error.hint(),
                _ => "`convox console policy apply --help` shows such a file",
            };
            CliError::usage(format!("{shown}: {error}")).hint(hint)
        })?;
        let place = self.place.open(context).await?;
        let racks = place.store.racks(&place.organization.id).await;
        let racks = racks.map_err(explain)?;
        let known = schedules_of(&place.store, &place.organization.id, place.now()).await;
        let known = known.map_err(explain)?;
        let waves = place.store.wave_schedules(&place.organization.id).await;
        let waves = wave_changes(&policy, waves.map_err(explain)?);
        let printer = context.printer();
        for rule in &policy.rules {
            for glob in &rule.racks {
                if !racks.iter().any(|rack| glob.fits(&rack.name)) {
                    printer.warn(&format!("no rack is called {glob}"), None);
                }
            }
        }
        let changes = changes(&policy, &racks, &known);
        let mut lines = String::new();
        for (rack, key, change) in &changes {
            if !self.dry_run {
                carry_out(&place, rack, *key, change).await?;
            }
            lines.push_str(&line(rack, *key, change, &known));
        }
        for change in &waves {
            if !self.dry_run {
                change.carry_out(&place).await?;
            }
            lines.push_str(&change.line());
        }
        printer.data(&lines);
        let count = changes.len() + waves.len();
        printer.say(&match (count, self.dry_run) {
            (0, _) => "Nothing changes: all is as the file says".to_owned(),
            (1, true) => "1 schedule would change".to_owned(),
            (1, false) => "1 schedule is changed".to_owned(),
            (_, true) => format!("{count} schedules would change"),
            (_, false) => format!("{count} schedules are changed"),
        });
        place.close().await
    }
}

/// What is to become of a wave that begins by itself.
struct WaveChange {
    before: Option<WaveSchedule>,
    after: Option<WaveSchedule>,
}

/// Compares the waves of a policy with those that there are.
fn wave_changes(policy: &Policy, known: Vec<WaveScheduleRow>) -> Vec<WaveChange> {
    let Some(wanted) = &policy.waves else {
        return Vec::new();
    };
    let wanted: BTreeMap<_, _> = wanted
        .iter()
        .map(|it| (it.name.clone(), said(it)))
        .collect();
    let known: BTreeMap<_, _> = known
        .into_iter()
        .map(|row| (row.said.name.clone(), row.said))
        .collect();
    let names: BTreeSet<_> = wanted.keys().chain(known.keys()).collect();
    let changes = names.into_iter().map(|name| WaveChange {
        before: known.get(name).cloned(),
        after: wanted.get(name).cloned(),
    });
    changes.filter(|it| it.before != it.after).collect()
}

fn said(rule: &WaveRule) -> WaveSchedule {
    WaveSchedule {
        name: rule.name.clone(),
        key_kind: rule.key.as_str().to_owned(),
        racks: rule.racks.iter().map(ToString::to_string).collect(),
        canary: rule.canary.clone(),
        concurrency: i64::from(rule.concurrency),
        sentence: rule.schedule.to_string(),
    }
}

impl WaveChange {
    fn line(&self) -> String {
        let told = |it: &WaveSchedule| {
            let canary = it.canary.iter().map(|canary| format!(" after {canary}"));
            format!(
                "{}{}, {} at once, {}",
                it.racks.join(" "),
                canary.collect::<String>(),
                it.concurrency,
                it.sentence
            )
        };
        match (&self.before, &self.after) {
            (None, Some(it)) => format!("+ wave {} {}: {}\n", it.name, it.key_kind, told(it)),
            (Some(it), None) => format!("- wave {} {}: {}\n", it.name, it.key_kind, told(it)),
            (Some(was), Some(it)) => format!(
                "~ wave {} {}: {} (was: {}: {})\n",
                it.name,
                it.key_kind,
                told(it),
                was.key_kind,
                told(was)
            ),
            (None, None) => String::new(),
        }
    }

    async fn carry_out(&self, place: &Place) -> Result<(), CliError> {
        let (store, by) = (&place.store, place.audited());
        let changed = match (&self.before, &self.after) {
            (_, Some(it)) => store.set_wave_schedule(it.clone(), by).await,
            (Some(it), None) => store.remove_wave_schedule(&it.name, by).await,
            (None, None) => return Ok(()),
        };
        changed.map(drop).map_err(explain)
    }
}

/// Compares a policy with what is there.
fn changes<'p>(
    policy: &'p Policy,
    racks: &'p [RackRecord],
    known: &[Scheduled],
) -> Vec<(&'p RackRecord, RackKeyKind, Change<'p>)> {
    let mut changes = Vec::new();
    for rack in racks.iter().filter(|rack| policy.names(&rack.name)) {
        for key in RackKeyKind::ALL {
            // A pattern may fit racks that roll their SSH key when they are asked to.
            let wanted = policy.schedule(&rack.name, key);
            let wanted = wanted.filter(|_| rolls_itself(rack, key));
            let change = match (wanted, find(known, rack, key)) {
                (Some(wanted), Some(known)) if *wanted == known.schedule => continue,
                (Some(wanted), _) => Change::Set(wanted),
                (None, Some(_)) => Change::Remove,
                (None, None) => continue,
            };
            changes.push((rack, key, change));
        }
    }
    changes
}

fn find<'k>(known: &'k [Scheduled], rack: &RackRecord, key: RackKeyKind) -> Option<&'k Scheduled> {
    known
        .iter()
        .find(|scheduled| scheduled.rack == rack.id && scheduled.key == key)
}

fn line(rack: &RackRecord, key: RackKeyKind, change: &Change<'_>, known: &[Scheduled]) -> String {
    let name = &rack.name;
    let before = find(known, rack, key).map(|known| &known.schedule);
    match (before, change) {
        (None, Change::Set(schedule)) => format!("+ {name} {key}: {schedule}\n"),
        (Some(before), Change::Set(schedule)) => {
            format!("~ {name} {key}: {schedule} (was: {before})\n")
        }
        (Some(before), Change::Remove) => format!("- {name} {key}: {before}\n"),
        (None, Change::Remove) => String::new(),
    }
}

async fn carry_out(
    place: &Place,
    rack: &RackRecord,
    key: RackKeyKind,
    change: &Change<'_>,
) -> Result<(), CliError> {
    let (store, by) = (&place.store, place.audited());
    let changed = match change {
        Change::Set(schedule) => set_schedule(store, rack, key, schedule, by).await,
        Change::Remove => store.remove_schedule(&rack.id, key.as_str(), by).await,
    };
    changed.map(drop).map_err(explain)
}
