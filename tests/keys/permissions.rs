//! Permissions and roles, and what keys may do by them.

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

/// The slugs of permissions, or the names of roles.
fn named(list: &Value, by: &str) -> Vec<String> {
    let list = list.as_array().unwrap();
    list.iter().map(|thing| text(&thing[by])).collect()
}

async fn role(server: &Server, name: &str, permissions: &[&str]) -> String {
    let body = json!({ "name": name, "permissions": permissions });
    let made = server.post("permissions.createRole", body).await;
    text(&made.data()["roleId"])
}

/// Whether a key may do something, as the next verification tells.
async fn may(server: &Server, key: &str, permission: &str) -> bool {
    let body = json!({ "key": key, "permissions": permission });
    let code = text(&server.post("keys.verifyKey", body).await.data()["code"]);
    assert!(
        ["VALID", "INSUFFICIENT_PERMISSIONS"].contains(&code.as_str()),
        "{code}"
    );
    code == "VALID"
}

#[tokio::test]
async fn permissions_are_made_once_and_found_by_either_name() {
    on_both(async |server: &Server| {
        let body = json!({ "name": "Read", "slug": "docs.read", "description": "reads" });
        let make = async |body: &Value| {
            server
                .post("permissions.createPermission", body.clone())
                .await
        };
        let id = text(&make(&body).await.data()["permissionId"]);
        let twice = make(&body).await;
        assert_eq!(
            (twice.status, twice.kind()),
            (409, "permission_already_exists")
        );
        let get = async |which: &str| {
            let which = json!({ "permission": which });
            server.post("permissions.getPermission", which).await
        };
        let shown = get(&id).await.data();
        let expected =
            json!({ "id": id, "name": "Read", "slug": "docs.read", "description": "reads" });
        assert_eq!(shown, expected);
        assert_eq!(get("docs.read").await.data(), expected);
        let bare = json!({ "name": "Read", "slug": "docs.*", "description": "" });
        let bare = text(&make(&bare).await.data()["permissionId"]);
        assert!(get(&bare).await.data().get("description").is_none());
        for broken in [
            json!({ "name": "Read" }),
            json!({ "name": "Read", "slug": "a b" }),
            json!({ "name": "", "slug": "a" }),
            json!({ "name": "Read", "slug": "a", "more": 1 }),
        ] {
            assert_eq!(make(&broken).await.status, 400, "{broken}");
        }
        let which = json!({ "permission": "docs.read" });
        let deleted = server
            .post("permissions.deletePermission", which.clone())
            .await;
        assert_eq!(deleted.data(), json!({}));
        let gone = server.post("permissions.deletePermission", which).await;
        assert_eq!((gone.status, gone.kind()), (404, "permission_not_found"));
        assert_eq!(get("docs.read").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn roles_are_made_once_and_found_by_either_name() {
    on_both(async |server: &Server| {
        let id = role(server, "editor", &["docs.write", "docs.read"]).await;
        let again = json!({ "name": "editor" });
        let twice = server.post("permissions.createRole", again).await;
        assert_eq!((twice.status, twice.kind()), (409, "role_already_exists"));
        let get = async |which: &str| {
            server
                .post("permissions.getRole", json!({ "role": which }))
                .await
        };
        let shown = get("editor").await.data();
        assert_eq!(shown, get(&id).await.data());
        assert_eq!(
            (&shown["id"], &shown["name"]),
            (&json!(id), &json!("editor"))
        );
        assert_eq!(
            named(&shown["permissions"], "slug"),
            ["docs.read", "docs.write"]
        );
        let empty = role(server, "empty", &[]).await;
        assert_eq!(
            get(&empty).await.data(),
            json!({ "id": empty, "name": "empty" })
        );
        let body = json!({ "roleId": id, "permissions": ["docs.read", "admin"] });
        let set = server
            .post("permissions.setRolePermissions", body)
            .await
            .data();
        assert_eq!(named(&set, "slug"), ["admin", "docs.read"]);
        assert_eq!(get(&id).await.data()["permissions"], set);
        let body = json!({ "roleId": id, "permissions": [] });
        let none = server
            .post("permissions.setRolePermissions", body)
            .await
            .data();
        assert_eq!(none, json!([]));
        let which = json!({ "role": "editor" });
        let deleted = server.post("permissions.deleteRole", which).await;
        assert_eq!(deleted.data(), json!({}));
        for (operation, body) in [
            ("getRole", json!({ "role": "editor" })),
            ("deleteRole", json!({ "role": id })),
            (
                "setRolePermissions",
                json!({ "roleId": id, "permissions": [] }),
            ),
        ] {
            let gone = server.post(&format!("permissions.{operation}"), body).await;
            assert_eq!(
                (gone.status, gone.kind()),
                (404, "role_not_found"),
                "{operation}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn lists_are_paged_and_searched() {
    on_both(async |server: &Server| {
        role(server, "editor", &["docs.read", "docs.write"]).await;
        role(server, "reader", &["docs.read"]).await;
        role(server, "empty", &[]).await;
        let described = json!({ "name": "X", "slug": "x", "description": "About DOCS" });
        server
            .post("permissions.createPermission", described)
            .await
            .data();
        for (operation, by, search, expected) in [
            (
                "permissions.listPermissions",
                "slug",
                "Docs",
                vec!["docs.read", "docs.write", "x"],
            ),
            ("permissions.listPermissions", "slug", "docs_", vec![]),
            (
                "permissions.listRoles",
                "name",
                "E",
                vec!["editor", "empty", "reader"],
            ),
            ("permissions.listRoles", "name", "dIt", vec!["editor"]),
        ] {
            let found = server
                .post(operation, json!({ "search": search }))
                .await
                .data();
            let mut names = named(&found, by);
            names.sort();
            assert_eq!(names, expected, "{operation} {search}");
            let all = server.post(operation, json!({})).await.data();
            assert_eq!(all.as_array().unwrap().len(), 3);
            let first = server.post(operation, json!({ "limit": 2 })).await;
            let next = json!({ "cursor": all[2]["id"], "hasMore": true });
            assert_eq!(first.body["pagination"], next);
            let body = json!({ "limit": 2, "cursor": all[2]["id"] });
            let last = server.post(operation, body).await;
            assert_eq!(last.body["pagination"], json!({ "hasMore": false }));
            let both = [
                first.data().as_array().unwrap().clone(),
                last.data().as_array().unwrap().clone(),
            ];
            assert_eq!(json!(both.concat()), all);
        }
        let roles = server.post("permissions.listRoles", json!({})).await.data();
        for shown in roles.as_array().unwrap() {
            let alone = server
                .post("permissions.getRole", json!({ "role": shown["id"] }))
                .await;
            assert_eq!(shown, &alone.data());
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_given_permissions_and_loses_them() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        role(server, "writer", &["docs.write"]).await;
        let with = json!({ "permissions": ["docs.read"], "roles": ["writer"] });
        let (id, key) = server.key(&api, with).await;
        assert!(!may(server, &key, "admin").await, "remembered by now");
        let change = async |operation: &str, permissions: Value| {
            let body = json!({ "keyId": id, "permissions": permissions });
            server
                .post(&format!("keys.{operation}Permissions"), body)
                .await
                .data()
        };
        // The answer is what the key has directly: not what it has by its roles.
        let added = change("add", json!(["admin", "docs.read", "admin"])).await;
        assert_eq!(named(&added, "slug"), ["admin", "docs.read"]);
        assert!(may(server, &key, "admin AND docs.read AND docs.write").await);
        // An id will do.
        let removed = change("remove", json!(["docs.read", "nobody.has", added[0]["id"]])).await;
        assert_eq!(removed, json!([]));
        assert!(!may(server, &key, "admin OR docs.read").await);
        assert!(may(server, &key, "docs.write").await, "by its role");
        change("remove", json!(["docs.write"])).await;
        assert!(may(server, &key, "docs.write").await, "by its role");
        let set = change("set", json!(["a", "b"])).await;
        assert_eq!(named(&set, "slug"), ["a", "b"]);
        assert!(may(server, &key, "a AND b").await);
        let set = change("set", json!(["b", "c"])).await;
        assert_eq!(named(&set, "slug"), ["b", "c"]);
        assert!(!may(server, &key, "a").await);
        assert_eq!(change("set", json!([])).await, json!([]));
        assert_eq!(server.get(&id).await["permissions"], json!(["docs.write"]));
        for (operation, permissions) in [
            ("add", json!([])),
            ("remove", json!([])),
            ("set", json!(["a b"])),
        ] {
            let body = json!({ "keyId": id, "permissions": permissions });
            let refused = server
                .post(&format!("keys.{operation}Permissions"), body)
                .await;
            assert_eq!(
                (refused.status, refused.kind()),
                (400, "invalid_input"),
                "{operation}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_given_roles_and_loses_them() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        role(server, "reader", &["docs.read"]).await;
        role(server, "writer", &["docs.write"]).await;
        let (id, key) = server.key(&api, json!({})).await;
        assert!(!may(server, &key, "docs.read").await, "remembered by now");
        let ask = async |operation: &str, roles: Value| {
            let body = json!({ "keyId": id, "roles": roles });
            server.post(&format!("keys.{operation}Roles"), body).await
        };
        let added = ask("add", json!(["writer", "reader", "reader"]))
            .await
            .data();
        assert_eq!(named(&added, "name"), ["reader", "writer"]);
        assert_eq!(named(&added[0]["permissions"], "slug"), ["docs.read"]);
        assert!(may(server, &key, "docs.read AND docs.write").await);
        for operation in ["add", "set", "remove"] {
            let refused = ask(operation, json!(["reader", "nobody"])).await;
            assert_eq!(
                (refused.status, refused.kind()),
                (404, "role_not_found"),
                "{operation}"
            );
            assert_eq!(refused.detail(), "Role 'nobody' was not found.");
        }
        assert_eq!(server.get(&id).await["roles"], json!(["reader", "writer"]));
        let left = ask("remove", json!(["reader"])).await.data();
        assert_eq!(named(&left, "name"), ["writer"]);
        assert!(!may(server, &key, "docs.read").await);
        assert_eq!(
            ask("remove", json!(["reader"])).await.data(),
            left,
            "it had not"
        );
        assert_eq!(
            named(&ask("set", json!(["reader"])).await.data(), "name"),
            ["reader"]
        );
        assert!(may(server, &key, "docs.read").await);
        assert!(!may(server, &key, "docs.write").await);
        assert_eq!(ask("set", json!([])).await.data(), json!([]));
        assert!(!may(server, &key, "docs.read").await);
    })
    .await;
}

#[tokio::test]
async fn what_many_keys_have_changes_for_all_of_them_at_once() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let editor = role(server, "editor", &["docs.read", "docs.write"]).await;
        let mut keys = Vec::new();
        for with in [
            json!({ "roles": ["editor"] }),
            json!({ "roles": ["editor"], "permissions": ["docs.read"] }),
        ] {
            let (_, key) = server.key(&api, with).await;
            assert!(may(server, &key, "docs.read AND docs.write").await);
            keys.push(key);
        }
        let body = json!({ "roleId": editor, "permissions": ["docs.read", "admin"] });
        server
            .post("permissions.setRolePermissions", body)
            .await
            .data();
        for key in &keys {
            assert!(may(server, key, "admin AND docs.read").await);
            assert!(!may(server, key, "docs.write").await);
        }
        // Directly and by a role.
        let body = json!({ "permission": "docs.read" });
        server
            .post("permissions.deletePermission", body)
            .await
            .data();
        for key in &keys {
            assert!(!may(server, key, "docs.read").await);
            assert!(may(server, key, "admin").await);
        }
        let body = json!({ "role": "editor" });
        server.post("permissions.deleteRole", body).await.data();
        for key in &keys {
            assert!(!may(server, key, "admin").await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_that_is_given_while_it_changes_is_seen_as_it_is() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let shared = role(server, "shared", &[]).await;
        for turn in 0..2 {
            let (id, key) = server.key(&api, json!({})).await;
            // So many that the role is given, and the key looked up, while it changes.
            let slugs: Vec<_> = (0..200).map(|at| format!("turn.{turn}.{at}")).collect();
            let change = json!({ "roleId": shared, "permissions": slugs });
            let give = json!({ "keyId": id, "roles": ["shared"] });
            let both = async {
                tokio::join!(
                    server.post("permissions.setRolePermissions", change),
                    server.post("keys.addRoles", give),
                )
            };
            let look = async {
                loop {
                    may(server, &key, &slugs[0]).await;
                }
            };
            tokio::select! {
                (changed, given) = both => (changed.data(), given.data()),
                () = look => unreachable!("it looks on and on"),
            };
            assert!(may(server, &key, &slugs[0]).await, "{turn}");
        }
    })
    .await;
}
