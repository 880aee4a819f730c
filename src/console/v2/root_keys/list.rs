//! `rootKeys.listKeys`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::keys::{Need, RootKey};

/// Which page.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct ListRootKeysRequest {
    #[serde(default = "hundred")]
    #[schema(minimum = 1, maximum = 100)]
    limit: i64,
    /// Where the page begins: what the page before named.
    #[schema(min_length = 1, max_length = 255)]
    cursor: Option<String>,
}

fn hundred() -> i64 {
    100
}

/// A root key, without its secret. What the official clients want is there even if it is null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct RootKeyResponse {
    key_id: String,
    #[schema(required = true)]
    name: Option<String>,
    /// The beginning of the secret.
    start: String,
    /// The end of the secret: never kept, and always empty.
    end: &'static str,
    enabled: bool,
    created_at: i64,
    /// When it was last used; 0 for never.
    last_used_at: i64,
    #[schema(required = true)]
    expires: Option<i64>,
    permissions: Vec<String>,
    /// The root key that this one was rerolled from. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    predecessor_id: Option<String>,
    /// The root key that took this one's place. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor_id: Option<String>,
}

impl From<RootKey> for RootKeyResponse {
    fn from(root: RootKey) -> Self {
        Self {
            key_id: root.id,
            name: root.name,
            start: root.start,
            end: "",
            enabled: root.enabled,
            created_at: root.created_at,
            last_used_at: root.last_used_at.unwrap_or(0),
            expires: root.expires,
            permissions: root.permissions,
            predecessor_id: root.rotation.predecessor,
            successor_id: root.rotation.successor,
        }
    }
}

/// Lists root keys.
pub(in crate::console::v2) struct ListRootKeys;

#[async_trait]
impl Operation for ListRootKeys {
    const NAME: &'static str = "rootKeys.listKeys";
    const SUMMARY: &'static str = "List the root keys of the workspace";
    type Request = ListRootKeysRequest;
    type Data = Vec<RootKeyResponse>;

    async fn run(
        call: &Call,
        request: ListRootKeysRequest,
    ) -> Result<Reply<Vec<RootKeyResponse>>, ApiError> {
        call.need(&Need::on_all("root_key", "read_root_key"))?;
        let store = call.service.store();
        // One more tells where the next page begins.
        let from = request.cursor.as_deref();
        let mut roots = store
            .root_keys(call.workspace(), from, request.limit + 1)
            .await?;
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let next = roots.get(limit).map(|root| root.id.clone());
        roots.truncate(limit);
        Ok(Reply::Page(
            roots.into_iter().map(Into::into).collect(),
            next,
        ))
    }
}
