//! The certificate by which clients know the server.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::private;

/// A certificate and its key, read and fit to serve with.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub(super) config: Arc<ServerConfig>,
    /// The certificate itself, whose fingerprint clients may be told.
    pub certificate: Vec<u8>,
}

/// Why a certificate is not used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or made.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{path} holds no {what} in PEM form")]
    Empty {
        /// The file.
        path: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the certificate and the key cannot be used: {0}")]
    Unfit(#[from] rustls::Error),
    /// None can be made for these names.
    #[error("no certificate can be made: {0}")]
    Unmade(#[from] rcgen::Error),
}

impl TlsFiles {
    /// Reads a certificate, with those that lead to its authority after it, and its key.
    ///
    /// # Errors
    /// When a file cannot be read, holds something else, or they do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let empty = |path: &Path, what| TlsError::Empty {
            path: path.display().to_string(),
            what,
        };
        let text = fs::read(certificate).map_err(|error| failed(certificate, error))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|_| empty(certificate, "certificate"))?;
        let first = chain.first().ok_or(empty(certificate, "certificate"))?;
        let first = first.to_vec();
        let text = Zeroizing::new(fs::read(key).map_err(|error| failed(key, error))?);
        let secret = PrivateKeyDer::from_pem_slice(&text).map_err(|_| empty(key, "private key"))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, secret)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            certificate: first,
        })
    }
}

/// Makes a certificate for `names` that nobody has signed but itself, with its key in a file for
/// its owner only. A certificate that is there already is left as it is.
///
/// # Errors
/// When the files cannot be made, or a name is none.
pub fn make_certificate(
    certificate: &Path,
    key: &Path,
    names: Vec<String>,
) -> Result<(), TlsError> {
    if certificate.exists() && key.exists() {
        return Ok(());
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "convox console");
    let pair = KeyPair::generate()?;
    let made = params.self_signed(&pair)?;
    let secret = Zeroizing::new(pair.serialize_pem());
    // The key first: a certificate without its key would look complete.
    private::replace(key, secret.as_bytes()).map_err(|error| failed(key, error))?;
    let text = made.pem();
    private::replace(certificate, text.as_bytes()).map_err(|error| failed(certificate, error))
}

fn failed(path: &Path, source: std::io::Error) -> TlsError {
    TlsError::File {
        path: path.display().to_string(),
        source,
    }
}
