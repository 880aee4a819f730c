//! What a root key must be allowed to do for each operation.

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

/// What there is to be worked on.
struct Things {
    key: String,
    api: String,
}

impl Things {
    async fn make(server: &Server) -> Self {
        let api = server.api().await;
        for slug in ["p1", "p2"] {
            let body = json!({ "name": slug, "slug": slug });
            server
                .post("permissions.createPermission", body)
                .await
                .data();
        }
        server
            .post("permissions.createRole", json!({ "name": "r1" }))
            .await
            .data();
        let (key, _) = server
            .key(&api, json!({ "credits": { "remaining": 5 } }))
            .await;
        Self { key, api }
    }

    /// Each operation, a body that it carries out as often as it is asked, and the actions that
    /// it needs: of the key's API, or of the kind before the colon.
    fn operations(&self) -> Vec<(&'static str, Value, Vec<&'static str>)> {
        let key = &self.key;
        let with = |name: &str, list: &[&str]| json!({ "keyId": key, name: list });
        let permissions = |list: &[&str]| with("permissions", list);
        let roles = |list: &[&str]| with("roles", list);
        let (update, add, remove) = (
            "update_key",
            "rbac:add_permission_to_key",
            "rbac:remove_permission_from_key",
        );
        vec![
            (
                "keys.updateKey",
                json!({ "keyId": key, "name": "x" }),
                vec![update],
            ),
            (
                "keys.updateCredits",
                json!({ "keyId": key, "operation": "increment", "value": 1 }),
                vec![update],
            ),
            (
                "keys.addPermissions",
                permissions(&["p1"]),
                vec![update, add],
            ),
            (
                "keys.setPermissions",
                permissions(&["p2"]),
                vec![update, add, remove],
            ),
            (
                "keys.removePermissions",
                permissions(&["p2"]),
                vec![update, remove],
            ),
            (
                "keys.addRoles",
                roles(&["r1"]),
                vec![update, "rbac:add_role_to_key"],
            ),
            ("keys.setRoles", roles(&["r1"]), vec![update]),
            ("keys.removeRoles", roles(&["r1"]), vec![update]),
            (
                "permissions.getPermission",
                json!({ "permission": "p1" }),
                vec!["rbac:read_permission"],
            ),
            (
                "permissions.listPermissions",
                json!({}),
                vec!["rbac:read_permission"],
            ),
            (
                "permissions.getRole",
                json!({ "role": "r1" }),
                vec!["rbac:read_role"],
            ),
            ("permissions.listRoles", json!({}), vec!["rbac:read_role"]),
            (
                "permissions.setRolePermissions",
                json!({ "roleId": "r1", "permissions": ["p1"] }),
                vec![
                    "rbac:add_permission_to_role",
                    "rbac:remove_permission_from_role",
                ],
            ),
            (
                "permissions.deletePermission",
                json!({ "permission": "p1" }),
                vec!["rbac:delete_permission"],
            ),
            (
                "permissions.deleteRole",
                json!({ "role": "r1" }),
                vec!["rbac:delete_role"],
            ),
            (
                "permissions.createPermission",
                json!({ "name": "n", "slug": "n" }),
                vec!["rbac:create_permission"],
            ),
            (
                "permissions.createRole",
                json!({ "name": "n", "permissions": ["p2"] }),
                vec!["rbac:create_role", "rbac:add_permission_to_role"],
            ),
            (
                "identities.createIdentity",
                json!({ "externalId": "i" }),
                vec!["identity:create_identity"],
            ),
            (
                "identities.getIdentity",
                json!({ "identity": "i" }),
                vec!["identity:read_identity"],
            ),
            (
                "identities.listIdentities",
                json!({}),
                vec!["identity:read_identity"],
            ),
            (
                "identities.updateIdentity",
                json!({ "identity": "i" }),
                vec!["identity:update_identity"],
            ),
            (
                "identities.deleteIdentity",
                json!({ "identity": "i" }),
                vec!["identity:delete_identity"],
            ),
        ]
    }

    /// Writes the grant of an action as `api.<id>.<action>` or `<kind>.*.<action>`.
    fn grant(&self, action: &str) -> String {
        match action.split_once(':') {
            Some((kind, action)) => format!("{kind}.*.{action}"),
            None => format!("api.{}.{action}", self.api),
        }
    }
}

#[tokio::test]
async fn every_operation_needs_all_that_it_needs_and_no_more() {
    on_both(async |server: &Server| {
        let things = Things::make(server).await;
        for (operation, body, actions) in things.operations() {
            let grants: Vec<_> = actions.iter().map(|action| things.grant(action)).collect();
            for missing in &grants {
                let others: Vec<_> = grants
                    .iter()
                    .filter(|grant| grant != &missing)
                    .map(String::as_str)
                    .collect();
                let root = server.root_with(&others).await;
                let refused = server.post_as(&root, operation, body.clone(), &[]).await;
                let told = (refused.status, refused.kind());
                assert_eq!(told, (403, "insufficient_permissions"), "{operation}");
                assert!(
                    refused.detail().contains(missing),
                    "{operation}: {}",
                    refused.detail()
                );
            }
            let all: Vec<_> = grants.iter().map(String::as_str).collect();
            let root = server.root_with(&all).await;
            let done = server.post_as(&root, operation, body, &[]).await;
            assert_eq!(done.status, 200, "{operation}: {}", done.detail());
        }
    })
    .await;
}

#[tokio::test]
async fn permissions_are_made_only_for_those_who_may_make_them() {
    on_both(async |server: &Server| {
        let things = Things::make(server).await;
        let without = [
            "api.*.update_key",
            "rbac.*.add_permission_to_key",
            "rbac.*.remove_permission_from_key",
            "rbac.*.create_role",
            "rbac.*.add_permission_to_role",
            "rbac.*.remove_permission_from_role",
        ];
        let mut with = without.to_vec();
        with.push("rbac.*.create_permission");
        let (poor, rich) = (
            server.root_with(&without).await,
            server.root_with(&with).await,
        );
        let key = &things.key;
        for (turn, (operation, mut body)) in [
            ("keys.addPermissions", json!({ "keyId": key })),
            ("keys.setPermissions", json!({ "keyId": key })),
            ("permissions.setRolePermissions", json!({ "roleId": "r1" })),
            ("permissions.createRole", json!({ "name": "r2" })),
        ]
        .into_iter()
        .enumerate()
        {
            let slug = format!("new.{turn}");
            body["permissions"] = json!(["p1", slug]);
            let refused = server.post_as(&poor, operation, body.clone(), &[]).await;
            assert_eq!(refused.status, 403, "{operation}");
            assert_eq!(
                refused.detail(),
                "Missing permission: 'rbac.*.create_permission'"
            );
            let which = json!({ "permission": slug });
            let get = async || {
                server
                    .post("permissions.getPermission", which.clone())
                    .await
            };
            assert_eq!(get().await.status, 404, "{operation}");
            let done = server.post_as(&rich, operation, body, &[]).await;
            assert_eq!(done.status, 200, "{operation}: {}", done.detail());
            assert_eq!(text(&get().await.data()["slug"]), slug);
        }
        // Taking away what is not there makes nothing.
        let body = json!({ "keyId": key, "permissions": ["new.never"] });
        let removed = server
            .post_as(&poor, "keys.removePermissions", body, &[])
            .await;
        assert_eq!(removed.status, 200);
        let which = json!({ "permission": "new.never" });
        assert_eq!(
            server.post("permissions.getPermission", which).await.status,
            404
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_not_there_is_said_not_to_be() {
    on_both(async |server: &Server| {
        let things = Things::make(server).await;
        let nobody = server.root_with(&[]).await;
        for (operation, mut body, _) in things.operations() {
            if body.get("keyId").is_none() {
                continue;
            }
            body["keyId"] = json!("key_unknown");
            let missing = server.post_as(&nobody, operation, body, &[]).await;
            assert_eq!(
                (missing.status, missing.kind()),
                (404, "key_not_found"),
                "{operation}"
            );
            assert_eq!(missing.detail(), "The specified key was not found.");
        }
    })
    .await;
}
