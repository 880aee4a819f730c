//! What is seen of a fleet: lines with the rack's name, JSON, and how it ended, rack by rack.

use serde::Serialize;

use super::exit::Exit;
use super::json::JsonLines;
use super::plain::PlainLines;
use super::printer::{Printer, Verbosity};
use super::rolls::outcome_word;
use super::table::Table;
use super::text::{count, one_line, span};
use crate::roll::{
    Advice, EVENT_VERSION, EventSink, FleetEvent, FleetEventKind, FleetPlan, FleetRack,
    FleetReport, FleetSink, FleetState, Plan, RackReport, Refusal,
};
use jiff::tz::TimeZone;

/// How a fleet is drawn: what its racks say, and what is said of all of them.
#[derive(Debug, Clone)]
pub enum FleetView {
    /// As data: one object a line, with the rack's name.
    Json(Printer),
    /// Line by line, each with the rack's name: for logs.
    Lines(Printer, TimeZone),
    /// Redrawn for a person: one line for each rack that is under way.
    Board(super::board::Board),
}

impl FleetView {
    /// Returns what takes the events of one rack's roll.
    #[must_use]
    pub fn of_rack(&self, rack: &str) -> Box<dyn EventSink> {
        match self {
            Self::Json(printer) => Box::new(JsonLines::of_rack(printer.clone(), rack)),
            Self::Lines(printer, zone) => {
                Box::new(PlainLines::of_rack(printer.clone(), zone.clone(), rack))
            }
            Self::Board(board) => Box::new(board.of_rack(rack)),
        }
    }
}

impl FleetSink for FleetView {
    fn event(&mut self, event: &FleetEvent) {
        match self {
            Self::Json(printer) => {
                if let Ok(line) = serde_json::to_string(event) {
                    printer.data(&format!("{line}\n"));
                }
            }
            Self::Lines(printer, _) => {
                if let Some(line) = words(event) {
                    printer.say(&line);
                }
            }
            Self::Board(board) => {
                board.fleet_event(event);
            }
        }
    }
}

/// Words what happened to a fleet; none for what its racks say themselves.
pub(super) fn words(event: &FleetEvent) -> Option<String> {
    match &event.kind {
        FleetEventKind::FleetBegan { plan, done } => {
            let mut text = format!("fleet {}: {}", plan.fleet, plan_words(plan));
            if *done > 0 {
                text.push_str(&format!(", {done} done before"));
            }
            Some(text)
        }
        FleetEventKind::RackBegan { .. } => None,
        FleetEventKind::RackEnded(report) => Some(format!(
            "{}: {}",
            report.rack,
            one_line(&ended_words(report))
        )),
        FleetEventKind::FleetStopped { why } => {
            Some(format!("no more racks begin: {}", one_line(why)))
        }
        FleetEventKind::FleetFinished(_) => None,
    }
}

fn plan_words(plan: &FleetPlan) -> String {
    let mut text = count(plan.racks.len(), "rack");
    let waves = plan.waves();
    if waves > 1 {
        text.push_str(&format!(" in {waves} waves"));
    }
    text.push_str(&format!(", {} at once", plan.at_once));
    let canaries: Vec<_> = plan.racks.iter().filter(|it| it.canary).collect();
    if !canaries.is_empty() {
        let names: Vec<_> = canaries.iter().map(|it| it.name.as_str()).collect();
        text.push_str(&format!(", {} first", names.join(", ")));
    }
    text
}

fn ended_words(report: &RackReport) -> String {
    let word = report.outcome.map_or("not begun", outcome_word);
    format!("{word}: {}", report.message)
}

/// Prints what a fleet would do, in a line.
pub fn print_fleet_summary(printer: &Printer, plan: &FleetPlan) {
    printer.say(&format!("This rolls the key of {}", plan_words(plan)));
    let failures = count(usize::try_from(plan.stop_after).unwrap_or(1), "rack");
    printer.say(&format!("No more begin once {failures} did not end well"));
}

/// Prints the plans of all racks, and why some have none; returns how the command ends.
#[must_use]
pub fn print_fleet_plans(printer: &Printer, plans: &[(FleetRack, Result<Plan, Refusal>)]) -> Exit {
    printer.close_screen();
    let mut table = Table::new(["WAVE", "RACK", "INSTANCES", "OLD KEY", "WARNINGS"]);
    let mut exit = Exit::Done;
    for (rack, planned) in plans {
        let Ok(plan) = planned else { continue };
        let instances: u32 = plan.groups.iter().map(|group| group.instances).sum();
        table.row([
            wave(rack.wave, rack.canary),
            rack.name.clone(),
            instances.to_string(),
            plan.old_key.clone().unwrap_or_default(),
            plan.warnings.len().to_string(),
        ]);
        if printer.verbosity() == Verbosity::Verbose {
            for Advice { message, hint, .. } in &plan.warnings {
                printer.warn(&format!("{}: {message}", rack.name), Some(hint));
            }
        }
    }
    if !table.is_empty() {
        printer.data(&table.render());
    }
    for (rack, planned) in plans {
        let Err(refusal) = planned else { continue };
        let refused = Exit::from(refusal.outcome);
        exit = if exit == Exit::Failed { exit } else { refused };
        for reason in &refusal.reasons {
            let error = super::CliError::new(refused, format!("{}: {}", rack.name, reason.message));
            printer.error(&error.hint(&reason.hint));
        }
    }
    exit
}

/// Prints the plans of all racks as data, one object a line; returns how the command ends.
#[must_use]
pub fn print_fleet_plans_json(
    printer: &Printer,
    plans: &[(FleetRack, Result<Plan, Refusal>)],
) -> Exit {
    #[derive(Serialize)]
    struct Planned<'p, T> {
        v: u32,
        rack: &'p str,
        wave: u32,
        #[serde(rename = "type")]
        kind: &'static str,
        data: T,
    }
    let mut exit = Exit::Done;
    for (rack, planned) in plans {
        let (v, wave, name) = (EVENT_VERSION, rack.wave, rack.name.as_str());
        let line = match planned {
            Ok(plan) => serde_json::to_string(&Planned {
                v,
                rack: name,
                wave,
                kind: "planned",
                data: plan,
            }),
            Err(refusal) => {
                let refused = Exit::from(refusal.outcome);
                exit = if exit == Exit::Failed { exit } else { refused };
                let reasons = &refusal.reasons;
                let data = serde_json::json!({ "outcome": refusal.outcome, "reasons": reasons });
                serde_json::to_string(&Planned {
                    v,
                    rack: name,
                    wave,
                    kind: "refused",
                    data,
                })
            }
        };
        if let Ok(line) = line {
            printer.data(&format!("{line}\n"));
        }
    }
    exit
}

/// Prints how a fleet ended: a table of its racks, and what to do next.
#[must_use]
pub fn print_fleet_report(printer: &Printer, report: &FleetReport, as_table: bool) -> Exit {
    printer.close_screen();
    if as_table {
        printer.data(&table(report).render());
    }
    let exit = Exit::from(report.outcome);
    if exit == Exit::Done {
        printer.say(&one_line(&report.message));
        return exit;
    }
    let mut error = super::CliError::new(exit, &report.message);
    if let Some(why) = &report.stopped {
        error = super::CliError::new(exit, format!("{}: {why}", report.message));
    }
    for hint in &report.hints {
        error = error.hint(hint);
    }
    printer.error(&error);
    exit
}

fn table(report: &FleetReport) -> Table {
    let mut table = Table::new(["WAVE", "RACK", "OUTCOME", "TOOK", "ROLL", "WHAT"]);
    for rack in &report.racks {
        let took = rack.began.zip(rack.ended);
        let took = took.map(|(began, ended)| span(ended.duration_since(began).unsigned_abs()));
        let outcome = match (rack.state, rack.outcome) {
            (FleetState::Ended, Some(outcome)) => outcome_word(outcome),
            _ => "not begun",
        };
        let what = match rack.is_done() {
            true => rack.new_key.clone().unwrap_or_default(),
            false => one_line(&rack.message),
        };
        let roll = rack.roll.as_ref().map(ToString::to_string);
        table.row([
            wave(rack.wave, rack.wave == 0),
            rack.rack.clone(),
            outcome.to_owned(),
            took.unwrap_or_default(),
            roll.unwrap_or_default(),
            what,
        ]);
    }
    table
}

fn wave(number: u32, is_canary: bool) -> String {
    match is_canary {
        true => "canary".to_owned(),
        false => number.to_string(),
    }
}
