//! The list of rolls, and the timeline of one.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::plain::labelled;
use super::printer::Printer;
use super::table::Table;
use super::text::{ago, one_line};
use super::words::{Line, Narrator, Weight};
use crate::roll::{Event, EventKind, FleetSummary, Outcome, RollSummary};

/// Prints rolls as a table, in the order given.
pub fn print_rolls(printer: &Printer, rolls: &[RollSummary], now: Timestamp) {
    let mut table = Table::new([
        "ID", "RACK", "STARTED", "STATE", "OLD KEY", "NEW KEY", "JOURNAL",
    ]);
    for roll in rolls {
        table.row([
            roll.id.to_string(),
            roll.rack.clone(),
            ago(roll.started_at, now),
            roll.outcome.map_or_else(
                || roll.state.clone(),
                |outcome| outcome_word(outcome).to_owned(),
            ),
            roll.old_key.clone().unwrap_or_else(|| "none".to_owned()),
            roll.new_key.clone(),
            if roll.local { "here" } else { "elsewhere" }.to_owned(),
        ]);
    }
    printer.data(&table.render());
}

/// Prints fleets as a table of their own, in the order given; nothing where there are none.
pub fn print_fleets(printer: &Printer, fleets: &[FleetSummary], now: Timestamp) {
    if fleets.is_empty() {
        return;
    }
    let mut table = Table::new(["FLEET", "STARTED", "RACKS", "DONE", "NOT WELL", "STOPPED"]);
    for fleet in fleets {
        table.row([
            fleet.fleet.to_string(),
            ago(fleet.started_at, now),
            fleet.racks.to_string(),
            fleet.done.to_string(),
            fleet.failed.to_string(),
            fleet.stopped.clone().unwrap_or_default(),
        ]);
    }
    printer.data(&format!("\n{}", table.render()));
}

/// Words an outcome in a table or a list.
#[must_use]
pub fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::NothingChanged => "nothing changed",
        Outcome::RolledBack => "rolled back",
        Outcome::Unproven => "unproven",
        Outcome::Stuck => "stuck",
        Outcome::Detached => "detached",
        Outcome::Busy => "busy",
    }
}

/// Prints everything that is known to have happened in a roll, oldest first.
pub fn print_timeline(printer: &Printer, events: &[Event], zone: &TimeZone) {
    let mut narrator = Narrator::default();
    for event in events {
        let line = match &event.kind {
            EventKind::Finished(report) => Some(Line {
                weight: Weight::Normal,
                label: "end",
                text: one_line(&report.message),
            }),
            _ => narrator.line(event),
        };
        if let Some(line) = line {
            let time = event
                .at
                .to_zoned(zone.clone())
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string();
            let colour = printer.data_colour();
            printer.data(&format!(
                "{} {}\n",
                colour.faint(&time),
                labelled(&line, colour)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Verbosity, canned};

    #[test]
    fn the_list_is_a_table() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let now: Timestamp = "2026-11-22T05:00:00Z".parse().unwrap();
        let roll = RollSummary {
            id: canned::roll(),
            rack: "prod".to_owned(),
            api: false,
            started_at: "2026-11-22T03:00:00Z".parse().unwrap(),
            state: "watch".to_owned(),
            outcome: None,
            old_key: None,
            new_key: "prod-keypair-01kb2q5z8g000001".to_owned(),
            local: true,
        };
        let done = RollSummary {
            state: "done".to_owned(),
            outcome: Some(Outcome::Done),
            old_key: Some("prod-keypair-1234".to_owned()),
            local: false,
            ..roll.clone()
        };
        print_rolls(&printer, &[roll, done], now);
        insta::assert_snapshot!(captured.stdout(), @r"
        ID                RACK  STARTED      STATE  OLD KEY            NEW KEY                        JOURNAL
        01kb2q5z8g000001  prod  2 hours ago  watch  none               prod-keypair-01kb2q5z8g000001  here
        01kb2q5z8g000001  prod  2 hours ago  done   prod-keypair-1234  prod-keypair-01kb2q5z8g000001  elsewhere
        ");
    }

    #[test]
    fn the_timeline_leaves_nothing_out_and_ends_with_the_end() {
        let (printer, captured) = Printer::captured(Verbosity::Quiet);
        print_timeline(&printer, &canned::rolled_back(), &TimeZone::UTC);
        let text = captured.stdout();
        assert!(text.contains("Received SUCCESS signal"), "{text}");
        assert!(text.contains("Resource update cancelled"), "{text}");
        insta::assert_snapshot!(text.lines().last().unwrap(), @"2026-11-22 03:01:50 end       the update of prod was rolled back, and prod-keypair-1234 still works");
    }
}
