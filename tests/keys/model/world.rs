//! What there is, as plain lists, and what each operation makes of it. Nothing here is the
//! server's code: the rules are those that its documents state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::operations::{Change, Count, How, Limit, New, Op, Refill};

/// What an operation answers: the fields that must agree, or status and kind of an error.
pub type Outcome = Result<Value, (u16, &'static str)>;

const NO_KEY: (u16, &str) = (404, "key_not_found");
const NO_ROLE: (u16, &str) = (404, "role_not_found");
pub const REROLLED: (u16, &str) = (409, "key_already_rerolled");
pub const EXPIRED: (u16, &str) = (409, "key_expired");
pub const INVALID: (u16, &str) = (400, "invalid_input");

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum There {
    Yes,
    Deleted,
    /// Nothing of it is left.
    Erased,
}

#[derive(Debug, Clone)]
pub struct RateLimit {
    pub limit: i64,
    pub duration: i64,
    pub auto: bool,
    /// By what it is counted.
    pub window: usize,
}

/// Limits by their names.
pub type Limits = BTreeMap<u8, RateLimit>;

#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub there: There,
    pub api: u8,
    pub name: Option<u8>,
    pub who: Option<u8>,
    pub meta: Option<u8>,
    pub enabled: bool,
    pub made: i64,
    pub expires: Option<i64>,
    pub pool: Option<usize>,
    pub limits: Limits,
    pub permissions: BTreeSet<u8>,
    pub roles: BTreeSet<u8>,
    pub before: Option<usize>,
    pub after: Option<usize>,
    /// What its expiry is once its reroll is taken back.
    pub own_expiry: Option<i64>,
    pub taken_back: bool,
    /// Whether it may never be valid again.
    pub cut: bool,
    pub prefix: bool,
    pub bytes: u8,
}

/// A balance, and what it comes from.
#[derive(Debug, Clone)]
pub struct Pool {
    pub left: Option<i64>,
    pub refill: Option<Refill>,
    pub filled: i64,
    /// What was given, and what VALID verifications used.
    pub given: i64,
    pub used: i64,
}

#[derive(Debug, Clone, Default)]
pub struct Identity {
    pub meta: Option<u8>,
    pub limits: Limits,
}

#[derive(Debug, Clone, Default)]
pub struct World {
    pub now: i64,
    pub keys: Vec<Key>,
    pub pools: Vec<Pool>,
    pub identities: BTreeMap<u8, Identity>,
    pub permissions: BTreeSet<u8>,
    pub roles: BTreeMap<u8, BTreeSet<u8>>,
    pub gone_apis: BTreeSet<u8>,
    /// Uses by what is counted together, and the number of the span of time.
    pub uses: BTreeMap<(String, i64, i64), i64>,
    pub windows: usize,
}

impl World {
    /// Does what an operation does; nothing, if that is an error.
    pub fn apply(&mut self, op: &Op) -> Outcome {
        let mut next = self.clone();
        let outcome = next.change(op);
        if outcome.is_ok() {
            *self = next;
        }
        outcome
    }

    fn change(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Create(new) => self.create(new),
            Op::Update { key, changes } => self.update(*key, changes),
            Op::Delete { key, permanent } => {
                let key = self.there(*key)?;
                let erased = if *permanent {
                    There::Erased
                } else {
                    There::Deleted
                };
                self.keys[key].there = erased;
                Ok(json!({}))
            }
            Op::Credits { key, count } => {
                let key = self.there(*key)?;
                self.count(key, *count)?;
                Ok(self
                    .balance(key)
                    .unwrap_or(json!({ "remaining": null, "refill": null })))
            }
            Op::Permissions { key, how, slugs } => {
                let key = self.there(*key)?;
                let slugs: BTreeSet<_> = slugs.iter().copied().collect();
                if *how != How::Remove {
                    self.permissions.extend(&slugs);
                }
                change_set(&mut self.keys[key].permissions, *how, &slugs);
                Ok(json!(self.keys[key].permissions))
            }
            Op::Roles { key, how, names } => {
                let key = self.there(*key)?;
                let names = self.known_roles(names)?;
                change_set(&mut self.keys[key].roles, *how, &names);
                Ok(json!(self.keys[key].roles))
            }
            Op::MakeRole { name, slugs } => {
                if self.roles.contains_key(name) {
                    return Err((409, "role_already_exists"));
                }
                self.permissions.extend(slugs);
                self.roles.insert(*name, slugs.iter().copied().collect());
                Ok(json!({}))
            }
            Op::SetRole { name, slugs } => {
                let role = self.roles.get_mut(name).ok_or(NO_ROLE)?;
                *role = slugs.iter().copied().collect();
                let shown = json!(role);
                self.permissions.extend(slugs);
                Ok(shown)
            }
            Op::DeleteRole(name) => {
                self.roles.remove(name).ok_or(NO_ROLE)?;
                self.keys
                    .iter_mut()
                    .for_each(|key| key.roles.retain(|role| role != name));
                Ok(json!({}))
            }
            Op::DeletePermission(slug) => {
                if !self.permissions.remove(slug) {
                    return Err((404, "permission_not_found"));
                }
                self.keys
                    .iter_mut()
                    .for_each(|key| key.permissions.retain(|held| held != slug));
                self.roles
                    .values_mut()
                    .for_each(|role| role.retain(|held| held != slug));
                Ok(json!({}))
            }
            Op::Reroll { key, grace } => self.reroll(*key, *grace),
            Op::Finish(key) => self.finish(*key),
            Op::Cancel(key) => self.cancel(*key),
            Op::MakeIdentity { who, limits } => {
                if self.identities.contains_key(who) {
                    return Err((409, "identity_already_exists"));
                }
                let limits = self.limits(&Limits::new(), limits);
                self.identities
                    .insert(*who, Identity { meta: None, limits });
                Ok(json!({}))
            }
            Op::UpdateIdentity { who, meta, limits } => {
                let mut identity = self
                    .identities
                    .remove(who)
                    .ok_or((404, "identity_not_found"))?;
                identity.meta = meta.or(identity.meta);
                if let Some(limits) = limits {
                    identity.limits = self.limits(&identity.limits, limits);
                }
                self.identities.insert(*who, identity);
                Ok(json!({}))
            }
            Op::DeleteIdentity(who) => {
                self.identities
                    .remove(who)
                    .ok_or((404, "identity_not_found"))?;
                for key in &mut self.keys {
                    key.who = key.who.filter(|of| of != who);
                }
                // Upstream answers without data.
                Ok(Value::Null)
            }
            Op::DeleteApi(api) => {
                if !self.gone_apis.insert(*api) {
                    return Err((404, "api_not_found"));
                }
                for key in self.keys.iter_mut().filter(|key| key.api == *api) {
                    if key.there == There::Yes {
                        key.there = There::Deleted;
                    }
                }
                Ok(json!({}))
            }
            Op::Verify { .. } | Op::Wait(_) => Ok(json!({})),
        }
    }

    /// Returns the place of a key that is there.
    pub fn there(&self, key: usize) -> Result<usize, (u16, &'static str)> {
        let key = key % self.keys.len();
        if self.keys[key].there == There::Yes {
            Ok(key)
        } else {
            Err(NO_KEY)
        }
    }

    fn create(&mut self, new: &New) -> Outcome {
        if self.gone_apis.contains(&new.api) {
            return Err((404, "api_not_found"));
        }
        let roles = self.known_roles(&new.roles)?;
        if let Some(who) = new.who {
            self.identities.entry(who).or_default();
        }
        self.permissions.extend(&new.permissions);
        let pool = new
            .credits
            .clone()
            .map(|(left, refill)| self.pool(left, refill));
        let limits = self.limits(&Limits::new(), &new.limits);
        self.keys.push(Key {
            id: String::new(),
            secret: String::new(),
            there: There::Yes,
            api: new.api,
            name: None,
            who: new.who,
            meta: new.meta,
            enabled: new.enabled,
            made: self.now,
            expires: new.lives.map(|span| self.now + span),
            pool,
            limits,
            permissions: new.permissions.iter().copied().collect(),
            roles,
            before: None,
            after: None,
            own_expiry: None,
            taken_back: false,
            cut: false,
            prefix: new.prefix,
            bytes: new.bytes.unwrap_or(16),
        });
        Ok(json!({}))
    }

    fn known_roles(&self, names: &[u8]) -> Result<BTreeSet<u8>, (u16, &'static str)> {
        let is_known = |name: &u8| self.roles.contains_key(name);
        if names.iter().all(is_known) {
            Ok(names.iter().copied().collect())
        } else {
            Err(NO_ROLE)
        }
    }

    /// Limits that keep their names are counted on.
    fn limits(&mut self, old: &Limits, new: &[Limit]) -> Limits {
        let limit = |new: &Limit| {
            let window = old.get(&new.name).map(|old| old.window);
            let window = window.unwrap_or_else(|| {
                self.windows += 1;
                self.windows
            });
            let (limit, duration, auto) = (new.limit, new.duration, new.auto);
            (
                new.name,
                RateLimit {
                    limit,
                    duration,
                    auto,
                    window,
                },
            )
        };
        new.iter().map(limit).collect()
    }

    pub fn is_past(&self, key: usize) -> bool {
        self.keys[key].expires.is_some_and(|at| at <= self.now)
    }

    fn update(&mut self, key: usize, changes: &[Change]) -> Outcome {
        let key = self.there(key)?;
        // The last of each kind is what the request holds; credits are looked at first.
        let rank = |change: &&Change| match change {
            Change::Unlimited | Change::Credits(..) => 0,
            Change::Lives(_) => 1,
            _ => 2,
        };
        let mut changes: Vec<_> = changes.iter().collect();
        changes.sort_by_key(rank);
        for change in changes {
            match change {
                Change::Name(name) => self.keys[key].name = *name,
                Change::Who(who) => {
                    if let Some(who) = who {
                        self.identities.entry(*who).or_default();
                    }
                    self.keys[key].who = *who;
                }
                Change::Meta(meta) => self.keys[key].meta = *meta,
                Change::Lives(span) => self.set_expiry(key, span.map(|span| self.now + span))?,
                Change::Unlimited => self.count(key, Count::Set(None))?,
                Change::Credits(left, refill) => self.set_credits(key, *left, refill)?,
                Change::Limits(limits) => {
                    let old = self.keys[key].limits.clone();
                    self.keys[key].limits = self.limits(&old, limits);
                }
                Change::Enabled(enabled) => self.keys[key].enabled = *enabled,
                Change::Roles(names) => self.keys[key].roles = self.known_roles(names)?,
                Change::Permissions(slugs) => {
                    self.permissions.extend(slugs);
                    self.keys[key].permissions = slugs.iter().copied().collect();
                }
            }
        }
        Ok(json!({}))
    }

    fn set_expiry(&mut self, key: usize, to: Option<i64>) -> Result<(), (u16, &'static str)> {
        let from = self.keys[key].expires;
        if to == from {
            return Ok(());
        }
        self.still_counts(key)?;
        if self.keys[key].after.is_some() {
            if to.unwrap_or(i64::MAX) > from.unwrap_or(i64::MAX) {
                return Err(REROLLED);
            }
            self.keys[key].own_expiry = to;
        }
        self.keys[key].expires = to;
        Ok(())
    }

    /// Lists what a key may do by itself and by its roles.
    pub fn all_permissions(&self, key: &Key) -> BTreeSet<u8> {
        let of_roles = key.roles.iter().flat_map(|role| &self.roles[role]);
        key.permissions.iter().chain(of_roles).copied().collect()
    }
}

fn change_set(set: &mut BTreeSet<u8>, how: How, by: &BTreeSet<u8>) {
    *set = match how {
        How::Add => set.union(by).copied().collect(),
        How::Set => by.clone(),
        How::Remove => set.difference(by).copied().collect(),
    };
}
