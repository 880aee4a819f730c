//! A directory of our own for as long as it is needed.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::error::SshError;
use crate::ids::Entropy;
use crate::private;

/// The longest path that a socket may have on every Unix, and some room for its file's name.
const LONGEST: usize = 104 - 12;

/// A directory that only its owner may enter, and that is gone when this is dropped.
#[derive(Debug)]
pub struct PrivateDir(PathBuf);

impl PrivateDir {
    /// Makes one in the first of `places` that allows it.
    ///
    /// # Errors
    /// [`SshError::Socket`] when none does.
    pub fn create(places: &[PathBuf], entropy: &Entropy) -> Result<Self, SshError> {
        let mut last = io::Error::from(ErrorKind::NotFound);
        for place in places {
            let path = place.join(format!("convox-{:016x}", entropy.next_u64()));
            if path.as_os_str().len() > LONGEST {
                last = io::Error::other(format!("{} is too long a path", place.display()));
                continue;
            }
            match make(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => last = error,
            }
        }
        Err(SshError::Socket(last))
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file that was not there, readable by its owner only.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, SshError> {
        let path = self.0.join(name);
        let written = private::open_options()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => Ok(path),
            Err(source) => Err(SshError::File { path, source }),
        }
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a directory that must not be there yet: one that is may be somebody else's trap.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_its_owners_only_and_gone_afterwards() {
        let home = tempfile::tempdir().unwrap();
        let places = [
            home.path().join("missing"),
            home.path().join("x".repeat(200)),
            home.path().to_owned(),
        ];
        let entropy = Entropy::seeded(1);
        let dir = PrivateDir::create(&places, &entropy).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(&dir.write("key.pub", "public").unwrap()), 0o600);
        assert!(dir.write("key.pub", "again").is_err());
        drop(dir);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        assert!(PrivateDir::create(&places[..2], &entropy).is_err());
    }

    #[test]
    fn a_directory_that_is_there_already_is_not_taken() {
        let home = tempfile::tempdir().unwrap();
        let name = format!("convox-{:016x}", Entropy::seeded(1).next_u64());
        fs::create_dir(home.path().join(name)).unwrap();
        let places = [home.path().to_owned()];
        assert!(PrivateDir::create(&places, &Entropy::seeded(1)).is_err());
    }
}
