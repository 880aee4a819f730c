//! Kinds of values that are looked up, and how an argument says that it takes one.
//!
//! `#[arg(add = complete::racks())]` is all that an argument needs. Paths need nothing: whatever
//! is parsed into a `PathBuf` is completed by the shell itself, as it does for other programs.

use std::ffi::OsStr;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, ValueCompleter};

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Names of racks.
    Racks,
    /// Ids of the rack's instances.
    Instances,
    /// Names of the rack's parameters, each with `=` after it.
    Parameters,
    /// Groups of parameters.
    Groups,
    /// Hosts of stored logins.
    Hosts,
    /// Ids of rolls that have a journal on this machine.
    Rolls,
    /// Names of scenarios, and files.
    Scenarios,
    /// Profiles of the AWS configuration files.
    Profiles,
    /// Files, which the shell knows best.
    Files,
    /// Directories, which the shell knows best.
    Directories,
}

const ALL: [Kind; 10] = [
    Kind::Racks,
    Kind::Instances,
    Kind::Parameters,
    Kind::Groups,
    Kind::Hosts,
    Kind::Rolls,
    Kind::Scenarios,
    Kind::Profiles,
    Kind::Files,
    Kind::Directories,
];

/// Completes the name of a rack.
pub(crate) fn racks() -> ArgValueCompleter {
    Kind::Racks.completer()
}

/// Completes the id of one of the rack's instances.
pub(crate) fn instances() -> ArgValueCompleter {
    Kind::Instances.completer()
}

/// Completes the name of one of the rack's parameters and the `=` after it.
pub(crate) fn parameters() -> ArgValueCompleter {
    Kind::Parameters.completer()
}

/// Completes the name of a group of parameters.
pub(crate) fn groups() -> ArgValueCompleter {
    Kind::Groups.completer()
}

/// Completes the host of a stored login.
pub(crate) fn hosts() -> ArgValueCompleter {
    Kind::Hosts.completer()
}

/// Completes the id of a roll that has a journal on this machine.
pub(crate) fn rolls() -> ArgValueCompleter {
    Kind::Rolls.completer()
}

/// Completes the name of a scenario that comes along, or a file.
pub(crate) fn scenarios() -> ArgValueCompleter {
    Kind::Scenarios.completer()
}

/// Completes a profile of the AWS configuration files.
pub(crate) fn profiles() -> ArgValueCompleter {
    Kind::Profiles.completer()
}

impl Kind {
    pub(super) fn completer(self) -> ArgValueCompleter {
        ArgValueCompleter::new(self)
    }

    /// The tag of the candidate that stands for all values of this kind; no help heading is one.
    fn tag(self) -> String {
        format!("values of kind {self:?}")
    }

    /// Finds the kind that a candidate stands for.
    pub(super) fn of(candidate: &CompletionCandidate) -> Option<Self> {
        let tag = candidate.get_tag()?.to_string();
        ALL.into_iter().find(|kind| kind.tag() == tag)
    }
}

/// clap tells a completer only the word. Which values there are depends on the whole line (the
/// rack, the region, the sandbox), so one candidate takes their place until the line is known.
impl ValueCompleter for Kind {
    fn complete(&self, _current: &OsStr) -> Vec<CompletionCandidate> {
        vec![CompletionCandidate::new("").tag(Some(self.tag().into()))]
    }
}
