//! Who keeps a rack's API key on this machine, and where the API is that can be asked for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Context;
use super::reach::{Address, Place, console, open_classic};
use crate::config::classic::{Classic, LoginHolder};
use crate::rack::{ApiKeyAccess, Rack};
use crate::ui::CliError;

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
