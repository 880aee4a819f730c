//! Errors in each protocol's shape.

use http::StatusCode;
use serde_json::json;

use super::xml::Xml;
use super::{Protocol, Reply, Service};
use crate::sandbox::api::AwsError;

/// Gives an error the shape of a protocol.
pub(crate) fn render(service: Service, error: &AwsError, request_id: &str) -> Reply {
    let AwsError {
        status,
        code,
        message,
    } = localized(service, error);
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let (content_type, body) = match service.protocol() {
        Protocol::Query { namespace, .. } => {
            let mut xml = Xml::new("member");
            xml.open("ErrorResponse", namespace);
            xml.open("Error", "");
            xml.leaf("Type", kind);
            xml.leaf("Code", &code);
            xml.leaf("Message", &message);
            xml.close("Error");
            xml.leaf("RequestId", request_id);
            xml.close("ErrorResponse");
            ("text/xml", xml.finish())
        }
        Protocol::Ec2 { .. } => {
            let mut xml = Xml::new("item");
            xml.open("Response", "");
            xml.open("Errors", "");
            xml.open("Error", "");
            xml.leaf("Code", &code);
            xml.leaf("Message", &message);
            xml.close("Error");
            xml.close("Errors");
            xml.leaf("RequestID", request_id);
            xml.close("Response");
            ("text/xml;charset=UTF-8", xml.finish())
        }
        Protocol::Json { .. } => {
            let body = json!({ "__type": code, "message": message });
            ("application/x-amz-json-1.1", body.to_string())
        }
        Protocol::Rest => {
            let mut xml = Xml::new("member");
            xml.open("Error", "");
            xml.leaf("Code", &code);
            xml.leaf("Message", &message);
            xml.leaf("RequestId", request_id);
            xml.leaf("HostId", "sandbox");
            xml.close("Error");
            ("application/xml", xml.finish())
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut reply = Reply::new(status, content_type, body);
    if matches!(service.protocol(), Protocol::Json { .. }) {
        reply.headers.push(("x-amzn-errortype".to_owned(), code));
    }
    reply
}

/// Turns the everyday error, and the two that a scenario causes, into the service's own words.
fn localized(service: Service, error: &AwsError) -> AwsError {
    let AwsError {
        status,
        code,
        message,
    } = error.clone();
    let (status, code) = match (service.protocol(), code.as_str()) {
        (Protocol::Ec2 { .. }, "ValidationError") => (status, "MissingParameter".to_owned()),
        (Protocol::Json { .. }, "ValidationError") if service == Service::Ecs => {
            (status, "InvalidParameterException".to_owned())
        }
        (Protocol::Json { .. }, "ValidationError") => (status, "ValidationException".to_owned()),
        _ => (status, code),
    };
    AwsError {
        status,
        code,
        message,
    }
}

/// Says that an action is unknown, as the service would.
pub(crate) fn unknown_action(service: Service, action: &str) -> AwsError {
    match service.protocol() {
        Protocol::Query { version, .. } => AwsError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {action} for version {version}"),
        ),
        Protocol::Ec2 { .. } => AwsError::new(
            400,
            "InvalidAction",
            format!("The action {action} is not valid for this web service."),
        ),
        Protocol::Json { .. } => AwsError::new(400, "UnknownOperationException", ""),
        Protocol::Rest => AwsError::new(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        ),
    }
}

/// Says that the caller has called too often, as the service would.
pub(crate) fn throttled(service: Service) -> AwsError {
    match service.protocol() {
        Protocol::Query { .. } => AwsError::new(400, "Throttling", "Rate exceeded"),
        Protocol::Ec2 { .. } => {
            AwsError::new(503, "RequestLimitExceeded", "Request limit exceeded.")
        }
        Protocol::Json { .. } => AwsError::new(400, "ThrottlingException", "Rate exceeded"),
        Protocol::Rest => AwsError::new(503, "SlowDown", "Please reduce your request rate."),
    }
}

/// Says that the caller may not do this, as the service would.
pub(crate) fn denied(service: Service, account: &str, action: &str) -> AwsError {
    let user = format!("arn:aws:iam::{account}:user/sandbox");
    let api = format!("{}:{action}", service.name());
    let sentence = format!(
        "User: {user} is not authorized to perform: {api} because no identity-based policy \
         allows the {api} action"
    );
    match service.protocol() {
        Protocol::Query { .. } => AwsError::new(403, "AccessDenied", sentence),
        Protocol::Ec2 { .. } => AwsError::new(
            403,
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {sentence}"),
        ),
        Protocol::Json { .. } => AwsError::new(400, "AccessDeniedException", sentence),
        Protocol::Rest => AwsError::new(403, "AccessDenied", "Access Denied"),
    }
}
