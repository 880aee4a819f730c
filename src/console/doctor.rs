//! Whether what the console keeps is whole.

use super::vault::{Held, KeySource, VaultError, about};
use crate::store::{SealedCount, SealedKind, Store, StoreError};

/// How far two clocks may be apart, in ms.
const APART: i64 = 1000;
/// How long verifications may wait to be added to the views, in ms.
const LONG: i64 = 10 * 60_000;
/// How many sealed secrets are opened at a time.
const PAGE: i64 = 1000;

/// How a database is, in one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// What is wrong.
    pub wrong: Vec<String>,
    /// What is worth knowing.
    pub told: Vec<String>,
}

/// Looks for whatever is wrong at `now`, in Unix ms; `source` is where the master keys are.
///
/// # Errors
/// As the database's, KMS's or the file's, where they cannot even be asked.
pub async fn examine(store: &Store, source: &KeySource, now: i64) -> Result<Examined, VaultError> {
    let (found, known) = store.version().await?;
    if found != known {
        let wrong = format!("the database has version {found}, and this program knows {known}");
        return Ok(Examined {
            wrong: vec![wrong],
            told: Vec::new(),
        });
    }
    let health = store.health().await?;
    let mut wrong = health.wrong;
    if let Some(apart) = health.now.map(|theirs| now - theirs)
        && apart.abs() > APART
    {
        let (way, ms) = (if apart > 0 { "ahead of" } else { "behind" }, apart.abs());
        wrong.push(format!(
            "this machine's clock is {ms} ms {way} the database's"
        ));
    }
    let strays = store.strays().await?;
    if let Some(ahead) = strays.last_change.map(|at| at - now)
        && ahead > APART
    {
        wrong.push(format!(
            "the last change is {ahead} ms in the future: a clock is or was wrong"
        ));
    }
    if let Some(waited) = strays.oldest_count.map(|at| now - at)
        && waited > LONG
    {
        let minutes = waited / 60_000;
        wrong.push(format!(
            "verifications of {minutes} minutes ago are in no view yet: there are more than can be added up"
        ));
    }
    for (count, what) in [
        (strays.keys_without_api, "keys belong to no API"),
        (
            strays.pools_without_key,
            "balances of credits belong to no key",
        ),
    ] {
        if count > 0 {
            wrong.push(format!("{count} {what}"));
        }
    }
    let mut examined = sealed(store, source).await?;
    wrong.append(&mut examined.wrong);
    examined.wrong = wrong;
    Ok(examined)
}

/// Looks whether every master key is to be had, and opens every sealed secret.
async fn sealed(store: &Store, source: &KeySource) -> Result<Examined, VaultError> {
    let mut examined = Examined::default();
    let held = source.held(&store.master_keys().await?).await?;
    for (place, count) in store.sealed_counts().await?.into_iter().enumerate() {
        let SealedCount {
            with: id,
            secrets,
            answers,
            rack_keys,
            webhook_secrets,
        } = count;
        let seals = if place == 0 { "seals" } else { "only opens" };
        examined.told.push(format!(
            "master key {id} {seals}: {secrets} secrets, {answers} answers, {rack_keys} keys of racks, \
             {webhook_secrets} secrets of webhooks"
        ));
        examined
            .wrong
            .extend(closed_racks(store, &held, &id).await?);
        if !held.has(&id) {
            examined
                .wrong
                .push(format!("the master key {id} is not in {source}"));
        }
    }
    let (mut all, mut others, mut broken) = (0, 0, 0);
    let mut after = String::new();
    loop {
        let page = store.every_sealed_key(&after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            break;
        };
        after.clone_from(last);
        for (id, sealed) in page {
            all += 1;
            match held.open(&sealed, &id) {
                Ok(_) => {}
                Err(VaultError::OtherKey) => others += 1,
                Err(_) => broken += 1,
            }
        }
    }
    let said = [
        (others, "were sealed with a master key that is not here"),
        (broken, "are not as they were sealed"),
    ];
    let said = said.into_iter().filter(|(count, _)| *count > 0);
    let said = said.map(|(count, what)| format!("{count} of {all} recoverable secrets {what}"));
    examined.wrong.extend(said);
    Ok(examined)
}

/// Names the racks and webhooks whose secret is sealed with the master key `id` and cannot be
/// opened.
async fn closed_racks(store: &Store, held: &Held, id: &str) -> Result<Vec<String>, StoreError> {
    let mut closed = Vec::new();
    let kinds = [
        (SealedKind::RackKey, "API key"),
        (SealedKind::NextRackKey, "API key"),
        (SealedKind::WebhookSecret, "signing secret"),
    ];
    for (kind, what) in kinds {
        for (thing, sealed) in store.sealed_with(id, kind, 0, i64::MAX).await? {
            let about = about(&thing);
            if held.open(&sealed, &about).is_err() {
                closed.push(format!("the {what} of {about} cannot be opened"));
            }
        }
    }
    Ok(closed)
}
