//! `convox sandbox serve`: serve the account to any AWS client.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::bundled;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::signals;
use crate::clock::{Clock, system_now};
use crate::sandbox::{self, DEFAULT_SPEED, Sandbox};
use crate::ui::{CliError, Exit};

/// Serve the account to any AWS client, on the loopback address only
///
/// Any credentials will do. The API of its rack is there too, at the same address. A served account is the one that `--sandbox` uses, unless a
/// scenario makes one that is gone when the command ends.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Port to listen on; 0 takes one that is free
    #[arg(long, default_value_t = 4566, value_name = "PORT")]
    port: u16,

    /// Serve the world of this scenario instead: a name or a file
    #[arg(long, value_name = "SCENARIO", add = complete::scenarios())]
    scenario: Option<PathBuf>,

    /// How many times faster than real time it lives, or `real`
    #[arg(long, default_value_t = Speed(DEFAULT_SPEED), value_name = "N")]
    speed: Speed,
}

/// How many times faster than real time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Speed(f64);

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "real" {
            return Ok(Self(1.0));
        }
        let number: f64 = text.parse().map_err(|_| "a number such as 60, or `real`")?;
        let in_range = (0.01..=100_000.0).contains(&number);
        in_range
            .then_some(Self(number))
            .ok_or("at least 0.01 and at most 100000")
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ServeArgs {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let sandbox = match &self.scenario {
            Some(path) => {
                let clock = Clock::starting_at(system_now(), self.speed.0);
                Sandbox::new(&bundled::load(path)?, clock)?
            }
            None => Sandbox::open(&context.sandbox_dir()?, self.speed.0)?.0,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let cannot = |error: std::io::Error| {
            CliError::failed(format!("cannot serve on {address}: {error}"))
                .hint("choose another port with --port, 0 takes one that is free")
        };
        let listener = sandbox::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let printer = context.printer();
        printer.data(&format!("http://{address}\n"));
        printer.say("Serving until Ctrl-C; from another terminal, with any credentials:");
        printer.say(&format!(
            "  convox instances keyroll --endpoint-url http://{address}"
        ));
        printer.say(&format!(
            "  aws ec2 describe-instances --endpoint-url http://{address}"
        ));
        printer.say(&format!(
            "  RACK_URL=http://convox:sandbox-password@{address} convox rack"
        ));
        let told = signals::told().map_err(cannot)?;
        sandbox::serve(listener, sandbox, told)
            .await
            .map_err(cannot)?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_or_real() {
        assert_eq!("real".parse(), Ok(Speed(1.0)));
        assert_eq!("60".parse(), Ok(Speed(60.0)));
        assert_eq!("0.5".parse(), Ok(Speed(0.5)));
        for wrong in ["0", "-1", "inf", "NaN", "fast", ""] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
