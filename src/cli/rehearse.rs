//! `convox rehearse`: find out beforehand what a roll of a rack's SSH key will do.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::app::Output;
use super::context::Context;
use super::session::{RackArgs, find_rack};
use super::strategy::StrategyArgs;
use crate::rehearse::{Advised, Effects, FORECAST_VERSION, Forecast, Rehearsal, Settings};
use crate::roll::{Outcome, Refusal, survey};
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

    /// Exit with 1 if this happens in any run
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Vec<FailOn>,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

/// What a forecast can be failed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A service has no process that runs
    Downtime,
    /// A service has fewer than its minimum
    BelowMinimum,
    /// The roll does not end well
    Rollback,
}

impl FailOn {
    fn is_in(self, forecast: &Forecast) -> bool {
        match self {
            Self::Downtime => forecast.has_downtime(),
            Self::BelowMinimum => {
                let mut services = forecast.services.iter();
                services.any(|service| service.below_minimum.runs > 0)
            }
            Self::Rollback => !forecast.rolled_back.is_empty(),
        }
    }
}

impl RehearseArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        if self.output == Output::Text {
            printer.busy("Looking at the rack");
        }
        let (rack, clock) = find_rack(context, &self.rack).await?;
        let surveyed = match survey(&rack).await {
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
        if let Some(path) = &self.plot {
            std::fs::write(path, forecast_svg(&forecast)).map_err(|error| {
                CliError::failed(format!("cannot write {}: {error}", path.display()))
            })?;
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
                let data = json!({ "forecast": forecast, "advice": advice });
                let line = json!({ "v": FORECAST_VERSION, "type": "rehearsed", "data": data });
                printer.data(&format!("{line}\n"));
            }
        }
    }

    fn exit(&self, context: &Context, forecast: &Forecast) -> Exit {
        let mut asked = self.fail_on.iter();
        let Some(what) = asked.find(|what| what.is_in(forecast)) else {
            return Exit::Done;
        };
        let message = match what {
            FailOn::Downtime => "a service would be down",
            FailOn::BelowMinimum => "a service would be below its minimum",
            FailOn::Rollback => "the roll might not end well",
        };
        context.printer().error(&CliError::failed(message));
        Exit::Failed
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
