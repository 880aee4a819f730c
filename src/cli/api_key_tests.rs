//! Whose login is a rack's, when the rack itself is reached through its account.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::api_key::api_access;
use super::app::GlobalArgs;
use super::context::Context;
use crate::config::Environment;
use crate::rack::testing::Unreachable;
use crate::rack::{ApiKeyAccess, PortError, Rack, System, SystemDescription, SystemInstance};
use crate::ui::{CliError, Printer, Verbosity};

/// A rack that says this of itself, and does nothing.
struct Told(SystemDescription);

#[async_trait]
impl System for Told {
    async fn describe(&self) -> Result<SystemDescription, PortError> {
        Ok(self.0.clone())
    }
    async fn instances(&self) -> Result<Vec<SystemInstance>, PortError> {
        Unreachable.instances().await
    }
    async fn set_parameters(&self, _: &BTreeMap<String, String>) -> Result<(), PortError> {
        unreachable!("finding a login sets nothing")
    }
    async fn terminate(&self, _: &str) -> Result<(), PortError> {
        unreachable!("finding a login ends nothing")
    }
}

fn rack(system: Arc<dyn System>) -> Rack {
    let nowhere = Arc::new(Unreachable);
    Rack {
        name: "prod".to_owned(),
        stack: "prod".to_owned(),
        key_parameter: "Key".to_owned(),
        stacks: nowhere.clone(),
        key_pairs: nowhere.clone(),
        fleet: nowhere.clone(),
        refreshes: nowhere.clone(),
        alarms: nowhere.clone(),
        quotas: nowhere.clone(),
        balancers: nowhere.clone(),
        commands: nowhere.clone(),
        services: nowhere.clone(),
        keys: nowhere,
        ssh_user: "ec2-user".to_owned(),
        system,
        probe: None,
    }
}

/// A rack whose stack gives out these addresses.
fn rack_at(rack_domain: &str, domain: &str, output: &str) -> Rack {
    rack(Arc::new(Told(SystemDescription {
        rack_domain: rack_domain.to_owned(),
        domain: domain.to_owned(),
        outputs: BTreeMap::from([("RouterHost".to_owned(), output.to_owned())]),
        ..SystemDescription::default()
    })))
}

/// A home with this file of logins, if any.
fn home(auth: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    if !auth.is_empty() {
        let dir = home.path().join(".config/convox2");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("auth"), auth).unwrap();
        fs::set_permissions(dir.join("auth"), fs::Permissions::from_mode(0o600)).unwrap();
    }
    home
}

async fn found(
    home: &TempDir,
    rack: &Rack,
    host: Option<&str>,
    global: GlobalArgs,
) -> Result<ApiKeyAccess, CliError> {
    let (printer, _) = Printer::captured(Verbosity::Normal);
    let environment = Environment::from_iter([("HOME", home.path().to_str().unwrap())]);
    let context = Context::with_environment(printer, global, environment);
    api_access(&context, rack, host).await
}

/// Names who is asked, and who keeps the key.
async fn words(auth: &str, rack: &Rack, host: Option<&str>) -> String {
    let access = found(&home(auth), rack, host, GlobalArgs::default()).await;
    let access = access.unwrap_or_else(|error| panic!("{}", error.message()));
    let holders: Vec<_> = access.holders.iter().map(|it| it.describe()).collect();
    let probe = access
        .probe
        .map_or("-".to_owned(), |probe| probe.describe());
    format!("{probe} | {}", holders.join(", "))
}

const LOGINS: &str = r#"{"A.example": "a", "rack.example:5443": "secret", "z.example": "z"}"#;

#[tokio::test]
async fn it_is_the_one_at_an_address_that_the_stack_gives_out() {
    let ours = "rack.example:5443 | the login at rack.example:5443";
    for rack in [
        rack_at("rack.example", "", ""),
        rack_at("", "rack.example", ""),
        rack_at("", "", "rack.example"),
        rack_at("", "", "RACK.Example"),
    ] {
        assert_eq!(words(LOGINS, &rack, None).await, ours);
    }
    let upper = words(LOGINS, &rack_at("a.EXAMPLE", "", ""), None).await;
    assert_eq!(upper, "a.example | the login at A.example");
}

#[tokio::test]
async fn a_part_of_an_address_is_none_and_nothing_is_guessed() {
    for rack in [
        rack_at("", "", ""),
        rack_at("example", "other.example", "x.rack.example"),
        rack(Arc::new(Unreachable)),
    ] {
        assert_eq!(words(LOGINS, &rack, None).await, "- | ");
    }
    assert_eq!(
        words("", &rack_at("rack.example", "", ""), None).await,
        "- | "
    );
}

#[tokio::test]
async fn a_login_that_is_named_is_taken_whatever_the_stack_says() {
    let unknown = rack(Arc::new(Unreachable));
    let named = words(LOGINS, &unknown, Some("z.example")).await;
    assert_eq!(named, "z.example | the login at z.example");
    let home = home(LOGINS);
    let missing = found(&home, &unknown, Some("y.example"), GlobalArgs::default()).await;
    let Err(missing) = missing else {
        panic!("there is no such login");
    };
    assert_eq!(
        missing.message(),
        "there is no login at y.example on this machine"
    );
    assert_eq!(missing.hints(), ["`convox login y.example` stores one"]);
}

#[tokio::test]
async fn the_sandbox_has_nothing_to_do_with_logins() {
    let global = GlobalArgs {
        sandbox: true,
        ..GlobalArgs::default()
    };
    let rack = rack_at("rack.example", "", "");
    let access = found(&home(LOGINS), &rack, Some("z.example"), global).await;
    let access = access.unwrap_or_else(|error| panic!("{}", error.message()));
    assert!(access.probe.is_none() && access.holders.is_empty());
}
