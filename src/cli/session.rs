//! A command's hold on one rack: the engine, its clock, and how its end is told.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::api_key::api_access;
use super::app::Output;
use super::complete;
use super::context::Context;
use super::reach::{How, reach};
use super::signals;
use super::way::Way;
use crate::clock::Clock;
use crate::rack::{ApiKeyAccess, KeyStore, Rack};
use crate::roll::{EVENT_VERSION, Engine, EventSink, Journals, Refusal, Report, Stop};
use crate::ui::{
    Bars, CliError, Exit, JsonLines, PlainLines, Printer, Task, print_refusal, print_report,
};

/// Which rack.
#[derive(Debug, Clone, Args)]
pub(crate) struct RackArgs {
    /// Name of the rack [default: CONVOX_RACK, or the only one there is]
    #[arg(short, long, value_name = "NAME", add = complete::racks())]
    pub(crate) rack: Option<String>,
}

/// The engine on one rack.
pub(crate) struct Session {
    printer: Printer,
    output: Output,
    engine: Engine,
    clock: Clock,
    keys: Arc<dyn KeyStore>,
    stop: Stop,
    way: Way,
}

impl Session {
    /// Finds the rack and makes an engine whose events are drawn as `output` asks.
    pub(crate) async fn open(
        context: &Context,
        rack: &RackArgs,
        output: Output,
    ) -> Result<Self, CliError> {
        Self::open_as(context, rack, output, None).await
    }

    /// The same, for what may be about the rack API's key: with the login at `host`, or the one
    /// that is found to be the rack's.
    pub(crate) async fn open_with_api(
        context: &Context,
        rack: &RackArgs,
        output: Output,
        host: Option<&str>,
    ) -> Result<Self, CliError> {
        Self::open_as(context, rack, output, Some(host)).await
    }

    async fn open_as(
        context: &Context,
        rack: &RackArgs,
        output: Output,
        api: Option<Option<&str>>,
    ) -> Result<Self, CliError> {
        let printer = context.printer().clone();
        if output == Output::Text {
            printer.busy("Looking at the rack");
        }
        let way = Way::of(context.global(), rack);
        let (rack, clock) = find_rack(context, rack).await?;
        let journals = Journals::new(context.journals_dir()?);
        let stop = Stop::new();
        let keys = Arc::clone(&rack.keys);
        let access = match api {
            Some(host) => api_access(context, &rack, host).await?,
            None => ApiKeyAccess::default(),
        };
        let sink = renderer(context, output);
        let entropy = context.entropy()?;
        let engine = Engine::new(rack, clock.clone(), entropy, journals, sink, stop.clone());
        let engine = engine.with_api(access);
        Ok(Self {
            printer,
            output,
            engine,
            clock,
            keys,
            stop,
            way,
        })
    }

    pub(crate) fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn keys(&self) -> Arc<dyn KeyStore> {
        Arc::clone(&self.keys)
    }

    /// Runs work on the engine; a first signal asks it to let go, a second returns none.
    pub(crate) async fn heeding<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Engine) -> T,
    ) -> Result<Option<T>, CliError> {
        signals::heed(&self.printer, &self.stop, work(&mut self.engine))
            .await
            .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))
    }

    /// Tells how a roll ended.
    pub(crate) fn ended(&self, task: &Task, report: &Report) -> Exit {
        let hints = report.hints.iter().map(|hint| self.way.complete(hint));
        let report = Report {
            hints: hints.collect(),
            ..report.clone()
        };
        match self.output {
            Output::Text => print_report(&self.printer, task, &report),
            // The last event was the report; stderr still says it to a person.
            Output::Json => print_report(&self.printer, &task.silently(), &report),
        }
    }

    /// Tells why a roll did not begin.
    pub(crate) fn refused(&self, task: &Task, refusal: &Refusal) -> Exit {
        let exit = Exit::from(refusal.outcome);
        let mut refusal = refusal.clone();
        for reason in &mut refusal.reasons {
            reason.hint = self.way.complete(&reason.hint);
        }
        match self.output {
            Output::Text => print_refusal(&self.printer, task, &refusal),
            Output::Json => {
                print_refusal(&self.printer, &Task::silent(), &refusal);
                let data = json!({
                    "outcome": refusal.outcome,
                    "exit_code": exit.code(),
                    "reasons": refusal.reasons,
                });
                let line = json!({ "v": EVENT_VERSION, "type": "refused", "data": data });
                self.printer.data(&format!("{line}\n"));
            }
        }
        exit
    }
}

/// Chooses how events are drawn: as data, redrawn for a person, or line by line for a log.
pub(crate) fn renderer(context: &Context, output: Output) -> Box<dyn EventSink> {
    let printer = context.printer().clone();
    match output {
        Output::Json => Box::new(JsonLines::new(printer)),
        Output::Text if printer.is_watched() => Box::new(Bars::new(printer)),
        Output::Text => Box::new(PlainLines::new(printer, context.zone())),
    }
}

/// Finds the rack that the engine is to work on, which is done in its account.
pub(crate) async fn find_rack(
    context: &Context,
    rack: &RackArgs,
) -> Result<(Rack, Clock), CliError> {
    let reached = reach(context, rack).await?;
    let clock = reached.clock().clone();
    match reached.into_how() {
        How::Aws(rack) => Ok((*rack, clock)),
        How::Api(_) => Err(CliError::usage("this is done in AWS, and a host is chosen")
            .hint("`--via aws` goes to AWS; `convox rack --explain` says what chose the host")),
    }
}
