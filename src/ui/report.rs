//! How the end of a roll reads.

use super::error::CliError;
use super::exit::Exit;
use super::printer::Printer;
use super::table::Table;
use super::text::one_line;
use super::words::failure_words;
use crate::roll::{Holdout, Outcome, Refusal, Report};

/// What was asked for, in the classic CLI's words, and which end counts as success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    doing: String,
    /// Whether the end is on a line of its own, as where the classic prints logs in between.
    apart: bool,
    success: Outcome,
}

impl Task {
    /// A roll, which succeeds when it is done.
    #[must_use]
    pub fn roll() -> Self {
        Self {
            doing: "Rolling instance key".to_owned(),
            apart: false,
            success: Outcome::Done,
        }
    }

    /// Something that leaves stdout alone when it fails.
    #[must_use]
    pub fn silent() -> Self {
        Self::forward(String::new())
    }

    /// The same, with nothing said about it on stdout.
    #[must_use]
    pub fn silently(&self) -> Self {
        Self {
            doing: String::new(),
            ..self.clone()
        }
    }

    /// The same, with its end on a line of its own.
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// Says that it went well.
    pub fn succeeded(&self, printer: &Printer) {
        self.print(printer, &format!("{}\n", printer.data_colour().good("OK")));
    }

    /// Says what was being done when it failed; the error follows on stderr.
    pub fn failed(&self, printer: &Printer) {
        printer.close_screen();
        self.print(printer, "");
    }

    fn print(&self, printer: &Printer, how: &str) {
        if !self.doing.is_empty() {
            let apart = if self.apart { "\n" } else { "" };
            printer.data(&format!("{}... {apart}{how}", self.doing));
        }
    }

    /// Something else that succeeds when the roll is done.
    #[must_use]
    pub fn forward(doing: String) -> Self {
        Self {
            doing,
            apart: false,
            success: Outcome::Done,
        }
    }

    /// Something that succeeds when the roll is undone.
    #[must_use]
    pub fn backward(doing: String) -> Self {
        Self {
            doing,
            apart: false,
            success: Outcome::RolledBack,
        }
    }
}

/// Prints how a roll ended, and returns how the command ends.
///
/// stdout gets what the classic CLI prints: `Rolling instance key... ` and, when all
/// is well, `OK`. It is written in one go at the end, so that it does not end up
/// in the middle of the lines and bars of stderr; a script sees no difference.
///
/// A command that did what it was asked to ends with 0, also when that was the way back.
#[must_use]
pub fn print_report(printer: &Printer, task: &Task, report: &Report) -> Exit {
    printer.close_screen();
    if report.outcome == task.success {
        printer.say(&one_line(&report.message));
        for hint in &report.hints {
            printer.say_hint(&one_line(hint));
        }
        task.succeeded(printer);
        return Exit::Done;
    }
    if report.outcome == Outcome::Detached {
        task.print(printer, "detached\n");
        printer.say(&one_line(&report.message));
        print_hints(printer, report);
    } else {
        task.print(printer, "");
        print_failure(printer, report);
    }
    Exit::from(report.outcome)
}

/// Prints why a roll did not begin: every reason with its way out.
pub fn print_refusal(printer: &Printer, task: &Task, refusal: &Refusal) {
    printer.close_screen();
    task.print(printer, "");
    let exit = Exit::from(refusal.outcome);
    for reason in &refusal.reasons {
        printer.error(&CliError::new(exit, &reason.message).hint(&reason.hint));
    }
}

/// Prints why a roll did not end well: the outcome, the root cause, who lacks the key, the way out.
fn print_failure(printer: &Printer, report: &Report) {
    printer.error(&CliError::new(Exit::from(report.outcome), &report.message));
    if let Some(failure) = &report.first_failure {
        printer.always(&format!(
            "first failure: {}",
            one_line(&failure_words(failure))
        ));
    }
    if !report.holdouts.is_empty() {
        printer.always(holdouts_table(&report.holdouts).trim_end_matches('\n'));
    }
    print_hints(printer, report);
}

fn print_hints(printer: &Printer, report: &Report) {
    for hint in &report.hints {
        printer.hint(&one_line(hint));
    }
}

fn holdouts_table(holdouts: &[Holdout]) -> String {
    let mut table = Table::new(["ID", "KEY", "GROUP", "STATE"]);
    for holdout in holdouts {
        table.row([
            holdout.instance.clone(),
            holdout
                .key_name
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
            holdout.owner.clone().unwrap_or_default(),
            holdout.state.clone(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Verbosity, canned};

    fn shown(verbosity: Verbosity, task: &Task, report: &Report) -> String {
        let (printer, captured) = Printer::captured(verbosity);
        let exit = print_report(&printer, task, report);
        format!(
            "{}\n--- stdout\n{}|\n--- stderr\n{}",
            exit.code(),
            captured.stdout(),
            captured.stderr()
        )
    }

    #[test]
    fn success_ends_with_the_words_of_the_classic() {
        let done = canned::report(Outcome::Done);
        insta::assert_snapshot!(shown(Verbosity::Normal, &Task::roll(), &done), @r"
        0
        --- stdout
        Rolling instance key... OK
        |
        --- stderr
        all 3 instances of prod carry the new key
        ");
        insta::assert_snapshot!(shown(Verbosity::Quiet, &Task::roll(), &done), @r"
        0
        --- stdout
        Rolling instance key... OK
        |
        --- stderr
        ");
    }

    #[test]
    fn a_rollback_names_its_cause() {
        let report = canned::report(Outcome::RolledBack);
        insta::assert_snapshot!(shown(Verbosity::Quiet, &Task::roll(), &report), @r"
        3
        --- stdout
        Rolling instance key... |
        --- stderr
        ERROR: the update of prod was rolled back, and prod-keypair-1234 still works
        first failure: Instances (AWS::AutoScaling::AutoScalingGroup): Received 0 SUCCESS signal(s) out of 1. Unable to satisfy 100% requirement
        hint: mend what failed first, then roll again
        ");
    }

    #[test]
    fn an_unproven_roll_names_the_instances() {
        let report = canned::report(Outcome::Unproven);
        insta::assert_snapshot!(shown(Verbosity::Normal, &Task::roll(), &report), @r"
        4
        --- stdout
        Rolling instance key... |
        --- stderr
        ERROR: prod is updated, but 2 instances do not carry the new key
        ID                   KEY                GROUP             STATE
        i-0aaaaaaaaaaaaaaa1  prod-keypair-1234  prod-Instances-1  Terminating:Wait
        i-0bbbbbbbbbbbbbbb2  none                                 running
        hint: replace them, then run `convox rolls resume 01kb2q5z8g000001`
        ");
    }

    #[test]
    fn a_detached_roll_says_how_to_come_back() {
        let report = canned::report(Outcome::Detached);
        insta::assert_snapshot!(shown(Verbosity::Normal, &Task::roll(), &report), @r"
        6
        --- stdout
        Rolling instance key... detached
        |
        --- stderr
        the update goes on in AWS
        hint: come back with `convox rolls resume 01kb2q5z8g000001`
        ");
    }

    #[test]
    fn a_cancelled_roll_that_went_back_is_what_was_asked_for() {
        let task = Task::backward("Cancelling roll".to_owned());
        let report = canned::report(Outcome::RolledBack);
        insta::assert_snapshot!(shown(Verbosity::Normal, &task, &report), @r"
        0
        --- stdout
        Cancelling roll... OK
        |
        --- stderr
        the update of prod was rolled back, and prod-keypair-1234 still works
        hint: mend what failed first, then roll again
        ");
    }
}
