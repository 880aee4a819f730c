//! `keys.createKey`.

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::once::{MadeKey, once, reply};
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{KeyCredits, RatelimitRequest, metadata, new_ratelimits};
use crate::keys::{IdKind, Need, SecretFormat, new_id};
use crate::store::{NewKey, Thing};

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct CreateKeyRequest {
    #[schema(min_length = 3, max_length = 255)]
    api_id: String,
    /// What stands before the secret, with an underscore between.
    #[schema(min_length = 1, max_length = 16, pattern = "^[a-zA-Z0-9_]+$")]
    prefix: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// The random bytes of the secret.
    #[schema(minimum = 16, maximum = 255)]
    byte_length: Option<u8>,
    /// Whom the key is issued to, as you call them.
    #[schema(min_length = 1, max_length = 255, pattern = "^[a-zA-Z0-9_.-]+$")]
    external_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    meta: Option<Map<String, Value>>,
    /// Names of roles, which must be there.
    #[serde(default)]
    #[schema(max_items = 100)]
    roles: Vec<String>,
    /// Slugs of permissions, which are made if need be.
    #[serde(default)]
    #[schema(max_items = 1000)]
    permissions: Vec<String>,
    /// From when on the key opens nothing, in Unix milliseconds.
    #[schema(minimum = 0, maximum = 4_102_444_800_000_i64)]
    expires: Option<i64>,
    credits: Option<KeyCredits>,
    #[serde(default)]
    #[schema(max_items = 50)]
    ratelimits: Vec<RatelimitRequest>,
    #[serde(default = "yes")]
    enabled: bool,
    /// Whether the secret is kept, sealed, so that it can be read back.
    #[serde(default)]
    recoverable: bool,
}

fn yes() -> bool {
    true
}

/// Makes a key.
pub(in crate::console::v2) struct CreateKey;

#[async_trait]
impl Operation for CreateKey {
    const NAME: &'static str = "keys.createKey";
    const SUMMARY: &'static str = "Make a key; its secret is shown this once";
    const MAKES_SECRET: bool = true;
    type Request = CreateKeyRequest;
    type Data = MadeKey;

    async fn run(call: &Call, request: CreateKeyRequest) -> Result<Reply<MadeKey>, ApiError> {
        let api = call.api(&request.api_id).await?;
        // Who may not make keys of an API is not told that there is one.
        if !call.may(&Need::on_api(&api.id, &api.key_space, "create_key")) {
            return Err(ApiError::not_found(Thing::Api));
        }
        if request.recoverable {
            call.need(&Need::on_key(&api.id, &api.key_space, "*", "encrypt_key"))?;
            if !api.stores_sealed_keys {
                return Err(ApiError::new(
                    Kind::PRECONDITION_FAILED,
                    "This API does not support key encryption.",
                ));
            }
        }
        check_slugs(&request.permissions)?;
        let prefix = request.prefix.or(api.default_prefix);
        let bytes = request.byte_length.unwrap_or(api.default_bytes);
        let format = SecretFormat::new(prefix.as_deref(), bytes)
            .map_err(|error| ApiError::invalid("prefix", error.to_string()))?;
        let entropy = call.service.entropy();
        let now = call.service.now();
        let (id, secret) = (new_id(IdKind::Key, now, entropy), format.mint(entropy));
        let sealed = request
            .recoverable
            .then(|| call.service.seal(secret.text.expose_secret(), &id));
        let made = MadeKey::new(&id, &secret.text);
        let once = once(call, &made)?;
        let new = NewKey {
            id,
            api: api.id,
            secret,
            format,
            name: request.name,
            external_id: request.external_id,
            meta: metadata(request.meta)?,
            roles: request.roles,
            permissions: request.permissions,
            expires: request.expires,
            credits: request.credits.map(KeyCredits::check).transpose()?,
            ratelimits: new_ratelimits(request.ratelimits)?,
            enabled: request.enabled,
            sealed,
        };
        let store = call.service.store();
        let answered = store.create_key(new, call.audited(), once).await?;
        reply(call, answered.map(|()| made)).await
    }
}

/// Refuses what is no slug of a permission.
pub(in crate::console::v2) fn check_slugs(slugs: &[String]) -> Result<(), ApiError> {
    let is_slug = |slug: &&String| {
        (1..=128).contains(&slug.len())
            && slug
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_:-.*".contains(&byte))
    };
    match slugs.iter().find(|slug| !is_slug(slug)) {
        None => Ok(()),
        Some(_) => Err(ApiError::invalid(
            "permissions",
            "A permission has 1 to 128 letters, digits and _ : - . *",
        )),
    }
}
