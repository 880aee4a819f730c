//! What people do with their own account keys, from the command line or a page: have another one
//! take the place of one, and end or take back that.

use secrecy::SecretString;

use super::people::Caller;
use super::service::Service;
use crate::keys::{Grace, IdKind, new_id};
use crate::store::{Audited, StoreError};

/// An account key that takes the place of another.
pub(super) struct RolledKey {
    /// Its id.
    pub(super) id: String,
    /// The key itself, which is shown once and kept nowhere.
    pub(super) secret: SecretString,
    /// From when on the old one opens nothing, in Unix ms.
    pub(super) old_expires: Option<i64>,
}

/// Somebody who does something with a key of their own, in which request.
pub(super) struct KeyHolder<'a> {
    pub(super) service: &'a Service,
    pub(super) caller: &'a Caller,
    pub(super) request: &'a str,
}

impl KeyHolder<'_> {
    /// Makes another key in the place of `key`, which goes on for as long as `grace` says.
    ///
    /// # Errors
    /// When it was replaced already or has expired, and as the database's.
    pub(super) async fn roll(&self, key: &str, grace: Grace) -> Result<RolledKey, StoreError> {
        let (service, home) = (self.service, self.service.home().await?);
        let (now, entropy) = (service.now(), service.entropy());
        let id = new_id(IdKind::Key, now, entropy);
        let reroll = service.reroll(key, grace, &id);
        let told = format!("Roll account key {key} to {id}");
        self.note("account.keyroll", &told).await?;
        let by = self.audited(&home.workspace);
        let done = service.rerolled(reroll, by).await?;
        Ok(RolledKey {
            id,
            secret: done.secret,
            old_expires: done.old_expires,
        })
    }

    /// Lets the key that was replaced by another go now.
    ///
    /// # Errors
    /// When it was not replaced, and as the database's.
    pub(super) async fn finish(&self, old: &str) -> Result<(), StoreError> {
        let home = self.service.home().await?;
        let told = format!("Let account key {old} go");
        self.note("account.keyroll.finish", &told).await?;
        let by = self.audited(&home.workspace);
        self.service.store().finish_rotation(old, by).await?;
        Ok(())
    }

    /// Makes a key whole again that was replaced; the one that took its place goes, and its id is
    /// returned.
    ///
    /// # Errors
    /// When it was not replaced or has gone, and as the database's.
    pub(super) async fn cancel(&self, old: &str) -> Result<String, StoreError> {
        let home = self.service.home().await?;
        let told = format!("Take back the roll of account key {old}");
        self.note("account.keyroll.cancel", &told).await?;
        let by = self.audited(&home.workspace);
        self.service.store().cancel_rotation(old, by).await
    }

    fn audited(&self, workspace: &str) -> Audited {
        let (now, entropy) = (self.service.now(), self.service.entropy());
        Audited::new(workspace, self.caller.actor(), now, entropy).request(self.request)
    }

    /// Tells every organization that the caller belongs to what is about to be done.
    async fn note(&self, event: &str, told: &str) -> Result<(), StoreError> {
        for membership in &self.caller.memberships {
            let by = self.audited(&membership.workspace);
            let targets = [self.caller.person.id.as_str()];
            let store = self.service.store();
            store.note(event, told, &targets, by).await?;
        }
        Ok(())
    }
}
