//! `convox rack wait`: wait until a rack is at rest.

use std::time::Duration;

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::follow::{Followed, Follower, report};
use crate::cli::reach::reach_by_api;
use crate::cli::session::{RackArgs, find_rack, renderer};
use crate::cli::signals;
use crate::ids::RollId;
use crate::rack::remote::Remote;
use crate::rack::{Progress, Standing};
use crate::roll::{Outcome, Report, Stop, Watch};
use crate::ui::{CliError, Exit, Task, print_report, span};

/// Wait until a rack is at rest, and tell whether its update went well
///
/// Whatever is under way is followed to its end, whoever began it. A rack that is at rest already
/// is told by how its last update ended; over its API it does not tell that, and is only told to
/// be running.
#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// How long to wait, such as 90s or 2h
    #[arg(long, value_name = "DURATION", default_value = "3h", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl WaitArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if let Some(remote) = reach_by_api(context, &self.rack).await? {
            return self.by_api(context, &remote).await;
        }
        let printer = context.printer();
        let (rack, clock) = find_rack(context, &self.rack).await?;
        let waiting = clock.clone();
        let id = RollId::generate(clock.now(), &context.entropy()?);
        let task = Task::forward("Waiting for rack".to_owned()).apart();
        let task = match self.output {
            Output::Text => task,
            Output::Json => task.silently(),
        };
        let stop = Stop::new();
        let mut watch = Watch::new(
            &rack,
            clock,
            stop.clone(),
            renderer(context, self.output),
            id,
        );
        let work = async {
            let rack = watch.rack();
            tokio::pin!(rack);
            tokio::select! {
                report = &mut rack => return report,
                () = waiting.sleep(self.timeout) => stop.request(),
            }
            rack.await
        };
        let report = signals::heed(printer, &stop, work).await;
        let report = report
            .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
        match report {
            Some(Ok(report)) => Ok(print_report(printer, &task, &report)),
            Some(Err(error)) => {
                task.failed(printer);
                Err(error.into())
            }
            None => Ok(Exit::Interrupted),
        }
    }

    /// Waits for a rack that is reached over its API.
    async fn by_api(self, context: &Context, remote: &Remote) -> Result<Exit, CliError> {
        let follower = Follower::new(context, remote, self.output);
        let task = Task::forward("Waiting for rack".to_owned()).apart();
        let report = at_rest(&follower, remote, &task, self.timeout).await?;
        Ok(follower.finish(&task, &report))
    }
}

/// Follows a rack over its API until it is at rest, but not longer than `timeout`.
pub(super) async fn at_rest(
    follower: &Follower<'_>,
    remote: &Remote,
    task: &Task,
    timeout: Duration,
) -> Result<Report, CliError> {
    let progress = Progress::of_anything(remote.clock().now());
    let followed = follower.follow(progress, timeout).await?;
    Ok(match followed {
        Followed::Ended(Standing::Lost(error)) => return Err(follower.failed(task, error)),
        Followed::Ended(Standing::RolledBack) => report(
            Outcome::RolledBack,
            "the rack's update was rolled back".to_owned(),
            &["mend what failed first, then try again"],
        ),
        Followed::Ended(Standing::Stuck) => report(
            Outcome::Stuck,
            "the rack has failed, and does not get out of that by itself".to_owned(),
            &["look at its stack in CloudFormation"],
        ),
        Followed::Ended(_) => report(Outcome::Done, "the rack is running".to_owned(), &[]),
        Followed::LetGo => report(
            Outcome::Detached,
            "the rack goes on without being watched".to_owned(),
            &[],
        ),
        Followed::TimedOut => report(
            Outcome::Detached,
            format!("the rack is not at rest after {}", span(timeout)),
            &["`convox rack wait --timeout 6h` waits longer"],
        ),
    })
}
