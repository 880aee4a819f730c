//! The board of a fleet: a line for each rack that is under way, and one for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::bars::doing;
use super::fleet::words;
use super::printer::{Printer, Verbosity};
use super::words::pace_words;
use crate::roll::{Event, EventKind, EventSink, FleetEvent, FleetEventKind};

/// How many racks have a line at once: more than a terminal has room for tell nobody anything.
const SHOWN: usize = 12;
/// How many characters of a rack's name are shown.
const NAME: usize = 24;

/// Draws on the terminal behind stderr. Clones share it.
#[derive(Debug, Clone)]
pub struct Board {
    printer: Printer,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    done: usize,
    failed: usize,
    stopped: bool,
    /// What each rack that is under way is doing.
    running: BTreeMap<String, String>,
}

/// The line of one rack.
#[derive(Debug)]
pub struct BoardLine {
    board: Board,
    rack: String,
}

impl Board {
    /// Starts; nothing is drawn before the first event.
    #[must_use]
    pub fn new(printer: Printer) -> Self {
        Self {
            printer,
            state: Arc::default(),
        }
    }

    /// Returns what takes the events of one rack's roll.
    #[must_use]
    pub fn of_rack(&self, rack: &str) -> BoardLine {
        BoardLine {
            board: self.clone(),
            rack: rack.to_owned(),
        }
    }

    /// Takes what happened to the fleet.
    pub fn fleet_event(&self, event: &FleetEvent) {
        if let Some(line) = words(event) {
            self.printer.say(&line);
        }
        if let FleetEventKind::FleetFinished(_) = event.kind {
            self.printer.close_screen();
            return;
        }
        self.change(|state| match &event.kind {
            FleetEventKind::FleetBegan { plan, done } => {
                state.total = plan.racks.len();
                state.done = *done;
            }
            FleetEventKind::RackBegan { rack, .. } => {
                let begun = "Looking at the rack".to_owned();
                state.running.insert(rack.clone(), begun);
            }
            FleetEventKind::RackEnded(report) => {
                state.running.remove(&report.rack);
                let ended = match report.is_done() {
                    true => &mut state.done,
                    false => &mut state.failed,
                };
                *ended += 1;
            }
            FleetEventKind::FleetStopped { .. } => state.stopped = true,
            FleetEventKind::FleetFinished(_) => {}
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if self.printer.verbosity() == Verbosity::Quiet {
            return;
        }
        let rows = rows(&state);
        let summary = summary(&state);
        self.printer.screen().draw(|live| {
            live.status(summary);
            live.rows(&rows);
        });
    }
}

fn summary(state: &State) -> String {
    let mut text = format!(
        "{} of {} racks done, {} under way",
        state.done,
        state.total,
        state.running.len()
    );
    if state.failed > 0 {
        text.push_str(&format!(", {} did not end well", state.failed));
    }
    if state.stopped {
        text.push_str(", no more begin");
    }
    text
}

fn rows(state: &State) -> Vec<String> {
    let row = |(rack, what): (&String, &String)| {
        let name: String = rack.chars().take(NAME).collect();
        format!("{name:<NAME$}  {what}")
    };
    let mut rows: Vec<_> = state.running.iter().map(row).take(SHOWN).collect();
    let more = state.running.len().saturating_sub(SHOWN);
    if more > 0 {
        rows.push(format!("and {more} more"));
    }
    rows
}

impl EventSink for BoardLine {
    fn event(&mut self, event: &Event) {
        let what = match &event.kind {
            EventKind::StepStarted { step } | EventKind::Resumed { step, .. } => {
                doing(*step, false).to_owned()
            }
            EventKind::Busy { status, .. } => format!("Waiting for the stack, which is {status}"),
            EventKind::Progress(progress) => format!(
                "{}/{} instances{}",
                progress.replaced,
                progress.total,
                pace_words(progress)
            ),
            EventKind::RollbackDetected { .. } => "Following the rollback to its end".to_owned(),
            EventKind::Warning { message }
                if self.board.printer.verbosity() == Verbosity::Verbose =>
            {
                let line = format!("{}: {message}", self.rack);
                self.board.printer.warn(&line, None);
                return;
            }
            _ => return,
        };
        self.board.change(|state| {
            // One that has ended says no more.
            if let Some(row) = state.running.get_mut(&self.rack) {
                *row = what;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::canned;
    use crate::ui::terminal::Terminal;

    fn began(board: &Board, rack: &str) {
        board.fleet_event(&FleetEvent {
            v: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            fleet: "01kb2q5z8g000001".parse().unwrap(),
            kind: FleetEventKind::RackBegan {
                rack: rack.to_owned(),
                wave: 1,
            },
        });
    }

    #[test]
    fn each_rack_under_way_has_a_line_and_those_for_which_there_is_no_room_are_counted() {
        let terminal = Terminal::new(80);
        let board = Board::new(Printer::watched(Verbosity::Normal, &terminal));
        began(&board, "prod-eu");
        board.of_rack("prod-eu").event(&canned::progress(1, 3));
        board.of_rack("ended-before").event(&canned::progress(1, 3));
        let drawn = terminal.drawn();
        assert!(drawn.contains("0 of 0 racks done, 1 under way"), "{drawn}");
        assert!(
            drawn.contains("prod-eu                   1/3 instances"),
            "{drawn}"
        );
        assert!(!drawn.contains("ended-before"), "{drawn}");
        for number in 0..13 {
            began(&board, &format!("z-{number:02}"));
        }
        let drawn = terminal.drawn();
        assert!(drawn.contains("14 under way"), "{drawn}");
        assert!(drawn.contains("z-10") && !drawn.contains("z-11"), "{drawn}");
        assert!(drawn.contains("and 2 more"), "{drawn}");
    }

    #[test]
    fn quiet_draws_nothing() {
        let terminal = Terminal::new(80);
        let board = Board::new(Printer::watched(Verbosity::Quiet, &terminal));
        began(&board, "prod-eu");
        assert_eq!(terminal.drawn(), "");
    }
}
