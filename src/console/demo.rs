//! What a demonstration begins with: somebody to sign in as, racks, and keys that are in use.

use secrecy::SecretString;
use serde_json::json;

use super::people::{Issuer, add_person};
use super::service::Service;
use crate::keys::{Api, Code, Grace, IdKind, SecretFormat, new_id};
use crate::store::{Actor, NewApi, NewKey, NewRack, RackKind, Role, StoreError};

const HOUR: i64 = 60 * 60 * 1000;
/// How long ago a key was rerolled whose rotation is under way.
const REROLLED: i64 = 20;

/// Puts into an empty organization what there is to see, with racks of these names, and returns the
/// account key of an admin.
///
/// # Errors
/// As the database's.
pub async fn furnish(
    service: &Service,
    workspace: &str,
    racks: &[&str],
) -> Result<SecretString, StoreError> {
    let (store, now) = (service.store(), service.now());
    let issuer = Issuer {
        actor: &Actor::Operator,
        now,
        entropy: service.entropy(),
    };
    let (_, key) = add_person(store, "you", Role::Admin, issuer, workspace).await?;
    for name in racks {
        let new = NewRack {
            id: store.new_rack_id(now),
            name: (*name).to_owned(),
            kind: RackKind::Sandbox,
            settings: json!({}),
            password: None,
        };
        store.create_rack(new, issuer.audited(workspace)).await?;
    }
    let new = NewApi {
        name: "Orders".to_owned(),
        default_prefix: Some("ord".to_owned()),
        ..NewApi::default()
    };
    let api = store.create_api(new, issuer.audited(workspace)).await?;
    let then = Issuer {
        now: now - 60 * 24 * HOUR,
        ..issuer
    };
    for customer in ["globex", "initech", "hooli", "umbrella"] {
        make(service, &api, customer, then).await?;
    }
    let rotating = make(service, &api, "vandelay", then).await?;
    reroll(service, workspace, rotating, issuer).await?;
    service
        .write_counts(std::time::Duration::from_secs(1))
        .await?;
    Ok(key.secret)
}

async fn make(
    service: &Service,
    api: &Api,
    customer: &str,
    by: Issuer<'_>,
) -> Result<(String, SecretString), StoreError> {
    let format = format_of(api)?;
    let secret = format.mint(by.entropy);
    let (id, text) = (new_id(IdKind::Key, by.now, by.entropy), secret.text.clone());
    let new = NewKey {
        id: id.clone(),
        api: api.id.clone(),
        secret,
        format,
        name: Some(format!("{customer}, production")),
        external_id: Some(customer.to_owned()),
        meta: None,
        roles: Vec::new(),
        permissions: vec!["orders.read".to_owned(), "orders.write".to_owned()],
        expires: None,
        credits: None,
        ratelimits: Vec::new(),
        enabled: true,
        sealed: None,
    };
    let by = by.audited(&api.workspace);
    service.store().create_key(new, by, None).await?;
    Ok((id, text))
}

/// Rerolls a key some hours ago, since when its customer's programs go over to the new one.
async fn reroll(
    service: &Service,
    workspace: &str,
    (key, old): (String, SecretString),
    now: Issuer<'_>,
) -> Result<(), StoreError> {
    let then = Issuer {
        now: now.now - REROLLED * HOUR,
        ..now
    };
    let successor = new_id(IdKind::Key, then.now, now.entropy);
    let request = service.reroll(&key, Grace::For(48 * HOUR), &successor);
    let new = service
        .rerolled(request, then.audited(workspace))
        .await?
        .secret;
    let (old, new) = (service.key(&old).await?, service.key(&new).await?);
    for hour in 0..=REROLLED {
        let at = then.now + hour * HOUR;
        let left = (REROLLED - hour).pow(2) / 12;
        for (key, uses) in [(&old, left), (&new, 40 - left.min(40))] {
            for n in 0..uses {
                let caller = if n % 3 == 0 { "billing" } else { "checkout" };
                if let Some(key) = key {
                    service.count(
                        key,
                        Code::Valid,
                        &[format!("service={caller}")],
                        0,
                        (at + n).min(now.now),
                    );
                }
            }
        }
    }
    Ok(())
}

fn format_of(api: &Api) -> Result<SecretFormat, StoreError> {
    SecretFormat::new(api.default_prefix.as_deref(), api.default_bytes)
        .map_err(|error| StoreError::Unfit(error.to_string()))
}
