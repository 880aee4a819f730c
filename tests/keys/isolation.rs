//! A root key of one workspace and the things of another: they are not there.

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

/// What the first workspace has.
struct Things {
    api: String,
    key: String,
    secret: String,
    root: String,
    identity: String,
    permission: String,
    role: String,
}

impl Things {
    async fn make(server: &Server) -> Self {
        let made = async |operation: &str, body: Value, id: &str| {
            text(&server.post(operation, body).await.data()[id])
        };
        let api = server.api().await;
        let permission = json!({ "name": "docs.read", "slug": "docs.read" });
        let permission = made("permissions.createPermission", permission, "permissionId").await;
        let role = json!({ "name": "reader", "permissions": ["docs.read"] });
        let role = made("permissions.createRole", role, "roleId").await;
        let identity = json!({ "externalId": "acme" });
        let identity = made("identities.createIdentity", identity, "identityId").await;
        let root = json!({ "permissions": [] });
        let root = made("rootKeys.createKey", root, "keyId").await;
        let with = json!({
            "externalId": "acme", "roles": ["reader"], "permissions": ["docs.read"],
            "credits": { "remaining": 5 },
        });
        let (key, secret) = server.key(&api, with).await;
        Self {
            api,
            key,
            secret,
            root,
            identity,
            permission,
            role,
        }
    }

    /// Every operation that names a thing, and what is said not to be there.
    fn operations(&self) -> Vec<(&'static str, Value, &'static str)> {
        let mut all = vec![
            ("keys.createKey", json!({ "apiId": self.api }), "API"),
            ("keys.whoami", json!({ "key": self.secret }), "key"),
        ];
        for name in ["apis.getApi", "apis.listKeys", "apis.deleteApi"] {
            all.push((name, json!({ "apiId": self.api }), "API"));
        }
        let key = |more: Value| {
            let mut body = more;
            body["keyId"] = json!(self.key);
            body
        };
        let permissions = || key(json!({ "permissions": ["docs.read"] }));
        let roles = || key(json!({ "roles": ["reader"] }));
        let set = json!({ "operation": "set", "value": 100 });
        for (name, body) in [
            ("keys.getKey", key(json!({ "decrypt": true }))),
            ("keys.updateKey", key(json!({ "name": "theirs" }))),
            ("keys.rerollKey", key(json!({ "expiration": 0 }))),
            ("keys.getRotation", key(json!({}))),
            ("keys.finishRotation", key(json!({}))),
            ("keys.cancelRotation", key(json!({}))),
            ("keys.updateCredits", key(set)),
            ("keys.addPermissions", permissions()),
            ("keys.setPermissions", permissions()),
            ("keys.removePermissions", permissions()),
            ("keys.addRoles", roles()),
            ("keys.setRoles", roles()),
            ("keys.removeRoles", roles()),
            ("keys.deleteKey", key(json!({}))),
            ("keys.deleteKey", key(json!({ "permanent": true }))),
        ] {
            all.push((name, body, "key"));
        }
        for (names, field, ids, thing) in [
            (
                &[
                    "identities.getIdentity",
                    "identities.updateIdentity",
                    "identities.deleteIdentity",
                ][..],
                "identity",
                [self.identity.as_str(), "acme"],
                "identity",
            ),
            (
                &["permissions.getPermission", "permissions.deletePermission"],
                "permission",
                [&self.permission, "docs.read"],
                "permission",
            ),
            (
                &["permissions.getRole", "permissions.deleteRole"],
                "role",
                [&self.role, "reader"],
                "role",
            ),
        ] {
            for (name, id) in names.iter().flat_map(|name| ids.map(|id| (*name, id))) {
                all.push((name, json!({ field: id }), thing));
            }
        }
        for role in [&self.role, "reader"] {
            let body = json!({ "roleId": role, "permissions": [] });
            all.push(("permissions.setRolePermissions", body, "role"));
        }
        let root = json!({ "keyId": self.root, "expiration": 0 });
        all.push(("rootKeys.rerollKey", root, "root key"));
        let root = json!({ "keyId": self.root });
        all.push(("rootKeys.deleteKey", root, "root key"));
        all
    }
}

/// Makes a workspace, and a root key that may do everything in it.
async fn stranger(server: &Server) -> String {
    let store = server.service.store();
    let workspace = store.create_workspace("stranger", i64::MAX).await.unwrap();
    let roots = server.post("rootKeys.listKeys", json!({})).await.data();
    let first = roots
        .as_array()
        .unwrap()
        .iter()
        .find(|root| root["name"] == "first");
    let everything = first.unwrap()["permissions"].clone();
    let everything: Vec<String> = serde_json::from_value(everything).unwrap();
    let everything: Vec<_> = everything.iter().map(String::as_str).collect();
    server.root_of(&workspace.id, &everything).await
}

#[tokio::test]
async fn what_is_of_another_workspace_is_not_there() {
    on_both(async |server: &Server| {
        let things = Things::make(server).await;
        let stranger = stranger(server).await;
        let before = server.get(&things.key).await;
        for (operation, body, thing) in things.operations() {
            let missing = server
                .post_as(&stranger, operation, body.clone(), &[])
                .await;
            let told = (missing.status, missing.detail());
            let expected = format!("The specified {thing} was not found.");
            assert_eq!(told, (404, expected.as_str()), "{operation} {body}");
        }
        let body = json!({ "key": things.secret });
        let verified = server
            .post_as(&stranger, "keys.verifyKey", body, &[])
            .await
            .data();
        assert_eq!(verified, json!({ "valid": false, "code": "NOT_FOUND" }));
        // Nothing was touched.
        assert_eq!(server.get(&things.key).await, before);
        assert_eq!(server.verify(&things.secret).await, "VALID");
        let role = json!({ "role": "reader" });
        let role = server.post("permissions.getRole", role).await.data();
        assert_eq!(role["permissions"][0]["id"], json!(things.permission));
    })
    .await;
}

#[tokio::test]
async fn lists_hold_nothing_of_another_workspace() {
    on_both(async |server: &Server| {
        Things::make(server).await;
        let stranger = stranger(server).await;
        for (operation, own) in [
            ("identities.listIdentities", 0),
            ("permissions.listPermissions", 0),
            ("permissions.listRoles", 0),
            ("rootKeys.listKeys", 1),
        ] {
            let listed = server.post_as(&stranger, operation, json!({}), &[]).await;
            let listed = listed.data();
            assert_eq!(
                listed.as_array().unwrap().len(),
                own,
                "{operation}: {listed}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_has_the_same_name_in_two_workspaces_is_two_things() {
    on_both(async |server: &Server| {
        let things = Things::make(server).await;
        let stranger = stranger(server).await;
        let asks = async |operation: &str, body: Value| {
            server.post_as(&stranger, operation, body, &[]).await
        };
        let api = asks("apis.createApi", json!({ "name": "theirs" })).await;
        let api = text(&api.data()["apiId"]);
        let foreign = json!({ "apiId": api, "roles": ["reader"] });
        let foreign = asks("keys.createKey", foreign).await;
        assert_eq!((foreign.status, foreign.kind()), (404, "role_not_found"));
        let with = json!({ "apiId": api, "externalId": "acme", "permissions": ["docs.read"] });
        asks("keys.createKey", with).await.data();
        let identity = asks("identities.getIdentity", json!({ "identity": "acme" })).await;
        assert_ne!(identity.data()["id"], json!(things.identity));
        let slug = json!({ "permission": "docs.read" });
        let permission = asks("permissions.getPermission", slug).await.data();
        assert_ne!(permission["id"], json!(things.permission));
        // Nor are uses of what is called the same counted together.
        let limit = json!({ "namespace": "n", "identifier": "a", "limit": 1, "duration": 60_000 });
        let mine = server.post("ratelimit.limit", limit.clone()).await.data();
        let theirs = asks("ratelimit.limit", limit).await.data();
        assert_eq!(
            (&mine["success"], &theirs["success"]),
            (&json!(true), &json!(true))
        );
    })
    .await;
}
