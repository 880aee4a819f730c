//! What a root key may do.
//!
//! A grant is written in one of two ways: `api.<id>.<action>`, where `*` stands for every id, or
//! as a name of the thing and an action, `unkey:v1:<workspace>:keyspaces/<id>/keys/<id>#<action>`,
//! where `*` stands for every segment.

/// The grants of a root key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    workspace: String,
    /// In order, each once.
    tuples: Vec<String>,
    names: Vec<(Vec<String>, String)>,
}

/// Something that a request needs: any one of several grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a> {
    kind: &'static str,
    id: &'a str,
    action: &'static str,
    /// Where the thing is in the workspace, for grants of the second form.
    path: Option<Path<'a>>,
}

/// Where a set of keys is, or a key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path<'a> {
    key_space: &'a str,
    key: Option<&'a str>,
}

impl<'a> Path<'a> {
    fn segments(self) -> impl Iterator<Item = &'a str> + Clone {
        let of_key = self.key.map(|key| ["keys", key]);
        let of_set = ["keyspaces", self.key_space];
        of_set.into_iter().chain(of_key.into_iter().flatten())
    }
}

impl<'a> Need<'a> {
    /// `action` on the API `id`, whose keys are the key space `key_space`.
    #[must_use]
    pub fn on_api(id: &'a str, key_space: &'a str, action: &'static str) -> Self {
        let key = None;
        Self {
            kind: "api",
            id,
            action,
            path: Some(Path { key_space, key }),
        }
    }

    /// `action` on the key `key` of the API `id`.
    #[must_use]
    pub fn on_key(id: &'a str, key_space: &'a str, key: &'a str, action: &'static str) -> Self {
        let key = Some(key);
        Self {
            path: Some(Path { key_space, key }),
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
    pub fn on(kind: &'static str, id: &'a str, action: &'static str) -> Self {
        Self {
            kind,
            id,
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
        if let Some(path) = self.path {
            let path = path.segments().collect::<Vec<_>>().join("/");
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
                None => grants.tuples.push(permission.to_owned()),
                Some(name) => grants.names.extend(grants.named(name)),
            }
        }
        grants.tuples.sort_unstable();
        grants.tuples.dedup();
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
    pub fn meet(&self, need: &Need<'_>) -> bool {
        let Need {
            kind, id, action, ..
        } = *need;
        if self.holds([kind, "*", action]) || (id != "*" && self.holds([kind, id, action])) {
            return true;
        }
        need.path.is_some_and(|path| {
            let mut names = self.names.iter();
            names.any(|(granted, may)| {
                covers(granted, path.segments()) && (may == "*" || may == action)
            })
        })
    }

    /// Tells whether there is a grant of the first form.
    fn holds(&self, [kind, id, action]: [&str; 3]) -> bool {
        // Asked at every request, so that no text is made for it.
        let tuple = kind.bytes().chain(*b".").chain(id.bytes());
        let tuple = tuple.chain(*b".").chain(action.bytes());
        let found = self
            .tuples
            .binary_search_by(|there| there.bytes().cmp(tuple.clone()));
        found.is_ok()
    }

    /// Tells whether all that `permission` allows is allowed by the grants, so that whoever has
    /// them may hand it on. What has neither form is handed on only by whoever has the same.
    #[must_use]
    pub fn cover(&self, permission: &str) -> bool {
        match permission.strip_prefix("unkey:v1:") {
            None => self.covers_tuple(permission),
            Some(name) => self.named(name).is_some_and(|(path, action)| {
                let is_of_api = path.first().is_some_and(|kind| kind == "keyspaces");
                (is_of_api && action != "*" && self.holds(["api", "*", &action]))
                    || self.names.iter().any(|(granted, may)| {
                        covers(granted, path.iter().map(String::as_str))
                            && (may == "*" || *may == action)
                    })
            }),
        }
    }

    fn covers_tuple(&self, permission: &str) -> bool {
        if self
            .tuples
            .binary_search_by(|there| there.as_str().cmp(permission))
            .is_ok()
        {
            return true;
        }
        let mut parts = permission.splitn(3, '.');
        let (Some(kind), Some(_), Some(action)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        self.holds([kind, "*", action])
    }

    /// Words what is missing where `needs` are not met.
    #[must_use]
    pub fn missing(&self, need: &Need<'_>) -> String {
        let grants = need.grants(&self.workspace);
        match grants.as_slice() {
            [one] => format!("Missing permission: '{one}'"),
            many => format!("Missing one of these permissions: {}", many.join(" or ")),
        }
    }
}

/// Tells whether a grant on the thing `granted` is one on `wanted`, which is it or below it.
fn covers<'a>(granted: &[String], mut wanted: impl Iterator<Item = &'a str>) -> bool {
    // A grant on a set of keys is one on every key in it.
    granted.iter().all(|granted| {
        let wanted = wanted.next();
        wanted.is_some_and(|wanted| granted == "*" || granted == wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meets(permission: &str, need: &Need<'_>) -> bool {
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
