//! `convox keys create`: issue a key.

use clap::Args;
use serde_json::{Map, Value, json};

use super::made::MadeArgs;
use crate::cli::context::Context;
use crate::cli::key_service::{Expiry, Limit, Metadata, ServiceArgs};
use crate::clock::system_now;
use crate::ui::{CliError, Exit};

/// Issue a key, whose secret is shown this once
///
/// The secret is printed on stdout, and nothing else is; --out writes it to a file for its owner
/// only, and prints the key's id. A request that gets no answer is repeated with the same
/// Idempotency-Key.
#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// The API that it is a key of, as `convox apis create` named it
    #[arg(long, value_name = "ID")]
    api: String,

    /// What to call it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// What stands before the secret, with an underscore between
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,

    /// How many random bytes the secret has, 16 to 255
    #[arg(long, value_name = "NUMBER")]
    bytes: Option<u8>,

    /// Whom it is issued to, as you call them
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,

    /// JSON object to keep with it
    #[arg(long, value_name = "JSON")]
    meta: Option<Metadata>,

    /// Slug of a permission; may be given several times
    #[arg(long = "permission", value_name = "SLUG")]
    permissions: Vec<String>,

    /// Name of a role; may be given several times
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,

    /// When it expires, such as 90d or 2027-01-01T00:00:00Z
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,

    /// How many verifications it is good for
    #[arg(long, value_name = "NUMBER")]
    credits: Option<i64>,

    /// Limit on all verifications, such as requests=100/1m; may be given several times
    #[arg(long = "ratelimit", value_name = "NAME=LIMIT/SPAN")]
    ratelimits: Vec<Limit>,

    /// Make it disabled
    #[arg(long)]
    disabled: bool,

    /// Have the service keep the secret, sealed, so that it can be read back
    #[arg(long)]
    recoverable: bool,

    #[command(flatten)]
    made: MadeArgs,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl CreateArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let request = self.request();
        let client = self.service.client(context)?;
        let place = self.made.reserve(context)?;
        let asked = ("keys.createKey", &request);
        let words = |id: &str| format!("Created {id}");
        place
            .make(context, &self.service, &client, asked, words)
            .await?;
        Ok(Exit::Done)
    }

    /// Names only what was asked for, so that the API's own defaults hold for everything else.
    fn request(&self) -> Value {
        let mut request = Map::new();
        let mut put = |name: &str, value: Value| request.insert(name.to_owned(), value);
        put("apiId", json!(self.api));
        if let Some(name) = &self.name {
            put("name", json!(name));
        }
        if let Some(prefix) = &self.prefix {
            put("prefix", json!(prefix));
        }
        if let Some(bytes) = self.bytes {
            put("byteLength", json!(bytes));
        }
        if let Some(external_id) = &self.external_id {
            put("externalId", json!(external_id));
        }
        if let Some(meta) = &self.meta {
            put("meta", json!(meta.0));
        }
        if !self.permissions.is_empty() {
            put("permissions", json!(self.permissions));
        }
        if !self.roles.is_empty() {
            put("roles", json!(self.roles));
        }
        if let Some(expires) = self.expires {
            put("expires", json!(expires.at(system_now())));
        }
        if let Some(credits) = self.credits {
            put("credits", json!({ "remaining": credits }));
        }
        if !self.ratelimits.is_empty() {
            let limits: Vec<_> = self.ratelimits.iter().map(Limit::json).collect();
            put("ratelimits", limits.into());
        }
        if self.disabled {
            put("enabled", json!(false));
        }
        if self.recoverable {
            put("recoverable", json!(true));
        }
        request.into()
    }
}
