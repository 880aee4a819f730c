//! `convox console people`: who may call the console, and what they may do.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;

use super::database::explain;
use super::organization::OrganizationArgs;
use crate::cli::context::Context;
use crate::console::{AccountKey, add_person, issue_account_key};
use crate::store::{BadRole, Role, StoreError, Thing};
use crate::ui::{CliError, Exit, Table};

/// Who may call the console, and what they may do
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Add(AddArgs),
    List(ListArgs),
    Role(RoleArgs),
    Key(KeyArgs),
    SignOut(SignOutArgs),
    Remove(RemoveArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Add(args) => context.block_on(args.run(context)),
            Self::List(args) => context.block_on(args.run(context)),
            Self::Role(args) => context.block_on(args.run(context)),
            Self::Key(args) => context.block_on(args.run(context)),
            Self::SignOut(args) => context.block_on(args.run(context)),
            Self::Remove(args) => context.block_on(args.run(context)),
        }
    }
}

/// Add somebody, and print their account key, which is shown this once
///
/// With it they log in: `convox login HOST`. A deploy key is added the same way, with the role
/// deploy.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// What they are called, such as an address
    #[arg(value_parser = name)]
    name: String,

    /// What they may do: deploy, read, operator or admin
    #[arg(long, value_name = "ROLE", default_value_t = Role::Operator, value_parser = role)]
    role: Role,
}

impl AddArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let organization = &place.organization;
        let by = place.issuer();
        let added = add_person(&place.store, &self.name, self.role, by, &organization.id).await;
        let (person, key) = added.map_err(|error| about(&self.name, error))?;
        let told = format!("{} is {} of {}", person.name, self.role, organization.name);
        context.printer().say(&told);
        show(context, &key);
        place.close().await
    }
}

/// List who may call the console
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: OrganizationArgs,
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let people = place.store.people(&place.organization.id).await;
        let mut table = Table::new(["NAME", "ROLE", "ID"]);
        for (person, role) in people.map_err(explain)? {
            table.row([person.name, role.to_string(), person.id]);
        }
        context.printer().data(&table.render());
        place.close().await
    }
}

/// Say what somebody may do from now on
#[derive(Debug, Args)]
pub(in crate::cli) struct RoleArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Who
    name: String,

    /// What they may do: deploy, read, operator or admin
    #[arg(value_name = "ROLE", value_parser = role)]
    role: Role,
}

impl RoleArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let store = &place.store;
        let failed = |error| about(&self.name, error);
        let person = store.person_called(&self.name).await.map_err(failed)?;
        let changed = store.set_role(&person.id, self.role, place.audited());
        changed.await.map_err(failed)?;
        let organization = &place.organization.name;
        let told = format!("{} is {} of {organization}", self.name, self.role);
        context.printer().say(&told);
        place.close().await
    }
}

/// Issue another account key to somebody, which is shown this once; the others stay
#[derive(Debug, Args)]
pub(in crate::cli) struct KeyArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Who
    name: String,
}

impl KeyArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let failed = |error| about(&self.name, error);
        let person = place.store.person_called(&self.name).await;
        let person = person.map_err(failed)?;
        let key = issue_account_key(
            &place.store,
            &person,
            place.issuer(),
            &place.organization.id,
        )
        .await;
        show(context, &key.map_err(failed)?);
        place.close().await
    }
}

/// Sign somebody out of the pages, and take their password away; their account keys stay
///
/// For a password that was forgotten, or that somebody else has set.
#[derive(Debug, Args)]
pub(in crate::cli) struct SignOutArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Who
    name: String,
}

impl SignOutArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let failed = |error| about(&self.name, error);
        let person = place.store.person_called(&self.name).await;
        let person = person.map_err(failed)?;
        let had = place.store.remove_password(&person.id, place.audited());
        let told = match had.await.map_err(failed)? {
            true => "is signed out, and has no password any more",
            false => "is signed out, and had no password",
        };
        context.printer().say(&format!("{} {told}", self.name));
        place.close().await
    }
}

/// Take somebody out; who belongs to no other organization can use no key any more
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Who
    name: String,
}

impl RemoveArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let failed = |error| about(&self.name, error);
        let person = place.store.person_called(&self.name).await;
        let person = person.map_err(failed)?;
        let removed = place.store.remove_person(&person.id, place.audited());
        removed.await.map_err(failed)?;
        let told = format!("{} is no longer of {}", self.name, place.organization.name);
        context.printer().say(&told);
        place.close().await
    }
}

fn show(context: &Context, key: &AccountKey) {
    let printer = context.printer();
    printer.say(&format!("The account key {}, shown this once:", key.id));
    printer.data(&format!("{}\n", key.secret.expose_secret()));
}

fn about(name: &str, error: StoreError) -> CliError {
    match error {
        StoreError::Exists(Thing::Person) => {
            CliError::failed(format!("there is somebody called {name} already"))
                .hint("`convox console people role` changes what they may do")
        }
        StoreError::NotFound(Thing::Person) => {
            CliError::failed(format!("there is nobody called {name}"))
                .hint("`convox console people list` lists everybody")
        }
        StoreError::Unfit(told) => CliError::failed(told).hint("make somebody else admin first"),
        error => explain(error),
    }
}

fn role(text: &str) -> Result<Role, BadRole> {
    text.parse()
}

fn name(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| !letter.is_control();
    let text = text.trim();
    if text.is_empty() || text.len() > 200 || !text.chars().all(is_plain) {
        return Err("a name has 1 to 200 characters".to_owned());
    }
    Ok(text.to_owned())
}
