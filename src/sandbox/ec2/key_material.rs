//! The keys themselves: making them, their text forms and EC2's fingerprints.
//!
//! EC2's fingerprints ("Verify the fingerprint of your key pair", EC2 User Guide): SHA-1 of the
//! private key as PKCS#8 DER for an RSA pair that EC2 made, MD5 of the public key as DER for one
//! that was brought in, and SHA-256 in base64 for Ed25519 either way.

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::{KeyData, RsaPublicKey};
use ssh_key::{Algorithm, HashAlg, LineEnding, Mpint, PrivateKey, PublicKey};

use super::md5::md5;

/// The kind of a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// Ed25519.
    Ed25519,
    /// RSA; what EC2 makes has 2048 bits.
    Rsa,
}

impl KeyKind {
    /// Returns the name that the EC2 API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }
}

/// What EC2 keeps of a key.
pub(super) struct Material {
    pub(super) kind: KeyKind,
    pub(super) fingerprint: String,
    pub(super) public_key: String,
}

/// A key could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum MaterialError {
    #[error("no RSA key could be made")]
    Rsa,
    #[error("the key has no text form")]
    Text(#[from] ssh_key::Error),
}

/// The key that an instance's SSH server shows to its clients.
pub struct HostKey {
    /// The public half, as a line of `known_hosts` without the host.
    pub public_key: String,
    /// The private half in OpenSSH form.
    pub private_key: String,
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostKey")
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

impl HostKey {
    /// Makes the Ed25519 key of an instance from its id.
    pub(super) fn of_instance(id: &str) -> Self {
        let seed = digest::digest(&digest::SHA256, format!("host key of {id}").as_bytes());
        let seed = seed.as_ref().first_chunk().copied().unwrap_or_default();
        let private = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        let text = private.to_openssh(LineEnding::LF);
        Self {
            public_key: private.public_key().to_openssh().unwrap_or_default(),
            private_key: text.map(|text| text.to_string()).unwrap_or_default(),
        }
    }
}

/// Makes an Ed25519 key from its seed: what EC2 keeps, and the private key in OpenSSH form.
pub(super) fn ed25519(seed: &[u8; 32], name: &str) -> Result<(Material, String), MaterialError> {
    let private = PrivateKey::from(Ed25519Keypair::from_seed(seed));
    let text = private.to_openssh(LineEnding::LF)?.to_string();
    let material = Material {
        kind: KeyKind::Ed25519,
        fingerprint: sha256_fingerprint(private.public_key()),
        public_key: PublicKey::new(private.public_key().key_data().clone(), name).to_openssh()?,
    };
    Ok((material, text))
}

/// Makes a 2048-bit RSA key: what EC2 keeps, and the private key in PKCS#1 PEM form.
pub(super) fn rsa(name: &str) -> Result<(Material, String), MaterialError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| MaterialError::Rsa)?;
    let pkcs8 = pair.as_der().map_err(|_| MaterialError::Rsa)?;
    let pkcs1 = pkcs1_of(pkcs8.as_ref()).ok_or(MaterialError::Rsa)?;
    let (modulus, exponent) = public_half(pkcs1).ok_or(MaterialError::Rsa)?;
    let public = KeyData::Rsa(RsaPublicKey {
        e: Mpint::from_positive_bytes(exponent)?,
        n: Mpint::from_positive_bytes(modulus)?,
    });
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, pkcs8.as_ref());
    let material = Material {
        kind: KeyKind::Rsa,
        fingerprint: with_colons(sha1.as_ref()),
        public_key: PublicKey::new(public, name).to_openssh()?,
    };
    Ok((material, pem("RSA PRIVATE KEY", pkcs1)))
}

/// Reads a public key that somebody brings in; `None` when it is none that EC2 takes.
pub(super) fn imported(text: &str, name: &str) -> Option<Material> {
    let key = PublicKey::from_openssh(text.trim()).ok()?;
    let (kind, fingerprint) = match (key.algorithm(), key.key_data()) {
        (Algorithm::Ed25519, _) => (KeyKind::Ed25519, sha256_fingerprint(&key)),
        (Algorithm::Rsa { .. }, KeyData::Rsa(rsa)) => {
            (KeyKind::Rsa, with_colons(&md5(&public_key_der(rsa))))
        }
        _ => return None,
    };
    let public_key = PublicKey::new(key.key_data().clone(), name)
        .to_openssh()
        .ok()?;
    Some(Material {
        kind,
        fingerprint,
        public_key,
    })
}

fn sha256_fingerprint(key: &PublicKey) -> String {
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    STANDARD.encode(fingerprint.as_bytes())
}

fn with_colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let body = STANDARD.encode(der);
    for (place, letter) in body.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;

/// Takes one DER value with the expected tag off the front: its content, and what follows.
fn der(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = input.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (
            digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit)),
            rest,
        )
    };
    rest.split_at_checked(length)
}

/// Finds the PKCS#1 key inside a PKCS#8 envelope (RFC 5958: version, algorithm, key).
fn pkcs1_of(pkcs8: &[u8]) -> Option<&[u8]> {
    let (envelope, _) = der(pkcs8, SEQUENCE)?;
    let (_, rest) = der(envelope, INTEGER)?;
    let (_, rest) = der(rest, SEQUENCE)?;
    Some(der(rest, OCTET_STRING)?.0)
}

/// Finds modulus and public exponent in a PKCS#1 private key (RFC 8017, A.1.2).
fn public_half(pkcs1: &[u8]) -> Option<(&[u8], &[u8])> {
    let (fields, _) = der(pkcs1, SEQUENCE)?;
    let (_, rest) = der(fields, INTEGER)?;
    let (modulus, rest) = der(rest, INTEGER)?;
    let (exponent, _) = der(rest, INTEGER)?;
    Some((modulus, exponent))
}

/// Wraps an RSA public key as SubjectPublicKeyInfo.
fn public_key_der(key: &RsaPublicKey) -> Vec<u8> {
    /// `rsaEncryption` with its NULL parameters.
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let mut numbers = wrapped(INTEGER, key.n.as_bytes());
    numbers.extend(wrapped(INTEGER, key.e.as_bytes()));
    // A bit string starts with how many bits of its last byte are unused.
    let mut bits = vec![0];
    bits.extend(wrapped(SEQUENCE, &numbers));
    let mut info = ALGORITHM.to_vec();
    info.extend(wrapped(0x03, &bits));
    wrapped(SEQUENCE, &info)
}

fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
    match digits.as_slice() {
        [] => out.push(0),
        [one] if *one < 0x80 => out.push(*one),
        many => {
            // A length has at most eight digits here.
            out.push(0x80 | u8::try_from(many.len()).unwrap_or(8));
            out.extend(many);
        }
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ed25519_key_is_the_same_for_the_same_seed_and_opens_its_own_public_key() {
        let (one, text) = ed25519(&[7; 32], "demo").unwrap();
        let (two, again) = ed25519(&[7; 32], "demo").unwrap();
        assert_eq!((&one.public_key, &text), (&two.public_key, &again));
        assert!(text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        let read = PrivateKey::from_openssh(&text).unwrap();
        let public = PublicKey::from_openssh(&one.public_key).unwrap();
        assert_eq!(read.public_key().key_data(), public.key_data());
        assert_eq!(public.comment(), "demo");
        assert_eq!(one.fingerprint.len(), 44);
        assert!(one.fingerprint.ends_with('='));
    }

    #[test]
    fn an_rsa_key_comes_as_pkcs1_and_its_public_half_belongs_to_it() {
        let (material, text) = rsa("demo").unwrap();
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let pkcs1 = STANDARD.decode(body).unwrap();
        assert!(text.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        let private = RsaKeyPair::from_der(&pkcs1).unwrap();
        let (modulus, _) = public_half(&pkcs1).unwrap();
        assert_eq!(private.public_modulus_len(), 256);
        let public = PublicKey::from_openssh(&material.public_key).unwrap();
        let KeyData::Rsa(rsa) = public.key_data() else {
            panic!("not RSA")
        };
        assert_eq!(rsa.n.as_bytes(), modulus);
        assert_eq!(material.fingerprint.len(), 59);
    }

    /// The keys are OpenSSH's; the fingerprints are what `openssl md5 -c` says of the first in DER
    /// form, and what `ssh-keygen -l` says of the second.
    #[test]
    fn imported_keys_have_ec2s_fingerprints() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCVjVbDn2gUfIhhYq7b60m8dC7EighIUCb7drrx/\
                   rhv/hs1mQH2cZ4e/LWOdhedySaELidhxzdAoxtoY09OW2y6iOzrgkdhyec1weexFyPgy7mtLRuE2j\
                   41dsgTLz+SEYVMISiEIuHz4e+Kc3Hl16F+4d8MVpv99oTpBW2rlF8EEIz0STPQdX53w/DNpFJ0Qsu\
                   GLV1St7W5rz47/uJk8vEHhkGJKu3HbkHMcRczuJvLnrqSdUqdzitIP0Enna8R/hi6XpBPVxC1c111\
                   evLgeZAk9/WCa765C9l18GUZBFDBEql5pERCq3K8TQ45UbAhwlxKMJCFIWpnD2jnfufBC7j3 me";
        let read = imported(rsa, "mine").unwrap();
        assert_eq!(
            read.fingerprint,
            "81:15:27:10:c3:f1:a4:4e:02:43:61:10:14:58:f6:68"
        );
        assert!(read.public_key.ends_with(" mine"));
        let ed25519 =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIFOfUaM5NjYHsO18eaJZO0b7V3COlRuee1Vj1X5Azhl me";
        let read = imported(ed25519, "mine").unwrap();
        assert_eq!(
            read.fingerprint,
            "Hvh3oAGiklHhRL7bh0wdLcb4CZNnKVvd/yPeOUAa1Fo="
        );
        assert!(imported("ssh-rsa nonsense", "x").is_none());
    }
}
