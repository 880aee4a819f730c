//! What the commands about keys have in common: which service, who asks, and in which words.

mod error;
mod fields;
mod words;

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::app::Output;
use super::context::Context;
use super::reach::allow_http;
use crate::clock::{Clock, system_now};
use crate::ui::CliError;
use crate::unkey::{Address, Client, ClientOptions};

pub(super) use error::explain;
pub(super) use fields::{Expiry, Grace, Limit, Metadata};
pub(super) use words::{identity_info, key_info, key_row, moment, print_json, rotation_info};

/// The service that `convox console serve` is, on this machine.
const OUR_OWN: &str = "http://127.0.0.1:8480";

/// The variable that holds the root key, as Unkey's own programs call it.
const ROOT_KEY: &str = "UNKEY_ROOT_KEY";

/// Which key service, and who asks.
#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    /// Address of the key service [default: CONVOX_KEYS_HOST, or http://127.0.0.1:8480]
    #[arg(long, value_name = "URL")]
    host: Option<String>,

    /// File that holds the root key [default: UNKEY_ROOT_KEY holds the root key itself]
    #[arg(long, value_name = "FILE")]
    root_key_file: Option<PathBuf>,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ServiceArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Prepares to talk to the service; nothing is sent yet.
    pub(super) fn client(&self, context: &Context) -> Result<Client, CliError> {
        let environment = context.environment();
        let host = self
            .host
            .as_deref()
            .or_else(|| environment.get("CONVOX_KEYS_HOST"))
            .unwrap_or(OUR_OWN);
        let address = Address::parse(host, allow_http(context)).map_err(explain)?;
        let root_key = self.root_key(context)?;
        let speed = environment.get("CONVOX_TEST_SPEED");
        let speed = speed.filter(|_| address.is_loopback());
        let clock = match speed.and_then(|speed| speed.parse().ok()) {
            Some(speed) => Clock::starting_at(system_now(), speed),
            None => Clock::system(),
        };
        let options = ClientOptions {
            authorities: context.global().tls_ca.clone(),
            ..ClientOptions::default()
        };
        Client::new(address, &root_key, clock, options).map_err(explain)
    }

    fn root_key(&self, context: &Context) -> Result<SecretString, CliError> {
        let text = match &self.root_key_file {
            Some(file) => {
                let read = std::fs::read_to_string(file).map(Zeroizing::new);
                read.map_err(|error| {
                    CliError::usage(format!("cannot read {}: {error}", file.display()))
                        .hint("--root-key-file names a file that holds a root key")
                })?
            }
            None => {
                let value = context.environment().get(ROOT_KEY).unwrap_or_default();
                Zeroizing::new(value.to_owned())
            }
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(CliError::usage("there is no root key").hint(format!(
                "set {ROOT_KEY}, or give --root-key-file; `convox console init` makes the first"
            )));
        }
        Ok(SecretString::from(text))
    }
}

/// Asks whether to go ahead, where somebody is there to answer.
pub(super) fn agree(context: &Context, yes: bool, question: &str) -> Result<(), CliError> {
    let printer = context.printer();
    if yes || !printer.can_ask() || printer.confirm(question) {
        return Ok(());
    }
    Err(CliError::failed("left as it was"))
}
