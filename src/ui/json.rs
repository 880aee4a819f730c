//! JSON lines on stdout: the event itself, one object a line.

use serde::Serialize;
use serde_json::json;

use super::error::CliError;
use super::printer::Printer;
use crate::roll::{EVENT_VERSION, Event, EventSink};

/// Writes each event as one line of JSON on stdout.
#[derive(Debug)]
pub struct JsonLines {
    printer: Printer,
    /// The rack that every line names, in a roll of many.
    rack: Option<String>,
}

/// An event and whose it is.
#[derive(Serialize)]
struct OfRack<'e> {
    rack: &'e str,
    #[serde(flatten)]
    event: &'e Event,
}

impl JsonLines {
    /// Starts.
    #[must_use]
    pub fn new(printer: Printer) -> Self {
        Self {
            printer,
            rack: None,
        }
    }

    /// Starts, with the name of a rack in every line.
    #[must_use]
    pub fn of_rack(printer: Printer, rack: &str) -> Self {
        Self {
            printer,
            rack: Some(rack.to_owned()),
        }
    }
}

impl EventSink for JsonLines {
    fn event(&mut self, event: &Event) {
        let line = match &self.rack {
            Some(rack) => serde_json::to_string(&OfRack { rack, event }),
            None => serde_json::to_string(event),
        };
        if let Ok(line) = line {
            self.printer.data(&format!("{line}\n"));
        }
    }
}

/// Writes an error as one line of JSON on stdout, in the shape of an event of type `error`.
pub fn print_error_json(printer: &Printer, error: &CliError) {
    let line = json!({
        "v": EVENT_VERSION,
        "type": "error",
        "data": {
            "exit_code": error.exit().code(),
            "message": error.message(),
            "hints": error.hints(),
        },
    });
    printer.data(&format!("{line}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Verbosity, canned};

    #[test]
    fn each_line_is_the_event_and_reads_back() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let events = canned::rolled_back();
        let mut sink = JsonLines::new(printer);
        for event in &events {
            sink.event(event);
        }
        let read: Vec<Event> = captured
            .stdout()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, events);
        assert_eq!(captured.stderr(), "");
    }

    #[test]
    fn the_last_line_names_the_outcome_and_the_first_failure() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let mut sink = JsonLines::new(printer);
        sink.event(canned::rolled_back().last().unwrap());
        insta::assert_snapshot!(captured.stdout(), @r#"{"v":1,"seq":23,"at":"2026-11-22T03:01:50Z","roll":"01kb2q5z8g000001","type":"finished","data":{"outcome":"rolled_back","exit_code":3,"message":"the update of prod was rolled back, and prod-keypair-1234 still works","hints":["mend what failed first, then roll again"],"old_key":"prod-keypair-1234","new_key":"prod-keypair-01kb2q5z8g000001","first_failure":{"stack":"prod","logical_id":"Instances","resource_type":"AWS::AutoScaling::AutoScalingGroup","reason":"Received 0 SUCCESS signal(s) out of 1.\nUnable to satisfy 100% requirement"},"holdouts":[]}}"#);
    }

    #[test]
    fn an_error_is_one_object() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        print_error_json(&printer, &CliError::failed("no such rack").hint("look"));
        insta::assert_snapshot!(captured.stdout(), @r#"{"data":{"exit_code":1,"hints":["look"],"message":"no such rack"},"type":"error","v":1}"#);
    }
}
