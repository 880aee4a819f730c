//! Who calls the console: people, and deploy keys, by their account keys.
//!
//! An account key is a key of the key service like any other, in a workspace of the console's own,
//! issued to whom it belongs to. So it is rerolled with a grace period, counted and expired as all
//! keys are.

use secrecy::SecretString;

use super::service::Service;
use crate::ids::Entropy;
use crate::keys::{Code, Demand, IdKind, SecretFormat, Standing, new_id, standing};
use crate::store::{Actor, Audited, Membership, NewKey, Person, Role, Store, StoreError};

/// Somebody who is known.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) person: Person,
    /// Where they belong, by the organization's name.
    pub(super) memberships: Vec<Membership>,
    /// The id of the account key that they called with.
    pub(super) key: Option<String>,
}

impl Caller {
    /// Returns what they may do in the organization of that name.
    pub(super) fn membership(&self, organization: &str) -> Option<&Membership> {
        let mut mine = self.memberships.iter();
        mine.find(|membership| membership.organization == organization)
    }

    /// Says who changes something.
    pub(super) fn actor(&self) -> Actor {
        Actor::Person {
            id: self.person.id.clone(),
            key: self.key.clone(),
        }
    }
}

/// An account key that was just made.
#[derive(Debug)]
pub struct AccountKey {
    /// Its id.
    pub id: String,
    /// The key itself, which is shown once and kept nowhere.
    pub secret: SecretString,
}

/// Who makes something, and when.
#[derive(Debug, Clone, Copy)]
pub struct Issuer<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// When, in Unix ms.
    pub now: i64,
    /// What secrets and ids are made of.
    pub entropy: &'a Entropy,
}

impl Issuer<'_> {
    /// Says so in the audit log of a workspace.
    #[must_use]
    pub fn audited(&self, workspace: &str) -> Audited {
        Audited::new(workspace, self.actor.clone(), self.now, self.entropy)
    }
}

impl Service {
    /// Tells whether an account key still opens anything.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn account_key_works(&self, key: &str) -> Result<bool, StoreError> {
        let home = self.home().await?;
        match self.store().key_record(&home.workspace, key).await {
            Ok((key, _)) => Ok(key.enabled && !key.rotation.is_over(key.expires, self.now())),
            Err(StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Finds whose account key this is; none if it opens nothing.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn caller(&self, secret: &SecretString) -> Result<Option<Caller>, StoreError> {
        let Some(key) = self.key(secret).await? else {
            return Ok(None);
        };
        let home = self.home().await?;
        if *key.workspace != *home.workspace || *key.api != *home.api {
            return Ok(None);
        }
        let now = self.now();
        if let Standing::Refused(code) = standing(&key, &Demand::default(), now) {
            self.count(&key, code, &[], 0, now);
            return Ok(None);
        }
        self.count(&key, Code::Valid, &[], 0, now);
        let Some(identity) = &key.identity else {
            return Ok(None);
        };
        let found = self.store().person(&identity.external_id).await?;
        Ok(found.map(|(person, memberships)| Caller {
            person,
            memberships,
            key: Some(key.id.clone()),
        }))
    }
}

/// Makes somebody known, with a role in an organization and a first account key.
///
/// # Errors
/// [`StoreError::Exists`] when somebody has that name.
pub async fn add_person(
    store: &Store,
    name: &str,
    role: Role,
    by: Issuer<'_>,
    workspace: &str,
) -> Result<(Person, AccountKey), StoreError> {
    let person = store
        .create_person(name, role, by.audited(workspace))
        .await?;
    let key = issue_account_key(store, &person, by, workspace).await?;
    Ok((person, key))
}

/// Issues another account key to somebody, which the audit log of an organization tells.
///
/// # Errors
/// As the database's.
pub async fn issue_account_key(
    store: &Store,
    person: &Person,
    by: Issuer<'_>,
    workspace: &str,
) -> Result<AccountKey, StoreError> {
    let home = store.console_home(by.now).await?;
    let api = store.api(&home.workspace, &home.api).await?;
    let format = SecretFormat::new(api.default_prefix.as_deref(), api.default_bytes)
        .map_err(|error| StoreError::Unfit(error.to_string()))?;
    let id = new_id(IdKind::Key, by.now, by.entropy);
    let secret = format.mint(by.entropy);
    let text = secret.text.clone();
    let new = NewKey {
        id: id.clone(),
        api: api.id,
        secret,
        format,
        name: Some(person.name.clone()),
        external_id: Some(person.id.clone()),
        meta: None,
        roles: Vec::new(),
        permissions: Vec::new(),
        expires: None,
        credits: None,
        ratelimits: Vec::new(),
        enabled: true,
        sealed: None,
    };
    let told = format!("Issued account key {id} to {}", person.name);
    let targets = [person.id.as_str(), id.as_str()];
    let organization = by.audited(workspace);
    store
        .note("person.key", &told, &targets, organization)
        .await?;
    store
        .create_key(new, by.audited(&home.workspace), None)
        .await?;
    Ok(AccountKey { id, secret: text })
}
