//! Certificates by their fingerprints, and the file of those that somebody has vouched for.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::error::RemoteError;
use crate::private;

/// The SHA-256 of a certificate in DER form.
///
/// Written as `openssl x509 -fingerprint -sha256` does: `AB:CD:` and so on, 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// The text is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not a SHA-256 fingerprint (64 hexadecimal digits)")]
pub struct BadFingerprint;

impl Fingerprint {
    /// Takes the fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    /// Reads digits of either case, with colons or without, after `SHA256:` or nothing.
    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let text = text.trim();
        let text = text
            .get(..7)
            .filter(|prefix| prefix.eq_ignore_ascii_case("sha256:"))
            .map_or(text, |_| &text[7..]);
        let digits: Option<Vec<_>> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16))
            .collect();
        let digits = digits.ok_or(BadFingerprint)?;
        if digits.len() != 64 {
            return Err(BadFingerprint);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::try_from(pair[0] * 16 + pair[1]).map_err(|_| BadFingerprint)?;
        }
        Ok(Self(bytes))
    }
}

/// The file of the racks whose certificates somebody has vouched for: JSON, host to
/// fingerprint, for its owner only.
#[derive(Debug, Clone)]
pub struct KnownRacks {
    file: PathBuf,
}

impl KnownRacks {
    /// Keeps fingerprints in `file`, which is made when the first is written.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Returns the fingerprint that is known for `host` (`HOST` or `HOST:PORT`).
    ///
    /// # Errors
    /// [`RemoteError::KnownRacks`] when the file is there and cannot be read, can be written by
    /// others, or is not what is expected.
    pub fn get(&self, host: &str) -> Result<Option<Fingerprint>, RemoteError> {
        let known = self.read()?;
        let Some(text) = known.get(host) else {
            return Ok(None);
        };
        let fingerprint = text.parse();
        fingerprint
            .map(Some)
            .map_err(|error| self.broken(&format!("the fingerprint of {host} is wrong: {error}")))
    }

    /// Writes down the fingerprint of `host`, in place of one that was known before.
    ///
    /// The file is locked, written beside its place and renamed: of two programs that do so at
    /// once neither loses what the other wrote.
    ///
    /// # Errors
    /// As [`Self::get`]; also when the file cannot be written.
    pub fn remember(&self, host: &str, fingerprint: Fingerprint) -> Result<(), RemoteError> {
        let failed = |error: io::Error| self.broken(&error.to_string());
        let dir = self.file.parent().unwrap_or_else(|| Path::new("."));
        private::create_dir(dir).map_err(failed)?;
        let _lock = private::lock(&self.file.with_extension("lock")).map_err(failed)?;
        let mut known = self.read()?;
        known.insert(host.to_owned(), fingerprint.to_string());
        let text = serde_json::to_string_pretty(&known)
            .map_err(|error| self.broken(&error.to_string()))?;
        private::replace(&self.file, (text + "\n").as_bytes()).map_err(failed)
    }

    fn read(&self) -> Result<BTreeMap<String, String>, RemoteError> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            read => read.map_err(|error| self.broken(&error.to_string()))?,
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&self.file).map(|file| file.permissions().mode());
            if mode.is_ok_and(|mode| mode & 0o022 != 0) {
                return Err(self.broken("others may write to it"));
            }
        }
        serde_json::from_str(&text).map_err(|error| self.broken(&error.to_string()))
    }

    fn broken(&self, message: &str) -> RemoteError {
        RemoteError::KnownRacks {
            path: self.file.clone(),
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written_and_as_others_write_it() {
        let fingerprint = Fingerprint::of(b"certificate");
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 95);
        for text in [
            text.clone(),
            text.replace(':', ""),
            text.to_lowercase(),
            format!("sha256:{text}"),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
        for text in [
            "",
            "AB:CD",
            "sha256:",
            &text[1..],
            &text.replace('A', "g")[..10],
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(BadFingerprint), "{text}");
        }
    }

    #[test]
    fn known_racks_are_kept_for_their_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("convox/known_racks.json");
        let known = KnownRacks::new(file.clone());
        assert_eq!(known.get("a").unwrap(), None);
        let (one, two) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        known.remember("a", one).unwrap();
        known.remember("b:5443", two).unwrap();
        known.remember("a", two).unwrap();
        assert_eq!(known.get("a").unwrap(), Some(two));
        assert_eq!(known.get("b:5443").unwrap(), Some(two));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
            assert!(known.get("a").unwrap_err().to_string().contains("others"));
        }
    }

    #[test]
    fn a_broken_file_is_an_error_and_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("known_racks.json");
        fs::write(&file, "{ half").unwrap();
        let known = KnownRacks::new(file.clone());
        assert!(known.get("a").is_err());
        assert!(known.remember("a", Fingerprint::of(b"1")).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "{ half");
    }
}
