//! Operations that make a secret: a retry is answered as the first request was.
//!
//! Both official clients repeat a request that was answered with a 5xx, or not at all.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::Call;
use crate::console::v2::types::Plaintext;
use crate::console::vault::about;
use crate::keys::Hash;
use crate::store::{Answered, Idempotency, SealedThing};

/// What a request says by which it is known again.
const HEADER: &str = "idempotency-key";
/// The longest `Idempotency-Key`.
pub(in crate::console::v2) const LONGEST: usize = 255;
/// The shortest by which a root key that was cut is told what took its place. Whoever has found
/// the old root key must not guess it.
const SECRET: usize = 20;

/// A key that was made: its secret is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct MadeKey {
    key_id: String,
    /// The whole secret. It is kept nowhere.
    #[schema(value_type = String)]
    key: Plaintext,
}

impl MadeKey {
    pub(in crate::console::v2) fn new(id: &str, secret: &SecretString) -> Self {
        Self {
            key_id: id.to_owned(),
            key: secret.clone().into(),
        }
    }
}

/// Reads the `Idempotency-Key` of a request, and seals the answer that it would have.
pub(in crate::console::v2) fn once(
    call: &Call,
    made: &MadeKey,
) -> Result<Option<Idempotency>, ApiError> {
    let Some(key) = header(call)? else {
        return Ok(None);
    };
    let answer = json!(made).to_string();
    Ok(Some(Idempotency {
        root_key: call.root.root.id.clone(),
        key: key.to_owned(),
        request: request_hash(call),
        sealed: call.service.seal(&answer, &purpose(call, key)),
    }))
}

/// Returns the answer of the reroll that has cut the caller's own root key, if this request is a
/// retry of it. Nothing else is told to that root key, and there may be no other to ask with.
///
/// # Errors
/// As the database's, and 400 for a header that is none.
pub(in crate::console::v2) async fn own_answer(call: &Call) -> Result<Option<Value>, ApiError> {
    let root = &call.root.root;
    let key = header(call)?.filter(|key| key.len() >= SECRET);
    let (Some(key), Some(successor)) = (key, &root.rotation.successor) else {
        return Ok(None);
    };
    let (store, now) = (call.service.store(), call.service.now());
    let found = store.answer_of(&root.id, key, request_hash(call), now);
    let Some(sealed) = found.await? else {
        return Ok(None);
    };
    let answer = opened(call, key, &sealed).await;
    Ok(answer.filter(|answer| answer["keyId"] == json!(successor)))
}

/// Returns the answer that the same request had before, if it had one: as long as the root key
/// works that it was given to, whatever has become of the rest.
///
/// # Errors
/// As the database's, and 400 for a header that is none.
pub(in crate::console::v2) async fn answer_before(call: &Call) -> Result<Option<Value>, ApiError> {
    let Some(key) = header(call)? else {
        return Ok(None);
    };
    let (store, now) = (call.service.store(), call.service.now());
    let root = &call.root.root.id;
    let found = store.answer_of(root, key, request_hash(call), now).await?;
    match found {
        Some(sealed) => again(call, key, &sealed).await.map(Some),
        None => Ok(None),
    }
}

/// Tells whether a request says how it is known again.
pub(in crate::console::v2) fn is_repeatable(call: &Call) -> bool {
    call.headers.contains_key(HEADER)
}

/// Reads the `Idempotency-Key` of a request.
fn header(call: &Call) -> Result<Option<&str>, ApiError> {
    let Some(header) = call.headers.get(HEADER) else {
        return Ok(None);
    };
    let key = header.to_str().ok().map(str::trim);
    let key = key.filter(|key| (1..=LONGEST).contains(&key.len()));
    key.map(Some).ok_or_else(|| {
        ApiError::invalid(
            "Idempotency-Key",
            format!("The Idempotency-Key must have 1 to {LONGEST} characters."),
        )
    })
}

fn request_hash(call: &Call) -> Hash {
    let mut request = format!("{}\n", call.operation).into_bytes();
    request.extend(&call.body);
    Hash::of_bytes(&request)
}

async fn opened(call: &Call, key: &str, sealed: &[u8]) -> Option<Value> {
    let opened = call.service.unseal(sealed, &purpose(call, key)).await;
    serde_json::from_str(&opened.ok()?).ok()
}

/// Answers with what was made now, or with what was answered before.
pub(in crate::console::v2) async fn reply(
    call: &Call,
    answered: Answered<MadeKey>,
) -> Result<Reply<MadeKey>, ApiError> {
    let sealed = match answered {
        Answered::Now(made) => return Ok(Reply::Data(made)),
        Answered::Before(sealed) => sealed,
    };
    let key = header(call)?.unwrap_or_default();
    again(call, key, &sealed).await.map(Reply::Again)
}

async fn again(call: &Call, key: &str, sealed: &[u8]) -> Result<Value, ApiError> {
    opened(call, key, sealed).await.ok_or_else(|| {
        ApiError::new(
            Kind::UNEXPECTED,
            "The answer of the first request cannot be read back.",
        )
    })
}

fn purpose(call: &Call, key: &str) -> String {
    let root_key = call.root.root.id.clone();
    about(&SealedThing::Answer(root_key, key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_shown_in_the_answer_and_nowhere_else() {
        let made = MadeKey::new("key_1", &SecretString::from("sk_precious"));
        assert_eq!(
            json!(made),
            json!({ "keyId": "key_1", "key": "sk_precious" })
        );
        let shown = format!("{made:?}");
        assert!(
            !shown.contains("precious") && shown.contains("key_1"),
            "{shown}"
        );
    }
}
