//! `convox rehearse`: find out beforehand what a roll of a rack's SSH key will do.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::app::Output;
use super::context::Context;
use super::session::{RackArgs, find_rack};
use super::strategy::StrategyArgs;
use crate::rehearse::{
    Advised, Effects, FORECAST_VERSION, Forecast, Rehearsal, ServiceForecast, Settings,
};
use crate::roll::{Outcome, Refusal, survey_for};
use crate::ui::{CliError, Exit, Task, forecast_svg, print_forecast, print_refusal};

/// Find out what a roll of the rack's SSH key will do to its services
///
/// Copies what the roll depends on into an account in memory, rolls the copy there many times
/// in virtual time, and says how long it takes, which services would be below their minimum or
/// down and for how long, what would roll back, and what changes of the rack would help. How long
/// things take is measured from the rack's own past.
///
/// The rack is only looked at, by calls that describe and list; nothing of it is changed.
#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    #[command(flatten)]
    rack: RackArgs,

    #[command(flatten)]
    strategy: StrategyArgs,

    /// How often to rehearse
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,

    /// What chance is made of: the same gives the same forecast
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Also draw in-service instances over time into this SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Do not rehearse changes of the rack that might help
    #[arg(long)]
    no_advice: bool,

    /// Exit with 1 if the roll brings this about in any run, or if that is not known
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Vec<FailOn>,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

/// What a forecast can be failed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum FailOn {
    /// A service has no process that runs
    Downtime,
    /// A service has fewer than its minimum
    BelowMinimum,
    /// The roll does not end well
    Rollback,
}

impl FailOn {
    /// Says what of it is in a forecast, with the services that it befalls; none where it is not.
    fn told(self, forecast: &Forecast) -> Option<String> {
        let named = |does: fn(&ServiceForecast) -> bool| {
            let services = forecast.services.iter().filter(|service| does(service));
            let names: Vec<&str> = services.map(|service| service.name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let unknown = |what: &str| {
            let doubt = format!("whether {what} is not known: not all of the rack is rehearsed");
            (!forecast.is_known).then_some(doubt)
        };
        match self {
            Self::Downtime => match named(ServiceForecast::goes_down) {
                Some(services) => Some(format!("a service would be down: {services}")),
                None => unknown("a service would be down"),
            },
            Self::BelowMinimum => match named(ServiceForecast::goes_below) {
                Some(services) => Some(format!("a service would be below its minimum: {services}")),
                None => unknown("a service would be below its minimum"),
            },
            Self::Rollback => {
                let mut reasons = forecast.rolled_back.iter();
                reasons
                    .next()
                    .map(|_| "the roll might not end well".to_owned())
            }
        }
    }
}

impl RehearseArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        // A file that cannot be written is not found out about after minutes.
        let plot = self.plot.as_deref().map(open).transpose()?;
        if self.output == Output::Text {
            printer.busy("Looking at the rack");
        }
        let (rack, clock) = find_rack(context, &self.rack).await?;
        let surveyed = match survey_for(&rack, self.strategy.strategy()).await {
            Ok(surveyed) => surveyed,
            Err(refusal) => return Ok(self.refused(context, &refusal)),
        };
        let settings = Settings {
            runs: self.runs,
            seed: self.seed,
            options: self.strategy.options(),
        };
        let now = clock.now();
        let rehearsal = Rehearsal::of(&rack.name, &rack.key_parameter, surveyed, now, settings);
        if self.output == Output::Text {
            printer.busy("Rehearsing");
        }
        let failed = |error: crate::rehearse::RehearseError| {
            CliError::failed(error.to_string()).hint("nothing was changed")
        };
        let forecast = rehearsal.forecast().map_err(failed)?;
        let advice = if self.no_advice {
            None
        } else {
            Some(rehearsal.advice(&forecast).map_err(failed)?)
        };
        printer.close_screen();
        if let (Some(mut file), Some(path)) = (plot, &self.plot) {
            let written = file
                .set_len(0)
                .and_then(|()| file.write_all(forecast_svg(&forecast).as_bytes()));
            written.map_err(|error| unwritten(path, &error))?;
        }
        self.tell(context, &forecast, advice.as_ref());
        Ok(self.exit(context, &forecast))
    }

    fn tell(
        &self,
        context: &Context,
        forecast: &Forecast,
        advice: Option<&(Effects, Vec<Advised>)>,
    ) {
        let printer = context.printer();
        match self.output {
            Output::Text => print_forecast(printer, forecast, advice),
            Output::Json => {
                let advice = advice.map(|(now, changes)| json!({ "now": now, "changes": changes }));
                let failed_on: Vec<FailOn> = self.failed_on(forecast).map(|(it, _)| it).collect();
                let data =
                    json!({ "forecast": forecast, "advice": advice, "failed_on": failed_on });
                let line = json!({ "v": FORECAST_VERSION, "type": "rehearsed", "data": data });
                printer.data(&format!("{line}\n"));
            }
        }
    }

    fn exit(&self, context: &Context, forecast: &Forecast) -> Exit {
        let mut exit = Exit::Done;
        for (_, message) in self.failed_on(forecast) {
            context.printer().error(&CliError::failed(message));
            exit = Exit::Failed;
        }
        exit
    }

    /// Lists what was asked to fail on and is in the forecast.
    fn failed_on(&self, forecast: &Forecast) -> impl Iterator<Item = (FailOn, String)> {
        let asked = self.fail_on.iter();
        asked.filter_map(|what| Some((*what, what.told(forecast)?)))
    }

    /// Tells why there is nothing to rehearse: for the reasons for which a roll would be refused.
    fn refused(&self, context: &Context, refusal: &Refusal) -> Exit {
        let printer = context.printer();
        print_refusal(printer, &Task::silent(), refusal);
        if self.output == Output::Json {
            let data = json!({ "outcome": refusal.outcome, "reasons": refusal.reasons });
            let line = json!({ "v": FORECAST_VERSION, "type": "refused", "data": data });
            printer.data(&format!("{line}\n"));
        }
        match refusal.outcome {
            Outcome::Busy => Exit::Busy,
            _ => Exit::Failed,
        }
    }
}

/// Opens a file for writing, and leaves what is in it.
fn open(path: &Path) -> Result<File, CliError> {
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    file.map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("cannot write {}: {error}", path.display()))
        .hint("`--plot` takes the name of a file that can be written")
}
