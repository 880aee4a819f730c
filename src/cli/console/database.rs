//! Where the console keeps what it keeps.

use std::path::PathBuf;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::find::account;
use crate::clock::Clock;
use crate::console::{KeySource, VaultError};
use crate::private;
use crate::store::{Store, StoreError};
use crate::ui::CliError;

/// What the place of a master key begins with that KMS wraps.
const KMS: &str = "kms:";

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

    /// File of the key that seals secrets, or kms: and the KMS key that wraps it, by its id, ARN
    /// or alias, such as kms:alias/keys [default: master.key in --data]
    #[arg(long, value_name = "FILE|kms:KEY")]
    master_key: Option<String>,
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

    /// Finds out where the keys are that seal secrets. None is looked for yet.
    ///
    /// Where KMS wraps them, older ones may be in the data directory's file still.
    pub(super) async fn key_source(&self, context: &Context) -> Result<KeySource, CliError> {
        let named = self.master_key.as_deref();
        match named.map(|place| place.strip_prefix(KMS).ok_or(place)) {
            Some(Ok("")) => Err(CliError::usage("--master-key kms: names no KMS key")
                .hint("such as kms:alias/keys, or a key's id or ARN after kms:")),
            Some(Ok(kms_key)) => {
                let account = account(context).await?;
                let kms = account.data_keys(kms_key);
                Ok(KeySource::kms(kms, self.default_key_file(context)?))
            }
            Some(Err(path)) => Ok(KeySource::file(path.into())),
            None => Ok(KeySource::file(self.default_key_file(context)?)),
        }
    }

    /// Tells whether the keys that seal secrets are in a file that is not there.
    pub(super) fn lacks_key_file(&self, context: &Context) -> Result<bool, CliError> {
        let path = match &self.master_key {
            Some(place) if place.starts_with(KMS) => return Ok(false),
            Some(path) => path.into(),
            None => self.default_key_file(context)?,
        };
        Ok(!path.exists())
    }

    fn default_key_file(&self, context: &Context) -> Result<PathBuf, CliError> {
        Ok(self.directory(context)?.join("master.key"))
    }
}

/// Says what to do about an error of the keys that seal secrets.
pub(super) fn explain_vault(error: VaultError) -> CliError {
    let hint = match error {
        VaultError::Store(error) => return explain(error),
        VaultError::Kms(error) => return error.into(),
        VaultError::None => "`convox console init` makes it",
        VaultError::Missing { .. } => {
            "copy it from the server that has it, or name its place by --master-key; another key \
             would open nothing of what is sealed"
        }
        VaultError::Open(_) => "chmod 600 it: whoever reads it can open what it sealed",
        VaultError::Left(_) => {
            "`convox console doctor` counts them; the older master keys stay, and what can be \
             opened is sealed with the new one"
        }
        VaultError::Used(_) => {
            "copy the file of master keys to every server, and run the same command again"
        }
        VaultError::Wrapped => "leave --prepare out",
        _ => "--master-key names another place",
    };
    CliError::failed(error.to_string()).hint(hint)
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
