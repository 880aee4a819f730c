//! Operations that make a secret: a retry is answered as the first request was.
//!
//! Both official clients repeat a request that was answered with a 5xx, or not at all.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::Call;
use crate::console::v2::types::Plaintext;
use crate::keys::Hash;
use crate::store::{Answered, Idempotency};

/// The longest `Idempotency-Key`.
pub(in crate::console::v2) const LONGEST: usize = 255;

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
    let Some(header) = call.headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = header.to_str().ok().map(str::trim);
    let key = key.filter(|key| (1..=LONGEST).contains(&key.len()));
    let Some(key) = key else {
        return Err(ApiError::invalid(
            "Idempotency-Key",
            format!("The Idempotency-Key must have 1 to {LONGEST} characters."),
        ));
    };
    let mut request = format!("{}\n", call.operation).into_bytes();
    request.extend(&call.body);
    let answer = json!(made).to_string();
    Ok(Some(Idempotency {
        root_key: call.root.root.id.clone(),
        key: key.to_owned(),
        request: Hash::of_bytes(&request),
        sealed: call.service.seal(&answer, &purpose(call, key)),
    }))
}

/// Answers with what was made now, or with what was answered before.
pub(in crate::console::v2) fn reply<T>(
    call: &Call,
    made: MadeKey,
    once: Option<&Idempotency>,
    answered: Answered<T>,
) -> Result<Reply<MadeKey>, ApiError> {
    let (Answered::Before(sealed), Some(once)) = (answered, once) else {
        return Ok(Reply::Data(made));
    };
    let opened = call
        .service
        .master()
        .open(&sealed, &purpose(call, &once.key));
    let again = opened
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok());
    again.map(Reply::Again).ok_or_else(|| {
        ApiError::new(
            Kind::UNEXPECTED,
            "The answer of the first request cannot be read back.",
        )
    })
}

fn purpose(call: &Call, key: &str) -> String {
    format!("idempotent:{}:{key}", call.root.root.id)
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
