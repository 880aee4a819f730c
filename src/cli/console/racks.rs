//! `convox console racks`: which racks the console knows.

use clap::{Args, Subcommand};
use serde_json::json;

use super::account_rack::AccountRackArgs;
use super::api_rack::ApiRackArgs;
use super::database::{explain, explain_vault};
use super::organization::OrganizationArgs;
use crate::cli::context::Context;
use crate::console::{Vault, seal_rack_key};
use crate::store::{BadRackKind, NewRack, RackKind, StoreError, Thing};
use crate::ui::{CliError, Exit, Table};

/// Which racks the console knows
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Add(AddArgs),
    Change(ChangeArgs),
    List(ListArgs),
    Forget(ForgetArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Add(args) => context.block_on(args.run(context)),
            Self::Change(args) => context.block_on(args.run(context)),
            Self::List(args) => context.block_on(args.run(context)),
            Self::Forget(args) => context.block_on(args.run(context)),
        }
    }
}

/// Let the console know a rack in an AWS account, behind its own API, or in the server's sandbox
///
/// In an AWS account the server acts with its own credentials, or the role that is named here. Of a
/// rack of kind api it needs nothing but the password, which the rack is asked about and which is
/// kept sealed; people are let in by their own keys, and what they ask is passed on.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Name of the rack; clients choose it as ORGANIZATION/NAME
    #[arg(value_parser = name)]
    name: String,

    /// How it is reached: aws, api or sandbox
    #[arg(long, value_name = "KIND", default_value_t = RackKind::Aws, value_parser = kind)]
    kind: RackKind,

    #[command(flatten)]
    api: ApiRackArgs,

    #[command(flatten)]
    account: AccountRackArgs,
}

impl AddArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (settings, password) = match self.kind {
            RackKind::Api => {
                self.account.check_stray()?;
                let (settings, password) = self.api.settings(context).await?;
                (settings, Some(password))
            }
            RackKind::Aws | RackKind::Sandbox => {
                self.api.check_stray()?;
                (self.account.settings(&self.name, &json!({}))?, None)
            }
        };
        let place = self.place.open(context).await?;
        let by = place.audited();
        let id = place.store.new_rack_id(by.at());
        let sealed = match &password {
            Some(password) => {
                let source = self.place.database.key_source(context).await?;
                let vault = Vault::of(&place.store, source).await;
                let vault = vault.map_err(explain_vault)?;
                Some(seal_rack_key(&vault, &id, password, &context.entropy()?))
            }
            None => None,
        };
        let new = NewRack {
            id,
            name: self.name.clone(),
            kind: self.kind,
            settings,
            password: sealed,
        };
        let made = place.store.create_rack(new, by).await;
        made.map_err(|error| about(&self.name, error))?;
        let told = format!(
            "The console knows {}/{}",
            place.organization.name, self.name
        );
        context.printer().say(&told);
        place.close().await
    }
}

/// Tell the console where a rack is now, or the password that it has been given by somebody else
///
/// What is not said stays, but for the password of a rack of kind api, which the rack is asked
/// about. Rolls, schedules and the audit log of the rack stay with it.
#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Name of the rack
    name: String,

    #[command(flatten)]
    api: ApiRackArgs,

    #[command(flatten)]
    account: AccountRackArgs,
}

impl ChangeArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let failed = |error| about(&self.name, error);
        let rack = place.store.rack_called(&place.organization.id, &self.name);
        let rack = rack.await.map_err(failed)?;
        let (settings, sealed) = match rack.kind {
            RackKind::Api => {
                self.account.check_stray()?;
                let source = self.place.database.key_source(context).await?;
                let vault = Vault::of(&place.store, source).await;
                let vault = vault.map_err(explain_vault)?;
                let (settings, password) = self.api.changed(context, &rack.settings).await?;
                let sealed = seal_rack_key(&vault, &rack.id, &password, &context.entropy()?);
                (settings, Some(sealed))
            }
            RackKind::Aws | RackKind::Sandbox => {
                self.api.check_stray()?;
                (self.account.settings(&self.name, &rack.settings)?, None)
            }
        };
        let by = place.audited();
        let changed = place.store.change_rack(&rack.id, settings, sealed, by);
        changed.await.map_err(failed)?;
        let told = format!("The console knows how {} is reached now", rack.full_name());
        context.printer().say(&told);
        place.close().await
    }
}

/// List the racks that the console knows
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: OrganizationArgs,
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let racks = place.store.racks(&place.organization.id).await;
        let mut table = Table::new(["NAME", "KIND", "ID"]);
        for rack in racks.map_err(explain)? {
            table.row([rack.full_name(), rack.kind.to_string(), rack.id]);
        }
        context.printer().data(&table.render());
        place.close().await
    }
}

/// Have the console forget a rack; the rack itself stays as it is
#[derive(Debug, Args)]
pub(in crate::cli) struct ForgetArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Name of the rack
    name: String,
}

impl ForgetArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let failed = |error| about(&self.name, error);
        let rack = place.store.rack_called(&place.organization.id, &self.name);
        let rack = rack.await.map_err(failed)?;
        let forgotten = place.store.forget_rack(&rack.id, place.audited());
        forgotten.await.map_err(failed)?;
        let told = format!("The console has forgotten {}", rack.full_name());
        context.printer().say(&told);
        place.close().await
    }
}

pub(super) fn about(name: &str, error: StoreError) -> CliError {
    match error {
        StoreError::Exists(Thing::Rack) => {
            CliError::failed(format!("the console knows a rack {name} already"))
                .hint("`convox console racks change` tells how it is reached now")
        }
        StoreError::NotFoundCalled(Thing::Rack, _) => {
            CliError::failed(format!("the console knows no rack {name}"))
                .hint("`convox console racks list` lists those that it knows")
        }
        StoreError::Unfit(told) => CliError::failed(told).hint("try again once it has ended"),
        error => explain(error),
    }
}

fn kind(text: &str) -> Result<RackKind, String> {
    text.parse().map_err(|error| BadRackKind::to_string(&error))
}

fn name(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if text.is_empty() || text.len() > 100 || !text.chars().all(is_plain) {
        return Err("a rack's name has letters, digits, `-`, `_` and `.`".to_owned());
    }
    Ok(text.to_owned())
}
