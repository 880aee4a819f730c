//! A command's hold on one rack: the engine, its clock, and how its end is told.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::api_key::{Purpose, api_access, far_rack};
use super::app::Output;
use super::complete;
use super::context::Context;
use super::gate::ShellGate;
use super::key_tools::key_tools;
use super::reach::{How, Reached, reach};
use super::signals;
use super::way::Way;
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::rack::{ApiKeyAccess, FarRack, Rack};
use crate::roll::{EVENT_VERSION, Engine, EventSink, FarEngine, Journals, Refusal, Report, Stop};
use crate::ssh::SshSettings;
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

/// An engine on one rack: the one in its account, or the one over its API.
pub(crate) struct Session<E = Engine> {
    printer: Printer,
    output: Output,
    engine: E,
    clock: Clock,
    stop: Stop,
    way: Way,
}

/// A session by whichever way the rack is reached.
pub(crate) enum AnySession {
    /// In its account.
    Aws(Box<Session>),
    /// Over its API.
    Api(Box<Session<FarEngine>>),
}

impl Session {
    /// Finds the rack and makes an engine whose events are drawn as `output` asks.
    pub(crate) async fn open(
        context: &Context,
        rack: &RackArgs,
        output: Output,
    ) -> Result<Self, CliError> {
        let opening = Opening::begin(context, rack, output)?;
        let (rack, clock) = find_rack(context, rack).await?;
        opening.in_account(context, rack, clock, ApiKeyAccess::default())
    }
}

impl AnySession {
    /// Finds the rack and makes an engine for what may be about its API's key: in its account,
    /// with the login at `host` or the one that is found to be the rack's; or over its API.
    pub(crate) async fn open(
        context: &Context,
        rack: &RackArgs,
        output: Output,
        host: Option<&str>,
        purpose: Purpose,
    ) -> Result<Self, CliError> {
        if output == Output::Text {
            context.printer().busy("Looking at the rack");
        }
        let reached = reach(context, rack).await?;
        Self::of(context, rack, reached, output, host, purpose).await
    }

    /// As [`Self::open`], of a rack that is found already.
    pub(crate) async fn of(
        context: &Context,
        rack: &RackArgs,
        reached: Reached,
        output: Output,
        host: Option<&str>,
        purpose: Purpose,
    ) -> Result<Self, CliError> {
        let opening = Opening::begin(context, rack, output)?;
        let clock = reached.clock().clone();
        if let How::Api(_) = reached.how() {
            let rack = far_rack(context, &reached, host, purpose).await?;
            let session = opening.over_api(context, rack, clock);
            return Ok(Self::Api(Box::new(session)));
        }
        let rack = in_account(reached.into_how())?;
        let access = api_access(context, &rack, host).await?;
        let session = opening.in_account(context, rack, clock, access)?;
        Ok(Self::Aws(Box::new(session)))
    }
}

/// What both kinds of sessions begin with.
struct Opening {
    output: Output,
    way: Way,
    journals: Journals,
    stop: Stop,
    entropy: Entropy,
}

impl Opening {
    fn begin(context: &Context, rack: &RackArgs, output: Output) -> Result<Self, CliError> {
        if output == Output::Text {
            context.printer().busy("Looking at the rack");
        }
        Ok(Self {
            output,
            way: Way::of(context.global(), rack),
            journals: Journals::new(context.journals_dir()?),
            stop: Stop::new(),
            entropy: context.entropy()?,
        })
    }

    fn in_account(
        self,
        context: &Context,
        rack: Rack,
        clock: Clock,
        access: ApiKeyAccess,
    ) -> Result<Session, CliError> {
        let sink = renderer(context, self.output);
        // For a revocation that is taken up again.
        let tools = key_tools(context, &rack, &clock, None, SshSettings::default())?;
        let mut engine = Engine::new(
            rack,
            clock.clone(),
            self.entropy.clone(),
            self.journals.clone(),
            sink,
            self.stop.clone(),
        );
        engine.set_key_tools(tools);
        engine.set_gate_runner(Arc::new(ShellGate::new(context.printer().clone())));
        Ok(self.session(context, clock, engine.with_api(access)))
    }

    fn over_api(self, context: &Context, rack: FarRack, clock: Clock) -> Session<FarEngine> {
        let sink = renderer(context, self.output);
        let engine = FarEngine::new(
            rack,
            clock.clone(),
            self.entropy.clone(),
            self.journals.clone(),
            sink,
            self.stop.clone(),
        );
        self.session(context, clock, engine)
    }

    fn session<E>(self, context: &Context, clock: Clock, engine: E) -> Session<E> {
        Session {
            printer: context.printer().clone(),
            output: self.output,
            engine,
            clock,
            stop: self.stop,
            way: self.way,
        }
    }
}

impl<E> Session<E> {
    pub(crate) fn engine(&mut self) -> &mut E {
        &mut self.engine
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs work on the engine; a first signal asks it to let go, a second returns none.
    pub(crate) async fn heeding<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut E) -> T,
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
    Ok((in_account(reached.into_how())?, clock))
}

fn in_account(how: How) -> Result<Rack, CliError> {
    match how {
        How::Aws(rack) => Ok(*rack),
        How::Api(_) => Err(only_in_aws()),
    }
}

/// Says that a host is chosen for what can only be done in AWS.
fn only_in_aws() -> CliError {
    CliError::usage("this is done in AWS, and a host is chosen")
        .hint("`--via aws` goes to AWS; `convox rack --explain` says what chose the host")
}
