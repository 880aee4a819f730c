//! A private key that signs logins, in whatever form it was stored.
//!
//! EC2 gives RSA keys as PKCS#1 PEM and Ed25519 keys in OpenSSH's form ("Create a key pair",
//! EC2 User Guide); people bring PKCS#8 and OpenSSH's form of RSA besides. All signing is
//! aws-lc's: ssh-key's own RSA is the crate of RUSTSEC-2023-0071.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::private::{KeypairData, RsaKeypair};
use zeroize::Zeroizing;

use super::der::{INTEGER, SEQUENCE, der, put_string};
use super::error::SshError;
use crate::rack::PrivateKey;

/// Flags of a signature request (draft-miller-ssh-agent, section 3.6.1).
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// A private key, ready to sign. It prints as its name only, and is wiped when dropped.
pub struct SigningKey {
    name: String,
    secret: Secret,
    /// The public key in SSH's wire format.
    blob: Vec<u8>,
}

enum Secret {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads the private key of key pair `name`.
    ///
    /// # Errors
    /// [`SshError::Key`] for text that is no key, an encrypted key, or one of another kind.
    pub fn read(name: &str, key: &PrivateKey) -> Result<Self, SshError> {
        let secret = Secret::read(key.expose()).map_err(|reason| SshError::Key {
            name: name.to_owned(),
            reason,
        })?;
        let blob = secret.public_blob().ok_or_else(|| SshError::Key {
            name: name.to_owned(),
            reason: "its public half cannot be told",
        })?;
        Ok(Self {
            name: name.to_owned(),
            secret,
            blob,
        })
    }

    /// Returns the key pair's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the public key in SSH's wire format (RFC 4253, section 6.6).
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Returns the public key as a line of `authorized_keys`, without a line break.
    #[must_use]
    pub fn public_line(&self) -> String {
        format!(
            "{} {}",
            self.secret.algorithm(),
            STANDARD.encode(&self.blob)
        )
    }

    /// Signs `data`, and returns algorithm and signature in SSH's wire format.
    ///
    /// `None` where `flags` ask an RSA key for SHA-1, which nobody should take any more.
    #[must_use]
    pub fn sign(&self, data: &[u8], flags: u32) -> Option<Vec<u8>> {
        let (algorithm, signature) = match &self.secret {
            Secret::Ed25519(key) => ("ssh-ed25519", key.sign(data).as_ref().to_vec()),
            Secret::Rsa(key) if flags & RSA_SHA2_512 != 0 => {
                ("rsa-sha2-512", rsa(key, &RSA_PKCS1_SHA512, data)?)
            }
            Secret::Rsa(key) if flags & RSA_SHA2_256 != 0 => {
                ("rsa-sha2-256", rsa(key, &RSA_PKCS1_SHA256, data)?)
            }
            Secret::Rsa(_) => return None,
        };
        let mut wire = Vec::new();
        put_string(&mut wire, algorithm.as_bytes());
        put_string(&mut wire, &signature);
        Some(wire)
    }
}

fn rsa(key: &RsaKeyPair, encoding: &'static dyn RsaEncoding, data: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; key.public_modulus_len()];
    let signed = key.sign(encoding, &SystemRandom::new(), data, &mut signature);
    signed.ok().map(|()| signature)
}

const NO_KEY: &str = "it is no private key in PEM form";
const ENCRYPTED: &str = "it is encrypted, and nobody has told the passphrase";
const OTHER_KIND: &str = "it is neither an RSA key of 2048 to 8192 bits nor an Ed25519 key";
const DAMAGED: &str = "it is damaged";

impl Secret {
    fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let label = text
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.split_once("-----"))
            .map(|(label, _)| label)
            .ok_or(NO_KEY)?;
        match label {
            "OPENSSH PRIVATE KEY" => Self::from_openssh(text),
            "RSA PRIVATE KEY" if text.contains("ENCRYPTED") => Err(ENCRYPTED),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&body(text)?)
                .map(Self::Rsa)
                .map_err(|_| OTHER_KIND),
            "PRIVATE KEY" => {
                let pkcs8 = body(text)?;
                let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8);
                ed25519
                    .map(Self::Ed25519)
                    .or_else(|_| RsaKeyPair::from_pkcs8(&pkcs8).map(Self::Rsa))
                    .map_err(|_| OTHER_KIND)
            }
            "ENCRYPTED PRIVATE KEY" => Err(ENCRYPTED),
            "EC PRIVATE KEY" | "DSA PRIVATE KEY" => Err(OTHER_KIND),
            _ => Err(NO_KEY),
        }
    }

    fn from_openssh(text: &str) -> Result<Self, &'static str> {
        let key = ssh_key::PrivateKey::from_openssh(text).map_err(|_| DAMAGED)?;
        match key.key_data() {
            KeypairData::Ed25519(pair) => {
                let seed = Zeroizing::new(pair.private.to_bytes());
                Ed25519KeyPair::from_seed_and_public_key(&*seed, pair.public.as_ref())
                    .map(Self::Ed25519)
                    .map_err(|_| DAMAGED)
            }
            KeypairData::Rsa(pair) => rsa_of(pair).map(Self::Rsa),
            KeypairData::Encrypted(_) => Err(ENCRYPTED),
            _ => Err(OTHER_KIND),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ssh-ed25519",
            Self::Rsa(_) => "ssh-rsa",
        }
    }

    fn public_blob(&self) -> Option<Vec<u8>> {
        let mut blob = Vec::new();
        put_string(&mut blob, self.algorithm().as_bytes());
        match self {
            Self::Ed25519(key) => put_string(&mut blob, key.public_key().as_ref()),
            Self::Rsa(key) => {
                // A DER integer is written as an SSH integer is: big-endian, signed, shortest.
                let (fields, _) = der(key.public_key().as_ref(), SEQUENCE)?;
                let (modulus, rest) = der(fields, INTEGER)?;
                let (exponent, _) = der(rest, INTEGER)?;
                put_string(&mut blob, exponent);
                put_string(&mut blob, modulus);
            }
        }
        Some(blob)
    }
}

/// Decodes what stands between the first and the last line of a PEM text.
fn body(text: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut letters = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines().filter(|line| !line.starts_with('-')) {
        letters.push_str(line.trim());
    }
    let mut bytes = Zeroizing::new(vec![0; letters.len()]);
    let length = STANDARD
        .decode_slice(letters.as_bytes(), &mut bytes)
        .map_err(|_| DAMAGED)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Completes an RSA key of OpenSSH's form, which leaves out two numbers that PKCS#1 has.
fn rsa_of(pair: &RsaKeypair) -> Result<RsaKeyPair, &'static str> {
    let positive = |number: &ssh_key::Mpint| {
        let bytes = number.as_positive_bytes().ok_or(DAMAGED)?;
        Ok::<_, &'static str>(Zeroizing::new(bytes.to_vec()))
    };
    let (n, e) = (positive(&pair.public.n)?, positive(&pair.public.e)?);
    let d = positive(&pair.private.d)?;
    let (p, q) = (positive(&pair.private.p)?, positive(&pair.private.q)?);
    let (dp, dq) = (
        remainder_by_predecessor(&d, &p).ok_or(DAMAGED)?,
        remainder_by_predecessor(&d, &q).ok_or(DAMAGED)?,
    );
    let inverse = positive(&pair.private.iqmp)?;
    let components = KeyPairComponents {
        public_key: PublicKeyComponents {
            n: n.as_slice(),
            e: e.as_slice(),
        },
        d: d.as_slice(),
        p: p.as_slice(),
        q: q.as_slice(),
        dP: dp.as_slice(),
        dQ: dq.as_slice(),
        qInv: inverse.as_slice(),
    };
    RsaKeyPair::from_components(&components).map_err(|_| OTHER_KIND)
}

/// Computes `number mod (prime - 1)`, all of them big-endian; `None` for a prime that is even.
fn remainder_by_predecessor(number: &[u8], prime: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut modulus = Zeroizing::new(prime.to_vec());
    let last = modulus.last_mut().filter(|last| **last & 1 == 1)?;
    *last -= 1;
    // One byte more than the modulus, for the bit that doubling carries.
    let mut rest = Zeroizing::new(vec![0_u8; modulus.len() + 1]);
    modulus.insert(0, 0);
    for bit in number
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1))
    {
        let mut carry = bit;
        for byte in rest.iter_mut().rev() {
            let next = *byte >> 7;
            *byte = *byte << 1 | carry;
            carry = next;
        }
        if *rest >= *modulus {
            let mut borrow = false;
            for (byte, less) in rest.iter_mut().zip(modulus.iter()).rev() {
                let (difference, one) = byte.overflowing_sub(*less);
                let (difference, two) = difference.overflowing_sub(u8::from(borrow));
                *byte = difference;
                borrow = one || two;
            }
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    };
    use ssh_key::private::Ed25519Keypair;
    use ssh_key::{LineEnding, Mpint, PublicKey};

    use super::super::der::take_string;
    use super::*;

    fn read(text: &str) -> Result<SigningKey, String> {
        SigningKey::read("demo", &PrivateKey::new(text.to_owned()))
            .map_err(|error| error.to_string())
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let body = STANDARD.encode(der);
        let lines: Vec<_> = body
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    }

    fn parts(wire: &[u8]) -> (String, Vec<u8>) {
        let mut wire = wire;
        let algorithm = take_string(&mut wire).unwrap();
        let signature = take_string(&mut wire).unwrap();
        assert!(wire.is_empty());
        (
            String::from_utf8(algorithm.to_vec()).unwrap(),
            signature.to_vec(),
        )
    }

    fn rsa_verifies(key: &SigningKey, public: &[u8]) {
        for (flags, name, algorithm) in [
            (2, "rsa-sha2-256", &RSA_PKCS1_2048_8192_SHA256),
            (4, "rsa-sha2-512", &RSA_PKCS1_2048_8192_SHA512),
            (6, "rsa-sha2-512", &RSA_PKCS1_2048_8192_SHA512),
        ] {
            let (told, signature) = parts(&key.sign(b"login", flags).unwrap());
            assert_eq!(told, name);
            let public = UnparsedPublicKey::new(algorithm, public);
            public.verify(b"login", &signature).unwrap();
        }
        assert!(key.sign(b"login", 0).is_none(), "SHA-1");
    }

    #[test]
    fn an_ed25519_key_signs_what_ssh_key_verifies_in_both_forms() {
        let private = ssh_key::PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        let openssh = private.to_openssh(LineEnding::LF).unwrap();
        // RFC 8410: version 0, the algorithm's name, the seed in two octet strings.
        let mut pkcs8 = vec![
            0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
        ];
        pkcs8.extend([7; 32]);
        for text in [openssh.to_string(), pem("PRIVATE KEY", &pkcs8)] {
            let key = read(&text).unwrap();
            let public = PublicKey::from_openssh(&key.public_line()).unwrap();
            assert_eq!(public.key_data(), private.public_key().key_data());
            let (name, signature) = parts(&key.sign(b"login", 0).unwrap());
            let signature =
                ssh_key::Signature::new(ssh_key::Algorithm::new(&name).unwrap(), signature);
            // `verify` comes from the crate `signature`, which is not ours to name.
            let public = UnparsedPublicKey::new(
                &aws_lc_rs::signature::ED25519,
                private.public_key().key_data().ed25519().unwrap().0,
            );
            public
                .verify(b"login", signature.unwrap().as_bytes())
                .unwrap();
        }
    }

    /// Makes an RSA key: as PKCS#8, as PKCS#1, and in OpenSSH's form.
    fn rsa_texts() -> (Vec<u8>, [String; 3]) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8 = pair.as_der().unwrap();
        let (envelope, _) = der(pkcs8.as_ref(), SEQUENCE).unwrap();
        let (_, rest) = der(envelope, INTEGER).unwrap();
        let (_, rest) = der(rest, SEQUENCE).unwrap();
        let (pkcs1, _) = der(rest, 0x04).unwrap();
        let (mut fields, _) = der(pkcs1, SEQUENCE).unwrap();
        let mut numbers = Vec::new();
        while let Some((number, rest)) = der(fields, INTEGER) {
            numbers.push(Mpint::from_positive_bytes(number).unwrap());
            fields = rest;
        }
        let [_, n, e, d, p, q, _, _, iqmp] = numbers.try_into().unwrap();
        let keypair = RsaKeypair {
            public: ssh_key::public::RsaPublicKey { e, n },
            private: ssh_key::private::RsaPrivateKey { d, iqmp, p, q },
        };
        let keypair = ssh_key::PrivateKey::new(KeypairData::Rsa(keypair), "").unwrap();
        let texts = [
            pem("PRIVATE KEY", pkcs8.as_ref()),
            pem("RSA PRIVATE KEY", pkcs1),
            keypair.to_openssh(LineEnding::LF).unwrap().to_string(),
        ];
        (pair.public_key().as_ref().to_vec(), texts)
    }

    #[test]
    fn an_rsa_key_signs_in_each_of_its_forms() {
        let (public, texts) = rsa_texts();
        for text in texts {
            let key = read(&text).unwrap();
            rsa_verifies(&key, &public);
            let line = PublicKey::from_openssh(&key.public_line()).unwrap();
            assert!(line.algorithm().is_rsa());
        }
    }

    #[test]
    fn remainders_are_right() {
        for (number, prime) in [
            (1_000_003_u64, 7_u64),
            (5, 11),
            (u64::MAX, 65_537),
            (12, 13),
        ] {
            let rest = remainder_by_predecessor(&number.to_be_bytes(), &prime.to_be_bytes());
            let rest = rest
                .unwrap()
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            assert_eq!(rest, number % (prime - 1), "{number} {prime}");
        }
        assert!(remainder_by_predecessor(&[1], &[2]).is_none());
        assert!(remainder_by_predecessor(&[1], &[]).is_none());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for (text, expected) in [
            ("s3cr3t", NO_KEY),
            ("", NO_KEY),
            (
                "-----BEGIN CERTIFICATE-----\ns3cr3t\n-----END CERTIFICATE-----",
                NO_KEY,
            ),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\ns3cr3t\n", DAMAGED),
            (
                "-----BEGIN PRIVATE KEY-----\ns3cr3t!\n-----END PRIVATE KEY-----",
                DAMAGED,
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\ns3cr3t\n",
                ENCRYPTED,
            ),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\ns3cr3t\n", ENCRYPTED),
            ("-----BEGIN EC PRIVATE KEY-----\ns3cr3t\n", OTHER_KIND),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
                OTHER_KIND,
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(
                error,
                format!("the private key of demo cannot be used: {expected}")
            );
        }
        let private = ssh_key::PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        let key = read(&private.to_openssh(LineEnding::LF).unwrap()).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey { name: \"demo\", .. }");
    }
}
