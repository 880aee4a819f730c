//! The file of master keys: one a line, for its owner only.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::VaultError;
use super::ring::{KEY, Sealer, hex, unhex};
use crate::ids::Entropy;
use crate::private;

/// A file of master keys, which need not be there.
#[derive(Debug, Clone)]
pub(super) struct KeyFile(PathBuf);

impl KeyFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads its keys, from the first line to the last; none where there is no file.
    ///
    /// # Errors
    /// When it cannot be read, holds something else, or may be read by others.
    pub(super) fn read(&self) -> Result<Vec<Arc<Sealer>>, VaultError> {
        let Some(text) = self.text()? else {
            return Ok(Vec::new());
        };
        let sealers: Option<Vec<_>> = lines(&text).map(sealer_of).collect();
        sealers
            .filter(|sealers| !sealers.is_empty())
            .ok_or_else(|| VaultError::NoKey(self.name()))
    }

    /// Returns the first key that none of `known` names; makes one where there is none such.
    ///
    /// Made and not yet named it may have been by somebody who was stopped in the middle, or who
    /// had every server get it first.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when it cannot be written.
    pub(super) fn unnamed(
        &self,
        known: &[String],
        entropy: &Entropy,
    ) -> Result<Arc<Sealer>, VaultError> {
        let _alone = self.lock()?;
        let is_unnamed = |sealer: &Arc<Sealer>| !known.contains(&sealer.id);
        if let Some(sealer) = self.read()?.into_iter().find(is_unnamed) {
            return Ok(sealer);
        }
        let mut bytes = Zeroizing::new([0; KEY]);
        entropy.fill(bytes.as_mut());
        let line = hex(bytes.as_ref());
        let sealer = sealer_of(&line).ok_or_else(|| VaultError::NoKey(self.name()))?;
        let old = self.text()?.unwrap_or_default();
        let all = std::iter::once(line.as_str()).chain(lines(&old));
        self.write(all)?;
        Ok(sealer)
    }

    /// Takes out the keys that `gone` names.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when it cannot be written.
    pub(super) fn take_out(&self, gone: &[String]) -> Result<(), VaultError> {
        if self.text()?.is_none() {
            return Ok(());
        }
        let _alone = self.lock()?;
        let text = self.text()?.unwrap_or_default();
        let is_gone = |line: &&str| sealer_of(line).is_some_and(|s| gone.contains(&s.id));
        // A file without any key is none.
        let is_any_left = lines(&text).any(|line| !is_gone(&line));
        if is_any_left && lines(&text).any(|line| is_gone(&line)) {
            self.write(lines(&text).filter(|line| !is_gone(line)))?;
        }
        Ok(())
    }

    fn write<'a>(&self, lines: impl Iterator<Item = &'a str>) -> Result<(), VaultError> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        private::replace(&self.0, text.as_bytes()).map_err(|error| self.failed(error))
    }

    fn text(&self) -> Result<Option<Zeroizing<String>>, VaultError> {
        let failed = |error| self.failed(error);
        if !self.0.try_exists().map_err(failed)? {
            return Ok(None);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let metadata = std::fs::metadata(&self.0).map_err(failed)?;
            if metadata.permissions().mode() & 0o077 != 0 {
                return Err(VaultError::Open(self.name()));
            }
        }
        let text = std::fs::read_to_string(&self.0).map_err(failed)?;
        Ok(Some(Zeroizing::new(text)))
    }

    fn lock(&self) -> Result<std::fs::File, VaultError> {
        let path = self.0.with_added_extension("lock");
        private::lock(&path).map_err(|error| self.failed(error))
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn failed(&self, source: io::Error) -> VaultError {
        VaultError::File {
            path: self.name(),
            source,
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn sealer_of(line: &str) -> Option<Arc<Sealer>> {
    Sealer::new(&unhex(line)?).map(Arc::new)
}
