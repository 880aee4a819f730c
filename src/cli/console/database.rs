//! Where the console keeps what it keeps.

use std::path::PathBuf;

use clap::Args;

use crate::cli::context::Context;
use crate::clock::Clock;
use crate::console::{MasterKey, VaultError};
use crate::private;
use crate::store::{Store, StoreError};
use crate::ui::CliError;

/// Which database, and which key seals secrets in it.
#[derive(Debug, Args)]
pub(super) struct DatabaseArgs {
    /// Use this PostgreSQL database, such as postgres://user@host/name, and no file
    #[arg(
        long,
        value_name = "URL",
        env = "CONVOX_DATABASE_URL",
        hide_env_values = true
    )]
    database_url: Option<String>,

    /// Directory of the database file and of the master key [default: in the state directory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// File of the key that seals secrets, made if it is not there [default: in --data]
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
}

impl DatabaseArgs {
    pub(super) fn directory(&self, context: &Context) -> Result<PathBuf, CliError> {
        let dir = match &self.data {
            Some(dir) => dir.clone(),
            None => context.environment().state_dir()?.join("console"),
        };
        private::create_dir(&dir)
            .map_err(|error| CliError::failed(format!("cannot make {}: {error}", dir.display())))?;
        Ok(dir)
    }

    /// Opens the database, whatever its schema is.
    pub(super) async fn open(&self, context: &Context) -> Result<Store, CliError> {
        let entropy = context.entropy()?;
        let store = match &self.database_url {
            Some(url) => {
                let is_postgres = ["postgres://", "postgresql://"]
                    .iter()
                    .any(|scheme| url.starts_with(scheme));
                if !is_postgres {
                    return Err(
                        CliError::usage("the database's URL is not one of PostgreSQL")
                            .hint("it begins with postgres://; leave it out for a file"),
                    );
                }
                Store::postgres(url, Clock::wall(), entropy).await
            }
            None => {
                let path = self.file(context)?;
                Store::sqlite(&path, entropy).await
            }
        };
        store.map_err(explain)
    }

    /// Opens the database if there is one, and never makes it.
    pub(super) async fn open_existing(&self, context: &Context) -> Result<Store, CliError> {
        if self.database_url.is_none() {
            let path = self.file(context)?;
            if !path.exists() {
                let missing = format!("there is no database {}", path.display());
                return Err(CliError::failed(missing)
                    .hint("--data names its directory; `convox console init` makes one"));
            }
        }
        self.open(context).await
    }

    /// Returns the path of the database's file.
    pub(super) fn file(&self, context: &Context) -> Result<PathBuf, CliError> {
        if self.database_url.is_some() {
            return Err(explain(StoreError::OfPostgres));
        }
        Ok(self.directory(context)?.join("console.db"))
    }

    /// Tells whether there is a key that seals secrets.
    pub(super) fn has_master_key(&self, context: &Context) -> Result<bool, CliError> {
        Ok(self.master_key_file(context)?.exists())
    }

    fn master_key_file(&self, context: &Context) -> Result<PathBuf, CliError> {
        match &self.master_key {
            Some(path) => Ok(path.clone()),
            None => Ok(self.directory(context)?.join("master.key")),
        }
    }

    /// Reads the key that seals secrets, or makes it.
    pub(super) fn master_key(&self, context: &Context) -> Result<MasterKey, CliError> {
        let path = self.master_key_file(context)?;
        MasterKey::at(&path, &context.entropy()?).map_err(|error| {
            let hint = match error {
                VaultError::Open(_) => "chmod 600 it: whoever reads it can open what it sealed",
                _ => "--master-key names another file",
            };
            CliError::failed(error.to_string()).hint(hint)
        })
    }
}

/// Says what to do about an error of the database.
pub(super) fn explain(error: StoreError) -> CliError {
    let hint = match &error {
        StoreError::Older { found: 0, .. } => "`convox console init` prepares it",
        StoreError::Older { .. } => "`convox console migrate` brings it up to date",
        StoreError::Newer { .. } => "use the version of convox that has written it, or a newer one",
        StoreError::Taken => "one server runs on a file; several share a PostgreSQL database",
        StoreError::FileExists(_) => "name another place, or move what is there away",
        StoreError::Broken(_) => "`convox console backup` writes what can be restored",
        StoreError::OfPostgres => {
            "`pg_dump --format=custom --file FILE URL` makes a copy, and `pg_restore --dbname URL \
             FILE` makes a database of it, which must be empty"
        }
        _ => "look at the database's address and at whether it runs",
    };
    CliError::failed(error.to_string()).hint(hint)
}
