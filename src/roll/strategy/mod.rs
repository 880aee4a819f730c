//! How the instances of a rack are replaced: the one place where ways to do so differ.
//!
//! CloudFormation takes the new key in every one of them; what differs is what is asked of the
//! rack beforehand, what is done beside CloudFormation, and what is put back afterwards.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::Advice;
use super::preflight::{Refusal, advice};

/// A way to replace the instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// As the stack's own update policy says.
    #[default]
    CloudFormation,
    /// New instances first; an old one goes only when its tasks run elsewhere.
    Surge,
    /// By an instance refresh of Auto Scaling.
    Refresh,
}

impl Strategy {
    /// Returns the name that a person types.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::Surge => "surge",
            Self::Refresh => "refresh",
        }
    }

    /// Finds a way by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::CloudFormation, Self::Surge, Self::Refresh]
            .into_iter()
            .find(|strategy| strategy.as_str() == name)
    }

    /// Refuses a way that cannot be gone yet.
    pub(super) fn check(self) -> Result<(), Refusal> {
        match self {
            Self::CloudFormation => Ok(()),
            Self::Surge | Self::Refresh => Err(Refusal::nothing_changed(self.missing())),
        }
    }

    fn missing(self) -> Advice {
        advice(
            "no-such-strategy",
            format!("instances cannot be replaced by strategy {self} yet"),
            "leave `--strategy` out: CloudFormation replaces them as the stack's policy says",
        )
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
