//! A secret that a key service makes: asked for once, and shown once.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain};
use crate::cli::reserve::ReservedFile;
use crate::ids::Entropy;
use crate::ui::CliError;
use crate::unkey::{Client, MadeKey};

/// Where a new secret goes.
#[derive(Debug, Args)]
pub(super) struct MadeArgs {
    /// Write the new key to this file, which must not exist yet, in place of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Ask again as an earlier command did that got no answer, for the same key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// A place for a secret that is not made yet.
pub(super) struct Place {
    file: Option<(ReservedFile, PathBuf)>,
    idempotency_key: String,
}

impl MadeArgs {
    /// Finds out whether there is a place for a secret, before one is made.
    pub(super) fn reserve(self, context: &Context) -> Result<Place, CliError> {
        let reserve = |path: PathBuf| {
            let file = ReservedFile::create_for("--out", &path)?;
            Ok::<_, CliError>((file, path))
        };
        let idempotency_key = match self.idempotency_key {
            Some(key) => key,
            None => new_idempotency_key(&context.entropy()?),
        };
        Ok(Place {
            file: self.out.map(reserve).transpose()?,
            idempotency_key,
        })
    }
}

impl Place {
    /// Has a key made, puts its secret in its place, and returns its id. `words` are said of it
    /// before that.
    pub(super) async fn make(
        self,
        context: &Context,
        service: &ServiceArgs,
        client: &Client,
        (operation, request): (&str, &Value),
        words: impl FnOnce(&str) -> String,
    ) -> Result<(), CliError> {
        let printer = context.printer();
        let once = &self.idempotency_key;
        let again = format!("the same command with --idempotency-key {once} gets the same key");
        let answer = client.call_once::<MadeKey>(operation, request, once).await;
        let answer = answer.map_err(|error| {
            let may_be_made = error.is_unanswered();
            let error = explain(error);
            if may_be_made {
                error.hint(format!("it may be made already: {again}"))
            } else {
                error
            }
        })?;
        if answer.unanswered > 0 {
            printer.say("The first request got no answer, and was repeated for the same key");
        }
        let MadeKey { key_id, key } = answer.data;
        let path = match self.file {
            None => None,
            Some((file, path)) => {
                file.fill_with(key.expose_secret()).map_err(|error| {
                    let message = format!("{key_id} is made, and cannot be written: {error}");
                    CliError::failed(message).hint(again)
                })?;
                Some(path)
            }
        };
        printer.say(&words(&key_id));
        let shown = match (&path, service.is_json()) {
            (None, false) => secret_line(&key),
            (None, true) => json_line(&json!({ "keyId": key_id, "key": key.expose_secret() })),
            (Some(_), false) => Zeroizing::new(format!("{key_id}\n")),
            (Some(path), true) => json_line(&json!({ "keyId": key_id, "out": path })),
        };
        printer.data(&shown);
        if let Some(path) = path {
            printer.say(&format!("It is in {}", path.display()));
        }
        Ok(())
    }
}

fn secret_line(key: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", key.expose_secret()))
}

fn json_line(value: &Value) -> Zeroizing<String> {
    Zeroizing::new(format!("{value}\n"))
}

/// Makes an `Idempotency-Key` that nobody else has.
fn new_idempotency_key(entropy: &Entropy) -> String {
    format!(
        "convox-{:016x}{:016x}",
        entropy.next_u64(),
        entropy.next_u64()
    )
}
