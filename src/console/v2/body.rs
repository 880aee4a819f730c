//! Reads bodies: a little from anybody, more only from whoever is known.
//!
//! Thousands of connections may send at once, and what they have sent is in memory until it is
//! answered.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use bytes::BytesMut;
use http::HeaderMap;
use http_body_util::BodyExt as _;

use super::authentication::{authenticate, expired};
use super::error::{ApiError, Kind};
use crate::console::memory::KnownRoot;
use crate::console::service::Service;

/// How many bytes are taken before anybody asks who sends them.
const FROM_ANYBODY: usize = 64 * 1024;

/// Reads the body of a request, and returns it with the root key of its sender, if that was looked
/// at for it: a body of more than 64 KiB is not read to its end before.
///
/// # Errors
/// 413 for a body that is larger than any may be, those of [`authenticate`] for a large one, and
/// 400 when the rest of it does not come.
pub(super) async fn read(
    service: &Service,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<(Bytes, Option<Arc<KnownRoot>>), ApiError> {
    let mut bytes = Bytes::new();
    let mut root = None;
    // What it is said to have at least, and then what it has.
    let mut size = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    loop {
        check_size(service, size)?;
        if size > FROM_ANYBODY && root.is_none() {
            let known = authenticate(service, headers).await?;
            if known
                .root
                .rotation
                .is_over(known.root.expires, service.now())
            {
                return Err(expired());
            }
            root = Some(known);
        }
        let Some(frame) = body.frame().await else {
            return Ok((bytes, root));
        };
        let unreadable =
            |_| ApiError::new(Kind::BODY_UNREADABLE, "The request body could not be read.");
        // What comes after a body tells nothing here.
        let Ok(data) = frame.map_err(unreadable)?.into_data() else {
            continue;
        };
        bytes = match bytes.is_empty() {
            // Most bodies come in one piece.
            true => data,
            false => {
                let mut all = BytesMut::from(bytes);
                all.extend_from_slice(&data);
                all.freeze()
            }
        };
        size = bytes.len();
    }
}

fn check_size(service: &Service, size: usize) -> Result<(), ApiError> {
    let largest = service.options().largest_body;
    if size > largest {
        let detail = format!("The request body is larger than {largest} bytes.");
        return Err(ApiError::new(Kind::BODY_TOO_LARGE, detail));
    }
    Ok(())
}
