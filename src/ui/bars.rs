//! Bars for a person at a terminal: a bar over the instances, the last event, a spinner.

use super::plain::labelled;
use super::printer::{Printer, Verbosity};
use super::words::{Narrator, Weight, pace_words, stack_words};
use crate::roll::{Event, EventKind, EventSink, Progress, Step};

/// Draws on the terminal behind stderr; what is worth keeping is printed above the bars.
#[derive(Debug)]
pub struct Bars {
    printer: Printer,
    narrator: Narrator,
    /// Whether the roll is of the rack API's key.
    api: bool,
}

impl Bars {
    /// Starts; nothing is drawn before the first event.
    #[must_use]
    pub fn new(printer: Printer) -> Self {
        Self {
            printer,
            narrator: Narrator::default(),
            api: false,
        }
    }

    fn redraw(&self, event: &Event) {
        let screen = self.printer.screen();
        match &event.kind {
            EventKind::StepStarted { step } => screen.draw(|live| {
                live.status(doing(*step, self.api).to_owned());
                live.event("");
            }),
            EventKind::Resumed { step, .. } => {
                screen.draw(|live| live.status(doing(*step, self.api).to_owned()));
            }
            EventKind::Busy { status, .. } => {
                screen
                    .draw(|live| live.status(format!("Waiting for the stack, which is {status}")));
            }
            EventKind::Throttled { api, .. } => {
                screen.draw(|live| live.event(&format!("{api} is throttled, asking less often")));
            }
            EventKind::Stack(event) => screen.draw(|live| live.event(&stack_words(event))),
            EventKind::Progress(progress) => self.redraw_progress(progress),
            EventKind::RollbackDetected { .. } => {
                screen.draw(|live| live.status("Following the rollback to its end".to_owned()));
            }
            EventKind::Verified {
                proven, holdouts, ..
            } => {
                let total = proven + holdouts.len();
                screen.draw(|live| live.event(&format!("{proven} of {total} carry the new key")));
            }
            EventKind::Restarting {
                desired,
                fresh,
                stale,
            } => {
                let text = format!("{fresh} of {desired} started anew, {stale} to go");
                screen.draw(|live| live.event(&text));
            }
            EventKind::Finished(_) => screen.close(),
            EventKind::Planned(_)
            | EventKind::StepDone { .. }
            | EventKind::StepFailed { .. }
            | EventKind::Warning { .. } => {}
        }
    }

    fn redraw_progress(&self, progress: &Progress) {
        let (done, total) = (u64::from(progress.replaced), u64::from(progress.total));
        let text = pace_words(progress);
        let back = progress.rolling_back;
        self.printer
            .screen()
            .draw(|live| live.progress(done, total, back, text));
    }
}

impl EventSink for Bars {
    fn event(&mut self, event: &Event) {
        if self.printer.verbosity() == Verbosity::Quiet {
            return;
        }
        match &event.kind {
            EventKind::Planned(plan) => self.api = plan.is_api(),
            EventKind::StepStarted {
                step: Step::Stage | Step::Restart,
            } => self.api = true,
            _ => {}
        }
        let redrawn = matches!(
            event.kind,
            EventKind::Progress(_)
                | EventKind::Busy { .. }
                | EventKind::Verified { .. }
                | EventKind::Restarting { .. }
        );
        let line = self.narrator.line(event).filter(|line| match line.weight {
            Weight::Detail => self.printer.verbosity() == Verbosity::Verbose,
            Weight::Normal => !redrawn && !matches!(event.kind, EventKind::Stack(_)),
            Weight::Warning | Weight::Bad => !redrawn,
        });
        if let Some(line) = line {
            self.printer.say(&labelled(&line, self.printer.colour()));
        }
        self.redraw(event);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.printer.close_screen();
    }
}

/// Words a step while it goes on.
fn doing(step: Step, api: bool) -> &'static str {
    match step {
        Step::Mint if api => "Keeping the new key beside the old one",
        Step::Verify if api => "Asking the rack API which key it takes",
        Step::Promote if api => "Putting the new key in the old one's place",
        Step::Retire if api => "Letting the old key go",
        Step::Discard if api => "Forgetting the new key",
        Step::Stage => "Keeping the new key where a crash cannot lose it",
        Step::Restart => "Restarting the rack API",
        Step::Preserve => "Keeping the current private key under its own name",
        Step::Mint => "Making the new key pair",
        Step::Install => "Asking CloudFormation for the update",
        Step::Watch => "Following the update",
        Step::Verify => "Asking every instance which key it carries",
        Step::Promote => "Making the new key the default",
        Step::Retire => "Deleting the old key pair",
        Step::Discard => "Deleting the new key pair",
    }
}
