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
            EventKind::System { status } => {
                screen.draw(|live| live.event(&format!("the rack is {status}")));
            }
            EventKind::Progress(progress) => self.redraw_progress(progress),
            EventKind::RollbackDetected { .. } => {
                screen.draw(|live| {
                    live.status("Following the rollback to its end".to_owned());
                    // The time that was left was that of the way forward.
                    live.forget_pace();
                });
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
            EventKind::Refresh(report) => {
                let text = format!("refresh of {}: {}%", report.group, report.percent);
                screen.draw(|live| live.event(&text));
            }
            EventKind::Gate(report) => {
                let text = super::words::gate_words(report);
                screen.draw(|live| live.status(text));
            }
            EventKind::Finished(_) => screen.close(),
            EventKind::Planned(_)
            | EventKind::StepDone { .. }
            | EventKind::StepFailed { .. }
            | EventKind::Instance(_)
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
                | EventKind::Refresh(_)
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
pub(super) fn doing(step: Step, api: bool) -> &'static str {
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
        Step::Guard => "Getting the groups ready",
        Step::Restore => "Emptying instances, and putting the groups back",
        Step::Install => "Asking CloudFormation for the update",
        Step::Watch => "Following the update",
        Step::Refresh => "Replacing the instances, step by step",
        Step::Verify => "Asking every instance which key it carries",
        Step::Promote => "Making the new key the default",
        Step::Retire => "Deleting the old key pair",
        Step::Discard => "Deleting the new key pair",
        Step::Admit | Step::Exclude => "Shutting the leaked key out of the instances",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::canned;
    use crate::ui::terminal::Terminal;

    /// Plays events on a terminal of 80 columns; returns each new picture of the redrawn lines,
    /// and then what stays on the terminal.
    fn play(verbosity: Verbosity, events: &[Event]) -> (Vec<String>, String) {
        let terminal = Terminal::new(80);
        let printer = Printer::watched(verbosity, &terminal);
        let mut bars = Bars::new(printer.clone());
        let mut pictures = Vec::new();
        for event in events {
            bars.event(event);
            let picture = terminal.drawn();
            if pictures.last() != Some(&picture) {
                pictures.push(picture);
            }
        }
        drop(bars);
        printer.always("and then the report");
        assert_eq!(terminal.drawn(), "", "nothing is left of the bars");
        (pictures, terminal.printed())
    }

    #[test]
    fn a_roll_that_goes_well() {
        let (pictures, printed) = play(Verbosity::Normal, &canned::success());
        insta::assert_snapshot!(pictures.join("\n~\n"), @r"
        * Waiting for the stack, which is UPDATE_IN_PROGRESS
        ~
        * Keeping the current private key under its own name
        ~
        * Making the new key pair
        ~
        * Asking CloudFormation for the update
        ~
        * Following the update
        ~
        * Following the update
          UPDATE_IN_PROGRESS prod: User Initiated
        ~
        * Following the update
          UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 3 obsol…
        ~
        * Following the update
          DescribeStackEvents is throttled, asking less often
        ~
        * Following the update
          ──────────────────── 0/3 instances, Instances 1 at a time
          DescribeStackEvents is throttled, asking less often
        ~
        * Following the update
          ──────────────────── 0/3 instances, Instances 1 at a time
          UPDATE_IN_PROGRESS Instances: Received SUCCESS signal with UniqueId i-0aaaa…
        ~
        * Following the update
          ━━━━━━━───────────── 1/3 instances, Instances 1 at a time, about 5m 20s left
          UPDATE_IN_PROGRESS Instances: Received SUCCESS signal with UniqueId i-0aaaa…
        ~
        * Following the update
          ━━━━━━━───────────── 1/3 instances, Instances 1 at a time, about 5m 10s left
          UPDATE_IN_PROGRESS Instances: Received SUCCESS signal with UniqueId i-0aaaa…
        ~
        * Following the update
          ━━━━━━━━━━━━━━────── 2/3 instances, Instances 1 at a time, about 2m 40s left
          UPDATE_IN_PROGRESS Instances: Received SUCCESS signal with UniqueId i-0aaaa…
        ~
        * Following the update
          ━━━━━━━━━━━━━━━━━━━━ 3/3 instances, Instances 1 at a time
          UPDATE_IN_PROGRESS Instances: Received SUCCESS signal with UniqueId i-0aaaa…
        ~
        * Following the update
          ━━━━━━━━━━━━━━━━━━━━ 3/3 instances, Instances 1 at a time
          UPDATE_COMPLETE Instances
        ~
        * Following the update
          ━━━━━━━━━━━━━━━━━━━━ 3/3 instances, Instances 1 at a time
          UPDATE_COMPLETE prod
        ~
        * Asking every instance which key it carries
          ━━━━━━━━━━━━━━━━━━━━ 3/3 instances, Instances 1 at a time
        ~
        * Asking every instance which key it carries
          ━━━━━━━━━━━━━━━━━━━━ 3/3 instances, Instances 1 at a time
          2 of 4 carry the new key
        ~
        * Asking every instance which key it carries
          ━━━━━━━━━━━━━━━━━━━━ 3/3 instances, Instances 1 at a time
          3 of 3 carry the new key
        ~
        ");
        insta::assert_snapshot!(printed, @r"
        plan      roll 01kb2q5z8g000001 of prod: prod-keypair-1234 -> prod-keypair-01kb2
        q5z8g000001
        preserve  kept the private key of prod-keypair-1234
        mint      made prod-keypair-01kb2q5z8g000001, its private half is in the store
        install   CloudFormation took the update
        watch     prod is UPDATE_COMPLETE
        verify    every live instance carries the new key
        promote   prod-keypair-01kb2q5z8g000001 is the default now
        retire    deleted prod-keypair-1234
        and then the report
        ");
    }

    #[test]
    fn a_roll_that_goes_back() {
        let (pictures, printed) = play(Verbosity::Normal, &canned::rolled_back());
        let turn = pictures.iter().position(|it| it.contains("UPDATE_FAILED"));
        insta::assert_snapshot!(pictures[turn.unwrap()..].join("\n~\n"), @r"
        * Following the update
          ━━━━━━━───────────── 1/3 instances, Instances 1 at a time, about 5m 20s left
          UPDATE_FAILED Instances: Received 0 SUCCESS signal(s) out of 1. Unable to s…
        ~
        * Following the update
          ━━━━━━━───────────── 1/3 instances, Instances 1 at a time, about 5m 20s left
          UPDATE_FAILED ServiceWebApi: Resource update cancelled
        ~
        * Following the rollback to its end
          ━━━━━━━───────────── 1/3 instances
          UPDATE_FAILED ServiceWebApi: Resource update cancelled
        ~
        * Following the rollback to its end
          ━━━━━━━───────────── 1/3 instances
          UPDATE_ROLLBACK_IN_PROGRESS prod: The following resource(s) failed
        ~
        * Following the rollback to its end
          ━━━━━━━───────────── 1/3 instances, Instances 1 at a time
          UPDATE_ROLLBACK_IN_PROGRESS prod: The following resource(s) failed
        ~
        * Following the rollback to its end
          ━━━━━━━───────────── 1/3 instances, Instances 1 at a time
          UPDATE_ROLLBACK_COMPLETE prod
        ~
        ");
        insta::assert_snapshot!(printed, @r"
        plan      roll 01kb2q5z8g000001 of prod: prod-keypair-1234 -> prod-keypair-01kb2
        q5z8g000001
        preserve  kept the private key of prod-keypair-1234
        mint      made prod-keypair-01kb2q5z8g000001, its private half is in the store
        install   CloudFormation took the update
        event     UPDATE_FAILED Instances: Received 0 SUCCESS signal(s) out of 1. Unable
         to satisfy 100% requirement
        rollback  CloudFormation is going back
        discard   deleted prod-keypair-01kb2q5z8g000001
        and then the report
        ");
    }

    #[test]
    fn what_is_verbose_is_printed_above_the_bars() {
        let (_, printed) = play(Verbosity::Verbose, &canned::success());
        assert!(printed.contains("Received SUCCESS signal"), "{printed}");
    }

    #[test]
    fn quiet_draws_nothing() {
        let (pictures, printed) = play(Verbosity::Quiet, &canned::rolled_back());
        assert_eq!(pictures, [""]);
        assert_eq!(printed, "and then the report");
    }

    #[test]
    fn a_command_that_leaves_early_takes_its_bars_along() {
        let events = canned::success();
        let (pictures, printed) = play(Verbosity::Normal, &events[..events.len() / 2]);
        assert!(!pictures.is_empty());
        assert!(printed.ends_with("and then the report"), "{printed}");
    }
}
