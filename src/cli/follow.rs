//! Follows a rack that is reached over its API: its own word, and its log, until it is at rest.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Value, json};

use super::app::Output;
use super::context::Context;
use super::signals;
use crate::rack::remote::{ConsoleRoll, LogOptions, Remote, RemoteError};
use crate::rack::{Progress, Standing};
use crate::roll::{EVENT_VERSION, Outcome, Report};
use crate::ui::{CliError, Exit, Printer, Task, one_line, print_report, span};

/// How long nothing is asked at first: what was asked for takes a while to show.
const FIRST: Duration = Duration::from_secs(10);

/// How often the rack is asked from then on.
const EVERY: Duration = Duration::from_secs(5);

/// How following a rack, or a roll of it, ended.
#[derive(Debug)]
pub(crate) enum Followed<T = Standing<RemoteError>> {
    /// It has come to something.
    Ended(T),
    /// Somebody typed Ctrl-C; the rack goes on.
    LetGo,
    /// It took too long; the rack goes on.
    TimedOut,
}

/// A rack, and where what it says goes to.
pub(crate) struct Follower<'a> {
    printer: &'a Printer,
    remote: &'a Remote,
    output: Output,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(context: &'a Context, remote: &'a Remote, output: Output) -> Self {
        Self {
            printer: context.printer(),
            remote,
            output,
        }
    }

    /// Follows the rack until `progress` knows how it ended, but not longer than `timeout`.
    pub(crate) async fn follow(
        &self,
        progress: Progress,
        timeout: Duration,
    ) -> Result<Followed, CliError> {
        let judge =
            |standing, _: Option<ConsoleRoll>| (standing != Standing::Going).then_some(standing);
        self.follow_until(progress, timeout, judge).await
    }

    /// Follows the rack until `judge`, which hears of each of its answers what `progress` makes of
    /// it and which roll is told, knows how it ended, but not longer than `timeout`.
    pub(crate) async fn follow_until<T>(
        &self,
        progress: Progress,
        timeout: Duration,
        judge: impl FnMut(Standing<RemoteError>, Option<ConsoleRoll>) -> Option<T>,
    ) -> Result<Followed<T>, CliError> {
        let told = signals::told()
            .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
        tokio::select! {
            biased;
            () = told => {
                self.printer.erase_echo();
                Ok(Followed::LetGo)
            }
            end = self.ask(progress, judge) => Ok(Followed::Ended(end)),
            never = self.listen() => match never {},
            () = self.remote.clock().sleep(timeout) => Ok(Followed::TimedOut),
        }
    }

    /// Asks how the rack is until that means something.
    async fn ask<T>(
        &self,
        mut progress: Progress,
        mut judge: impl FnMut(Standing<RemoteError>, Option<ConsoleRoll>) -> Option<T>,
    ) -> T {
        let clock = self.remote.clock();
        let mut status = String::new();
        let mut silent_since = None;
        clock.sleep(FIRST).await;
        loop {
            let answer = self.remote.system_and_roll().await;
            let now = clock.now();
            let (standing, roll) = match answer {
                Ok((system, roll)) => {
                    if let Some(since) = silent_since.take() {
                        let passed = span(now.duration_since(since).unsigned_abs());
                        self.say(&format!("The rack answers again, after {passed}"));
                    }
                    if system.status != status {
                        status.clone_from(&system.status);
                        self.tell(
                            "status",
                            &json!({ "rack": system.name, "status": system.status }),
                            &format!("{} is {}", system.name, one_line(&system.status)),
                        );
                    }
                    (progress.hear(&system, now), roll)
                }
                Err(error) => {
                    if silent_since.is_none() {
                        silent_since = Some(now);
                        self.say(&format!(
                            "The rack does not answer as it should, which is usual while its own \
                             processes are replaced: {}",
                            one_line(&error.to_string())
                        ));
                    }
                    let is_final = error.is_final();
                    (progress.miss(error, is_final, now), None)
                }
            };
            if let Some(end) = judge(standing, roll) {
                return end;
            }
            clock.sleep(EVERY).await;
        }
    }

    /// Passes on what the rack itself logs; that this cannot be had fails nothing.
    async fn listen(&self) -> Infallible {
        let mut logs = self.remote.logs(LogOptions::default());
        loop {
            let Ok(line) = logs.next().await else {
                continue;
            };
            let stream = line.split(' ').nth(1).unwrap_or_default();
            if stream.starts_with("system/") {
                self.tell("log", &json!({ "line": line }), &one_line(&line));
            }
        }
    }

    fn tell(&self, kind: &str, data: &Value, text: &str) {
        match self.output {
            Output::Text => self.printer.say(text),
            Output::Json => self.line(kind, data),
        }
    }

    fn say(&self, text: &str) {
        self.printer.say(text);
    }

    fn line(&self, kind: &str, data: &Value) {
        let line = json!({ "v": EVENT_VERSION, "type": kind, "data": data });
        self.printer.data(&format!("{line}\n"));
    }

    /// Tells how it ended.
    pub(crate) fn finish(&self, task: &Task, report: &Report) -> Exit {
        match self.output {
            Output::Text => print_report(self.printer, task, report),
            Output::Json => {
                self.line("finished", &json!(report));
                print_report(self.printer, &task.silently(), report)
            }
        }
    }

    /// Leaves stdout as the classic does when it fails; the error follows.
    pub(crate) fn failed(&self, task: &Task, error: RemoteError) -> CliError {
        self.failed_with(task, error.into())
    }

    /// The same with an error of the edge.
    pub(crate) fn failed_with(&self, task: &Task, error: CliError) -> CliError {
        if self.output == Output::Text {
            task.failed(self.printer);
        }
        error
    }
}

/// Makes a report of an end that names no key.
pub(crate) fn report(outcome: Outcome, message: String, hints: &[&str]) -> Report {
    Report {
        outcome,
        exit_code: outcome.exit_code(),
        message,
        hints: hints.iter().map(ToString::to_string).collect(),
        old_key: None,
        new_key: None,
        first_failure: None,
        holdouts: Vec::new(),
        unavailable_ms: None,
    }
}
