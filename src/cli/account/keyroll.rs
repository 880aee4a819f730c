//! `convox account keyroll`: another account key in the place of the one that is stored.

use std::time::Duration;

use clap::Args;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::reach::{Address, Login, Place, console, open_classic};
use crate::config::ConfigError;
use crate::config::classic::Classic;
use crate::ids::RollId;
use crate::rack::remote::{Remote, RemoteError};
use crate::ui::{CliError, Exit};

/// For how long the old key is kept until the new one is stored and proven, even with --grace 0.
const UNTIL_PROVEN: Duration = Duration::from_mins(10);

/// Roll the account key of a login: a new one is stored, and the old one let go
///
/// The login has the new key before the old one goes, so that no command is refused meanwhile.
/// Other machines with the same key have until the end of the grace period to get the new one.
#[derive(Debug, Args)]
pub(crate) struct KeyrollArgs {
    /// Host, as `convox login` was given it [default: the one that is chosen]
    #[arg(value_name = "HOST", add = complete::hosts())]
    host: Option<String>,

    /// How long the old key goes on working; 0 lets it go as soon as the new one is proven
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = grace)]
    grace: Duration,

    /// Take back the last roll: the old key, which the login still has, is whole again
    #[arg(long, conflicts_with = "grace")]
    cancel: bool,
}

impl KeyrollArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let classic = open_classic(context)?.ok_or(ConfigError::NoHome)?;
        let host = match &self.host {
            Some(host) => host.clone(),
            None => {
                let chosen = classic.host()?.map(|told| told.text);
                chosen.ok_or_else(|| {
                    CliError::failed("no host is chosen")
                        .hint("name the console, or log in to it with `convox login HOST`")
                })?
            }
        };
        let old = self.client(context, &classic, &host).await?;
        let printer = context.printer();
        if self.cancel {
            old.cancel_account_keyroll().await?;
            // What was stored of the new key opens nothing any more.
            let logins = classic.logins();
            if let Some(staged) = logins.staged(&host)? {
                logins.discard(&host, &staged.roll)?;
            }
            printer.data(&format!("Taking back the account key of {host}... OK\n"));
            return Ok(Exit::Done);
        }
        let rolled = old.roll_account_key(self.grace.max(UNTIL_PROVEN)).await;
        let rolled = rolled.map_err(|error| refused(error, &host))?;
        let roll = RollId::generate(old.clock().now(), &context.entropy()?);
        let logins = classic.logins();
        if let Err(error) = logins.stage(&host, &rolled.key, &roll) {
            // Nobody has the new key, so the old one must go on.
            old.cancel_account_keyroll().await?;
            return Err(error.into());
        }
        if !old.accepts(&rolled.key).await? {
            old.cancel_account_keyroll().await?;
            logins.discard(&host, &roll)?;
            return Err(
                CliError::failed(format!("{host} refuses the key it has just made"))
                    .hint("the roll is taken back, and the login has the old key still"),
            );
        }
        logins.promote(&host, &roll)?;
        if self.grace.is_zero() {
            old.finish_account_keyroll(&rolled.key).await?;
        }
        printer.data(&format!("Rolling the account key of {host}... OK\n"));
        match rolled.old_expires {
            _ if self.grace.is_zero() => printer.say("the old key opens nothing any more"),
            Some(end) => printer.say(&format!("the old key opens nothing from {end:.0} on")),
            None => {}
        }
        Ok(Exit::Done)
    }

    /// Makes a client that asks with the stored key.
    async fn client(
        &self,
        context: &Context,
        classic: &Classic,
        host: &str,
    ) -> Result<Remote, CliError> {
        let logins = classic.logins();
        let password = logins.stored(host)?.ok_or_else(|| {
            CliError::failed(format!("there is no login to {host}"))
                .hint(format!("`convox login {host}` stores one"))
        })?;
        let place = Place {
            address: Address::Host(host.to_owned()),
            rack: None,
            password: Some(password),
            login: Some(Login {
                host: host.to_owned(),
                logins,
            }),
            classic: Some(classic.clone()),
        };
        console(context, &place).await
    }
}

fn refused(error: RemoteError, host: &str) -> CliError {
    match &error {
        RemoteError::Refused { status: 404, .. } => {
            CliError::failed(format!("{host} does not roll account keys"))
                .hint("roll it on its account page, then `convox login` again")
        }
        RemoteError::Refused { status: 409, .. } => CliError::from(error)
            .hint("`convox account keyroll --cancel` takes back a roll whose new key was lost"),
        _ => error.into(),
    }
}

/// Reads a span of time; 0 needs no unit.
fn grace(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|error| error.to_string())
}
