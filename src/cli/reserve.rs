//! A file for a secret, made before anything is changed, and gone if nothing came of it.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::private;
use crate::rack::PrivateKey;
use crate::ui::CliError;

/// An empty file, open only to its owner, that waits for a secret.
///
/// It is made before anything else is, so that a name that is taken or a directory that cannot
/// be written to stops it. Dropped without a secret it removes itself.
#[derive(Debug)]
pub(crate) struct ReservedFile {
    path: PathBuf,
    file: Option<File>,
}

impl ReservedFile {
    /// Makes the file that `--save-key` names.
    pub(crate) fn create(path: &Path) -> Result<Self, CliError> {
        Self::create_for("--save-key", path)
    }

    /// Makes the file that a flag names.
    pub(crate) fn create_for(flag: &str, path: &Path) -> Result<Self, CliError> {
        match private::open_options()
            .write(true)
            .create_new(true)
            .open(path)
        {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file: Some(file),
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(CliError::usage(
                format!("{} exists already", path.display()),
            )
            .hint(format!(
                "give {flag} a name that is free, a key is never overwritten"
            ))),
            Err(error) => Err(
                CliError::usage(format!("cannot make {}: {error}", path.display())).hint(format!(
                    "give {flag} a file in a directory that you may write to"
                )),
            ),
        }
    }

    /// Writes the key and keeps the file.
    pub(crate) fn fill(self, key: &PrivateKey) -> std::io::Result<()> {
        self.fill_with(key.expose())
    }

    /// Writes a secret, brings file and name to the disk, and keeps the file.
    pub(crate) fn fill_with(mut self, secret: &str) -> std::io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(secret.as_bytes())?;
            if !secret.ends_with('\n') {
                file.write_all(b"\n")?;
            }
            file.sync_all()?;
            let directory = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        self.file = None;
        Ok(())
    }
}

impl Drop for ReservedFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            // An empty file is left at worst.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_exists_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "precious").unwrap();
        assert!(ReservedFile::create(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_file_without_a_key_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        drop(ReservedFile::create(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_key_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = PrivateKey::new("PEM".to_owned());
        ReservedFile::create(&path).unwrap().fill(&key).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "PEM\n");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
