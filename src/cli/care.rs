//! The flags that say what a roll heeds between two batches.

use std::time::Duration;

use clap::Args;

use super::strategy::StrategyArgs;
use crate::roll::{Care, GATE_TIMEOUT_SECS, Gates, RefreshSettings};
use crate::ui::CliError;

/// What a roll heeds between two batches.
#[derive(Debug, Clone, Args)]
pub(crate) struct CareArgs {
    /// Run this command between batches; unless it exits with 0 the roll is taken back
    #[arg(long, value_name = "COMMAND", help_heading = "Gates")]
    gate: Option<String>,

    /// How long the command may take
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "gate", help_heading = "Gates")]
    gate_timeout: Option<Duration>,

    /// Take the roll back when this CloudWatch alarm is on between batches; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Gates")]
    alarm: Vec<String>,

    /// Replace so many instances first, alone, until proven; refused on stock Convox racks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Gates")]
    canary: Option<u32>,

    /// Pause when so many percent are new, such as 10,50; for --strategy refresh
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Instance refresh")]
    checkpoints: Vec<u32>,

    /// Fewest healthy instances, in percent of those wanted [default: 100]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100), help_heading = "Instance refresh")]
    min_healthy: Option<u32>,

    /// Most instances, in percent of those wanted: above 100, new ones come first [default: 110]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(100..=200), help_heading = "Instance refresh")]
    max_healthy: Option<u32>,

    /// How long a new instance warms up [default: as the group says]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, help_heading = "Instance refresh")]
    warmup: Option<Duration>,

    /// How long each step is watched before it counts, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, help_heading = "Instance refresh")]
    bake: Option<Duration>,
}

impl CareArgs {
    /// Returns what was asked for.
    ///
    /// # Errors
    /// What contradicts itself, or means nothing with a strategy.
    pub(crate) fn care(&self, strategy: &StrategyArgs) -> Result<Care, CliError> {
        let usual = RefreshSettings::default();
        let refresh = RefreshSettings {
            checkpoints: self.checkpoints.clone(),
            min_healthy_percent: self.min_healthy.unwrap_or(usual.min_healthy_percent),
            max_healthy_percent: self.max_healthy.unwrap_or(usual.max_healthy_percent),
            warmup_secs: self.warmup.map(seconds),
            bake_secs: self.bake.map_or(0, seconds),
        };
        if !self.checkpoints.is_sorted_by(|one, next| one < next) {
            return Err(CliError::usage("checkpoints must go up, such as 10,50,100"));
        }
        if refresh.max_healthy_percent - refresh.min_healthy_percent > 100 {
            let message = "--min-healthy and --max-healthy are more than 100 apart";
            return Err(CliError::usage(message).hint("Auto Scaling allows 100 at the most"));
        }
        let timeout = self.gate_timeout.map(|timeout| timeout.as_secs().max(1));
        let gates = Gates {
            command: self.gate.clone(),
            timeout_secs: timeout.unwrap_or(GATE_TIMEOUT_SECS),
            alarms: self.alarm.clone(),
            canary: self.canary,
            unknown: false,
        };
        let care = Care { gates, refresh };
        let conflicts = care.conflicts(strategy.strategy(), strategy.options().surge);
        match conflicts.first() {
            Some(conflict) => Err(CliError::usage(&conflict.message).hint(&conflict.hint)),
            None => Ok(care),
        }
    }
}

/// Returns whole seconds; what is longer than Auto Scaling takes it refuses itself.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}
