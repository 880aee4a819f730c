//! The sealed form in which a classic rack keeps a setting.
//!
//! A setting is a JSON object of three base64 fields: `c`, the text in a NaCl
//! secretbox (XSalsa20 and Poly1305, the tag first); `k`, the data key as KMS
//! wrapped it; `n`, the 24 byte nonce. Go writes and reads such fields as
//! standard base64 with padding. Nothing here calls KMS: whoever opens an
//! envelope first has [`Envelope::wrapped_key`] unwrapped.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead as _;
use crypto_secretbox::{KeyInit as _, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Bytes in a data key, as `GenerateDataKey` is asked for.
pub const KEY_LEN: usize = 32;

/// Bytes in a nonce.
pub const NONCE_LEN: usize = 24;

/// Why an envelope cannot be made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is not the JSON object that a classic rack writes.
    #[error("not an envelope of c, k and n in base64")]
    Malformed,
    /// The nonce has another length than NaCl's.
    #[error("the nonce has {0} bytes and not {NONCE_LEN}")]
    NonceLength(usize),
    /// The data key is not the one that sealed it, or somebody has changed it.
    #[error("the contents do not match their seal")]
    Broken,
    /// The text is too long to be sealed.
    #[error("the contents cannot be sealed")]
    Unsealable,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    c: String,
    k: String,
    n: String,
}

/// A sealed setting that has been read and not yet opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    sealed: Vec<u8>,
    wrapped_key: Vec<u8>,
    nonce: [u8; NONCE_LEN],
}

impl Envelope {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`] or [`EnvelopeError::NonceLength`].
    pub fn parse(text: &str) -> Result<Self, EnvelopeError> {
        let wire: Wire = serde_json::from_str(text).map_err(|_| EnvelopeError::Malformed)?;
        let bytes = |field: &str| STANDARD.decode(field).map_err(|_| EnvelopeError::Malformed);
        let nonce = bytes(&wire.n)?;
        let nonce = nonce
            .try_into()
            .map_err(|n: Vec<u8>| EnvelopeError::NonceLength(n.len()))?;
        Ok(Self {
            sealed: bytes(&wire.c)?,
            wrapped_key: bytes(&wire.k)?,
            nonce,
        })
    }

    /// Returns the data key as KMS wrapped it: the `CiphertextBlob` to be decrypted first.
    #[must_use]
    pub fn wrapped_key(&self) -> &[u8] {
        &self.wrapped_key
    }

    /// Opens it with the unwrapped data key.
    ///
    /// # Errors
    /// [`EnvelopeError::Broken`] when the key is another or a byte was changed.
    pub fn open(&self, data_key: &[u8; KEY_LEN]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        XSalsa20Poly1305::new(data_key.into())
            .decrypt(Nonce::from_slice(&self.nonce), self.sealed.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| EnvelopeError::Broken)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("bytes", &self.sealed.len())
            .finish_non_exhaustive()
    }
}

/// Seals `plain` under `data_key` and returns the JSON that a classic rack reads.
///
/// `wrapped_key` is the same data key as KMS wrapped it; `nonce` must never be
/// used twice with one data key.
///
/// # Errors
/// [`EnvelopeError::Unsealable`] when the cipher refuses the length.
pub fn seal(
    data_key: &[u8; KEY_LEN],
    wrapped_key: &[u8],
    nonce: &[u8; NONCE_LEN],
    plain: &[u8],
) -> Result<String, EnvelopeError> {
    let sealed = XSalsa20Poly1305::new(data_key.into())
        .encrypt(Nonce::from_slice(nonce), plain)
        .map_err(|_| EnvelopeError::Unsealable)?;
    let wire = Wire {
        c: STANDARD.encode(sealed),
        k: STANDARD.encode(wrapped_key),
        n: STANDARD.encode(nonce),
    };
    serde_json::to_string(&wire).map_err(|_| EnvelopeError::Unsealable)
}

/// Reads and opens an envelope whose data key is already at hand.
///
/// # Errors
/// As [`Envelope::parse`] and [`Envelope::open`].
pub fn open(text: &str, data_key: &[u8; KEY_LEN]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    Envelope::parse(text)?.open(data_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; KEY_LEN] = [7; KEY_LEN];
    const NONCE: [u8; NONCE_LEN] = [9; NONCE_LEN];

    #[test]
    fn what_is_sealed_opens_again_and_names_its_wrapped_key() {
        let text = seal(&KEY, b"wrapped", &NONCE, b"-----BEGIN").unwrap();
        assert_eq!(Envelope::parse(&text).unwrap().wrapped_key(), b"wrapped");
        assert_eq!(open(&text, &KEY).unwrap().as_slice(), b"-----BEGIN");
    }

    #[test]
    fn another_key_or_a_changed_byte_is_refused() {
        let text = seal(&KEY, b"wrapped", &NONCE, b"secret").unwrap();
        assert_eq!(
            open(&text, &[8; KEY_LEN]).unwrap_err(),
            EnvelopeError::Broken
        );
        let mut wire: Wire = serde_json::from_str(&text).unwrap();
        let mut sealed = STANDARD.decode(&wire.c).unwrap();
        sealed[20] ^= 1;
        wire.c = STANDARD.encode(sealed);
        let changed = serde_json::to_string(&wire).unwrap();
        assert_eq!(open(&changed, &KEY).unwrap_err(), EnvelopeError::Broken);
    }

    #[test]
    fn other_text_is_no_envelope() {
        for text in ["", "{}", "-----BEGIN", r#"{"c":"!","k":"","n":""}"#] {
            assert!(Envelope::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Envelope::parse(r#"{"c":"","k":"","n":"AAAA"}"#).unwrap_err(),
            EnvelopeError::NonceLength(3)
        );
    }

    /// Made with PyNaCl 1.6.2 (libsodium): `nacl.secret.SecretBox(bytes(range(32)))
    /// .encrypt(plain, bytes(range(100, 124))).ciphertext`.
    #[test]
    fn libsodium_seals_the_same_bytes() {
        let key: [u8; KEY_LEN] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let nonce: [u8; NONCE_LEN] = std::array::from_fn(|i| u8::try_from(100 + i).unwrap());
        let text = seal(&key, b"wrapped", &nonce, b"a classic rack reads this\n").unwrap();
        assert_eq!(text, VECTOR);
        assert_eq!(
            open(VECTOR, &key).unwrap().as_slice(),
            b"a classic rack reads this\n"
        );
    }

    const VECTOR: &str = r#"{"c":"Y6wDxpsQEU75r6kXulakk2OZ+qVbxb2A091R9VTvg2pby1zUxNIjctUG","k":"d3JhcHBlZA==","n":"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7"}"#;
}
