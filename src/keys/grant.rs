//! What a root key may do.
//!
//! A grant is written in one of two ways: `api.<id>.<action>`, where `*` stands for every id, or
//! as a name of the thing and an action, `unkey:v1:<workspace>:keyspaces/<id>/keys/<id>#<action>`,
//! where `*` stands for every segment.

use std::collections::BTreeSet;

/// The grants of a root key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    workspace: String,
    tuples: BTreeSet<String>,
    names: Vec<(Vec<String>, String)>,
}

/// Something that a request needs: any one of several grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    kind: &'static str,
    id: String,
    action: &'static str,
    /// The thing's name after the workspace, for grants of the second form.
    path: Option<String>,
}

impl Need {
    /// `action` on the API `id`, whose keys are the key space `key_space`.
    #[must_use]
    pub fn on_api(id: &str, key_space: &str, action: &'static str) -> Self {
        Self {
            kind: "api",
            id: id.to_owned(),
            action,
            path: Some(format!("keyspaces/{key_space}")),
        }
    }

    /// `action` on the key `key` of the API `id`.
    #[must_use]
    pub fn on_key(id: &str, key_space: &str, key: &str, action: &'static str) -> Self {
        Self {
            path: Some(format!("keyspaces/{key_space}/keys/{key}")),
            ..Self::on_api(id, key_space, action)
        }
    }

    /// `action` on every thing of a kind: `api`, `identity`, `rbac`, `ratelimit`, `root_key`.
    #[must_use]
    pub fn on_all(kind: &'static str, action: &'static str) -> Self {
        Self::on(kind, "*", action)
    }

    /// `action` on one thing of a kind.
    #[must_use]
    pub fn on(kind: &'static str, id: &str, action: &'static str) -> Self {
        Self {
            kind,
            id: id.to_owned(),
            action,
            path: None,
        }
    }

    /// Lists the grants that meet the need, the widest first.
    #[must_use]
    pub fn grants(&self, workspace: &str) -> Vec<String> {
        let (kind, action) = (self.kind, self.action);
        let mut grants = vec![format!("{kind}.*.{action}")];
        if self.id != "*" {
            grants.push(format!("{kind}.{}.{action}", self.id));
        }
        if let Some(path) = &self.path {
            grants.push(format!("unkey:v1:{workspace}:{path}#{action}"));
        }
        grants
    }
}

impl Grants {
    /// Reads the permissions of a root key of `workspace`; what has neither form grants nothing.
    #[must_use]
    pub fn read<'a>(workspace: &str, permissions: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self {
            workspace: workspace.to_owned(),
            ..Self::default()
        };
        for permission in permissions {
            match permission.strip_prefix("unkey:v1:") {
                None => {
                    grants.tuples.insert(permission.to_owned());
                }
                Some(name) => grants.names.extend(grants.named(name)),
            }
        }
        grants
    }

    fn named(&self, name: &str) -> Option<(Vec<String>, String)> {
        let (of, rest) = name.split_once(':')?;
        if of != "*" && of != self.workspace {
            return None;
        }
        let (path, action) = rest.split_once('#')?;
        let path = path.split('/').map(str::to_owned).collect();
        Some((path, action.to_owned()))
    }

    /// Tells whether the grants meet a need.
    #[must_use]
    pub fn meet(&self, need: &Need) -> bool {
        let Need {
            kind, id, action, ..
        } = need;
        if self.tuples.contains(&format!("{kind}.*.{action}")) {
            return true;
        }
        if id != "*" && self.tuples.contains(&format!("{kind}.{id}.{action}")) {
            return true;
        }
        need.path.as_ref().is_some_and(|path| {
            let wanted: Vec<_> = path.split('/').collect();
            self.names
                .iter()
                .any(|(granted, may)| covers(granted, &wanted) && (may == "*" || may == action))
        })
    }

    /// Tells whether all that `permission` allows is allowed by the grants, so that whoever has
    /// them may hand it on. What has neither form is handed on only by whoever has the same.
    #[must_use]
    pub fn cover(&self, permission: &str) -> bool {
        match permission.strip_prefix("unkey:v1:") {
            None => self.covers_tuple(permission),
            Some(name) => self.named(name).is_some_and(|(path, action)| {
                let is_of_api = path.first().is_some_and(|kind| kind == "keyspaces");
                (is_of_api && action != "*" && self.tuples.contains(&format!("api.*.{action}")))
                    || self.names.iter().any(|(granted, may)| {
                        covers(granted, &path) && (may == "*" || *may == action)
                    })
            }),
        }
    }

    fn covers_tuple(&self, permission: &str) -> bool {
        if self.tuples.contains(permission) {
            return true;
        }
        let mut parts = permission.splitn(3, '.');
        let (Some(kind), Some(_), Some(action)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        self.tuples.contains(&format!("{kind}.*.{action}"))
    }

    /// Words what is missing where `needs` are not met.
    #[must_use]
    pub fn missing(&self, need: &Need) -> String {
        let grants = need.grants(&self.workspace);
        match grants.as_slice() {
            [one] => format!("Missing permission: '{one}'"),
            many => format!("Missing one of these permissions: {}", many.join(" or ")),
        }
    }
}

/// Tells whether a grant on the thing `granted` is one on `wanted`, which is it or below it.
fn covers(granted: &[String], wanted: &[impl AsRef<str>]) -> bool {
    // A grant on a set of keys is one on every key in it.
    let mut pairs = granted.iter().zip(wanted);
    granted.len() <= wanted.len()
        && pairs.all(|(granted, wanted)| granted == "*" || granted == wanted.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meets(permission: &str, need: &Need) -> bool {
        Grants::read("ws_1", [permission]).meet(need)
    }

    #[test]
    fn a_tuple_grants_one_thing_or_all() {
        let need = Need::on_api("api_1", "ks_1", "create_key");
        for (permission, expected) in [
            ("api.*.create_key", true),
            ("api.api_1.create_key", true),
            ("api.api_2.create_key", false),
            ("api.*.read_key", false),
            ("api.*.*", false),
            ("", false),
        ] {
            assert_eq!(meets(permission, &need), expected, "{permission}");
        }
        assert!(meets(
            "rbac.*.create_role",
            &Need::on_all("rbac", "create_role")
        ));
        assert!(!meets(
            "rbac.x.create_role",
            &Need::on_all("rbac", "create_role")
        ));
    }

    #[test]
    fn a_name_grants_what_is_below_it() {
        let need = Need::on_key("api_1", "ks_1", "key_1", "update_key");
        for (permission, expected) in [
            ("unkey:v1:ws_1:keyspaces/ks_1/keys/key_1#update_key", true),
            ("unkey:v1:ws_1:keyspaces/ks_1/keys/*#update_key", true),
            ("unkey:v1:ws_1:keyspaces/ks_1#update_key", true),
            ("unkey:v1:ws_1:keyspaces/*#*", true),
            ("unkey:v1:*:keyspaces/*#update_key", true),
            ("unkey:v1:ws_2:keyspaces/ks_1#update_key", false),
            ("unkey:v1:ws_1:keyspaces/ks_2#update_key", false),
            ("unkey:v1:ws_1:keyspaces/ks_1/keys/key_2#update_key", false),
            ("unkey:v1:ws_1:keyspaces/ks_1/keys/key_1#read_key", false),
            ("unkey:v2:ws_1:keyspaces/*#*", false),
            ("unkey:v1:ws_1", false),
        ] {
            assert_eq!(meets(permission, &need), expected, "{permission}");
        }
        // A grant on one key is none on the whole set.
        let wide = Need::on_api("api_1", "ks_1", "update_key");
        assert!(!meets(
            "unkey:v1:ws_1:keyspaces/ks_1/keys/key_1#update_key",
            &wide
        ));
    }

    #[test]
    fn nobody_hands_on_more_than_they_have() {
        let all = "unkey:v1:ws_1:keyspaces/*#*";
        let one = "unkey:v1:ws_1:keyspaces/ks_1#read_key";
        for (held, wanted, expected) in [
            ("api.*.read_key", "api.*.read_key", true),
            ("api.*.read_key", "api.api_1.read_key", true),
            ("api.*.read_key", one, true),
            ("api.*.read_key", "api.*.create_key", false),
            ("api.*.read_key", all, false),
            ("api.api_1.read_key", "api.api_1.read_key", true),
            ("api.api_1.read_key", "api.*.read_key", false),
            ("api.api_1.read_key", one, false),
            (all, one, true),
            (all, all, true),
            (all, "unkey:v1:*:keyspaces/ks_1#read_key", true),
            (all, "unkey:v1:ws_2:keyspaces/ks_1#read_key", false),
            (all, "api.*.read_key", false),
            (one, all, false),
            (one, "unkey:v1:ws_1:keyspaces/*#read_key", false),
            (one, "unkey:v1:ws_1:keyspaces/ks_1/keys/*#read_key", true),
            (one, "unkey:v1:ws_1:keyspaces/ks_1#*", false),
            ("anything", "anything", true),
            ("anything", "something", false),
        ] {
            let grants = Grants::read("ws_1", [held]);
            assert_eq!(grants.cover(wanted), expected, "{held} covers {wanted}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let grants = Grants::read("ws_1", []);
        assert_eq!(
            grants.missing(&Need::on_api("api_1", "ks_1", "create_key")),
            "Missing one of these permissions: api.*.create_key or api.api_1.create_key or \
             unkey:v1:ws_1:keyspaces/ks_1#create_key"
        );
        assert_eq!(
            grants.missing(&Need::on_all("rbac", "create_role")),
            "Missing permission: 'rbac.*.create_role'"
        );
    }
}
