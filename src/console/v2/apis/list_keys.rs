//! `apis.listKeys`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::page::most;
use crate::console::v2::types::KeyResponse;
use crate::keys::{Key, Need};
use crate::store::{Page, Thing};

/// Which keys, and which part of their list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct ListKeysRequest {
    #[schema(min_length = 3, max_length = 255)]
    api_id: String,
    /// How many there are on a page at most.
    #[serde(default = "most")]
    #[schema(minimum = 1, maximum = 100)]
    limit: i64,
    /// Where the page begins, as the page before it said.
    #[schema(min_length = 1, max_length = 255)]
    cursor: Option<String>,
    /// Only those that were issued to this identity, as you call it.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// Whether to read the secrets back, where they are kept.
    #[serde(default)]
    decrypt: bool,
    /// Accepted for compatibility: what is listed is never remembered.
    #[serde(default)]
    #[expect(dead_code, reason = "it is taken so that it is not refused")]
    revalidate_keys_cache: bool,
}

/// Lists the keys of an API.
pub(in crate::console::v2) struct ListKeys;

#[async_trait]
impl Operation for ListKeys {
    const NAME: &'static str = "apis.listKeys";
    const SUMMARY: &'static str = "List the keys of an API";
    type Request = ListKeysRequest;
    type Data = Vec<KeyResponse>;

    async fn run(
        call: &Call,
        request: ListKeysRequest,
    ) -> Result<Reply<Vec<KeyResponse>>, ApiError> {
        let api = call.api(&request.api_id).await?;
        let on_keys = |action| Need::on_key(&api.id, &api.key_space, "*", action);
        let on_api = Need::on_api(&api.id, &api.key_space, "read_api");
        // Who may not list the keys of an API is not told that there is one.
        if !call.may(&on_keys("read_key")) || !call.may(&on_api) {
            return Err(ApiError::not_found(Thing::Api));
        }
        if request.decrypt {
            call.need(&on_keys("decrypt_key"))?;
        }
        let page = Page {
            cursor: request.cursor,
            limit: request.limit,
            search: None,
        };
        let store = call.service.store();
        let keys = store
            .keys_of_api(call.workspace(), &api.id, request.external_id, page)
            .await?;
        let now = call.service.now();
        let mut shown: Vec<_> = keys
            .items
            .iter()
            .map(|key| KeyResponse::of(key, now))
            .collect();
        if request.decrypt {
            decrypt(call, &keys.items, &mut shown).await?;
        }
        Ok(Reply::Page(shown, keys.next))
    }
}

/// Reads the secrets of keys back, those that are kept.
async fn decrypt(call: &Call, keys: &[Key], shown: &mut [KeyResponse]) -> Result<(), ApiError> {
    let kept = keys.iter().filter(|key| key.recoverable);
    let ids = kept.map(|key| key.id.clone()).collect();
    let store = call.service.store();
    let sealed = store.sealed_keys(call.workspace(), ids).await?;
    for (key, shown) in keys.iter().zip(shown) {
        if let Some(sealed) = sealed.get(&key.id) {
            shown.plaintext = Some(call.opened(sealed, &key.id).await?);
        }
    }
    Ok(())
}
