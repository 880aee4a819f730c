//! Plain lines: one for each thing worth saying, nothing redrawn. For logs.

use jiff::tz::TimeZone;

use super::colour::Colour;
use super::printer::{Printer, Verbosity};
use super::words::{Line, Narrator, Weight};
use crate::roll::{Event, EventSink};

/// Writes a line on stderr for each thing worth saying; every stack event when verbose.
#[derive(Debug)]
pub struct PlainLines {
    printer: Printer,
    narrator: Narrator,
    zone: TimeZone,
    /// The rack that every line names, in a roll of many.
    rack: Option<String>,
}

impl PlainLines {
    /// Starts; times of day are those of `zone`.
    #[must_use]
    pub fn new(printer: Printer, zone: TimeZone) -> Self {
        Self {
            printer,
            narrator: Narrator::default(),
            zone,
            rack: None,
        }
    }

    /// Starts, with the name of a rack before every line.
    #[must_use]
    pub fn of_rack(printer: Printer, zone: TimeZone, rack: &str) -> Self {
        Self {
            rack: Some(rack.to_owned()),
            ..Self::new(printer, zone)
        }
    }
}

impl EventSink for PlainLines {
    fn event(&mut self, event: &Event) {
        let Some(line) = self.narrator.line(event) else {
            return;
        };
        if line.weight == Weight::Detail && self.printer.verbosity() < Verbosity::Verbose {
            return;
        }
        let time = event
            .at
            .to_zoned(self.zone.clone())
            .strftime("%H:%M:%S")
            .to_string();
        let colour = self.printer.colour();
        let rack = self.rack.as_ref().map(|rack| format!("{rack}: "));
        self.printer.say(&format!(
            "{} {}{}",
            colour.faint(&time),
            rack.unwrap_or_default(),
            labelled(&line, colour)
        ));
    }
}

/// Puts the label in its column and colours the line by its weight.
pub(super) fn labelled(line: &Line, colour: Colour) -> String {
    let label = colour.strong(&format!("{:<9}", line.label));
    let text = match line.weight {
        Weight::Detail => colour.faint(&line.text),
        Weight::Normal => line.text.clone(),
        Weight::Warning => colour.warning(&line.text),
        Weight::Bad => colour.bad(&line.text),
    };
    format!("{label} {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::canned;

    fn lines(verbosity: Verbosity, events: &[Event]) -> String {
        let (printer, captured) = Printer::captured(verbosity);
        let mut sink = PlainLines::new(printer, TimeZone::UTC);
        for event in events {
            sink.event(event);
        }
        assert_eq!(captured.stdout(), "", "plain lines are not data");
        captured.stderr()
    }

    #[test]
    fn a_roll_that_goes_well() {
        insta::assert_snapshot!(lines(Verbosity::Normal, &canned::success()), @r"
        03:00:00 busy      the stack is UPDATE_IN_PROGRESS, looking again in 5s
        03:00:05 plan      roll 01kb2q5z8g000001 of prod: prod-keypair-1234 -> prod-keypair-01kb2q5z8g000001
        03:00:15 preserve  kept the private key of prod-keypair-1234
        03:00:25 mint      made prod-keypair-01kb2q5z8g000001, its private half is in the store
        03:00:35 install   CloudFormation took the update
        03:00:45 event     UPDATE_IN_PROGRESS prod: User Initiated
        03:00:50 event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1.
        03:01:00 progress  0 of 3 instances replaced, Instances 1 at a time
        03:01:10 progress  1 of 3 instances replaced, Instances 1 at a time, about 5m 20s left
        03:01:20 progress  2 of 3 instances replaced, Instances 1 at a time, about 2m 40s left
        03:01:25 progress  3 of 3 instances replaced, Instances 1 at a time
        03:01:35 event     UPDATE_COMPLETE prod
        03:01:40 watch     prod is UPDATE_COMPLETE
        03:01:50 verify    2 instances with the new key, 2 without it, looking again in 5s
        03:02:00 verify    every live instance carries the new key
        03:02:05 promote   prod-keypair-01kb2q5z8g000001 is the default now
        03:02:10 retire    deleted prod-keypair-1234
        ");
    }

    #[test]
    fn a_roll_that_goes_back() {
        insta::assert_snapshot!(lines(Verbosity::Normal, &canned::rolled_back()), @r"
        03:00:00 busy      the stack is UPDATE_IN_PROGRESS, looking again in 5s
        03:00:05 plan      roll 01kb2q5z8g000001 of prod: prod-keypair-1234 -> prod-keypair-01kb2q5z8g000001
        03:00:15 preserve  kept the private key of prod-keypair-1234
        03:00:25 mint      made prod-keypair-01kb2q5z8g000001, its private half is in the store
        03:00:35 install   CloudFormation took the update
        03:00:45 event     UPDATE_IN_PROGRESS prod: User Initiated
        03:00:50 event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1.
        03:01:00 progress  0 of 3 instances replaced, Instances 1 at a time
        03:01:10 progress  1 of 3 instances replaced, Instances 1 at a time, about 5m 20s left
        03:01:15 event     UPDATE_FAILED Instances: Received 0 SUCCESS signal(s) out of 1. Unable to satisfy 100% requirement
        03:01:25 rollback  CloudFormation is going back
        03:01:30 event     UPDATE_ROLLBACK_IN_PROGRESS prod: The following resource(s) failed
        03:01:35 progress  going back: 1 of 3 instances replaced, Instances 1 at a time
        03:01:40 event     UPDATE_ROLLBACK_COMPLETE prod
        03:01:45 discard   deleted prod-keypair-01kb2q5z8g000001
        ");
    }

    #[test]
    fn verbose_tells_every_event() {
        let normal = lines(Verbosity::Normal, &canned::success());
        let verbose = lines(Verbosity::Verbose, &canned::success());
        assert!(verbose.contains("Received SUCCESS signal"), "{verbose}");
        assert!(!normal.contains("Received SUCCESS signal"), "{normal}");
    }

    #[test]
    fn quiet_says_nothing() {
        assert_eq!(lines(Verbosity::Quiet, &canned::rolled_back()), "");
    }

    #[test]
    fn a_thousand_instances_take_some_twenty_lines() {
        let events: Vec<_> = (0..=1000).map(|n| canned::progress(n, 1000)).collect();
        let said = lines(Verbosity::Normal, &events).lines().count();
        assert!((10..=25).contains(&said), "{said} lines");
    }
}
