//! Who keeps a rack's API key on this machine, and where the API is that can be asked for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Context;
use super::reach::{Address, How, Place, Reached, console, open_classic};
use crate::config::classic::{Classic, LoginHolder};
use crate::rack::directory::Directory;
use crate::rack::{ApiKeyAccess, ApiKeyHolder, FarRack, Rack};
use crate::ui::CliError;

/// What a rack that is reached over its API is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To begin a roll of its password.
    Begin,
    /// To come back to one: then it may refuse either password for a while.
    ComeBack,
}

/// Gets a rack ready whose password is to be rolled over its API: who keeps the password, and
/// that it is the rack's own.
pub(super) async fn far_rack(
    context: &Context,
    reached: &Reached,
    host: Option<&str>,
    purpose: Purpose,
) -> Result<FarRack, CliError> {
    let How::Api(remote) = reached.how() else {
        return Err(CliError::usage("this is done over the rack's API"));
    };
    if host.is_some() {
        return Err(
            CliError::usage("--login is for a rack that is reached in AWS")
                .hint("over its API the login is the one that the rack is reached with"),
        );
    }
    if remote.is_token() {
        return Err(CliError::usage(
            "RACK_URL holds a token (user jwt), and not the rack's password",
        )
        .hint("set RACK_URL=https://convox:PASSWORD@HOST, or use `--via aws`"));
    }
    if purpose == Purpose::Begin && remote.is_console().await? {
        return Err(CliError::usage(format!(
            "{} is a console: it knows the rack's password and swaps it in by itself, so that \
             nobody here can tell which one the rack takes",
            remote.host()
        ))
        .hint(
            "`--via aws` rolls it; so does RACK_URL=https://convox:PASSWORD@HOST with the rack's \
             own host and password; then give the new one to the console",
        ));
    }
    let login = reached.login();
    let holder = login.map(|login| LoginHolder::new(login.logins.clone(), &login.host));
    Ok(FarRack {
        password: remote.password().clone(),
        holders: holder
            .into_iter()
            .map(|holder| Arc::new(holder) as Arc<dyn ApiKeyHolder>)
            .collect(),
        keys: Arc::new(Directory::new(context.staged_dir()?)),
        api: Arc::new(remote.clone()),
    })
}

/// Finds the stored login of a rack that is reached through its account, and a client for it.
///
/// Without `host` it is the login whose host the stack gives out as its API's address.
pub(super) async fn api_access(
    context: &Context,
    rack: &Rack,
    host: Option<&str>,
) -> Result<ApiKeyAccess, CliError> {
    let bare = ApiKeyAccess {
        probe: rack.probe.clone(),
        holders: Vec::new(),
    };
    if context.global().sandbox {
        return Ok(bare);
    }
    let Some(classic) = open_classic(context)? else {
        return Ok(bare);
    };
    let host = match host {
        Some(host) => Some(host.to_owned()),
        None => login_of(&classic, rack).await?,
    };
    let Some(host) = host else {
        return Ok(bare);
    };
    let logins = classic.logins();
    let Some(password) = logins.stored(&host)? else {
        return Err(
            CliError::usage(format!("there is no login at {host} on this machine"))
                .hint(format!("`convox login {host}` stores one")),
        );
    };
    let place = Place {
        address: Address::Host(host.clone()),
        rack: None,
        password: Some(password),
        // The roll itself decides which of two passwords is the right one.
        login: None,
        classic: Some(classic),
    };
    let remote = console(context, &place).await?;
    Ok(ApiKeyAccess {
        probe: Some(Arc::new(remote)),
        holders: vec![Arc::new(LoginHolder::new(logins, &host))],
    })
}

/// Finds the login whose host is one that the rack's stack gives out.
async fn login_of(classic: &Classic, rack: &Rack) -> Result<Option<String>, CliError> {
    let hosts = classic.logins().hosts()?;
    if hosts.is_empty() {
        return Ok(None);
    }
    // A rack that cannot be described is met by the roll itself, which says so better.
    let Ok(system) = rack.system.describe().await else {
        return Ok(None);
    };
    let told: BTreeSet<String> = [system.rack_domain, system.domain]
        .into_iter()
        .chain(system.outputs.into_values())
        .map(|name| name.to_ascii_lowercase())
        .collect();
    Ok(hosts.into_iter().find(|host| {
        let name = host
            .rsplit_once(':')
            .map_or(host.as_str(), |(name, _)| name);
        told.contains(&name.to_ascii_lowercase())
    }))
}
