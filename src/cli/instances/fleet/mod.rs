//! `convox instances keyroll --racks`: the SSH key of many racks.

mod args;
mod list;
mod reach;

pub(super) use args::FleetArgs;

use std::path::Path;
use std::time::Duration;

use reach::Reacher;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::RackArgs;
use crate::cli::signals;
use crate::cli::way::Way;
use crate::ids::RollId;
use crate::private;
use crate::roll::{
    Fleet, FleetEntry, FleetJournals, FleetPlan, FleetReport, FleetSummary, JournalError,
    RollOptions, Stop, plans_of,
};
use crate::ui::{
    Board, CliError, Exit, FleetView, Task, print_fleet_plans, print_fleet_plans_json,
    print_fleet_report, print_fleet_summary, print_refusal,
};

/// What is asked for of every rack of a fleet.
pub(super) struct EachRack {
    /// What the roll of each is like.
    pub(super) options: RollOptions,
    /// How long a stack that is busy is waited for.
    pub(super) wait_busy: Duration,
    /// Only say what would be done.
    pub(super) plan: bool,
    /// Do not ask whether to go ahead.
    pub(super) yes: bool,
    /// What to write on stdout.
    pub(super) output: Output,
}

/// Rolls the racks that `args` mean.
pub(super) async fn roll(
    args: &FleetArgs,
    each: EachRack,
    context: &Context,
) -> Result<Exit, CliError> {
    let printer = context.printer();
    let wanted = args.wanted()?;
    if let Some(report) = &args.report {
        check(report)?;
    }
    if each.output == Output::Text {
        printer.busy("Looking for the racks");
    }
    let mut view = view(context, each.output);
    let stop = Stop::new();
    let pace = wanted.calls_per_second;
    let reacher = Reacher::open(context, view.clone(), stop.clone(), pace).await?;
    let racks = reacher.find(&wanted).await?;
    let plan = FleetPlan {
        fleet: RollId::generate(reacher.clock().now(), reacher.entropy()),
        racks,
        at_once: wanted.at_once,
        stop_after: wanted.stop_after,
        options: each.options,
        wait_busy_ms: u64::try_from(each.wait_busy.as_millis()).unwrap_or(u64::MAX),
        calls_per_second: pace,
    }
    .in_order();
    if each.plan {
        let plans = plans_of(&plan, &reacher).await;
        return Ok(match each.output {
            Output::Text => print_fleet_plans(printer, &plans),
            Output::Json => print_fleet_plans_json(printer, &plans),
        });
    }
    let real = !context.global().sandbox;
    if real && !each.yes && each.output == Output::Text && printer.can_ask() {
        printer.close_screen();
        print_fleet_summary(printer, &plan);
        if !printer.confirm("Roll the keys?") {
            return Err(CliError::failed("not rolled, nothing is changed")
                .hint("`--yes` goes ahead without asking, `--plan` plans every rack"));
        }
    }
    let journals = journals(context)?;
    let clock = reacher.clock().clone();
    let begun = Fleet::begin(plan, &journals, &reacher, clock, &mut view, stop.clone());
    let fleet = begun.map_err(unkept)?;
    let report = signals::heed(printer, &stop, fleet.run()).await;
    ended(context, each.output, report, args.report.as_deref())
}

/// Goes on with a fleet that was left or killed; `None` where this machine knows of no such fleet.
pub(in crate::cli) async fn resume(
    context: &Context,
    id: &RollId,
    output: Output,
    file: Option<&Path>,
) -> Result<Option<Exit>, CliError> {
    let journals = journals(context)?;
    let Some(lines) = journals.read(id).map_err(unkept)? else {
        return Ok(None);
    };
    if let Some(file) = file {
        check(file)?;
    }
    let pace = lines.iter().find_map(|line| match &line.entry {
        FleetEntry::Opened(plan) => plan.calls_per_second,
        _ => None,
    });
    let printer = context.printer();
    let mut view = view(context, output);
    let stop = Stop::new();
    let reacher = Reacher::open(context, view.clone(), stop.clone(), pace).await?;
    let clock = reacher.clock().clone();
    let taken = Fleet::take_up(id, &journals, &reacher, clock, &mut view, stop.clone());
    let fleet = match taken {
        Ok(fleet) => fleet,
        Err(refusal) => {
            print_refusal(printer, &Task::silent(), &refusal);
            return Ok(Some(Exit::from(refusal.outcome)));
        }
    };
    let report = signals::heed(printer, &stop, fleet.run()).await;
    ended(context, output, report, file).map(Some)
}

/// Lists the fleets that have a journal on this machine, oldest first.
pub(in crate::cli) fn kept(context: &Context) -> Result<Vec<FleetSummary>, CliError> {
    let journals = journals(context)?;
    let mut fleets = Vec::new();
    for id in journals.fleets().map_err(unkept)? {
        match journals.read(&id) {
            Ok(lines) => fleets.extend(FleetSummary::of(&lines.unwrap_or_default())),
            // One that cannot be read hides no other.
            Err(error) => context.printer().warn(&error.to_string(), None),
        }
    }
    Ok(fleets)
}

/// Tells how a fleet ended, if it did before somebody asked twice to leave.
fn ended(
    context: &Context,
    output: Output,
    report: std::io::Result<Option<FleetReport>>,
    file: Option<&Path>,
) -> Result<Exit, CliError> {
    let report =
        report.map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
    let Some(mut report) = report else {
        return Ok(Exit::Interrupted);
    };
    let way = Way::of(context.global(), &RackArgs { rack: None });
    for hint in &mut report.hints {
        *hint = way.complete(hint);
    }
    let exit = print_fleet_report(context.printer(), &report, output == Output::Text);
    if let Some(path) = file {
        let text = serde_json::to_string_pretty(&report).unwrap_or_default();
        let whole = std::path::absolute(path);
        let written =
            whole.and_then(|path| private::replace(&path, format!("{text}\n").as_bytes()));
        if let Err(error) = written {
            let message = format!("cannot write the report to {}: {error}", path.display());
            context.printer().warn(&message, None);
        }
    }
    Ok(exit)
}

fn view(context: &Context, output: Output) -> FleetView {
    let printer = context.printer().clone();
    match output {
        Output::Json => FleetView::Json(printer),
        Output::Text if printer.is_watched() => FleetView::Board(Board::new(printer)),
        Output::Text => FleetView::Lines(printer, context.zone()),
    }
}

/// Refuses a place for the report where none can be written, before anything is done.
fn check(report: &Path) -> Result<(), CliError> {
    let dir = report.parent().filter(|dir| !dir.as_os_str().is_empty());
    if report.is_dir() || dir.is_some_and(|dir| !dir.is_dir()) {
        let message = format!("no report can be written to {}", report.display());
        return Err(CliError::usage(message).hint("name a file in a directory that exists"));
    }
    Ok(())
}

fn journals(context: &Context) -> Result<FleetJournals, CliError> {
    let rolls = context.journals_dir()?;
    Ok(FleetJournals::new(rolls.with_file_name("fleets")))
}

fn unkept(error: JournalError) -> CliError {
    CliError::failed(error.to_string())
        .hint("a fleet must be able to write its journal: make room or set XDG_STATE_HOME")
}
