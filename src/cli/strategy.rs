//! The flag that chooses how instances are replaced.

use clap::{Args, ValueEnum};

use crate::roll::{RollOptions, Strategy, SurgeSize};

/// How instances are replaced.
#[derive(Debug, Clone, Args)]
pub(crate) struct StrategyArgs {
    /// How instances are replaced
    #[arg(long, value_enum, default_value_t, value_name = "STRATEGY")]
    strategy: StrategyArg,

    /// With surge: how many old instances stay beside the new ones, such as 50% or 3
    #[arg(long, value_name = "SIZE", default_value_t)]
    surge: SurgeSize,

    /// With cloudformation: leave surplus instances to Auto Scaling, all at once
    #[arg(long)]
    no_guard_rails: bool,
}

/// The ways to replace instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum StrategyArg {
    /// As the stack's own update policy says
    #[default]
    Cloudformation,
    /// New instances first, and old ones go when they are empty
    Surge,
    /// By an instance refresh of Auto Scaling; refused on stock Convox racks
    Refresh,
}

impl StrategyArgs {
    /// Returns what was asked for, and else what is ordinary.
    pub(crate) fn options(&self) -> RollOptions {
        RollOptions {
            strategy: self.strategy(),
            surge: self.surge,
            guard_rails: !self.no_guard_rails,
            ..RollOptions::DEFAULT
        }
    }

    /// Returns the way that was asked for.
    pub(crate) fn strategy(&self) -> Strategy {
        match self.strategy {
            StrategyArg::Cloudformation => Strategy::CloudFormation,
            StrategyArg::Surge => Strategy::Surge,
            StrategyArg::Refresh => Strategy::Refresh,
        }
    }
}
