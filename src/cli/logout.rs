//! `convox logout`: forget a stored login.

use clap::Args;

use super::complete;
use super::context::Context;
use super::reach::open_classic;
use crate::config::ConfigError;
use crate::ui::{CliError, Exit};

/// Forget the stored password of a console or a rack
///
/// All other logins stay.
#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    /// Host, as `convox login` was given it [default: the one that is chosen]
    #[arg(value_name = "HOST", add = complete::hosts())]
    host: Option<String>,
}

impl LogoutArgs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let classic = open_classic(context)?.ok_or(ConfigError::NoHome)?;
        let hosts = classic.logins().hosts()?;
        let host = match self.host {
            Some(host) => host,
            None => match classic.host()? {
                Some(host) => host.text,
                None => return Err(no_login("no host is chosen", &hosts)),
            },
        };
        let out = classic.log_out(&host)?;
        if !out.password && !out.chosen {
            return Err(no_login(&format!("there is no login to {host}"), &hosts));
        }
        printer.data(&format!("Logging out of {host}... OK\n"));
        if let Some(staged) = classic.logins().staged(&host)? {
            printer.warn(
                &format!("roll {} keeps a new password for {host}", staged.roll),
                Some(&format!(
                    "`convox rolls show {}` tells how far it is",
                    staged.roll
                )),
            );
        }
        for name in ["RACK_URL", "CONVOX_HOST", "CONVOX_PASSWORD"] {
            if context.environment().get(name).is_some() {
                let message = format!("{name} is still set, and is used without a login");
                printer.warn(&message, Some(&format!("unset {name}")));
            }
        }
        Ok(Exit::Done)
    }
}

fn no_login(message: &str, hosts: &[String]) -> CliError {
    let error = CliError::failed(message);
    if hosts.is_empty() {
        return error.hint("no login is stored on this machine");
    }
    error.hint(format!("there are logins to {}", hosts.join(", ")))
}
