//! The flags of a roll of many racks, and what they come to together with a list of racks.

use std::path::PathBuf;

use clap::Args;

use super::list::{self, Listed};
use crate::cli::complete;
use crate::roll::RackPlace;
use crate::ui::CliError;

/// How many racks are rolled at once unless it is said.
const AT_ONCE: u32 = 5;
/// How many racks may fail before no more begin, unless it is said.
const STOP_AFTER: u32 = 1;

/// Which racks, in which order, and when to stop.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Many racks")]
pub(in crate::cli::instances) struct FleetArgs {
    /// Roll all racks of these names or patterns, such as `prod-*`; given again, a wave that
    /// waits for the one before
    #[arg(
        long,
        value_name = "GLOB,..",
        conflicts_with_all = ["rack", "detach", "save_key"],
        add = complete::racks()
    )]
    racks: Vec<String>,

    /// Roll the racks of a YAML list, which says where each is and which wave it belongs to
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rack", "detach", "save_key", "racks"])]
    racks_file: Option<PathBuf>,

    /// Roll this rack before all others, and none of them unless it ends well
    #[arg(long, value_name = "NAME", add = complete::racks())]
    canary_rack: Option<String>,

    /// How many racks are rolled at once [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Option<u32>,

    /// After so many racks that did not end well, no more begin [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    stop_after: Option<u32>,

    /// How many calls of each AWS API are made in a second at most, in each account and region
    /// [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    calls_per_second: Option<u32>,

    /// Also write how it ended, rack by rack, to this JSON file
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
}

/// What is wanted of many racks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The racks, each by a name or a pattern.
    pub(super) racks: Vec<WantedRack>,
    /// How many at once.
    pub(super) at_once: u32,
    /// How many may fail before no more begin.
    pub(super) stop_after: u32,
    /// How many calls of each API a second, if that is said.
    pub(super) calls_per_second: Option<u32>,
}

/// A rack, or all that a pattern stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedRack {
    /// A name or a pattern.
    pub(super) name: String,
    /// The wave, from 1.
    pub(super) wave: u32,
    /// Whether all others wait for it.
    pub(super) canary: bool,
    /// Where it is, as far as that is said.
    pub(super) place: RackPlace,
    /// Whether it may be in any place where a pattern would find it.
    pub(super) anywhere: bool,
}

impl FleetArgs {
    /// Tells whether many racks are meant.
    pub(in crate::cli::instances) fn is_meant(&self) -> bool {
        !self.racks.is_empty() || self.racks_file.is_some()
    }

    /// Refuses flags that mean nothing for a single rack.
    pub(in crate::cli::instances) fn check(&self) -> Result<(), CliError> {
        let given = [
            ("--canary-rack", self.canary_rack.is_some()),
            ("--concurrency", self.concurrency.is_some()),
            ("--stop-after", self.stop_after.is_some()),
            ("--calls-per-second", self.calls_per_second.is_some()),
            ("--report", self.report.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) if !self.is_meant() => Err(CliError::usage(format!(
                "{flag} is for a roll of many racks, and none are named"
            ))
            .hint("name them with `--racks 'prod-*'` or `--racks-file FILE`")),
            _ => Ok(()),
        }
    }

    /// Puts the flags and the list together; flags win.
    pub(super) fn wanted(&self) -> Result<Wanted, CliError> {
        let list = match &self.racks_file {
            Some(path) => list::load(path)?,
            None => Listed::default(),
        };
        let mut racks = list.racks;
        for (number, wave) in (1..).zip(&self.racks) {
            let names = wave.split(',').map(str::trim).filter(|it| !it.is_empty());
            if names.clone().next().is_none() {
                // Such as the value of a variable that is not set.
                let error = CliError::usage(format!("`--racks '{wave}'` names no rack"));
                return Err(error.hint("name racks or patterns, such as `--racks 'prod-*'`"));
            }
            racks.extend(names.map(|name| WantedRack {
                name: name.to_owned(),
                wave: number,
                canary: false,
                place: RackPlace::default(),
                anywhere: false,
            }));
        }
        if let Some(canary) = self.canary_rack.as_ref().or(list.canary.as_ref()) {
            // Before the others, so that it is found as the canary and not by their patterns.
            let named = racks.iter().position(|rack| rack.name == *canary);
            let rack = match named {
                Some(place) => racks.remove(place),
                None => WantedRack {
                    name: canary.clone(),
                    wave: 1,
                    canary: true,
                    place: RackPlace::default(),
                    anywhere: true,
                },
            };
            let rack = WantedRack {
                canary: true,
                ..rack
            };
            racks.insert(0, rack);
        }
        Ok(Wanted {
            racks,
            at_once: self.concurrency.or(list.concurrency).unwrap_or(AT_ONCE),
            stop_after: self.stop_after.or(list.stop_after).unwrap_or(STOP_AFTER),
            calls_per_second: self.calls_per_second,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(args: &FleetArgs) -> Vec<(String, u32, bool)> {
        let wanted = args.wanted().unwrap().racks.into_iter();
        wanted.map(|it| (it.name, it.wave, it.canary)).collect()
    }

    #[test]
    fn each_flag_is_a_wave_and_the_canary_is_before_all() {
        let args = FleetArgs {
            racks: vec!["staging-*, test".to_owned(), "prod-*".to_owned()],
            canary_rack: Some("test".to_owned()),
            ..FleetArgs::default()
        };
        let all = [
            ("test", 1, true),
            ("staging-*", 1, false),
            ("prod-*", 2, false),
        ];
        let all = all.map(|(name, wave, canary)| (name.to_owned(), wave, canary));
        assert_eq!(wanted(&args), all);
        let args = FleetArgs {
            canary_rack: Some("prod-7".to_owned()),
            ..args
        };
        assert_eq!(wanted(&args)[0], ("prod-7".to_owned(), 1, true));
        let wanted_racks = args.wanted().unwrap().racks;
        assert!(wanted_racks[0].anywhere, "a pattern may say where it is");
        assert_eq!(wanted(&args).len(), 4);
    }

    #[test]
    fn a_flag_that_names_no_rack_is_refused() {
        for (racks, wrong) in [(vec![""], "''"), (vec!["a", " , "], "' , '")] {
            let racks = racks.into_iter().map(str::to_owned).collect();
            let args = FleetArgs {
                racks,
                ..FleetArgs::default()
            };
            let error = args.wanted().unwrap_err();
            assert!(error.message().contains(wrong), "{error:?}");
        }
    }

    #[test]
    fn a_flag_for_many_racks_is_refused_for_one() {
        let args = FleetArgs {
            stop_after: Some(2),
            ..FleetArgs::default()
        };
        let error = args.check().unwrap_err();
        assert!(error.message().contains("--stop-after"), "{error:?}");
    }
}
