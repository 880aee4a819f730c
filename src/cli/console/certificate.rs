//! The certificate that the console is served with.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::database::DatabaseArgs;
use crate::cli::context::Context;
use crate::console::{TlsError, TlsFiles, make_certificate};
use crate::rack::remote::Fingerprint;
use crate::ui::CliError;

/// Names that a certificate has in any case: those of this machine for itself.
const OWN: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Whether the way to the server is encrypted, and with what.
#[derive(Debug, Args)]
pub(super) struct TlsArgs {
    /// Serve HTTPS with the certificate in this PEM file
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        value_hint = ValueHint::FilePath
    )]
    tls_cert: Option<PathBuf>,

    /// The key of --tls-cert, a PEM file
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        value_hint = ValueHint::FilePath
    )]
    tls_key: Option<PathBuf>,

    /// Serve plain HTTP beyond this machine too, such as behind a server that speaks TLS
    #[arg(long, conflicts_with = "tls_cert")]
    insecure_http: bool,
}

impl TlsArgs {
    /// Reads the certificate that is to be served with; none for plain HTTP.
    ///
    /// On this machine alone that is the certificate which was named; beyond it, else the one
    /// that `init` made.
    pub(super) fn certificate(
        &self,
        is_loopback: bool,
        database: &DatabaseArgs,
        context: &Context,
    ) -> Result<Option<TlsFiles>, CliError> {
        if let Some((certificate, key)) = self.tls_cert.as_ref().zip(self.tls_key.as_ref()) {
            return Ok(Some(TlsFiles::read(certificate, key).map_err(explain)?));
        }
        if is_loopback || self.insecure_http {
            return Ok(None);
        }
        let (certificate, key) = files(database, context)?;
        if !certificate.exists() {
            return Err(
                CliError::failed("plain HTTP is served on this machine only").hint(
                    "--tls-cert and --tls-key name a certificate, `convox console init` makes \
                     one, and --insecure-http leaves the encryption to a server before this one",
                ),
            );
        }
        Ok(Some(TlsFiles::read(&certificate, &key).map_err(explain)?))
    }
}

/// Makes a certificate in the data directory, unless there is one, for `names` and this machine's
/// own names.
pub(super) fn make(
    names: &[String],
    database: &DatabaseArgs,
    context: &Context,
) -> Result<TlsFiles, CliError> {
    let (certificate, key) = files(database, context)?;
    let own = OWN.iter().map(ToString::to_string);
    let names = own.chain(names.iter().cloned()).collect();
    make_certificate(&certificate, &key, names).map_err(explain)?;
    TlsFiles::read(&certificate, &key).map_err(explain)
}

/// Words the fingerprint that `convox login` can be told to trust.
pub(super) fn fingerprint(tls: &TlsFiles) -> String {
    format!("SHA256:{}", Fingerprint::of(&tls.certificate))
}

fn files(database: &DatabaseArgs, context: &Context) -> Result<(PathBuf, PathBuf), CliError> {
    let directory = database.directory(context)?;
    Ok((directory.join("tls.crt"), directory.join("tls.key")))
}

fn explain(error: TlsError) -> CliError {
    CliError::failed(error.to_string())
        .hint("--tls-cert and --tls-key name a certificate and its key, both as PEM")
}
