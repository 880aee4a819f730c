//! Errors as the `/v2` API tells them.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::keys::RerollRefusal;
use crate::store::{StoreError, Thing};

/// An answer that is no success.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) kind: Kind,
    pub(super) detail: String,
    pub(super) errors: Vec<FieldError>,
    /// Whether the body did not fit its schema, which is always told as plain JSON.
    pub(super) of_schema: bool,
    /// Why the server could not do it: for its log, and nobody else.
    pub(super) cause: Option<String>,
    /// Whether the same may well succeed once the master keys were read anew.
    pub(super) again: bool,
}

/// What is wrong with one part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldError {
    /// Where in the schema.
    pub(super) location: String,
    /// What is wrong.
    pub(super) message: String,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

/// Each kind of error: its name, its status and its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) status: u16,
    pub(super) title: &'static str,
}

macro_rules! kinds {
    ($($constant:ident = $status:literal $name:literal $title:literal;)*) => {
        impl Kind {
            $(pub(super) const $constant: Self = Self {
                name: $name,
                status: $status,
                title: $title,
            };)*

            /// All of them.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$constant),*];
        }
    };
}

kinds! {
    INVALID_INPUT = 400 "unkey/application/invalid_input" "Bad Request";
    MALFORMED_AUTHORIZATION = 400 "unkey/authentication/malformed" "Bad Request";
    BODY_UNREADABLE = 400 "user/bad_request/request_body_unreadable" "Bad Request";
    BAD_QUERY = 400 "user/bad_request/permissions_query_syntax_error" "Bad Request";
    ANALYTICS_QUERY = 400 "user/bad_request/invalid_analytics_query" "Bad Request";
    ANALYTICS_TABLE = 400 "user/bad_request/invalid_analytics_table" "Bad Request";
    ANALYTICS_FUNCTION = 400 "user/bad_request/invalid_analytics_function" "Bad Request";
    ANALYTICS_QUERY_TYPE = 400 "user/bad_request/invalid_analytics_query_type" "Bad Request";
    ANALYTICS_TOO_OLD = 400 "user/bad_request/query_range_exceeds_retention" "Bad Request";
    UNKNOWN_ROOT_KEY = 401 "unkey/authentication/key_not_found" "Unauthorized";
    INSUFFICIENT_PERMISSIONS = 403 "unkey/authorization/insufficient_permissions" "Insufficient Permissions";
    FORBIDDEN = 403 "unkey/authorization/forbidden" "Forbidden";
    ROOT_KEY_DISABLED = 403 "unkey/authorization/key_disabled" "Key is disabled";
    WORKSPACE_DISABLED = 403 "unkey/authorization/workspace_disabled" "Workspace is disabled";
    KEY_NOT_FOUND = 404 "unkey/data/key_not_found" "Not Found";
    API_NOT_FOUND = 404 "unkey/data/api_not_found" "Not Found";
    IDENTITY_NOT_FOUND = 404 "unkey/data/identity_not_found" "Not Found";
    ROLE_NOT_FOUND = 404 "unkey/data/role_not_found" "Not Found";
    PERMISSION_NOT_FOUND = 404 "unkey/data/permission_not_found" "Not Found";
    WORKSPACE_NOT_FOUND = 404 "unkey/data/workspace_not_found" "Not Found";
    NO_SUCH_PATH = 404 "user/bad_request/path_not_found" "Not Found";
    METHOD_NOT_ALLOWED = 405 "user/bad_request/method_not_allowed" "Method Not Allowed";
    TIMEOUT = 408 "user/bad_request/request_timeout" "Request Timeout";
    IDENTITY_EXISTS = 409 "unkey/data/identity_already_exists" "Conflicting Resource";
    ROLE_EXISTS = 409 "unkey/data/role_already_exists" "Conflicting Resource";
    PERMISSION_EXISTS = 409 "unkey/data/permission_already_exists" "Conflicting Resource";
    KEY_EXPIRED = 409 "unkey/data/key_expired" "Conflicting Resource";
    KEY_REROLLED = 409 "unkey/data/key_already_rerolled" "Conflicting Resource";
    KEY_NOT_ROTATING = 409 "unkey/data/key_not_rotating" "Conflicting Resource";
    CONFLICT = 409 "unkey/data/conflict" "Conflicting Resource";
    PROTECTED = 412 "unkey/application/protected_resource" "Resource is protected";
    PRECONDITION_FAILED = 412 "unkey/application/precondition_failed" "Precondition Failed";
    BODY_TOO_LARGE = 413 "user/bad_request/request_body_too_large" "Request Entity Too Large";
    QUERY_TIMEOUT = 422 "user/unprocessable_entity/query_execution_timeout" "Unprocessable Entity";
    QUERY_MEMORY = 422 "user/unprocessable_entity/query_memory_limit_exceeded" "Unprocessable Entity";
    QUERY_ROWS = 422 "user/unprocessable_entity/query_rows_limit_exceeded" "Unprocessable Entity";
    RATE_LIMITED = 429 "user/too_many_requests/workspace_rate_limited" "Too Many Requests";
    UNEXPECTED = 500 "unkey/application/unexpected_error" "Internal Server Error";
}

impl ApiError {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            of_schema: false,
            cause: None,
            again: false,
        }
    }

    /// The request is understood and does not make sense.
    pub(super) fn invalid(location: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut error = Self::new(Kind::INVALID_INPUT, message.clone());
        error.errors.push(FieldError {
            location: location.to_owned(),
            message,
            fix: None,
        });
        error
    }

    /// The body does not fit the schema of the operation.
    pub(super) fn schema(path: &str, errors: Vec<FieldError>) -> Self {
        let detail = format!("POST request body for '{path}' failed to validate schema");
        Self {
            errors,
            of_schema: true,
            ..Self::new(Kind::INVALID_INPUT, detail)
        }
    }

    /// There is no such thing.
    pub(super) fn not_found(thing: Thing) -> Self {
        let kind = match thing {
            Thing::Api => Kind::API_NOT_FOUND,
            Thing::Identity => Kind::IDENTITY_NOT_FOUND,
            Thing::Permission => Kind::PERMISSION_NOT_FOUND,
            Thing::Role => Kind::ROLE_NOT_FOUND,
            Thing::Workspace => Kind::WORKSPACE_NOT_FOUND,
            Thing::Key | Thing::RootKey => Kind::KEY_NOT_FOUND,
            // No operation is about these.
            Thing::Person
            | Thing::Rack
            | Thing::Roll
            | Thing::Freeze
            | Thing::Wave
            | Thing::Webhook => Kind::NO_SUCH_PATH,
        };
        Self::new(kind, format!("The specified {thing} was not found."))
    }

    /// Returns what the server's log says of it, if that is its affair.
    pub(super) fn for_log(&self) -> Option<&str> {
        let cause = self.cause.as_deref().unwrap_or(&self.detail);
        (self.kind.status >= 500).then_some(cause)
    }

    /// Returns the address that names the kind of error.
    pub(super) fn type_url(&self) -> String {
        format!("https://unkey.com/docs/errors/{}", self.kind.name)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for ApiError {}

/// The store asks, and is told that it is not to be done.
impl From<ApiError> for StoreError {
    fn from(error: ApiError) -> Self {
        Self::Declined(Arc::new(error))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(thing) => Self::not_found(thing),
            StoreError::NotFoundCalled(thing, name) => Self {
                detail: format!("{} '{name}' was not found.", capitalized(thing.as_str())),
                ..Self::not_found(thing)
            },
            StoreError::Exists(thing) => {
                let kind = match thing {
                    Thing::Identity => Kind::IDENTITY_EXISTS,
                    Thing::Role => Kind::ROLE_EXISTS,
                    Thing::Permission => Kind::PERMISSION_EXISTS,
                    _ => Kind::CONFLICT,
                };
                Self::new(kind, format!("This {thing} exists already."))
            }
            StoreError::Protected(thing) => Self::new(
                Kind::PROTECTED,
                format!("This {thing} is protected from deletion."),
            ),
            StoreError::Refused(refusal) => refusal.into(),
            StoreError::Declined(why) => match why.downcast_ref::<Self>() {
                Some(error) => error.clone(),
                None => Self::new(Kind::UNEXPECTED, why.to_string()),
            },
            StoreError::Unfit(message) => Self::invalid("body", message),
            StoreError::Conflict => Self::new(
                Kind::CONFLICT,
                "Somebody else changed the same just now. Try again.",
            ),
            StoreError::TimedOut => Self::new(
                Kind::QUERY_TIMEOUT,
                "The query took too long. A shorter span of time, or a view of longer sums, has \
                 less to read.",
            ),
            StoreError::TooLarge => Self {
                kind: Kind::ANALYTICS_QUERY,
                ..Self::invalid(
                    "query",
                    format!(
                        "A sum is larger than {}. WHERE leaves some out of it.",
                        i64::MAX
                    ),
                )
            },
            // What was about to be sealed with a master key that has just gone may be again.
            StoreError::Dangling(_) => Self {
                again: true,
                ..Self::new(
                    Kind::UNEXPECTED,
                    "The server could not do it. Its log says why.",
                )
            },
            StoreError::Shape(_)
            | StoreError::Newer { .. }
            | StoreError::Older { .. }
            | StoreError::Database(_)
            | StoreError::Taken
            | StoreError::FileExists(_)
            | StoreError::Broken(_)
            | StoreError::OfPostgres
            | StoreError::Closed => Self {
                cause: Some(error.to_string()),
                ..Self::new(
                    Kind::UNEXPECTED,
                    "The server could not do it. Its log says why.",
                )
            },
        }
    }
}

impl From<RerollRefusal> for ApiError {
    fn from(refusal: RerollRefusal) -> Self {
        match refusal {
            RerollRefusal::Expired { successor: None } => Self::new(
                Kind::KEY_EXPIRED,
                "The key has expired and cannot be rerolled. Create a new one.",
            ),
            RerollRefusal::Expired {
                successor: Some(successor),
            } => Self::new(
                Kind::KEY_EXPIRED,
                format!("The key has expired. It was rerolled to '{successor}'."),
            ),
            RerollRefusal::Rerolled { successor } => Self::new(
                Kind::KEY_REROLLED,
                format!("The key was rerolled already, to '{successor}'. Reroll that one."),
            ),
            RerollRefusal::NotRotating => {
                Self::new(Kind::KEY_NOT_ROTATING, "The key is not being rotated.")
            }
            RerollRefusal::Over => Self::new(
                Kind::KEY_EXPIRED,
                "The key's grace period is over. It cannot be made whole again.",
            ),
            RerollRefusal::Continued { successor } => Self::new(
                Kind::KEY_REROLLED,
                format!(
                    "The key that took its place was itself rerolled, to '{successor}'. Take that \
                     back first."
                ),
            ),
            RerollRefusal::Replaced { successor } => Self::new(
                Kind::KEY_REROLLED,
                format!("The key was replaced by '{successor}'. Change that one."),
            ),
            RerollRefusal::Lengthened { successor } => Self::new(
                Kind::KEY_REROLLED,
                format!(
                    "The key is being replaced by '{successor}' and may only expire earlier. Take \
                     the reroll back for a longer life."
                ),
            ),
            RerollRefusal::TakenBack { predecessor } => Self::new(
                Kind::KEY_EXPIRED,
                format!(
                    "The reroll that made the key was taken back. Use '{}', or create a new one.",
                    predecessor.unwrap_or_default()
                ),
            ),
        }
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
