//! Gets a client for an HTTP API ready.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::decide::{Address, Login, Place};
use crate::cli::context::Context;
use crate::config::ConfigError;
use crate::rack::remote::{Endpoint, KnownRacks, Remote, SessionStore, Trust};
use crate::ui::CliError;

/// Where certificates that somebody has vouched for are written down, beside `config.yaml`.
const KNOWN_RACKS: &str = "known_racks.json";

/// Makes a client for `place`.
///
/// Nothing is sent, unless a roll has left a second password for the login: then the host
/// is asked which of the two it accepts.
pub(super) async fn connect(context: &Context, place: &Place) -> Result<Remote, CliError> {
    let endpoint = match &place.address {
        Address::Url(url) => Endpoint::of_url(url.expose_secret(), allow_http(context))?,
        Address::Host(host) => {
            let password = place.password.clone().ok_or_else(|| no_password(host))?;
            Endpoint::of_host(host, password, allow_http(context))?
        }
    };
    // A rack's own address knows no sessions.
    let session = match (&place.address, &place.classic) {
        (Address::Host(_), Some(classic)) => classic.session(endpoint.host())?,
        _ => None,
    };
    let session = session.map(|session| session.expose_secret().to_owned());
    let endpoint = endpoint.with_rack(place.rack.clone()).with_session(session);
    let trust = trust(context)?;
    let client = |endpoint: Endpoint| {
        let keep = keep_sessions(context, place, endpoint.host());
        let clock = context.clock_for(&endpoint);
        Remote::new(endpoint, &trust, clock, keep)
    };
    let remote = client(endpoint.clone())?;
    if let Some(login) = &place.login
        && let Some(other) = accepted(&remote, place, login).await?
    {
        login.logins.adopt(&login.host, &other)?;
        let message = format!("{} accepts the other password of its roll", login.host);
        context.printer().say(&message);
        return Ok(client(endpoint.with_password(other))?);
    }
    Ok(remote)
}

/// Returns the other password of a roll that is under way, if only that one is accepted.
async fn accepted(
    remote: &Remote,
    place: &Place,
    login: &Login,
) -> Result<Option<SecretString>, CliError> {
    let (Some(stored), Some(staged)) = (&place.password, login.logins.staged(&login.host)?) else {
        return Ok(None);
    };
    let other = if stored.expose_secret() == staged.password.expose_secret() {
        staged.previous
    } else {
        Some(staged.password)
    };
    let Some(other) = other else {
        return Ok(None);
    };
    // A host that does not answer now is met by the command itself, which says so better.
    if remote.accepts(stored).await.unwrap_or(true) {
        return Ok(None);
    }
    let is_accepted = remote.accepts(&other).await.unwrap_or(false);
    Ok(is_accepted.then_some(other))
}

/// Says which certificates are believed: `--tls-ca`, and those that were vouched for.
pub(crate) fn trust(context: &Context) -> Result<Trust, CliError> {
    let trust = Trust::new().with_authorities(context.global().tls_ca.clone());
    Ok(match known_racks(context)? {
        Some(known) => trust.with_known(known),
        None => trust,
    })
}

/// Returns the file of certificates that were vouched for; a machine without a home has none.
pub(crate) fn known_racks(context: &Context) -> Result<Option<KnownRacks>, CliError> {
    match context.environment().config_dir() {
        Ok(dir) => Ok(Some(KnownRacks::new(dir.join(KNOWN_RACKS)))),
        Err(ConfigError::NoHome) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Tells whether the password may go over plain HTTP to another machine, as the classic has it.
pub(crate) fn allow_http(context: &Context) -> bool {
    context.environment().get("X_DEV_ALLOW_HTTP") == Some("true")
}

fn no_password(host: &str) -> CliError {
    CliError::failed(format!("there is no password for {host}")).hint(format!(
        "`convox login {host}` stores one, or set CONVOX_PASSWORD"
    ))
}

/// Keeps the sessions that a console gives; one that cannot be kept is asked for again.
fn keep_sessions(context: &Context, place: &Place, host: &str) -> SessionStore {
    let (printer, host) = (context.printer().clone(), host.to_owned());
    let classic = place.classic.clone();
    Arc::new(move |id| {
        let Some(classic) = &classic else { return };
        if let Err(error) = classic.store_session(&host, &SecretString::from(id)) {
            printer.warn(
                &format!("the session is lost: {error}"),
                Some(&error.hint()),
            );
        }
    })
}
