//! Takes each step twice: on the server, and in the model.

use std::time::Duration;

use serde_json::{Value, json};

use super::operations::{DAY, Demand, Op, SECOND, Span};
use super::requests::meta;
use super::world::{Key, Limits, Outcome, There, World};
use crate::environment::{Answer, Server, text};

/// A sequence under way.
pub struct Steps<'a> {
    server: &'a Server,
    pub case: usize,
    pub world: World,
    pub apis: [String; 2],
    /// What was done, for a person.
    told: String,
}

impl<'a> Steps<'a> {
    pub async fn new(server: &'a Server, case: usize) -> Self {
        Self {
            server,
            case,
            world: World {
                now: server.now(),
                ..World::default()
            },
            apis: [server.api().await, server.api().await],
            told: String::new(),
        }
    }

    /// Takes one step, and looks at every key afterwards.
    pub async fn take(&mut self, op: &Op) -> Result<(), String> {
        self.told.push_str(&format!("\n{op:?}"));
        let now = self.server.now();
        if now != self.world.now {
            return self.wrong("the clock moved by itself", json!(now));
        }
        match op {
            Op::Wait(span) => self.wait(span),
            Op::Verify { key, demand } => {
                let key = key % self.world.keys.len();
                self.verify(key, demand).await?;
            }
            _ => self.ask(op).await?,
        }
        let free = Demand {
            cost: Some(0),
            ..Demand::default()
        };
        for key in 0..self.world.keys.len() {
            self.verify(key, &free).await?;
        }
        Ok(())
    }

    /// Compares all that is shown of every key.
    pub async fn end(mut self) -> Result<(), String> {
        for place in 0..self.world.keys.len() {
            let expected = self.shown(place);
            let body = json!({ "keyId": self.world.keys[place].id });
            let answer = self.server.post("keys.getKey", body).await;
            self.told.push_str(&format!("\nkey {place} is shown"));
            let found = self.outcome(&answer);
            self.agree(&expected, &found)?;
        }
        // What is left is what was given less what was used.
        for pool in 0..self.world.pools.len() {
            let pool = &self.world.pools[pool];
            if pool.left.is_some_and(|left| left != pool.given - pool.used) {
                return self.wrong("credits came from nowhere", json!(pool.given));
            }
        }
        Ok(())
    }

    fn wrong<T>(&self, expected: &str, found: Value) -> Result<T, String> {
        Err(format!(
            "{}\nexpected {expected}\nfound {found:#}",
            self.told
        ))
    }

    fn wait(&mut self, span: &Span) {
        let now = self.world.now;
        let ms = match span {
            Span::Of(ms) => *ms,
            Span::Midnight { early } => DAY - now.rem_euclid(DAY) - i64::from(*early),
            Span::Expiry { key, early } => {
                let key = &self.world.keys[key % self.world.keys.len()];
                let left = key.expires.map_or(0, |at| at - now - i64::from(*early));
                if (1..60 * DAY).contains(&left) {
                    left
                } else {
                    SECOND
                }
            }
        };
        self.server
            .wait(Duration::from_millis(ms.try_into().unwrap()));
        self.world.now += ms;
    }

    async fn ask(&mut self, op: &Op) -> Result<(), String> {
        let (operation, body) = self.request(op);
        let answer = self.server.post(operation, body).await;
        let found = self.outcome(&answer);
        let before = self.world.keys.len();
        let expected = self.world.apply(op).map(|data| self.worded(op, data));
        self.agree(&expected, &found)?;
        self.secrets_are_kept(&answer, None)?;
        if self.world.keys.len() > before {
            self.adopt(&answer)?;
        }
        Ok(())
    }

    /// Takes over the id and the secret of a key that was just made.
    fn adopt(&mut self, answer: &Answer) -> Result<(), String> {
        let data = &answer.body["data"];
        let (id, secret) = (text(&data["keyId"]), text(&data["key"]));
        let key = self.world.keys.last_mut().unwrap();
        (key.id, key.secret) = (id, secret.clone());
        let chance = match key.prefix {
            true => secret.strip_prefix("sk_live_"),
            false => Some(secret.as_str()),
        };
        let bytes = chance.and_then(|chance| bs58::decode(chance).into_vec().ok());
        if bytes.is_none_or(|bytes| bytes.len() != usize::from(key.bytes)) {
            return self.wrong("a secret of the same form", json!(secret));
        }
        Ok(())
    }

    /// Nothing that was answered may hold a secret, but once.
    fn secrets_are_kept(&self, answer: &Answer, but: Option<usize>) -> Result<(), String> {
        let body = answer.body.to_string();
        let mut keys = self.world.keys.iter().enumerate();
        let told = |(place, key): &(usize, &Key)| {
            Some(*place) != but && !key.secret.is_empty() && body.contains(&key.secret)
        };
        match keys.find(told) {
            Some((place, _)) => self.wrong("no secret", json!(place)),
            None => Ok(()),
        }
    }

    async fn verify(&mut self, place: usize, demand: &Demand) -> Result<(), String> {
        let key = &self.world.keys[place];
        let mut body = json!({ "key": key.secret });
        if let Some(cost) = demand.cost {
            body["credits"] = json!({ "cost": cost });
        }
        if let Some(query) = &demand.query {
            body["permissions"] = json!(query.text(&|slug| self.slug(slug)));
        }
        if !demand.limits.is_empty() {
            let limits = demand.limits.iter().map(|named| {
                let mut limit = json!({ "name": format!("limit{}", named.name) });
                if let Some(cost) = named.cost {
                    limit["cost"] = json!(cost);
                }
                if let Some((uses, duration)) = named.other {
                    (limit["limit"], limit["duration"]) = (json!(uses), json!(duration));
                }
                limit
            });
            body["ratelimits"] = limits.collect();
        }
        let answer = self.server.post("keys.verifyKey", body).await;
        let found = self.outcome(&answer);
        self.told
            .push_str(&format!("\n    key {place} is verified"));
        let verdict = self.world.verify(place, demand);
        let expected = verdict.map(|verdict| {
            let mut data = match verdict.code {
                "NOT_FOUND" => json!({ "keyId": null, "permissions": null, "identity": null }),
                _ => self.told_of(place),
            };
            data["valid"] = json!(verdict.code == "VALID");
            data["code"] = json!(verdict.code);
            data["credits"] = json!(verdict.credits);
            data["ratelimits"] = list(verdict.limits);
            data
        });
        self.agree(&expected, &found)?;
        self.secrets_are_kept(&answer, None)?;
        let is_valid = answer.body["data"]["code"] == "VALID";
        if is_valid && self.world.keys[place].cut {
            return self.wrong("nothing VALID that was cut off", json!(place));
        }
        self.told.truncate(self.told.rfind('\n').unwrap_or(0));
        Ok(())
    }

    /// Returns what every verification says of a key that there is.
    fn told_of(&self, place: usize) -> Value {
        let key = &self.world.keys[place];
        let permissions = self.world.all_permissions(key);
        let permissions = permissions.iter().map(|slug| json!(self.slug(*slug)));
        let roles = key.roles.iter().map(|role| json!(self.role(*role)));
        let identity = key.who.map(|who| {
            let identity = &self.world.identities[&who];
            json!({
                "externalId": self.who(who),
                "meta": identity.meta.map(meta),
                "ratelimits": limits_shown(&identity.limits),
            })
        });
        json!({
            "keyId": key.id,
            "enabled": key.enabled,
            "name": key.name.map(|name| format!("n{name}")),
            "expires": key.expires,
            "meta": key.meta.map(meta),
            "permissions": list(permissions.collect()),
            "roles": list(roles.collect()),
            "identity": identity,
        })
    }

    /// Returns what `keys.getKey` says of a key.
    fn shown(&mut self, place: usize) -> Outcome {
        if self.world.keys[place].there != There::Yes {
            return Err((404, "key_not_found"));
        }
        let mut data = self.told_of(place);
        data["credits"] = json!(self.world.balance(place));
        let key = &self.world.keys[place];
        let id = |place: usize| &self.world.keys[place].id;
        data["createdAt"] = json!(key.made);
        data["ratelimits"] = limits_shown(&key.limits);
        data["predecessorId"] = json!(key.before.map(id));
        data["successorId"] = json!(key.after.map(id));
        Ok(data)
    }

    fn outcome(&self, answer: &Answer) -> Result<Value, (u16, String)> {
        match answer.status {
            200 => Ok(answer.body["data"].clone()),
            status => Err((status, answer.kind().to_owned())),
        }
    }

    fn agree(
        &self,
        expected: &Outcome,
        found: &Result<Value, (u16, String)>,
    ) -> Result<(), String> {
        let is_same = match (expected, found) {
            (Ok(expected), Ok(found)) => agrees(expected, found),
            (Err(expected), Err(found)) => *expected == (found.0, found.1.as_str()),
            _ => false,
        };
        if is_same {
            return Ok(());
        }
        Err(format!(
            "{}\nexpected {expected:#?}\nfound {found:#?}",
            self.told
        ))
    }

    /// Writes what the model answers as the server does.
    fn worded(&self, op: &Op, data: Value) -> Value {
        let named = |field: &str, name: &dyn Fn(u8) -> String| {
            let numbers = data.as_array().unwrap().iter();
            let numbers = numbers.map(|number| number.as_u64().unwrap());
            let named = numbers.map(|number| json!({ field: name(u8::try_from(number).unwrap()) }));
            named.collect()
        };
        match op {
            Op::Permissions { .. } | Op::SetRole { .. } => named("slug", &|slug| self.slug(slug)),
            Op::Roles { .. } => named("name", &|role| self.role(role)),
            _ => data,
        }
    }
}

/// Writes limits as answers do.
fn limits_shown(limits: &Limits) -> Value {
    let shown = limits.iter().map(|(name, limit)| {
        json!({
            "name": format!("limit{name}"),
            "limit": limit.limit,
            "duration": limit.duration,
            "autoApply": limit.auto,
        })
    });
    list(shown.collect())
}

/// What is empty is left out of an answer.
fn list(items: Vec<Value>) -> Value {
    if items.is_empty() {
        Value::Null
    } else {
        Value::Array(items)
    }
}

/// Compares each expected field; null stands for one that is not there.
fn agrees(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(name, value)| agrees(value, found.get(name).unwrap_or(&Value::Null))),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(expected, found)| agrees(expected, found))
        }
        _ => expected == found,
    }
}
