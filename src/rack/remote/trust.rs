//! Which certificates are believed.
//!
//! The rule, which is that of ssh and stricter at the start:
//!
//! 1. A certificate that verifies against the system's roots, or against those of `--tls-ca`, is
//!    believed. There is no way to turn this off.
//! 2. Else its fingerprint must be the one that was written down for that host and port. Racks
//!    come with certificates that they have signed themselves, so this is how they are reached.
//! 3. Else nothing is sent, and the error tells the fingerprint. It is written down only when
//!    somebody vouches for it, by name: `Trust::vouching`, which is what `login` does after a
//!    person has said yes or `--tls-fingerprint` has been given. There is no way to trust
//!    whatever comes, so a CI job cannot do it by accident.
//! 4. A fingerprint that is not the one written down is an error of its own.
//!
//! The public console has a certificate that verifies; rules 2 and 3 do not hold for it.
//! Whatever the fingerprint, the server must prove that it holds the certificate's key.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::endpoint::Endpoint;
use super::error::RemoteError;
use super::fingerprint::{Fingerprint, KnownRacks};

/// Which certificates are believed besides those that the system's authorities have signed.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    authorities: Option<PathBuf>,
    known: Option<KnownRacks>,
    vouched: Option<Fingerprint>,
}

impl Trust {
    /// Believes the system's authorities only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Believes the authorities of a file in PEM form too (`--tls-ca`).
    #[must_use]
    pub fn with_authorities(mut self, file: Option<PathBuf>) -> Self {
        self.authorities = file;
        self
    }

    /// Believes the certificates whose fingerprints were written down.
    #[must_use]
    pub fn with_known(mut self, known: KnownRacks) -> Self {
        self.known = Some(known);
        self
    }

    /// Believes a certificate of this fingerprint, in place of one that was known before.
    ///
    /// It is not written down: that is [`KnownRacks::remember`], once the login has succeeded.
    #[must_use]
    pub fn vouching(mut self, fingerprint: Fingerprint) -> Self {
        self.vouched = Some(fingerprint);
        self
    }

    /// Makes a TLS configuration for one endpoint, and what tells why it refused a certificate.
    pub(super) fn configure(
        &self,
        endpoint: &Endpoint,
    ) -> Result<(ClientConfig, Refusals), RemoteError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let refusals = Refusals::default();
        let by_fingerprint = !endpoint.is_default_console();
        let known = match (&self.vouched, &self.known) {
            (Some(vouched), _) if by_fingerprint => Some(*vouched),
            (None, Some(known)) if by_fingerprint => known.get(endpoint.host())?,
            _ => None,
        };
        let verifier = Verifier {
            host: endpoint.name().to_owned(),
            authorities: self.authorities(&provider)?,
            by_fingerprint,
            known,
            refusals: refusals.clone(),
            provider: Arc::clone(&provider),
        };
        let tls = |error: Error| RemoteError::Tls {
            message: error.to_string(),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((config, refusals))
    }

    /// Collects the authorities; a machine that has none can still reach known racks.
    fn authorities(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<WebPkiServerVerifier>>, RemoteError> {
        let mut roots = RootCertStore::empty();
        // One that cannot be read or parsed is one that signs nothing.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = &self.authorities {
            for certificate in read_pem(file)? {
                roots
                    .add(certificate)
                    .map_err(|error| bad(file, &error.to_string()))?;
            }
        }
        if roots.is_empty() {
            return Ok(None);
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map(Some)
            .map_err(|error| RemoteError::Tls {
                message: error.to_string(),
            })
    }
}

fn bad(file: &Path, message: &str) -> RemoteError {
    RemoteError::BadCertificates {
        path: file.to_owned(),
        message: message.to_owned(),
    }
}

fn read_pem(file: &Path) -> Result<Vec<CertificateDer<'static>>, RemoteError> {
    let bytes = std::fs::read(file).map_err(|error| bad(file, &error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = read.map_err(|error| bad(file, &error.to_string()))?;
    if certificates.is_empty() {
        return Err(bad(file, "there is no certificate in it"));
    }
    Ok(certificates)
}

/// Why the last certificate was refused, if one was: the TLS library only carries a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Option<Refusal>>>);

#[derive(Debug, Clone)]
enum Refusal {
    Unverified(String),
    Unknown(String, Fingerprint),
    Changed(Fingerprint, Fingerprint),
}

impl Refusals {
    fn set(&self, refusal: Refusal) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
    }

    /// Takes the refusal, if there was one, as an error about `host`.
    pub(super) fn take(&self, host: &str) -> Option<RemoteError> {
        let refusal = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let host = host.to_owned();
        Some(match refusal? {
            Refusal::Unverified(reason) => RemoteError::Unverified { host, reason },
            Refusal::Unknown(reason, fingerprint) => RemoteError::UnknownCertificate {
                host,
                reason,
                fingerprint,
            },
            Refusal::Changed(known, presented) => RemoteError::ChangedCertificate {
                host,
                known,
                presented,
            },
        })
    }
}

/// Verifies properly first, by fingerprint then.
#[derive(Debug)]
struct Verifier {
    host: String,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    by_fingerprint: bool,
    known: Option<Fingerprint>,
    refusals: Refusals,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let proper = match &self.authorities {
            Some(verifier) => verifier.verify_server_cert(leaf, intermediates, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        let Err(error) = proper else {
            return proper;
        };
        // A proxy that speaks TLS is verified too, and is nobody's rack.
        let is_the_rack = name.to_str() == self.host;
        let reason = reason(&error);
        let presented = Fingerprint::of(leaf);
        let refusal = match self.known {
            _ if !is_the_rack || !self.by_fingerprint => Refusal::Unverified(reason),
            Some(known) if known == presented => return Ok(ServerCertVerified::assertion()),
            Some(known) => Refusal::Changed(known, presented),
            None => Refusal::Unknown(reason, presented),
        };
        self.refusals.set(refusal);
        Err(error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Says in words why a certificate does not verify.
fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that this machine knows has signed it".to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "it is for another name".to_owned(),
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "it has expired".to_owned(),
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "it is not valid yet".to_owned(),
        Error::InvalidCertificate(error) => error.to_string(),
        error => error.to_string(),
    }
}
