//! `keys.whoami`.

use async_trait::async_trait;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{KeyResponse, secret};
use crate::keys::Need;
use crate::store::Thing;

/// The whole secret of a key.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct WhoAmIRequest {
    #[schema(min_length = 1, max_length = 512, value_type = String)]
    #[serde(deserialize_with = "secret")]
    key: SecretString,
}

/// Shows the key that a secret belongs to, without using anything up.
pub(in crate::console::v2) struct WhoAmI;

#[async_trait]
impl Operation for WhoAmI {
    const NAME: &'static str = "keys.whoami";
    const SUMMARY: &'static str = "Show the key that a secret belongs to, and use nothing up";
    type Request = WhoAmIRequest;
    type Data = KeyResponse;

    async fn run(call: &Call, request: WhoAmIRequest) -> Result<Reply<KeyResponse>, ApiError> {
        let nobody = || ApiError::not_found(Thing::Key);
        let known = call.service.key(&request.key).await?.ok_or_else(nobody)?;
        // Who may not know of the key is told what they are told of a key that is not there.
        let (key, api) = call.key(&known.id).await?;
        if !call.may(&Need::on_key(&api.id, &api.key_space, &key.id, "read_key")) {
            return Err(nobody());
        }
        Ok(Reply::Data(KeyResponse::of(&key, call.service.now())))
    }
}
