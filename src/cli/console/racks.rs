//! `convox console racks`: which racks the console knows.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api_rack::ApiRackArgs;
use super::database::{explain, explain_vault};
use super::organization::OrganizationArgs;
use crate::cli::context::Context;
use crate::config::Config;
use crate::console::{Vault, seal_rack_key};
use crate::store::{BadRackKind, NewRack, RackKind, StoreError, Thing};
use crate::ui::{CliError, Exit, Table};

/// Which racks the console knows
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Add(AddArgs),
    List(ListArgs),
    Forget(ForgetArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Add(args) => context.block_on(args.run(context)),
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

    /// Name of its stack [default: the rack's]
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,

    /// AWS region of the rack [default: the server's]
    #[arg(long = "rack-region", value_name = "REGION")]
    rack_region: Option<String>,

    /// Role to assume in the rack's account
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,

    /// YAML file of further settings, as config.yaml has them for a rack
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

impl AddArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (settings, password) = match self.kind {
            RackKind::Api => {
                self.check_api()?;
                let (settings, password) = self.api.settings(context).await?;
                (settings, Some(password))
            }
            RackKind::Aws | RackKind::Sandbox => (self.settings()?, None),
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

    /// Refuses flags that say where in an account a rack is that is reached over its API.
    fn check_api(&self) -> Result<(), CliError> {
        let given = [
            (self.stack.is_some(), "--stack"),
            (self.rack_region.is_some(), "--rack-region"),
            (self.role_arn.is_some(), "--role-arn"),
            (self.settings.is_some(), "--settings"),
        ];
        match given.into_iter().find(|(is, _)| *is) {
            Some((_, flag)) => Err(CliError::usage(format!(
                "{flag} is for a rack that is reached in its account"
            ))),
            None => Ok(()),
        }
    }

    fn settings(&self) -> Result<Value, CliError> {
        if let Some(flag) = self.api.stray() {
            return Err(CliError::usage(format!("{flag} goes with --kind api")));
        }
        let wrong = |told: String| {
            CliError::usage(told).hint("the README shows the settings that a rack can have")
        };
        let mut settings = match &self.settings {
            None => json!({}),
            Some(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| wrong(format!("cannot read {shown}: {error}")))?;
                serde_yaml::from_str(&text).map_err(|error| wrong(format!("{shown}: {error}")))?
            }
        };
        let Some(entry) = settings.as_object_mut() else {
            return Err(wrong(
                "the settings of a rack are names with values".to_owned(),
            ));
        };
        for (key, value) in [
            ("stack", &self.stack),
            ("region", &self.rack_region),
            ("role_arn", &self.role_arn),
        ] {
            if let Some(value) = value {
                entry.insert(key.to_owned(), json!(value));
            }
        }
        Config::one(&self.name, settings.clone()).map_err(wrong)?;
        Ok(settings)
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
                .hint("`convox console racks forget` forgets it")
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
