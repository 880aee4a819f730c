//! What rerolls make of keys.

use serde_json::{Value, json};

use super::world::{EXPIRED, Key, Outcome, REROLLED, There, World};

impl World {
    pub fn reroll(&mut self, key: usize, grace: Option<i64>) -> Outcome {
        let key = self.there(key)?;
        if self.is_past(key) {
            return Err(EXPIRED);
        }
        if self.keys[key].after.is_some() {
            return Err(REROLLED);
        }
        let (now, place) = (self.now, self.keys.len());
        let old = &mut self.keys[key];
        let new = Key {
            before: Some(key),
            made: now,
            own_expiry: None,
            ..old.clone()
        };
        old.after = Some(place);
        old.own_expiry = old.expires;
        if let Some(grace) = grace {
            old.expires = Some(old.expires.unwrap_or(i64::MAX).min(now + grace));
        }
        old.cut |= grace == Some(0);
        self.keys.push(new);
        Ok(json!({}))
    }

    pub fn finish(&mut self, key: usize) -> Outcome {
        let key = self.there(key)?;
        if self.keys[key].after.is_none() {
            return Err((409, "key_not_rotating"));
        }
        self.end(key);
        Ok(self.rotation(key))
    }

    pub fn end(&mut self, key: usize) {
        let now = self.now;
        let key = &mut self.keys[key];
        key.expires = Some(key.expires.unwrap_or(i64::MAX).min(now));
        key.cut = true;
    }

    pub fn cancel(&mut self, key: usize) -> Outcome {
        let key = self.there(key)?;
        let Some(new) = self.keys[key].after else {
            return Err((409, "key_not_rotating"));
        };
        if self.is_past(key) {
            return Err(EXPIRED);
        }
        let is_continued = match self.keys[new].there {
            There::Erased => self.goes_on(new),
            _ => self.keys[new].after.is_some(),
        };
        if is_continued {
            return Err(REROLLED);
        }
        if self.keys[new].there == There::Yes {
            self.end(new);
            self.keys[new].taken_back = true;
        }
        let old = &mut self.keys[key];
        (old.expires, old.own_expiry, old.after) = (old.own_expiry, None, None);
        Ok(self.rotation(key))
    }

    /// Tells whether any of the keys that came after one another is still there.
    fn goes_on(&self, key: usize) -> bool {
        let after = self.keys[key].after;
        after.is_some_and(|after| self.keys[after].there == There::Yes || self.goes_on(after))
    }

    pub fn rotation(&self, key: usize) -> Value {
        let (is_past, key) = (self.is_past(key), &self.keys[key]);
        json!({
            "keyId": key.id,
            "active": key.enabled && !is_past,
            "successorId": key.after.map(|after| &self.keys[after].id),
            "graceEndsAt": key.expires.filter(|_| key.after.is_some()),
        })
    }
}
