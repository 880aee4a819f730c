//! `convox keys reroll`: have a new key take the place of an old one.

use clap::Args;
use serde_json::json;

use super::made::MadeArgs;
use crate::cli::context::Context;
use crate::cli::key_service::{Grace, ServiceArgs};
use crate::ui::{CliError, Exit};

/// Have a new key take the place of an old one, which goes on for a grace period
///
/// The new key has everything that the old one has. Its secret is printed on stdout, and nothing
/// else is; --out writes it to a file for its owner only, and prints the key's id. The old key's
/// life is never lengthened. A request that gets no answer is repeated with the same
/// Idempotency-Key, so that a lost answer loses no key.
#[derive(Debug, Args)]
pub(in crate::cli) struct RerollArgs {
    /// The old key, by its id
    #[arg(value_name = "ID")]
    id: String,

    /// How long the old key goes on: a span, 0 to revoke it at once, keep for its own expiry
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    grace: Grace,

    #[command(flatten)]
    made: MadeArgs,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl RerollArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let place = self.made.reserve(context)?;
        let (old, grace) = (&self.id, self.grace);
        let request = json!({ "keyId": old, "expiration": grace.expiration() });
        let asked = ("keys.rerollKey", &request);
        let words = |new: &str| format!("{new} takes the place of {old}, {}", grace.words());
        place
            .make(context, &self.service, &client, asked, words)
            .await?;
        Ok(Exit::Done)
    }
}
