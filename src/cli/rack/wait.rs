//! `convox rack wait`: wait until a rack is at rest.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::{RackArgs, find_rack, renderer};
use crate::cli::signals;
use crate::ids::RollId;
use crate::roll::{Stop, Watch};
use crate::ui::{CliError, Exit, Task, print_report};

/// Wait until a rack is at rest, and tell whether its update went well
///
/// Whatever is under way is followed to its end, whoever began it. A rack that is at rest already
/// is told by how its last update ended.
#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl WaitArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let (rack, clock) = find_rack(context, &self.rack).await?;
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
        let report = signals::heed(printer, &stop, watch.rack()).await;
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
}
