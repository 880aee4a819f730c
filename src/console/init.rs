//! The first workspace and its first root key.

use secrecy::SecretString;

use super::vault::{KeySource, VaultError, first_key};
use crate::ids::Entropy;
use crate::keys::{IdKind, SecretFormat, new_id};
use crate::store::{NewRootKey, Store, StoreError};

/// The prefix of root keys.
pub(super) const ROOT_PREFIX: &str = "root";
/// How many random bytes a root key has.
pub(super) const ROOT_BYTES: u8 = 32;

/// Everything that a root key can be allowed to do.
pub(super) const EVERYTHING: &[&str] = &[
    "api.*.create_api",
    "api.*.read_api",
    "api.*.update_api",
    "api.*.delete_api",
    "api.*.create_key",
    "api.*.read_key",
    "api.*.update_key",
    "api.*.delete_key",
    "api.*.verify_key",
    "api.*.encrypt_key",
    "api.*.decrypt_key",
    "api.*.read_analytics",
    "identity.*.create_identity",
    "identity.*.read_identity",
    "identity.*.update_identity",
    "identity.*.delete_identity",
    "rbac.*.create_permission",
    "rbac.*.read_permission",
    "rbac.*.update_permission",
    "rbac.*.delete_permission",
    "rbac.*.create_role",
    "rbac.*.read_role",
    "rbac.*.update_role",
    "rbac.*.delete_role",
    "rbac.*.add_permission_to_key",
    "rbac.*.remove_permission_from_key",
    "rbac.*.add_role_to_key",
    "rbac.*.remove_role_from_key",
    "rbac.*.add_permission_to_role",
    "rbac.*.remove_permission_from_role",
    "ratelimit.*.create_namespace",
    "ratelimit.*.limit",
    "root_key.*.create_root_key",
    "root_key.*.read_root_key",
    "root_key.*.update_root_key",
    "root_key.*.delete_root_key",
];

/// What was made.
#[derive(Debug)]
pub struct Initialized {
    /// The workspace.
    pub workspace: String,
    /// The root key, which is shown once and kept nowhere.
    pub root_key: SecretString,
}

/// Makes the first workspace, called `name`, and a root key that may do everything in it; none if
/// there is a workspace already. The first master key is made before them, in `source`.
///
/// # Errors
/// As the database's, KMS's or the key file's. Then it can be done again.
pub async fn initialize(
    store: &Store,
    name: &str,
    now: i64,
    entropy: &Entropy,
    source: &KeySource,
) -> Result<Option<Initialized>, VaultError> {
    first_key(store, source, now, entropy).await?;
    let format = SecretFormat::new(Some(ROOT_PREFIX), ROOT_BYTES)
        .map_err(|error| StoreError::Unfit(error.to_string()))?;
    let secret = format.mint(entropy);
    let root_key = secret.text.clone();
    let new = NewRootKey {
        id: new_id(IdKind::Key, now, entropy),
        secret,
        name: Some("first".to_owned()),
        permissions: EVERYTHING.iter().map(ToString::to_string).collect(),
        expires: None,
    };
    let workspace = store.create_first_workspace(name, new, now).await?;
    Ok(workspace.map(|workspace| Initialized {
        workspace: workspace.id,
        root_key,
    }))
}
