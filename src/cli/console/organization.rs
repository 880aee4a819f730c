//! Which organization a command of the console is about, in which database.

use clap::Args;
use jiff::Timestamp;

use super::database::{DatabaseArgs, explain};
use crate::cli::context::Context;
use crate::clock::system_now;
use crate::console::Issuer;
use crate::ids::Entropy;
use crate::store::{Actor, Audited, Store, Workspace};
use crate::ui::{CliError, Exit};

/// Which organization.
#[derive(Debug, Args)]
pub(super) struct OrganizationArgs {
    #[command(flatten)]
    pub(super) database: DatabaseArgs,

    /// Name of the organization, which is a workspace of the key service [default: the only one]
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
}

/// An organization in its database, and somebody on the server's machine who changes it.
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) organization: Workspace,
    entropy: Entropy,
    now: i64,
}

impl OrganizationArgs {
    /// Opens the database and finds the organization.
    pub(super) async fn open(&self, context: &Context) -> Result<Place, CliError> {
        let store = self.database.open_existing(context).await?;
        store.check().await.map_err(explain)?;
        let known = store.workspaces().await.map_err(explain)?;
        let names: Vec<_> = known.iter().map(|it| it.name.clone()).collect();
        let names = names.join(", ");
        let found = match &self.organization {
            Some(name) => known.into_iter().find(|it| it.name == *name),
            None if known.len() > 1 => {
                return Err(CliError::usage("there are several organizations")
                    .hint(format!("name one with --organization: {names}")));
            }
            None => known.into_iter().next(),
        };
        let organization = found.ok_or_else(|| {
            let hint = format!("there are: {names}; `convox console init` makes the first");
            CliError::usage("there is no such organization").hint(hint)
        })?;
        Ok(Place {
            store,
            organization,
            entropy: context.entropy()?,
            now: system_now().as_millisecond(),
        })
    }
}

impl Place {
    /// Says who makes something.
    pub(super) fn issuer(&self) -> Issuer<'_> {
        Issuer {
            actor: &Actor::Operator,
            now: self.now,
            entropy: &self.entropy,
        }
    }

    /// Returns what time it is.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now).unwrap_or_default()
    }

    /// Lets the database go: the command is done.
    pub(super) async fn close(self) -> Result<Exit, CliError> {
        self.store.close().await;
        Ok(Exit::Done)
    }

    /// Says so in the audit log.
    pub(super) fn audited(&self) -> Audited {
        self.issuer().audited(&self.organization.id)
    }
}
