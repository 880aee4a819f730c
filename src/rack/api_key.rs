//! The rack API's key: whom to ask whether it works, and who keeps it.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::PortError;
use crate::ids::RollId;
use crate::private;

type Result<T> = std::result::Result<T, PortError>;

/// Asks a rack's HTTP API whether a key opens it.
#[async_trait]
pub trait ApiProbe: Send + Sync {
    /// Names the API for a person, such as its host name.
    fn describe(&self) -> String;
    /// Asks `GET /auth`: `true` for 200, `false` for 401.
    ///
    /// # Errors
    /// [`PortError::Unanswered`] while nobody answers for the API (no connection, 502, 503).
    async fn accepts(&self, password: &SecretString) -> Result<bool>;
}

/// Somebody who keeps a rack's API key: a login, a file, a console's record.
///
/// Beside the key that works a holder keeps at most one that is about to. Every call may be
/// made again after an interruption.
#[async_trait]
pub trait ApiKeyHolder: Send + Sync {
    /// Names the holder for a person, such as `the login at rack.example.com`.
    fn describe(&self) -> String;
    /// Returns the key that it gives out, if it has one.
    async fn current(&self) -> Result<Option<SecretString>>;
    /// Returns the key of roll `roll` that is about to work, if it was staged here.
    async fn pending(&self, roll: &RollId) -> Result<Option<SecretString>>;
    /// Keeps `new` beside the key that it gives out.
    async fn stage(&self, new: &SecretString, roll: &RollId) -> Result<()>;
    /// Gives out `new` from now on, whether it was staged here or not.
    async fn promote(&self, new: &SecretString, roll: &RollId) -> Result<()>;
    /// Forgets what roll `roll` has staged; nothing staged counts as forgotten.
    async fn discard(&self, roll: &RollId) -> Result<()>;
}

/// What a roll of the API key needs besides the rack's account.
#[derive(Clone, Default)]
pub struct ApiKeyAccess {
    /// The API itself, where it can be reached.
    pub probe: Option<Arc<dyn ApiProbe>>,
    /// Who keeps the key.
    pub holders: Vec<Arc<dyn ApiKeyHolder>>,
}

/// A new file that gets the key once it works, for its owner only (mode 0600).
///
/// Until then the key is in `FILE.<roll>` beside it. The file is never written over.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// Will write `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn beside(&self, roll: &RollId) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{roll}"));
        self.path.with_file_name(name)
    }

    fn broken(&self, path: &Path) -> impl FnOnce(io::Error) -> PortError {
        let (store, path) = (self.describe(), path.to_owned());
        move |error| PortError::KeyStore {
            store,
            message: format!("{}: {error}", path.display()),
        }
    }

    fn read(&self, path: &Path) -> Result<Option<SecretString>> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let text = zeroize::Zeroizing::new(text);
                Ok(Some(SecretString::from(text.trim_end().to_owned())))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.broken(path)(error)),
        }
    }

    /// Makes sure that the file can be made, and leaves nothing behind.
    ///
    /// # Errors
    /// When it exists already, or its directory cannot be written to.
    pub fn check(&self) -> Result<()> {
        let mut options = private::open_options();
        let made = options.write(true).create_new(true).open(&self.path);
        made.map_err(self.broken(&self.path))?;
        fs::remove_file(&self.path).map_err(self.broken(&self.path))
    }
}

#[async_trait]
impl ApiKeyHolder for KeyFile {
    fn describe(&self) -> String {
        format!("file {}", self.path.display())
    }

    async fn current(&self) -> Result<Option<SecretString>> {
        Ok(None)
    }

    async fn pending(&self, roll: &RollId) -> Result<Option<SecretString>> {
        self.read(&self.beside(roll))
    }

    async fn stage(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        let beside = self.beside(roll);
        let written = (|| {
            let mut options = private::open_options();
            options.write(true).create(true).truncate(true);
            let mut file = options.open(&beside)?;
            file.write_all(new.expose_secret().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        })();
        written.map_err(self.broken(&beside))
    }

    async fn promote(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        if let Some(there) = self.read(&self.path)? {
            if there.expose_secret() == new.expose_secret() {
                return self.discard(roll).await;
            }
            return Err(self.broken(&self.path)(ErrorKind::AlreadyExists.into()));
        }
        self.stage(new, roll).await?;
        fs::rename(self.beside(roll), &self.path).map_err(self.broken(&self.path))
    }

    async fn discard(&self, roll: &RollId) -> Result<()> {
        let beside = self.beside(roll);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.broken(&beside)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll() -> RollId {
        "01kb2q5z8g000001".parse().unwrap()
    }

    #[tokio::test]
    async fn a_file_has_the_key_only_once_it_works() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let file = KeyFile::new(path.clone());
        file.check().unwrap();
        let new = SecretString::from("new");
        file.stage(&new, &roll()).await.unwrap();
        assert!(!path.exists());
        let pending = file.pending(&roll()).await.unwrap().unwrap();
        assert_eq!(pending.expose_secret(), "new");
        file.promote(&new, &roll()).await.unwrap();
        file.promote(&new, &roll()).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_file_that_exists_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "precious").unwrap();
        let file = KeyFile::new(path.clone());
        assert!(file.check().is_err());
        let new = SecretString::from("new");
        assert!(file.promote(&new, &roll()).await.is_err());
        file.discard(&roll()).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
