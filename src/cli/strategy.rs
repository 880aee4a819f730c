//! The flag that chooses how instances are replaced.

use clap::{Args, ValueEnum};

use crate::roll::Strategy;

/// How instances are replaced.
#[derive(Debug, Clone, Args)]
pub(crate) struct StrategyArgs {
    /// How instances are replaced
    #[arg(long, value_enum, default_value_t, value_name = "STRATEGY")]
    strategy: StrategyArg,
}

/// The ways to replace instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum StrategyArg {
    /// As the stack's own update policy says
    #[default]
    Cloudformation,
    /// New instances first; an old one goes only when its tasks run elsewhere
    Surge,
    /// By an instance refresh of Auto Scaling
    Refresh,
}

impl StrategyArgs {
    /// Returns the way that was asked for.
    pub(crate) fn strategy(&self) -> Strategy {
        match self.strategy {
            StrategyArg::Cloudformation => Strategy::CloudFormation,
            StrategyArg::Surge => Strategy::Surge,
            StrategyArg::Refresh => Strategy::Refresh,
        }
    }
}
