//! Master keys in memory: one that seals, and others that only open.
//!
//! AES-256-GCM with a random nonce. A sealed text begins with its form and the key's name.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::VaultError;
use crate::ids::Entropy;
use crate::keys::Hash;
use crate::store::{KnownMasterKey, Sealed};

/// What a sealed text begins with.
const FORM: u8 = 1;
/// How many bytes of a key's hash name it.
const NAME: usize = 8;
/// How many bytes a key has.
pub(super) const KEY: usize = 32;

/// A master key.
pub(super) struct Sealer {
    name: [u8; NAME],
    /// The name as text.
    pub(super) id: String,
    key: LessSafeKey,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealer").field(&self.id).finish()
    }
}

impl Sealer {
    /// Makes a master key of 32 bytes; none of any other number.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).ok()?;
        let hash = Hash::of(&hex(bytes));
        let mut name = [0; NAME];
        name.copy_from_slice(&hash.as_bytes()[..NAME]);
        Some(Self {
            name,
            id: hex(&name).to_string(),
            key: LessSafeKey::new(key),
        })
    }

    fn seal(&self, text: &str, about: &str, entropy: &Entropy) -> Sealed {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut body = text.as_bytes().to_vec();
        let sealed = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about.as_bytes()),
            &mut body,
        );
        // It fails for texts of gigabytes only.
        if sealed.is_err() {
            body.clear();
        }
        let mut bytes = vec![FORM];
        bytes.extend(self.name);
        bytes.extend(nonce);
        bytes.append(&mut body);
        Sealed {
            with: self.id.clone(),
            bytes,
        }
    }

    fn open(
        &self,
        nonce: &[u8],
        body: &[u8],
        about: &str,
    ) -> Result<Zeroizing<String>, VaultError> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Broken)?;
        let mut body = Zeroizing::new(body.to_vec());
        let text = self
            .key
            .open_in_place(nonce, Aad::from(about.as_bytes()), &mut body)
            .map_err(|_| VaultError::Broken)?;
        let text = std::str::from_utf8(text).map_err(|_| VaultError::Broken)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// Master keys that open, and do not seal.
#[derive(Debug)]
pub(in crate::console) struct Held(pub(super) Vec<Arc<Sealer>>);

impl Held {
    /// Tells whether the key of that id is among them.
    pub(in crate::console) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|sealer| sealer.id == id)
    }

    /// Opens what was sealed for the purpose `about`.
    ///
    /// # Errors
    /// When it was sealed with another key or for another purpose, or was changed.
    pub(in crate::console) fn open(
        &self,
        sealed: &[u8],
        about: &str,
    ) -> Result<Zeroizing<String>, VaultError> {
        let (form, rest) = sealed.split_first().ok_or(VaultError::Broken)?;
        if *form != FORM || rest.len() < NAME + NONCE_LEN {
            return Err(VaultError::Broken);
        }
        let (name, rest) = rest.split_at(NAME);
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let sealer = self.0.iter().find(|sealer| sealer.name == name);
        let sealer = sealer.ok_or(VaultError::OtherKey)?;
        sealer.open(nonce, body, about)
    }
}

/// All master keys that are to be had.
#[derive(Debug)]
pub(super) struct Ring {
    newest: Arc<Sealer>,
    all: Held,
}

impl Ring {
    /// Takes the first of the keys that are known, of those that are to be had, to seal with; none
    /// if none of them is.
    pub(super) fn of(known: &[KnownMasterKey], all: Vec<Arc<Sealer>>) -> Option<Self> {
        let mut held = known
            .iter()
            .filter_map(|known| all.iter().find(|sealer| sealer.id == known.id));
        let newest = Arc::clone(held.next()?);
        let all = Held(all);
        Some(Self { newest, all })
    }

    pub(super) fn seals_with(&self) -> &str {
        &self.newest.id
    }

    pub(super) fn sealers(&self) -> Vec<Arc<Sealer>> {
        self.all.0.clone()
    }

    pub(super) fn seal(&self, text: &str, about: &str, entropy: &Entropy) -> Sealed {
        self.newest.seal(text, about, entropy)
    }

    pub(super) fn open(&self, sealed: &[u8], about: &str) -> Result<Zeroizing<String>, VaultError> {
        self.all.open(sealed, about)
    }
}

pub(super) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    let text = String::with_capacity(2 * bytes.len());
    let text = bytes.iter().fold(text, |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Zeroizing::new(text)
}

/// Reads the hexadecimal digits of a key.
pub(super) fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() != 2 * KEY {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    bytes.map(Zeroizing::new)
}
