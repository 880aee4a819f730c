//! Turns an SDK error into a [`PortError`], once, for every service.

use std::error::Error;
use std::fmt::Debug;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::rack::PortError;

/// Which call is made, for the error it may end in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The IAM prefix of the service, such as `ec2`.
    pub(super) service: &'static str,
    /// The operation, such as `CreateKeyPair`.
    pub(super) api: &'static str,
    /// What the call is about, such as `stack convox`.
    pub(super) what: &'a str,
}

impl<'a> Call<'a> {
    /// Describes a call.
    pub(super) fn new(service: &'static str, api: &'static str, what: &'a str) -> Self {
        Self { service, api, what }
    }

    /// Sorts the error that the call ended in.
    pub(super) fn failed<E>(&self, error: SdkError<E, HttpResponse>) -> PortError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match &error {
            SdkError::ServiceError(refused) => {
                let status = refused.raw().status().as_u16();
                let code = refused.err().code().unwrap_or_default();
                let message = refused.err().message().unwrap_or_default();
                self.refused(status, code, message)
            }
            SdkError::ConstructionFailure(_) => {
                let message = chain(&error);
                if is_about_credentials(&message) {
                    return credentials(message);
                }
                PortError::Rejected {
                    api: self.api,
                    code: "InvalidRequest".to_owned(),
                    message,
                }
            }
            SdkError::DispatchFailure(failure) => {
                let message = failure
                    .as_connector_error()
                    .map_or_else(|| chain(&error), |e| chain(e));
                // The SDK finds credentials while it dispatches a call: nothing was sent.
                if !failure.is_io() && !failure.is_timeout() && is_about_credentials(&message) {
                    return credentials(message);
                }
                PortError::Unanswered {
                    api: self.api,
                    message,
                }
            }
            _ => PortError::Unanswered {
                api: self.api,
                message: chain(&error),
            },
        }
    }

    /// Sorts an answer that says no.
    pub(super) fn refused(&self, status: u16, code: &str, message: &str) -> PortError {
        let message = readable(message);
        let bare = code.strip_prefix("Client.").unwrap_or(code);
        match bare {
            _ if message.contains("No updates are to be performed") => PortError::NoChanges,
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "Throttled"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "EC2ThrottledException"
            | "PriorRequestNotComplete"
            | "SlowDown" => PortError::Throttled { api: self.api },
            _ if message.contains("Rate exceeded") => PortError::Throttled { api: self.api },
            "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "TokenRefreshRequired"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "UnrecognizedClientException"
            | "AuthFailure"
            | "MissingAuthenticationToken"
            | "IncompleteSignature"
            | "SignatureDoesNotMatch" => credentials(format!("{message} ({bare})")),
            "AccessDenied"
            | "AccessDeniedException"
            | "UnauthorizedOperation"
            | "UnauthorizedAccess"
            | "AuthorizationError"
            | "OptInRequired" => self.denied(message),
            "" if status == 403 => self.denied("access denied".to_owned()),
            "" if status == 404 => self.missing(),
            "InvalidKeyPair.Duplicate" | "AlreadyExistsException" | "ParameterAlreadyExists" => {
                PortError::AlreadyExists {
                    what: self.what.to_owned(),
                }
            }
            _ if bare.ends_with("LimitExceeded") || bare.ends_with("LimitExceededException") => {
                PortError::LimitExceeded { message }
            }
            _ if bare.contains("NotFound") || bare.starts_with("NoSuch") => self.missing(),
            // CloudFormation has no code of its own for a stack that is not there.
            "ValidationError"
                if message.starts_with("Stack") && message.contains("does not exist") =>
            {
                self.missing()
            }
            // The service broke down over the call: what it had done by then is not known.
            _ if status >= 500 => PortError::Unanswered {
                api: self.api,
                message: format!("HTTP {status} {message}"),
            },
            _ => PortError::Rejected {
                api: self.api,
                code: bare.to_owned(),
                message,
            },
        }
    }

    fn missing(&self) -> PortError {
        PortError::NotFound {
            what: self.what.to_owned(),
        }
    }

    fn denied(&self, message: String) -> PortError {
        // The sentence names the action that is missing, which is not always the one called:
        // reading an S3 object may want `kms:Decrypt`.
        let named = message
            .split_once("not authorized to perform: ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .filter(|action| action.contains(':'));
        let action = named.map_or_else(|| format!("{}:{}", self.service, self.api), str::to_owned);
        PortError::Denied { action, message }
    }
}

/// What the SDK says around the reason for which there are no credentials.
const WRAPPING: [&str; 4] = [
    "other",
    "the credential provider was not enabled",
    "an error occurred while loading credentials",
    "an error occurred while loading an access token",
];

fn credentials(message: String) -> PortError {
    let message = match message.split_once("no credentials found in chain. Attempted:") {
        Some((_, attempts)) => found_nowhere(attempts),
        None => unwrapped(&message),
    };
    PortError::Credentials { message }
}

/// Puts the list of all places where the SDK looked in a few words.
fn found_nowhere(attempts: &str) -> String {
    let mut places = attempts.lines().map(str::trim);
    // A profile that is there and broken is what the person meant to use.
    let profile = places
        .find_map(|place| place.strip_prefix("Profile: "))
        .map(unwrapped);
    match profile {
        Some(reason) if !reason.is_empty() => reason,
        _ => "none in the environment, in the profile or on this machine".to_owned(),
    }
}

fn unwrapped(message: &str) -> String {
    let mut reason = message;
    while let Some(rest) = WRAPPING
        .iter()
        .find_map(|prefix| reason.strip_prefix(prefix))
    {
        reason = rest.trim_start_matches([':', ' ']);
    }
    reason.to_owned()
}

fn is_about_credentials(message: &str) -> bool {
    let text = message.to_lowercase();
    ["credential", "identity", "sso token", "sso session"]
        .iter()
        .any(|word| text.contains(word))
}

/// Cuts what nobody can read: EC2 appends an encoded message that only its owner may decode.
fn readable(message: &str) -> String {
    let cut = message
        .split("Encoded authorization failure message:")
        .next()
        .unwrap_or(message);
    cut.trim().to_owned()
}

/// Joins an error and its causes. Only what they display: their debug forms hold requests.
fn chain(error: &dyn Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
        cause = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'static> = Call {
        service: "ec2",
        api: "CreateKeyPair",
        what: "key pair convox-keypair-1",
    };

    fn kind(status: u16, code: &str, message: &str) -> String {
        CALL.refused(status, code, message).to_string()
    }

    #[test]
    fn every_known_refusal_has_its_kind() {
        for (status, code, message, expected) in [
            (
                400,
                "Throttling",
                "Rate exceeded",
                "CreateKeyPair was throttled",
            ),
            (
                503,
                "RequestLimitExceeded",
                "Request limit exceeded.",
                "CreateKeyPair was throttled",
            ),
            (
                400,
                "LimitExceededException",
                "Rate exceeded",
                "CreateKeyPair was throttled",
            ),
            (
                503,
                "SlowDown",
                "Please reduce your request rate.",
                "CreateKeyPair was throttled",
            ),
            (
                400,
                "ValidationError",
                "No updates are to be performed.",
                "no updates are to be performed",
            ),
            (
                400,
                "ValidationError",
                "Stack with id x does not exist",
                "key pair convox-keypair-1 does not exist",
            ),
            (
                400,
                "ValidationError",
                "Stack [x] does not exist",
                "key pair convox-keypair-1 does not exist",
            ),
            (
                400,
                "InvalidKeyPair.NotFound",
                "The key pair 'x' does not exist",
                "key pair convox-keypair-1 does not exist",
            ),
            (
                400,
                "InvalidKeyPair.Duplicate",
                "x",
                "key pair convox-keypair-1 exists already",
            ),
            (
                400,
                "KeyPairLimitExceeded",
                "5000 key pairs",
                "limit reached: 5000 key pairs",
            ),
            (
                500,
                "InternalFailure",
                "oops",
                "no answer to CreateKeyPair: HTTP 500 oops",
            ),
            (404, "", "", "key pair convox-keypair-1 does not exist"),
            (
                400,
                "ValidationError",
                "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.",
                "CreateKeyPair failed: Stack:arn is in UPDATE_IN_PROGRESS state and can not be \
                 updated. (ValidationError)",
            ),
            (
                400,
                "ValidationError",
                "Role arn:aws:iam::1:role/x does not exist",
                "CreateKeyPair failed: Role arn:aws:iam::1:role/x does not exist (ValidationError)",
            ),
        ] {
            assert_eq!(kind(status, code, message), expected, "{code} {message}");
        }
    }

    #[test]
    fn a_denial_names_the_action_that_is_missing() {
        let PortError::Denied { action, message } = CALL.refused(
            403,
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. Encoded authorization failure \
             message: 4HJ2kQ",
        ) else {
            panic!("not a denial");
        };
        assert_eq!(action, "ec2:CreateKeyPair");
        assert_eq!(message, "You are not authorized to perform this operation.");
        let PortError::Denied { action, .. } = CALL.refused(
            403,
            "AccessDenied",
            "User: arn:aws:iam::1:user/a is not authorized to perform: kms:Decrypt on resource: k",
        ) else {
            panic!("not a denial");
        };
        assert_eq!(action, "kms:Decrypt");
    }

    #[test]
    fn missing_credentials_are_told_in_a_few_words() {
        let nowhere = "other: the credential provider was not enabled: no credentials found in \
                       chain. Attempted:\n  Environment: the credential provider was not enabled: \
                       environment variable not set\n  Profile: ";
        for (message, expected) in [
            (
                format!("{nowhere}the credential provider was not enabled\n  Imds: x"),
                "none in the environment, in the profile or on this machine",
            ),
            (
                format!(
                    "{nowhere}the credential provider was not enabled: profile `x` was not \
                     defined\n  Imds: x"
                ),
                "profile `x` was not defined",
            ),
            (
                "other: an error occurred while loading credentials: the SSO token has expired"
                    .to_owned(),
                "the SSO token has expired",
            ),
        ] {
            let error = credentials(message);
            assert_eq!(
                error.to_string(),
                format!("no usable AWS credentials: {expected}")
            );
        }
        let error = CALL.refused(400, "ExpiredToken", "The security token has expired");
        assert!(matches!(&error, PortError::Credentials { .. }), "{error}");
    }
}
