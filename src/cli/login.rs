//! `convox login`: store a password that a console or a rack accepts.

use std::io::Read as _;

use clap::Args;
use secrecy::SecretString;
use zeroize::{Zeroize as _, Zeroizing};

use super::complete;
use super::context::Context;
use super::reach::{allow_http, known_racks, open_classic, trust};
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::config::classic::Classic;
use crate::rack::remote::{
    Auth, DEFAULT_CONSOLE, Endpoint, Fingerprint, Remote, RemoteError, SessionStore,
};
use crate::ui::{CliError, Exit};

/// The longest password that is read, in bytes: more is a mistake.
const LONGEST: u64 = 64 * 1024;

/// Log in to a console or a rack, and make it the one that commands are for
///
/// The password is that of -p or --password-stdin, else of CONVOX_PASSWORD, else the one that
/// is stored, else it is asked for. It is stored once the host has accepted it, where the
/// classic command line finds it too.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Host of the console or the rack, with its port where that is unusual
    #[arg(value_name = "HOST", default_value = DEFAULT_CONSOLE, add = complete::hosts())]
    host: String,

    /// The password or API key, which other users of this machine can see meanwhile
    #[arg(
        short,
        long,
        value_name = "PASSWORD",
        alias = "token",
        short_alias = 't',
        conflicts_with = "password_stdin"
    )]
    password: Option<SecretArg>,

    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,

    /// Believe the certificate of this SHA-256 fingerprint, now and from now on
    #[arg(long, value_name = "FINGERPRINT")]
    tls_fingerprint: Option<Fingerprint>,
}

/// A secret on the command line; its `Debug` shows nothing.
#[derive(Debug, Clone)]
struct SecretArg(SecretString);

impl std::str::FromStr for SecretArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(SecretString::from(text)))
    }
}

/// A password, and how to say where it is from.
struct Credential {
    password: SecretString,
    source: &'static str,
    is_stored: bool,
}

impl LoginArgs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let classic = open_classic(context)?.ok_or(ConfigError::NoHome)?;
        context.block_on(self.log_in(context, &classic))
    }

    async fn log_in(&self, context: &Context, classic: &Classic) -> Result<Exit, CliError> {
        let printer = context.printer();
        if self.host.trim_start().starts_with("http://") {
            return Err(CliError::usage("a login is never over plain HTTP")
                .hint("leave http:// out; RACK_URL can name a rack that has no TLS"));
        }
        let nobody = Endpoint::of_host(&self.host, SecretString::from(""), allow_http(context))?;
        let host = nobody.host().to_owned();
        if self.password.is_some() {
            printer.warn(
                "other users of this machine can see a password on the command line",
                Some("--password-stdin reads it from standard input, and without either it is asked for"),
            );
        }
        let mut credential = self.credential(context, classic, &host)?;
        let mut vouched = self.tls_fingerprint;
        let started = format!("Authenticating with {host}... ");
        let auth = loop {
            let endpoint = nobody.clone().with_password(credential.password.clone());
            match ask(context, endpoint, vouched).await {
                Ok(auth) => break auth,
                Err(RemoteError::UnknownCertificate {
                    reason,
                    fingerprint,
                    ..
                }) if vouched.is_none() && printer.can_ask() => {
                    printer.warn(
                        &format!("cannot verify the certificate of {host}: {reason}"),
                        None,
                    );
                    printer.say(&format!("its SHA-256 fingerprint is {fingerprint}"));
                    if !printer.confirm("Is that the rack's, and to be trusted from now on?") {
                        return Err(CliError::failed("not logged in, nothing is stored")
                            .hint("compare it with what the rack's operator says"));
                    }
                    vouched = Some(fingerprint);
                }
                Err(RemoteError::Unauthorized { .. })
                    if credential.is_stored && printer.can_ask() =>
                {
                    printer.say(&format!(
                        "{host} does not accept the stored password any more"
                    ));
                    credential = prompt(context)?;
                }
                Err(RemoteError::ChangedCertificate { presented, .. })
                    if self.tls_fingerprint.is_some() =>
                {
                    printer.data(&started);
                    let message = format!("the certificate of {host} has another fingerprint");
                    return Err(CliError::failed(message).hint(format!(
                        "it is {presented}, which --tls-fingerprint does not name; \
                         somebody may be listening in"
                    )));
                }
                Err(error) => {
                    printer.data(&started);
                    return Err(failure(error, &host, &credential));
                }
            }
        };
        if let (Some(fingerprint), Some(known)) = (vouched, known_racks(context)?) {
            known.remember(&host, fingerprint)?;
        }
        classic.log_in(&host, &credential.password, auth.id.as_deref())?;
        printer.data(&format!("{started}OK\n"));
        self.say_what_wins(context, &host);
        Ok(Exit::Done)
    }

    /// Finds the password: flag, standard input, environment, stored login, prompt.
    fn credential(
        &self,
        context: &Context,
        classic: &Classic,
        host: &str,
    ) -> Result<Credential, CliError> {
        let given = |password, source| Credential {
            password,
            source,
            is_stored: false,
        };
        if let Some(password) = &self.password {
            return Ok(given(password.0.clone(), "--password"));
        }
        if self.password_stdin {
            return Ok(given(from_stdin()?, "standard input"));
        }
        for name in ["CONVOX_PASSWORD", "CONVOX_TOKEN"] {
            if let Some(password) = context.environment().get(name) {
                return Ok(given(SecretString::from(password), name));
            }
        }
        if let Some(password) = classic.logins().stored(host)? {
            return Ok(Credential {
                password,
                source: "the stored login",
                is_stored: true,
            });
        }
        prompt(context)
    }

    /// Warns when the environment names another host, which goes before what is stored.
    fn say_what_wins(&self, context: &Context, host: &str) {
        let environment = context.environment();
        for name in ["RACK_URL", "CONVOX_HOST"] {
            let is_other = match environment.get(name) {
                Some(value) => name == "RACK_URL" || value != host,
                None => false,
            };
            if is_other {
                let message = format!("{name} is set and goes before this login");
                context
                    .printer()
                    .warn(&message, Some(&format!("unset {name}")));
                return;
            }
        }
    }
}

/// Asks the host whether it accepts the password of `endpoint`.
async fn ask(
    context: &Context,
    endpoint: Endpoint,
    vouched: Option<Fingerprint>,
) -> Result<Auth, RemoteError> {
    let trust = trust(context).map_err(|error| RemoteError::Tls {
        message: error.message().to_owned(),
    })?;
    let trust = match vouched {
        Some(fingerprint) => trust.vouching(fingerprint),
        None => trust,
    };
    // A session from before belongs to the login from before.
    let forget: SessionStore = std::sync::Arc::new(|_| {});
    let remote = Remote::new(endpoint, &trust, Clock::system(), forget)?;
    remote.auth().await
}

/// Reads a password from standard input.
pub(crate) fn from_stdin() -> Result<SecretString, CliError> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let read = std::io::stdin().take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| CliError::failed(format!("cannot read the password: {error}")))?;
    not_empty(text.trim_end_matches(['\r', '\n']))
}

fn prompt(context: &Context) -> Result<Credential, CliError> {
    let printer = context.printer();
    if !printer.can_ask() {
        return Err(
            CliError::failed("there is no password, and nobody to ask for one")
                .hint("use --password-stdin, or set CONVOX_PASSWORD"),
        );
    }
    let mut text = printer
        .ask_secret("Password: ")
        .map_err(|error| CliError::failed(format!("cannot read the password: {error}")))?;
    let password = not_empty(text.trim_end_matches(['\r', '\n']));
    text.zeroize();
    Ok(Credential {
        password: password?,
        source: "what was typed",
        is_stored: false,
    })
}

/// Takes a password that is not empty.
pub(crate) fn not_empty(text: &str) -> Result<SecretString, CliError> {
    if text.is_empty() {
        return Err(CliError::failed("the password is empty").hint("nothing is stored"));
    }
    Ok(SecretString::from(text))
}

/// Words why the login failed; a wrong password in the classic's two words.
fn failure(error: RemoteError, host: &str, credential: &Credential) -> CliError {
    if !error.is_unauthorized() {
        return error.into();
    }
    let hint = if credential.is_stored {
        "the stored password is outdated: give the new one with --password-stdin".to_owned()
    } else {
        let source = credential.source;
        format!("{host} does not accept the password of {source}; nothing is stored")
    };
    CliError::failed("invalid login").hint(hint)
}
