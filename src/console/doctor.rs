//! Whether what the console keeps is whole.

use super::vault::{MasterKey, VaultError};
use crate::store::{Store, StoreError};

/// How far two clocks may be apart, in ms.
const APART: i64 = 1000;
/// How long verifications may wait to be added to the views, in ms.
const LONG: i64 = 10 * 60_000;
/// How many sealed secrets are opened at a time.
const PAGE: i64 = 1000;

/// Looks for whatever is wrong at `now`, in Unix ms, and says it in one line each.
///
/// Where there is no `master` key, nothing may be sealed.
///
/// # Errors
/// As the database's, where it cannot even be asked.
pub async fn examine(
    store: &Store,
    master: Option<&MasterKey>,
    now: i64,
) -> Result<Vec<String>, StoreError> {
    let (found, known) = store.version().await?;
    if found != known {
        return Ok(vec![format!(
            "the database has version {found}, and this program knows {known}"
        )]);
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
    wrong.extend(sealed(store, master).await?);
    Ok(wrong)
}

/// Opens every sealed secret.
async fn sealed(store: &Store, master: Option<&MasterKey>) -> Result<Vec<String>, StoreError> {
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
            match master.map(|master| master.open(&sealed, &id)) {
                Some(Ok(_)) => {}
                None | Some(Err(VaultError::OtherKey)) => others += 1,
                Some(Err(_)) => broken += 1,
            }
        }
    }
    let said = [
        (others, "were sealed with a master key that is not here"),
        (broken, "are not as they were sealed"),
    ];
    let said = said.into_iter().filter(|(count, _)| *count > 0);
    Ok(said
        .map(|(count, what)| format!("{count} of {all} recoverable secrets {what}"))
        .collect())
}
