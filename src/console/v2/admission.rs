//! What the caller is told of the limit on its workspace's requests.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName};

use super::error::{ApiError, Kind};
use crate::keys::Taken;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// How the limit stood when a request came.
#[derive(Debug, Clone, Copy)]
pub(in crate::console) struct Admission {
    limit: i64,
    remaining: i64,
    /// Seconds until the current span of time ends, rounded up.
    reset: i64,
    is_denied: bool,
}

impl Admission {
    pub(in crate::console) fn new(limit: i64, taken: Taken, now: i64) -> Self {
        Self {
            limit,
            remaining: taken.remaining,
            reset: (taken.reset - now + 999).div_euclid(1000),
            is_denied: taken.exceeded,
        }
    }

    /// Lets the request pass, or not.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.is_denied {
            let detail = "Too many requests by this workspace.";
            return Err(ApiError::new(Kind::RATE_LIMITED, detail));
        }
        Ok(())
    }

    /// Says so in the answer.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, self.reset.into());
        if self.is_denied {
            headers.insert(RETRY_AFTER, self.reset.into());
        }
    }
}
