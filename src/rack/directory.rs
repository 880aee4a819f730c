//! Private keys as files of this machine, readable by their owner only.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::error::PortError;
use super::key::PrivateKey;
use super::ports::KeyStore;
use crate::private;

type Result<T> = std::result::Result<T, PortError>;

/// A directory as a key store: `keys/<name>` and `current`, files of mode 0600 in
/// directories of mode 0700.
///
/// Every file is written whole beside its place, brought to the disk and renamed,
/// so a crash leaves the old file or the new one.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Keeps keys under `root`, which is made when it is first written to.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn broken(&self, message: impl Into<String>) -> PortError {
        PortError::KeyStore {
            store: self.describe(),
            message: message.into(),
        }
    }

    /// Names the file of a key pair. EC2 allows names that would leave the directory.
    fn file_of(&self, name: &str) -> Option<PathBuf> {
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | '@');
        let plain = !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed);
        plain.then(|| self.root.join("keys").join(name))
    }

    fn file_to_write(&self, name: &str) -> Result<PathBuf> {
        self.file_of(name)
            .ok_or_else(|| self.broken(format!("no file can be named {name:?}")))
    }

    fn write(&self, path: &Path, text: &str) -> Result<()> {
        let written = self
            .prepare(path)
            .and_then(|()| private::replace(path, text.as_bytes()));
        written.map_err(|error| self.broken(format!("cannot write {}: {error}", path.display())))
    }

    /// Makes the directories, and closes them to others if they are open.
    fn prepare(&self, path: &Path) -> io::Result<()> {
        for directory in [Some(self.root.as_path()), path.parent()]
            .into_iter()
            .flatten()
        {
            private::create_dir(directory)?;
            if fs::metadata(directory)?.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
            }
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Option<PrivateKey>> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(PrivateKey::new(text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.broken(format!("cannot read {}: {error}", path.display()))),
        }
    }

    fn current_file(&self) -> PathBuf {
        self.root.join("current")
    }
}

#[async_trait]
impl KeyStore for Directory {
    fn describe(&self) -> String {
        format!("directory {}", self.root.display())
    }

    async fn check(&self) -> Result<()> {
        let probe = self.file_to_write("convox-check")?;
        self.write(&probe, "convox-check")?;
        let read = self.read(&probe)?;
        fs::remove_file(&probe).map_err(|error| self.broken(error.to_string()))?;
        match read {
            Some(text) if text.expose() == "convox-check" => Ok(()),
            _ => Err(self.broken("what was just written cannot be read back")),
        }
    }

    async fn put(&self, name: &str, key: &PrivateKey) -> Result<()> {
        self.write(&self.file_to_write(name)?, key.expose())
    }

    async fn get(&self, name: &str) -> Result<Option<PrivateKey>> {
        self.file_of(name).map_or(Ok(None), |path| self.read(&path))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let Some(path) = self.file_of(name) else {
            return Ok(());
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.broken(format!("cannot delete {}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let directory = self.root.join("keys");
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.broken(error.to_string())),
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: io::Result<Vec<String>> = names.collect();
        let mut names = names.map_err(|error| self.broken(error.to_string()))?;
        names.retain(|name| name.starts_with(prefix) && !name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    async fn current(&self) -> Result<Option<PrivateKey>> {
        self.read(&self.current_file())
    }

    async fn promote(&self, name: &str) -> Result<()> {
        let key = self.get(name).await?;
        let key = key.ok_or_else(|| self.broken(format!("it has no private key for {name}")))?;
        self.write(&self.current_file(), key.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn only_the_owner_can_read_even_where_the_directory_was_open() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("keys of convox");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let store = Directory::new(root.clone());
        store
            .put("convox-keypair-1", &PrivateKey::new("one".to_owned()))
            .await
            .unwrap();
        store.promote("convox-keypair-1").await.unwrap();
        assert_eq!(mode_of(&root), 0o700);
        assert_eq!(mode_of(&root.join("keys")), 0o700);
        assert_eq!(mode_of(&root.join("keys/convox-keypair-1")), 0o600);
        assert_eq!(mode_of(&root.join("current")), 0o600);
        assert_eq!(
            fs::read_dir(&root).unwrap().count(),
            2,
            "nothing is left beside the files"
        );
    }

    #[tokio::test]
    async fn no_name_leaves_the_directory() {
        let home = tempfile::tempdir().unwrap();
        let store = Directory::new(home.path().join("store"));
        for name in ["../out", "a/b", "", ".hidden", ".."] {
            assert!(
                store
                    .put(name, &PrivateKey::new("x".to_owned()))
                    .await
                    .is_err(),
                "{name}"
            );
            assert!(store.get(name).await.unwrap().is_none(), "{name}");
            store.delete(name).await.unwrap();
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn an_unreadable_store_says_so() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "in the way").unwrap();
        let error = Directory::new(file).check().await.unwrap_err();
        assert!(matches!(error, PortError::KeyStore { .. }), "{error}");
    }
}
