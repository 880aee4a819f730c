//! How each operation is asked of the server.

use serde_json::{Value, json};

use super::operations::{Change, Count, How, Limit, New, Op};
use super::steps::Steps;

impl Steps<'_> {
    pub fn request(&self, op: &Op) -> (&'static str, Value) {
        let id = |key: &usize| json!(self.world.keys[key % self.world.keys.len()].id);
        let slugs = |slugs: &[u8]| {
            slugs
                .iter()
                .map(|slug| self.slug(*slug))
                .collect::<Vec<_>>()
        };
        let roles = |names: &[u8]| {
            names
                .iter()
                .map(|name| self.role(*name))
                .collect::<Vec<_>>()
        };
        match op {
            Op::Create(new) => ("keys.createKey", self.new_key(new)),
            Op::Update { key, changes } => {
                let mut body = json!({ "keyId": id(key) });
                for change in changes {
                    self.write(change, &mut body);
                }
                ("keys.updateKey", body)
            }
            Op::Delete { key, permanent } => (
                "keys.deleteKey",
                json!({ "keyId": id(key), "permanent": permanent }),
            ),
            Op::Credits { key, count } => {
                let (operation, value) = match count {
                    Count::Set(to) => ("set", json!(to)),
                    Count::Increment(by) => ("increment", json!(by)),
                    Count::Decrement(by) => ("decrement", json!(by)),
                };
                let body = json!({ "keyId": id(key), "operation": operation, "value": value });
                ("keys.updateCredits", body)
            }
            Op::Permissions {
                key,
                how,
                slugs: which,
            } => {
                let operation = match how {
                    How::Add => "keys.addPermissions",
                    How::Set => "keys.setPermissions",
                    How::Remove => "keys.removePermissions",
                };
                (
                    operation,
                    json!({ "keyId": id(key), "permissions": slugs(which) }),
                )
            }
            Op::Roles { key, how, names } => {
                let operation = match how {
                    How::Add => "keys.addRoles",
                    How::Set => "keys.setRoles",
                    How::Remove => "keys.removeRoles",
                };
                (
                    operation,
                    json!({ "keyId": id(key), "roles": roles(names) }),
                )
            }
            Op::MakeRole { name, slugs: which } => {
                let body = json!({ "name": self.role(*name), "permissions": slugs(which) });
                ("permissions.createRole", body)
            }
            Op::SetRole { name, slugs: which } => {
                let body = json!({ "role": self.role(*name), "permissions": slugs(which) });
                ("permissions.setRolePermissions", body)
            }
            Op::DeleteRole(name) => (
                "permissions.deleteRole",
                json!({ "role": self.role(*name) }),
            ),
            Op::DeletePermission(slug) => (
                "permissions.deletePermission",
                json!({ "permission": self.slug(*slug) }),
            ),
            Op::Reroll { key, grace } => (
                "keys.rerollKey",
                json!({ "keyId": id(key), "expiration": grace }),
            ),
            Op::Finish(key) => ("keys.finishRotation", json!({ "keyId": id(key) })),
            Op::Cancel(key) => ("keys.cancelRotation", json!({ "keyId": id(key) })),
            Op::MakeIdentity { who, limits } => {
                let body = json!({ "externalId": self.who(*who), "ratelimits": asked(limits) });
                ("identities.createIdentity", body)
            }
            Op::UpdateIdentity {
                who,
                meta: to,
                limits,
            } => {
                let mut body = json!({ "identity": self.who(*who) });
                if let Some(to) = to {
                    body["meta"] = meta(*to);
                }
                if let Some(limits) = limits {
                    body["ratelimits"] = asked(limits);
                }
                ("identities.updateIdentity", body)
            }
            Op::DeleteIdentity(who) => (
                "identities.deleteIdentity",
                json!({ "identity": self.who(*who) }),
            ),
            Op::DeleteApi(api) => (
                "apis.deleteApi",
                json!({ "apiId": self.apis[usize::from(*api)] }),
            ),
            Op::Verify { .. } | Op::Wait(_) => unreachable!("they are no such request"),
        }
    }

    fn new_key(&self, new: &New) -> Value {
        let mut body = json!({
            "apiId": self.apis[usize::from(new.api)],
            "permissions": new.permissions.iter().map(|slug| self.slug(*slug)).collect::<Vec<_>>(),
            "roles": new.roles.iter().map(|role| self.role(*role)).collect::<Vec<_>>(),
            "ratelimits": asked(&new.limits),
            "enabled": new.enabled,
        });
        if new.prefix {
            body["prefix"] = json!("sk_live");
        }
        if let Some(bytes) = new.bytes {
            body["byteLength"] = json!(bytes);
        }
        if let Some(lives) = new.lives {
            body["expires"] = json!(self.world.now + lives);
        }
        if let Some((left, refill)) = &new.credits {
            body["credits"] = json!({ "remaining": left });
            if let Some(refill) = refill {
                body["credits"]["refill"] = without_null(refill.json());
            }
        }
        if let Some(who) = new.who {
            body["externalId"] = json!(self.who(who));
        }
        if let Some(to) = new.meta {
            body["meta"] = meta(to);
        }
        body
    }

    fn write(&self, change: &Change, body: &mut Value) {
        match change {
            Change::Name(name) => body["name"] = json!(name.map(|name| format!("n{name}"))),
            Change::Who(who) => body["externalId"] = json!(who.map(|who| self.who(who))),
            Change::Meta(to) => body["meta"] = json!(to.map(meta)),
            Change::Lives(span) => {
                body["expires"] = json!(span.map(|span| self.world.now + span));
            }
            Change::Unlimited => body["credits"] = Value::Null,
            Change::Credits(left, refill) => {
                body["credits"] = json!({});
                if let Some(left) = left {
                    body["credits"]["remaining"] = json!(left);
                }
                if let Some(refill) = refill {
                    let refill = refill.as_ref().map(|refill| without_null(refill.json()));
                    body["credits"]["refill"] = json!(refill);
                }
            }
            Change::Limits(limits) => body["ratelimits"] = asked(limits),
            Change::Enabled(enabled) => body["enabled"] = json!(enabled),
            Change::Roles(names) => {
                body["roles"] = names.iter().map(|name| json!(self.role(*name))).collect();
            }
            Change::Permissions(slugs) => {
                body["permissions"] = slugs.iter().map(|slug| json!(self.slug(*slug))).collect();
            }
        }
    }

    // The server is the same for many sequences, and each has names of its own.
    pub fn slug(&self, number: u8) -> String {
        format!("p{number}.c{}", self.case)
    }

    pub fn role(&self, number: u8) -> String {
        format!("r{number}-c{}", self.case)
    }

    pub fn who(&self, number: u8) -> String {
        format!("w{number}.c{}", self.case)
    }
}

pub fn meta(number: u8) -> Value {
    json!({ "v": number })
}

/// Writes limits as requests do.
fn asked(limits: &[Limit]) -> Value {
    let asked = limits.iter().map(|limit| {
        json!({
            "name": format!("limit{}", limit.name),
            "limit": limit.limit,
            "duration": limit.duration,
            "autoApply": limit.auto,
        })
    });
    asked.collect()
}

/// Leaves out what is null.
fn without_null(value: Value) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect()
}
