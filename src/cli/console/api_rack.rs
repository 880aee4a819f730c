//! Racks that the console reaches over their own HTTP API: how, and with which password.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use crate::cli::context::Context;
use crate::cli::login::{from_stdin, not_empty};
use crate::cli::reach::allow_http;
use crate::clock::Clock;
use crate::rack::remote::{
    Auth, Endpoint, Fingerprint, Remote, RemoteError, RemoteGateway, RemoteOptions, Trust,
};
use crate::ui::CliError;

/// The longest password that is read from a file, in bytes.
const LONGEST: u64 = 4096;

/// What a record holds of such a rack, besides its password.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiSettings {
    /// `HOST`, `HOST:PORT`, or an address with its scheme.
    host: String,
    /// The certificate that is believed although no authority has signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_fingerprint: Option<String>,
}

impl ApiSettings {
    fn vouched(&self) -> Result<Option<Fingerprint>, CliError> {
        let vouched = self.tls_fingerprint.as_deref().map(str::parse).transpose();
        vouched.map_err(|_| CliError::usage("the rack's fingerprint is none"))
    }
}

fn read(settings: &Value) -> Result<ApiSettings, CliError> {
    let settings: Result<ApiSettings, _> = serde_json::from_value(settings.clone());
    settings.map_err(|error| CliError::usage(error.to_string()))
}

/// What only a rack of kind `api` takes.
#[derive(Debug, Args)]
pub(super) struct ApiRackArgs {
    /// With --kind api: host of the rack's API, with its port where that is unusual
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// With --kind api: read the rack's password from standard input
    #[arg(long)]
    password_stdin: bool,

    /// With --kind api: read the rack's password from this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,

    /// With --kind api: believe the certificate of this SHA-256 fingerprint, whoever signed it
    #[arg(long, value_name = "FINGERPRINT")]
    tls_fingerprint: Option<Fingerprint>,
}

impl ApiRackArgs {
    /// Refuses all of them, for a rack that is reached in its account.
    pub(super) fn check_stray(&self) -> Result<(), CliError> {
        let given = [
            (self.host.is_some(), "--host"),
            (self.password_stdin, "--password-stdin"),
            (self.password_file.is_some(), "--password-file"),
            (self.tls_fingerprint.is_some(), "--tls-fingerprint"),
        ];
        match given.into_iter().find(|(is, _)| *is) {
            Some((_, flag)) => Err(CliError::usage(format!("{flag} goes with --kind api"))),
            None => Ok(()),
        }
    }

    /// Finds out how the rack is reached, and its password, which it has accepted.
    pub(super) async fn settings(
        &self,
        context: &Context,
    ) -> Result<(Value, SecretString), CliError> {
        let host = self.host.as_ref().ok_or_else(|| {
            CliError::usage("a rack of kind api has a host")
                .hint("name the one that its API answers at with --host HOST")
        })?;
        let password = self.password(context)?;
        self.ask(context, host, password, self.tls_fingerprint)
            .await
    }

    /// Finds out the same of a rack that the console knows, by what it knows where nothing else is
    /// said. The password is asked for all the same: none that is kept goes to another host.
    pub(super) async fn changed(
        &self,
        context: &Context,
        before: &Value,
    ) -> Result<(Value, SecretString), CliError> {
        let before = read(before)?;
        let password = self.password(context)?;
        // Another host has another certificate.
        let vouched = match &self.host {
            None => before.vouched()?,
            Some(_) => None,
        };
        let host = self.host.as_ref().unwrap_or(&before.host);
        let vouched = self.tls_fingerprint.or(vouched);
        self.ask(context, host, password, vouched).await
    }

    /// Asks the rack whether it accepts the password, and who is to vouch for its certificate.
    async fn ask(
        &self,
        context: &Context,
        host: &str,
        password: SecretString,
        mut fingerprint: Option<Fingerprint>,
    ) -> Result<(Value, SecretString), CliError> {
        let nobody = Endpoint::of_host(host, SecretString::from(""), allow_http(context))?;
        loop {
            let endpoint = nobody.clone().with_password(password.clone());
            match ask(context, endpoint, fingerprint).await {
                Ok(Auth { id: None, .. }) => break,
                Ok(_) => {
                    return Err(CliError::usage(format!("{host} is a console, and no rack"))
                        .hint("name the rack's own host: the console asks it itself"));
                }
                Err(error) => fingerprint = Some(self.vouch(context, host, error, fingerprint)?),
            }
        }
        let settings = ApiSettings {
            host: host.trim().to_owned(),
            tls_fingerprint: fingerprint.map(|it| it.to_string()),
        };
        let settings = serde_json::to_value(settings);
        let settings = settings.map_err(|error| CliError::failed(error.to_string()))?;
        Ok((settings, password))
    }

    /// Has somebody vouch for a certificate that does not verify.
    fn vouch(
        &self,
        context: &Context,
        host: &str,
        error: RemoteError,
        vouched: Option<Fingerprint>,
    ) -> Result<Fingerprint, CliError> {
        let printer = context.printer();
        match error {
            RemoteError::Unauthorized { .. } => {
                let message = format!("{host} refuses that password");
                Err(CliError::failed(message).hint("nothing is stored"))
            }
            RemoteError::UnknownCertificate {
                reason,
                fingerprint,
                ..
            } if vouched.is_none() => {
                let message = format!("cannot verify the certificate of {host}: {reason}");
                printer.warn(&message, None);
                printer.say(&format!("its SHA-256 fingerprint is {fingerprint}"));
                let question = "Is that the rack's, and to be trusted from now on?";
                if printer.can_ask() && printer.confirm(question) {
                    return Ok(fingerprint);
                }
                Err(CliError::failed("nothing is stored").hint(format!(
                    "if the fingerprint is the rack's, --tls-fingerprint {fingerprint} trusts it"
                )))
            }
            error => Err(error.into()),
        }
    }

    /// Reads the password: standard input, a file, or whoever is at the terminal.
    fn password(&self, context: &Context) -> Result<SecretString, CliError> {
        if self.password_stdin {
            return from_stdin();
        }
        if let Some(path) = &self.password_file {
            return from_file(path);
        }
        let printer = context.printer();
        if !printer.can_ask() {
            return Err(
                CliError::usage("there is no password, and nobody to ask for one")
                    .hint("use --password-stdin or --password-file FILE"),
            );
        }
        let mut text = printer
            .ask_secret("Password of the rack: ")
            .map_err(|error| CliError::failed(format!("cannot read the password: {error}")))?;
        let password = not_empty(text.trim_end_matches(['\r', '\n']));
        text.zeroize();
        password
    }
}

fn from_file(path: &Path) -> Result<SecretString, CliError> {
    let cannot = |error| CliError::usage(format!("cannot read {}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    not_empty(text.trim_end_matches(['\r', '\n']))
}

/// Asks the rack whether it accepts the password of `endpoint`.
async fn ask(
    context: &Context,
    endpoint: Endpoint,
    vouched: Option<Fingerprint>,
) -> Result<Auth, RemoteError> {
    let trust = trust(context, vouched);
    let remote = Remote::new(endpoint, &trust, Clock::system(), Arc::new(|_| {}))?;
    remote.auth().await
}

fn trust(context: &Context, vouched: Option<Fingerprint>) -> Trust {
    let trust = Trust::new().with_authorities(context.global().tls_ca.clone());
    match vouched {
        Some(fingerprint) => trust.vouching(fingerprint),
        None => trust,
    }
}

/// Makes a way to a rack's API out of what its record holds. Nothing is sent.
pub(super) fn gateway(context: &Context, settings: &Value) -> Result<RemoteGateway, CliError> {
    let settings = read(settings)?;
    let vouched = settings.vouched()?;
    // Every request says its own.
    let password = SecretString::from("");
    let endpoint = Endpoint::of_host(&settings.host, password, allow_http(context))?;
    let (trust, options) = (trust(context, vouched), RemoteOptions::default());
    let clock = Clock::system();
    Ok(RemoteGateway::new(endpoint, &trust, clock, options)?)
}
