//! What it means when `ssh` ends with 255, which is its own code and may be a command's too.

use crate::cli::context::Context;
use crate::rack::Instance;
use crate::ssh::{Ended, HostKeyCheck, Invocation, Seen};
use crate::ui::{CliError, Exit};

/// `ssh`'s code for an error of its own (ssh(1), "EXIT STATUS").
pub(super) const OWN: u8 = 255;

/// How far a run of `ssh` came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The command ran, or so it seems.
    Ran,
    /// The instance was reached and does not take the key.
    Refused,
    /// `ssh` did not get as far as the key.
    Unreached,
    /// It was stopped.
    Stopped,
}

impl Outcome {
    pub(super) fn of(ended: Ended, seen: Seen) -> Self {
        match (ended, seen) {
            (Ended::Stopped, _) => Self::Stopped,
            (Ended::Code(OWN), Seen { signed: true, .. }) => Self::Ran,
            (Ended::Code(OWN), Seen { asked: true, .. }) => Self::Refused,
            (Ended::Code(OWN), _) => Self::Unreached,
            _ => Self::Ran,
        }
    }

    /// Names it for a script.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Refused => "refused",
            Self::Unreached => "unreached",
            Self::Stopped => "stopped",
        }
    }
}

/// Explains an error of `ssh`'s own, below what it has said itself.
pub(super) fn failure(
    context: &Context,
    instance: &Instance,
    invocation: &Invocation,
    ended: Ended,
    seen: Seen,
) -> Option<CliError> {
    let id = &instance.id;
    let error = |message: String| CliError::new(Exit::Remote(OWN), message);
    match Outcome::of(ended, seen) {
        Outcome::Ran | Outcome::Stopped => None,
        Outcome::Refused => {
            let name = instance.key().unwrap_or_default();
            let user = &invocation.user;
            Some(
                error(format!(
                    "{id} does not let {user} in with the private key that is kept for {name}"
                ))
                .hint("`--user` logs in as somebody else")
                .hint(
                    "a keyroll of the classic CLI that failed leaves the wrong key behind; \
                     `convox instances keyroll` gives every instance a new one",
                ),
            )
        }
        Outcome::Unreached => {
            let host = &invocation.host;
            let told = error(format!("ssh did not get in touch with {id} at {host}"));
            Some(if context.global().sandbox {
                told.hint(
                    "instances of the sandbox are no machines; an ssh_config can lead their \
                     addresses to one",
                )
            } else {
                let told = match invocation.jump.is_empty() {
                    true => told.hint(
                        "the addresses of a rack are private: `--jump HOST` goes through another \
                         machine, `--public` takes the public address",
                    ),
                    false => told.hint("see whether `ssh` reaches the machine in between"),
                };
                match invocation.check {
                    HostKeyCheck::Known => told,
                    HostKeyCheck::FirstUse => told.hint(format!(
                        "if it was the host key: those seen so far are in {}",
                        invocation.known_hosts.display()
                    )),
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_has_seen_tells_what_255_means() {
        let seen = |asked, signed| Seen { asked, signed };
        for (ended, seen, expected) in [
            (Ended::Code(0), seen(true, true), Outcome::Ran),
            (Ended::Code(7), seen(false, false), Outcome::Ran),
            (Ended::Code(255), seen(true, true), Outcome::Ran),
            (Ended::Code(255), seen(true, false), Outcome::Refused),
            (Ended::Code(255), seen(false, false), Outcome::Unreached),
            (Ended::Signal(2), seen(true, false), Outcome::Ran),
            (Ended::Stopped, seen(true, true), Outcome::Stopped),
        ] {
            assert_eq!(Outcome::of(ended, seen), expected, "{ended:?} {seen:?}");
        }
    }
}
