//! Who asks: the holder of a root key, by `Authorization: Bearer`.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;

use super::error::{ApiError, Kind};
use crate::console::memory::KnownRoot;
use crate::console::service::Service;

/// Finds the root key of a request. It may have expired.
///
/// # Errors
/// 400 when there is none in the header, 401 when nobody knows it, 403 when it is disabled.
pub(super) async fn authenticate(
    service: &Service,
    headers: &HeaderMap,
) -> Result<Arc<KnownRoot>, ApiError> {
    let token = bearer(headers)?;
    let Some(known) = service.root(&token).await? else {
        return Err(ApiError::new(
            Kind::UNKNOWN_ROOT_KEY,
            "The provided root key is invalid. We could not find the requested key.",
        ));
    };
    if !known.workspace_enabled {
        return Err(ApiError::new(
            Kind::WORKSPACE_DISABLED,
            "The workspace is disabled.",
        ));
    }
    if !known.root.enabled {
        return Err(ApiError::new(
            Kind::ROOT_KEY_DISABLED,
            "The root key is disabled.",
        ));
    }
    Ok(known)
}

/// The root key of a request has expired.
pub(super) fn expired() -> ApiError {
    ApiError::new(Kind::FORBIDDEN, "The root key has expired.")
}

fn bearer(headers: &HeaderMap) -> Result<SecretString, ApiError> {
    let header = headers.get(AUTHORIZATION).map(|value| value.to_str());
    let header = match header {
        None => "",
        Some(Ok(text)) => text.trim(),
        Some(Err(_)) => return Err(malformed("The authorization header is not text.")),
    };
    if header.is_empty() {
        return Err(ApiError::new(
            Kind::INVALID_INPUT,
            "Authorization header for 'bearer' scheme",
        ));
    }
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(malformed(
            "Your authorization header is missing the 'Bearer ' prefix.",
        ));
    }
    let token = token.trim();
    if token.is_empty() {
        return Err(malformed("Your authorization header holds no token."));
    }
    Ok(SecretString::from(token))
}

fn malformed(detail: &str) -> ApiError {
    ApiError::new(
        Kind::MALFORMED_AUTHORIZATION,
        format!("Invalid Authorization header. {detail}"),
    )
}
