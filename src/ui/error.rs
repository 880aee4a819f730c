//! The error of the edge: what a person reads, and the exit code that a script sees.

use super::exit::Exit;
use super::text::one_line;
use crate::rack::remote::RemoteError;
use crate::rack::{ChangeProblem, PortError};

/// One line that says what happened, lines that say what to do next, and an exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    exit: Exit,
    message: String,
    hints: Vec<String>,
}

impl CliError {
    /// Makes an error without a hint; line breaks in `message` become spaces.
    #[must_use]
    pub fn new(exit: Exit, message: impl AsRef<str>) -> Self {
        Self {
            exit,
            message: one_line(message.as_ref()),
            hints: Vec::new(),
        }
    }

    /// Makes an error of the command line or of a configuration file.
    #[must_use]
    pub fn usage(message: impl AsRef<str>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Makes an error that left everything as it was.
    #[must_use]
    pub fn failed(message: impl AsRef<str>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hints.push(one_line(hint.as_ref()));
        self
    }

    /// Returns how the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Returns what happened.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl From<RemoteError> for CliError {
    fn from(error: RemoteError) -> Self {
        let exit = match &error {
            RemoteError::BadAddress { .. } | RemoteError::PlainHttp { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        let failed = Self::new(exit, error.to_string());
        match error.hint() {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}

impl From<PortError> for CliError {
    fn from(error: PortError) -> Self {
        let hint = match &error {
            PortError::Throttled { .. } => {
                "the account asks for fewer calls, try again in a minute"
            }
            PortError::NotFound { .. } => {
                "look at --region and --profile, is this the account that has the rack?"
            }
            PortError::Denied { .. } => {
                "ask for that permission, or use --profile to act as somebody who has it"
            }
            PortError::LimitExceeded { .. } => {
                "delete what is no longer used, or ask AWS for a higher quota"
            }
            PortError::Unanswered { .. } => {
                "look at the network, at --region and at --endpoint-url, then try again"
            }
            PortError::Credentials { .. } => {
                "sign in, for example with `aws sso login`, or choose a profile with --profile"
            }
            PortError::NoRegion => "name the region with --region, or set AWS_REGION",
            PortError::KeyStore { .. } => {
                "nothing is rolled unless private keys can be kept, so mend access to the key store"
            }
            PortError::Busy { .. } => {
                return Self::new(Exit::Busy, error.to_string())
                    .hint("wait for it with `convox rack wait`, then try again");
            }
            PortError::NoInstance(_) => "`convox instances` lists those that the rack has",
            PortError::Change(problem) => return Self::from(problem.clone()),
            PortError::Remote { hint, .. } => {
                let failed = Self::failed(error.to_string());
                return match hint {
                    Some(hint) => failed.hint(hint),
                    None => failed,
                };
            }
            PortError::AlreadyExists { .. } | PortError::NoChanges | PortError::Rejected { .. } => {
                return Self::failed(error.to_string());
            }
        };
        Self::failed(error.to_string()).hint(hint)
    }
}

impl From<ChangeProblem> for CliError {
    fn from(problem: ChangeProblem) -> Self {
        let error = Self::failed(problem.to_string());
        match &problem {
            ChangeProblem::Unknown { .. } => error.hint("`convox rack params` lists them"),
            ChangeProblem::Masked { .. } => error.hint("leave it out to keep the value it has"),
            ChangeProblem::OnlyAtInstall => error,
            ChangeProblem::HalfASchedule => error.hint("two empty values end the schedule"),
            ChangeProblem::NoSyslogDestination => {
                error.hint("set it in the same command: SyslogDestination=tcp+tls://HOST:PORT")
            }
            ChangeProblem::Constraint { allowed, .. } if allowed.is_empty() => error,
            ChangeProblem::Constraint { allowed, .. } => {
                let quoted = |value: &String| match value.as_str() {
                    "" => "nothing".to_owned(),
                    value => value.to_owned(),
                };
                let allowed: Vec<_> = allowed.iter().map(quoted).collect();
                error.hint(format!("it takes one of: {}", allowed.join(", ")))
            }
            ChangeProblem::Tags(_) => error.hint("write Tags=key=value,key=value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_was_made_of() {
        let error = CliError::failed("one\ntwo").hint("three\r\nfour");
        assert_eq!(error.message(), "one two");
        assert_eq!(error.hints(), ["three four"]);
    }

    #[test]
    fn expired_credentials_say_how_to_sign_in() {
        let error = CliError::from(PortError::Credentials {
            message: "token expired".to_owned(),
        });
        assert_eq!(error.exit(), Exit::Failed);
        assert_eq!(error.message(), "no usable AWS credentials: token expired");
        assert!(error.hints()[0].contains("aws sso login"));
    }
}
