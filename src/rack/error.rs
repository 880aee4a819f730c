//! What can go wrong behind a port.

use super::change::ChangeProblem;

/// Why a call to a rack's account did not do what was asked.
///
/// Adapters map every vendor error to one of these once, so that the engine
/// decides by kind and never by text.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// The account asks for fewer calls; the same call may be made again later.
    #[error("{api} was throttled")]
    Throttled {
        /// The API operation, such as `DescribeStackEvents`.
        api: &'static str,
    },
    /// The thing named does not exist.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for, with its name.
        what: String,
    },
    /// The credentials are good, but may not make this call.
    #[error("not allowed to call {action}: {message}")]
    Denied {
        /// The IAM action, such as `ec2:CreateKeyPair`.
        action: String,
        /// AWS's own sentence.
        message: String,
    },
    /// Something of that name exists already.
    #[error("{what} exists already")]
    AlreadyExists {
        /// What exists, with its name.
        what: String,
    },
    /// An update would change nothing.
    #[error("no updates are to be performed")]
    NoChanges,
    /// What is asked for the parameters of a rack cannot be done.
    #[error(transparent)]
    Change(#[from] ChangeProblem),
    /// Another operation is under way, and a stack takes one at a time.
    #[error("{what} is {status}")]
    Busy {
        /// What is busy, with its name.
        what: String,
        /// The stack's status.
        status: String,
    },
    /// The rack has no such instance; the classic's words.
    #[error("instance not found: {0}")]
    NoInstance(String),
    /// A quota is used up.
    #[error("limit reached: {message}")]
    LimitExceeded {
        /// AWS's own sentence.
        message: String,
    },
    /// The call was sent and no answer came: it may or may not have been carried out.
    #[error("no answer to {api}: {message}")]
    Unanswered {
        /// The API operation.
        api: &'static str,
        /// What the transport said.
        message: String,
    },
    /// There are no credentials, or they have expired.
    #[error("no usable AWS credentials: {message}")]
    Credentials {
        /// What the credential chain said.
        message: String,
    },
    /// Nothing says which region the rack is in.
    #[error("no AWS region: neither a flag, nor AWS_REGION, nor the profile names one")]
    NoRegion,
    /// The service refused the call for any other reason.
    #[error("{api} failed: {message} ({code})")]
    Rejected {
        /// The API operation.
        api: &'static str,
        /// AWS's error code, such as `ValidationError`.
        code: String,
        /// AWS's own sentence.
        message: String,
    },
    /// The rack's HTTP API, or the way to it, failed.
    #[error("{message}")]
    Remote {
        /// The HTTP status, where the server gave one.
        status: Option<u16>,
        /// Whether the same call may well succeed a little later.
        transient: bool,
        /// Whether the call may have been carried out although it failed.
        unanswered: bool,
        /// What happened, in the server's own words where it said something.
        message: String,
        /// What to do next, where there is something.
        hint: Option<String>,
    },
    /// A stored secret cannot be read, written or understood.
    #[error("key store {store}: {message}")]
    KeyStore {
        /// Which store, as [`crate::rack::KeyStore::describe`] names it.
        store: String,
        /// What went wrong.
        message: String,
    },
}

impl PortError {
    /// Tells whether asking again may well succeed with nothing else changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unanswered { .. } => true,
            Self::Remote { transient, .. } => *transient,
            _ => false,
        }
    }

    /// Tells whether the call may have been carried out although it failed.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::Unanswered { .. } => true,
            Self::Remote { unanswered, .. } => *unanswered,
            _ => false,
        }
    }

    /// Tells whether the thing asked for is simply not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::NoInstance(_) => true,
            Self::Remote { status, .. } => *status == Some(404),
            _ => false,
        }
    }
}
