//! How the console's racks are found: by settings of the shape that `config.yaml` has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::api_rack::gateway;
use crate::cli::context::Context;
use crate::cli::find::{rack_in_aws, rack_in_sandbox, sandbox_account};
use crate::clock::Clock;
use crate::config::Config;
use crate::console::{FoundGateway, FoundRack, RackFinder};
use crate::rack::aws::{Account, Budgets, CALLS_PER_SECOND};
use crate::rack::{PortError, Rack};
use crate::sandbox::Sandbox;
use crate::store::{RackKind, RackRecord};
use crate::ui::CliError;

/// Finds racks as the commands do, with the server's own environment and flags.
pub(super) struct Finder {
    context: Context,
    /// The account on this machine, once anybody has asked for it.
    sandbox: OnceCell<(Account, Clock, Sandbox)>,
    /// Racks that were found, and by which settings, by their ids: making connections anew for
    /// each question would take longer than the question.
    found: Mutex<HashMap<String, (Value, Rack, Clock)>>,
    /// The same of racks that are reached over their API.
    gateways: Mutex<HashMap<String, (Value, FoundGateway)>>,
    /// What racks of one account and region are asked together.
    budgets: Budgets,
}

impl Finder {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            sandbox: OnceCell::new(),
            found: Mutex::default(),
            gateways: Mutex::default(),
            budgets: Budgets::new(context.clock_of_server(), CALLS_PER_SECOND),
        }
    }

    fn known(&self, record: &RackRecord) -> Option<(Rack, Clock)> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (settings, rack, clock) = found.get(&record.id)?;
        (*settings == record.settings).then(|| (rack.clone(), clock.clone()))
    }

    async fn look_for(&self, record: &RackRecord) -> Result<(Rack, Clock), CliError> {
        let settings = Config::one(&record.name, record.settings.clone());
        let settings = settings.map_err(CliError::usage)?;
        match record.kind {
            RackKind::Aws => {
                let clock = self.context.clock_of_server();
                let budgets = Some(&self.budgets);
                let rack = rack_in_aws(&self.context, settings, &clock, budgets).await?;
                Ok((rack, clock))
            }
            RackKind::Sandbox => {
                let open = || sandbox_account(&self.context);
                let (account, clock, sandbox) = self.sandbox.get_or_try_init(open).await?;
                let entropy = self.context.entropy()?;
                let rack = rack_in_sandbox(account, sandbox, settings, &entropy)?;
                Ok((rack, clock.clone()))
            }
            RackKind::Api => Err(CliError::failed("this rack is reached over its API only")),
        }
    }
}

#[async_trait]
impl RackFinder for Finder {
    async fn find(&self, record: &RackRecord) -> Result<FoundRack, PortError> {
        let (rack, clock) = match self.known(record) {
            Some(known) => known,
            None => {
                let looked = self.look_for(record).await;
                let (rack, clock) = looked.map_err(|error| no_way(&error))?;
                let made = (record.settings.clone(), rack.clone(), clock.clone());
                let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                found.insert(record.id.clone(), made);
                (rack, clock)
            }
        };
        Ok(FoundRack { rack, clock })
    }

    async fn gateway(&self, record: &RackRecord) -> Result<FoundGateway, PortError> {
        let mut gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((settings, found)) = gateways.get(&record.id)
            && *settings == record.settings
        {
            return Ok(found.clone());
        }
        let gateway = gateway(&self.context, &record.settings);
        let found = FoundGateway {
            gateway: Arc::new(gateway.map_err(|error| no_way(&error))?),
            clock: self.context.clock_of_server(),
        };
        let made = (record.settings.clone(), found.clone());
        gateways.insert(record.id.clone(), made);
        Ok(found)
    }
}

fn no_way(error: &CliError) -> PortError {
    PortError::Remote {
        status: None,
        transient: false,
        unanswered: false,
        message: error.message().to_owned(),
        hint: error.hints().first().cloned(),
    }
}
