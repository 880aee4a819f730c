//! What `keys.verifyKey` says of a key, by the rules of the documents.

use serde_json::{Value, json};

use super::operations::{Demand, Query};
use super::world::{There, World};

/// A limit that a verification is counted against.
struct Want {
    name: u8,
    counted_by: String,
    limit: i64,
    duration: i64,
    cost: i64,
}

/// How a verification ends, and what it says of credits and limits.
pub struct Verdict {
    pub code: &'static str,
    pub credits: Option<i64>,
    pub limits: Vec<Value>,
}

impl World {
    /// Verifies a key, and uses up what that costs. A limit that there is not is an error.
    pub fn verify(&mut self, key: usize, demand: &Demand) -> Result<Verdict, (u16, &'static str)> {
        let now = self.now;
        if self.keys[key].there != There::Yes {
            return Ok(Verdict {
                code: "NOT_FOUND",
                credits: None,
                limits: Vec::new(),
            });
        }
        let left = self.left(key);
        let refused = |code| {
            Ok(Verdict {
                code,
                credits: left,
                limits: Vec::new(),
            })
        };
        let of = &self.keys[key];
        if !of.enabled {
            return refused("DISABLED");
        }
        if of.expires.is_some_and(|at| at <= now) {
            return refused("EXPIRED");
        }
        let held = self.all_permissions(of);
        if !demand
            .query
            .as_ref()
            .is_none_or(|query| query.is_met(&|slug| held.contains(&slug)))
        {
            return refused("INSUFFICIENT_PERMISSIONS");
        }
        let wants = self.wants(key, demand)?;
        let (is_denied, limits) = self.take(&wants);
        if is_denied {
            return Ok(Verdict {
                code: "RATE_LIMITED",
                credits: left,
                limits,
            });
        }
        let (code, credits) = self.spend(key, demand.cost.unwrap_or(1));
        Ok(Verdict {
            code,
            credits,
            limits,
        })
    }

    fn wants(&self, key: usize, demand: &Demand) -> Result<Vec<Want>, (u16, &'static str)> {
        let of = &self.keys[key];
        let mut known = of
            .who
            .map(|who| self.identities[&who].limits.clone())
            .unwrap_or_default();
        known.extend(of.limits.clone());
        let mut wants: Vec<Want> = Vec::new();
        for (name, limit) in known.iter().filter(|(_, limit)| limit.auto) {
            wants.push(Want {
                name: *name,
                counted_by: limit.window.to_string(),
                limit: limit.limit,
                duration: limit.duration,
                cost: 1,
            });
        }
        for asked in &demand.limits {
            let (counted_by, limit, duration) = match (known.get(&asked.name), asked.other) {
                (Some(known), None) => (known.window.to_string(), known.limit, known.duration),
                (Some(known), Some(other)) => (known.window.to_string(), other.0, other.1),
                (None, Some(other)) => (format!("{key}: {}", asked.name), other.0, other.1),
                (None, None) => return Err((412, "precondition_failed")),
            };
            wants.retain(|want| want.name != asked.name);
            let cost = asked.cost.unwrap_or(1);
            wants.push(Want {
                name: asked.name,
                counted_by,
                limit,
                duration,
                cost,
            });
        }
        wants.sort_by_key(|want| want.name);
        Ok(wants)
    }

    /// Counts against all limits or, if one forbids it, against none.
    fn take(&mut self, wants: &[Want]) -> (bool, Vec<Value>) {
        let now = self.now;
        let left = |want: &Want| {
            let span = now.div_euclid(want.duration);
            let uses = |span: i64| {
                let counted = self
                    .uses
                    .get(&(want.counted_by.clone(), want.duration, span));
                counted.copied().unwrap_or(0)
            };
            // Of the span before, what the window still covers.
            let covered = want.duration - now.rem_euclid(want.duration);
            want.limit - uses(span) - uses(span - 1) * covered / want.duration
        };
        let left: Vec<_> = wants.iter().map(left).collect();
        let exceeds = |(want, left): (&Want, &i64)| want.cost > (*left).max(0);
        let is_denied = wants.iter().zip(&left).any(exceeds);
        let told = wants.iter().zip(&left).map(|(want, left)| {
            let cost = if is_denied { 0 } else { want.cost };
            json!({
                "name": format!("limit{}", want.name),
                "limit": want.limit,
                "duration": want.duration,
                "exceeded": exceeds((want, left)),
                "remaining": (left - cost).max(0),
                "reset": (now.div_euclid(want.duration) + 1) * want.duration,
            })
        });
        let told = told.collect();
        for want in wants.iter().filter(|_| !is_denied) {
            let span = now.div_euclid(want.duration);
            let at = (want.counted_by.clone(), want.duration, span);
            *self.uses.entry(at).or_default() += want.cost;
        }
        (is_denied, told)
    }

    fn left(&mut self, key: usize) -> Option<i64> {
        let pool = self.keys[key].pool?;
        let pool = self.filled(pool);
        self.pools[pool].left
    }

    fn spend(&mut self, key: usize, cost: i64) -> (&'static str, Option<i64>) {
        let Some(pool) = self.keys[key].pool else {
            return ("VALID", None);
        };
        let pool = self.filled(pool);
        let pool = &mut self.pools[pool];
        match pool.left {
            None => ("VALID", None),
            Some(left) if left < cost => ("USAGE_EXCEEDED", Some(left)),
            Some(left) => {
                pool.left = Some(left - cost);
                pool.used += cost;
                ("VALID", pool.left)
            }
        }
    }
}

impl Query {
    fn is_met(&self, held: &impl Fn(u8) -> bool) -> bool {
        match self {
            Self::Has(slug) => held(*slug),
            Self::And(one, other) => one.is_met(held) && other.is_met(held),
            Self::Or(one, other) => one.is_met(held) || other.is_met(held),
        }
    }

    /// Writes it as a request does.
    pub fn text(&self, slug: &impl Fn(u8) -> String) -> String {
        match self {
            Self::Has(of) => slug(*of),
            Self::And(one, other) => format!("({} AND {})", one.text(slug), other.text(slug)),
            Self::Or(one, other) => format!("({} or {})", one.text(slug), other.text(slug)),
        }
    }
}
