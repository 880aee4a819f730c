//! What can go wrong between here and a key service.

use std::path::PathBuf;

use serde_json::Value;

/// Why a key service did not do what was asked. No message holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnkeyError {
    /// The address cannot be understood. It is not repeated: it may hold a secret.
    #[error("the key service's address is wrong: {message}")]
    BadAddress {
        /// What is wrong with it.
        message: String,
    },
    /// The address asks for HTTP without TLS, which would show every key to the network.
    #[error("{host} would be reached over plain HTTP, and every key with it")]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// The root key, or another value of a header, holds what no request may carry.
    #[error("{what} cannot be sent: there are characters in it that no request may carry")]
    Unsendable {
        /// Which value.
        what: &'static str,
    },
    /// The file of certificates cannot be used.
    #[error("cannot use the certificates of {}: {message}", path.display())]
    BadCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The client itself cannot be set up.
    #[error("cannot set up TLS or the proxy: {message}")]
    Client {
        /// What the library said.
        message: String,
    },
    /// No connection could be made, so nothing was sent.
    #[error("cannot connect to {host}: {message}")]
    Unreachable {
        /// The host.
        host: String,
        /// What the system said.
        message: String,
    },
    /// The request was sent, and no whole answer came.
    #[error("no answer from {host} to {operation}: {message}")]
    Unanswered {
        /// The host.
        host: String,
        /// The operation.
        operation: String,
        /// What happened instead.
        message: String,
    },
    /// The answer is not what a key service would send.
    #[error("{host} answers {operation} with {what}")]
    NotAService {
        /// The host.
        host: String,
        /// The operation.
        operation: String,
        /// What came instead.
        what: String,
    },
    /// The service refused the request.
    #[error("{0}")]
    Refused(Refusal),
}

/// What a key service says when it does not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The last part of the error's type, such as `key_not_found`.
    pub kind: String,
    /// What the service says.
    pub detail: String,
    /// What is wrong with which part of the request.
    pub fields: Vec<String>,
    /// After how many seconds it may be tried again.
    pub retry_after: Option<u64>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        for field in &self.fields {
            write!(f, "; {field}")?;
        }
        Ok(())
    }
}

impl Refusal {
    /// Reads the body of an answer of failure; none where it is not in the service's form.
    pub(super) fn read(status: u16, body: &Value, retry_after: Option<u64>) -> Option<Self> {
        let error = body.get("error")?;
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let kind = text("type").unwrap_or_default();
        let fields = error.get("errors").and_then(Value::as_array);
        let fields = fields.into_iter().flatten();
        let fields = fields.filter_map(|field| field.get("message")?.as_str());
        let fields: Vec<_> = fields.map(str::to_owned).collect();
        let detail = text("detail").or_else(|| text("title"))?;
        Some(Self {
            status,
            kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
            // What is only said again in other words is said once.
            fields: fields.into_iter().filter(|it| it != detail).collect(),
            detail: detail.trim_end_matches('.').to_owned(),
            retry_after,
        })
    }
}

impl UnkeyError {
    /// Tells whether the request may have been carried out although no answer says so.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::Unanswered { .. } => true,
            Self::Refused(refusal) => refusal.status >= 500,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_is_read_from_the_services_form() {
        let body = json!({
            "meta": { "requestId": "req_1" },
            "error": {
                "title": "Bad Request",
                "detail": "The body does not fit.",
                "status": 400,
                "type": "https://unkey.com/docs/errors/unkey/application/invalid_input",
                "errors": [
                    { "location": "/a", "message": "/name: too short" },
                    { "location": "/b", "message": "The body does not fit." },
                ],
            },
        });
        let refusal = Refusal::read(400, &body, None).unwrap();
        assert_eq!(refusal.kind, "invalid_input");
        assert_eq!(
            refusal.to_string(),
            "The body does not fit; /name: too short"
        );
        assert!(Refusal::read(404, &json!({ "message": "no" }), None).is_none());
        assert!(Refusal::read(404, &json!([]), None).is_none());
    }
}
