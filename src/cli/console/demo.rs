//! `convox console serve --demo`: a console with something to see, that is gone when it stops.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::database::{explain, explain_vault};
use crate::cli::context::Context;
use crate::cli::find::rack_in_sandbox;
use crate::clock::{Clock, system_now};
use crate::config::Config;
use crate::console::{
    FoundRack, KeySource, RackFinder, Service, ServiceOptions, Vault, furnish, initialize,
};
use crate::private;
use crate::rack::aws::{Access, Account, Transport};
use crate::rack::{PortError, Rack};
use crate::sandbox::{DEFAULT_SPEED, Sandbox, Scenario};
use crate::store::{RackRecord, Store};
use crate::ui::CliError;

/// What each rack of a demonstration is like: a roll of the last one's key goes back.
const RACKS: [(&str, &str); 3] = [
    (
        "prod",
        include_str!("../../../fixtures/scenarios/large-batches.yaml"),
    ),
    (
        "staging",
        include_str!("../../../fixtures/scenarios/success.yaml"),
    ),
    (
        "legacy",
        include_str!("../../../fixtures/scenarios/signal-timeout.yaml"),
    ),
];

/// A console for a demonstration.
pub(super) struct Demo {
    pub(super) service: Service,
    account_key: SecretString,
    directory: PathBuf,
}

impl Demo {
    /// Makes one in a directory of its own.
    pub(super) async fn new(context: &Context, options: ServiceOptions) -> Result<Self, CliError> {
        let entropy = context.entropy()?;
        let name = format!("convox-demo-{:016x}", entropy.next_u64());
        let directory = std::env::temp_dir().join(name);
        private::create_dir(&directory).map_err(|error| {
            CliError::failed(format!("cannot make {}: {error}", directory.display()))
        })?;
        let made = Self::within(&directory, context, options).await;
        if made.is_err() {
            let _ = std::fs::remove_dir_all(&directory);
        }
        let (service, account_key) = made?;
        Ok(Self {
            service,
            account_key,
            directory,
        })
    }

    async fn within(
        directory: &Path,
        context: &Context,
        options: ServiceOptions,
    ) -> Result<(Service, SecretString), CliError> {
        let entropy = context.entropy()?;
        let source = KeySource::file(directory.join("master.key"));
        let store = Store::sqlite(&directory.join("console.db"), entropy.clone()).await;
        let store = store.map_err(explain)?;
        store.migrate().await.map_err(explain)?;
        let now = system_now().as_millisecond();
        let made = initialize(&store, "acme", now, &entropy, &source).await;
        let made = made.map_err(explain_vault)?;
        let workspace = made.map(|made| made.workspace).unwrap_or_default();
        let vault = Vault::of(&store, source).await.map_err(explain_vault)?;
        let service = Service::new(store, Clock::system(), entropy, vault, options).await;
        let service = service.map_err(explain)?;
        let racks = RACKS.map(|(name, _)| name);
        let key = furnish(&service, &workspace, &racks).await;
        let key = key.map_err(explain)?;
        service.find_racks_by(Box::new(DemoRacks::new(context).await?));
        Ok((service, key))
    }

    /// Says how to sign in at `address`, and how the command line gets there. (Its logins are
    /// never without TLS.)
    pub(super) fn told(&self, address: &str) -> String {
        let key = self.account_key.expose_secret();
        let url = address.replace("://", &format!("://convox:{key}@"));
        format!(
            "Sign in at {address}/sign-in with the account key {key}\n\
             Or from another shell: RACK_URL={url} convox instances -r acme/prod\n\
             Nothing is kept: all of it is made up, and goes when this stops (Ctrl-C)."
        )
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The racks of a demonstration, each in an account of its own.
struct DemoRacks(HashMap<String, (Rack, Clock)>);

impl DemoRacks {
    async fn new(context: &Context) -> Result<Self, CliError> {
        let entropy = context.entropy()?;
        let mut racks = HashMap::new();
        for (name, text) in RACKS {
            let mut scenario = Scenario::parse(text, name)?;
            scenario.rack.name = name.to_owned();
            let clock = Clock::starting_at(system_now(), DEFAULT_SPEED);
            let sandbox = Sandbox::new(&scenario, clock.clone())?;
            let transport = Transport::InProcess(sandbox.in_process());
            let account = Account::connect(&Access::new(transport, clock.clone())).await?;
            let settings = Config::default().resolve(Some(name), context.environment())?;
            let rack = rack_in_sandbox(&account, &sandbox, settings, &entropy)?;
            racks.insert(name.to_owned(), (rack, clock));
        }
        Ok(Self(racks))
    }
}

#[async_trait]
impl RackFinder for DemoRacks {
    async fn find(&self, record: &RackRecord) -> Result<FoundRack, PortError> {
        let found = self.0.get(&record.name);
        let (rack, clock) = found.cloned().ok_or_else(|| PortError::NotFound {
            what: format!("rack {}", record.name),
        })?;
        Ok(FoundRack { rack, clock })
    }
}
