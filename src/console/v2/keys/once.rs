//! Operations that make a secret: a retry is answered as the first request was.
//!
//! Both official clients repeat a request that was answered with a 5xx, or not at all.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::Call;
use crate::console::vault::about;
use crate::keys::Hash;
use crate::store::{Answered, Idempotency, SealedThing};

/// The longest `Idempotency-Key`.
const LONGEST: usize = 255;

/// A key that was made: its secret is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct MadeKey {
    key_id: String,
    /// The whole secret. It is kept nowhere.
    key: String,
}

impl MadeKey {
    pub(in crate::console::v2) fn new(id: &str, secret: &SecretString) -> Self {
        Self {
            key_id: id.to_owned(),
            key: secret.expose_secret().to_owned(),
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
pub(in crate::console::v2) async fn reply<T>(
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
        .unseal(&sealed, &purpose(call, &once.key))
        .await;
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
    let root_key = call.root.root.id.clone();
    about(&SealedThing::Answer(root_key, key.to_owned()))
}
