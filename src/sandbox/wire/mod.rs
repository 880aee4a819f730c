//! AWS's wire protocols: from an HTTP request to a call, and from an answer to a response.
//!
//! Signatures are not verified and any credentials are accepted: the account is
//! a rehearsal, reachable from this machine only. The credential scope of the
//! signature is read all the same, since it names the service.

mod error;
mod form;
mod rest;
mod xml;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Map, Value};

use super::api::{Answer, AwsError, Input};
use super::world::World;
use super::{autoscaling, balancers, cloudformation, cloudwatch, ec2, ecs, kms, quotas, ssm, sts};
pub(crate) use error::{denied, throttled, unknown_action};
use xml::Xml;

/// A simulated service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    AutoScaling,
    Balancers,
    CloudFormation,
    CloudWatch,
    Ec2,
    Ecs,
    Kms,
    Quotas,
    S3,
    Ssm,
    Sts,
}

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Query {
        version: &'static str,
        namespace: &'static str,
    },
    Ec2 {
        version: &'static str,
        namespace: &'static str,
    },
    Json {
        target: &'static str,
    },
    Rest,
}

impl Service {
    const ALL: [Self; 11] = [
        Self::AutoScaling,
        Self::Balancers,
        Self::CloudFormation,
        Self::CloudWatch,
        Self::Ec2,
        Self::Ecs,
        Self::Kms,
        Self::Quotas,
        Self::S3,
        Self::Ssm,
        Self::Sts,
    ];

    /// Returns the name in credential scopes, policies and host names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AutoScaling => "autoscaling",
            Self::Balancers => "elasticloadbalancing",
            Self::CloudFormation => "cloudformation",
            Self::CloudWatch => "monitoring",
            Self::Ec2 => "ec2",
            Self::Ecs => "ecs",
            Self::Kms => "kms",
            Self::Quotas => "servicequotas",
            Self::S3 => "s3",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// Finds a service by its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::AutoScaling => Protocol::Query {
                version: "2011-01-01",
                namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/",
            },
            Self::Balancers => Protocol::Query {
                version: "2015-12-01",
                namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
            },
            Self::CloudFormation => Protocol::Query {
                version: "2010-05-15",
                namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/",
            },
            Self::CloudWatch => Protocol::Query {
                version: "2010-08-01",
                namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
            },
            Self::Sts => Protocol::Query {
                version: "2011-06-15",
                namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
            },
            Self::Ec2 => Protocol::Ec2 {
                version: "2016-11-15",
                namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
            },
            Self::Ecs => Protocol::Json {
                target: "AmazonEC2ContainerServiceV20141113",
            },
            Self::Kms => Protocol::Json {
                target: "TrentService",
            },
            Self::Quotas => Protocol::Json {
                target: "ServiceQuotasV20190624",
            },
            Self::Ssm => Protocol::Json {
                target: "AmazonSSM",
            },
            Self::S3 => Protocol::Rest,
        }
    }
}

/// One call, whatever protocol brought it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) action: String,
    pub(crate) input: Input,
    /// S3 keeps the request itself: its protocol is its interface.
    rest: Option<rest::Rest>,
}

/// A request that is not a call.
#[derive(Debug, Clone)]
pub(crate) struct Unreadable {
    service: Service,
    error: AwsError,
}

/// A response before it becomes one of `http`'s.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Reply {
    fn new(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers,
            body: body.into(),
        }
    }
}

impl Call {
    /// Reads a request.
    pub(crate) fn read(request: &Request<Bytes>) -> Result<Self, Box<Unreadable>> {
        let unreadable = |service, error| Box::new(Unreadable { service, error });
        let target = header(request.headers(), "x-amz-target");
        let service = scope_service(request)
            .and_then(|name| Service::named(&name))
            .or_else(|| service_by_target(target?))
            .or_else(|| service_by_host(request));
        if let Some((_, action)) = target.and_then(|target| target.rsplit_once('.')) {
            let service = service.or_else(|| service_by_target(target?));
            let Some(service) = service else {
                let service = Service::Ssm;
                return Err(unreadable(service, unknown_action(service, action)));
            };
            let input = read_json(request.body()).ok_or_else(|| {
                unreadable(
                    service,
                    AwsError::new(400, "SerializationException", "not JSON"),
                )
            })?;
            return Ok(Self {
                service,
                action: action.to_owned(),
                input,
                rest: None,
            });
        }
        if service == Some(Service::S3) || (service.is_none() && !is_form(request)) {
            let rest = rest::Rest::read(request).map_err(|error| unreadable(Service::S3, error))?;
            let input = rest.input();
            let action = rest.action().to_owned();
            return Ok(Self {
                service: Service::S3,
                action,
                input,
                rest: Some(rest),
            });
        }
        let (service, mut fields) = read_form(request, service)
            .map_err(|error| unreadable(service.unwrap_or(Service::CloudFormation), error))?;
        let action = match fields.remove("Action") {
            Some(Value::String(action)) => action,
            _ => {
                let error = AwsError::new(
                    400,
                    "MissingAction",
                    "The request must contain the parameter Action",
                );
                return Err(unreadable(service, error));
            }
        };
        fields.remove("Version");
        Ok(Self {
            service,
            action,
            input: Input(Value::Object(fields)),
            rest: None,
        })
    }

    /// Returns the call as policies name it, such as `cloudformation:UpdateStack`.
    pub(crate) fn api(&self) -> String {
        format!("{}:{}", self.service.name(), self.action)
    }

    /// Tells whether this is a call of `api`.
    pub(crate) fn is(&self, api: &str) -> bool {
        api.split_once(':') == Some((self.service.name(), &self.action))
    }

    /// Carries the call out and tells whether it succeeded.
    pub(crate) fn carry_out(&self, world: &mut World) -> (Outcome, bool) {
        if let Some(rest) = &self.rest {
            return match rest.carry_out(world) {
                Ok(reply) => (Outcome::Rest(reply), true),
                Err(error) => (Outcome::Tree(Err(error)), false),
            };
        }
        let answer = dispatch(world, self.service, &self.action, &self.input);
        let good = answer.is_ok();
        (Outcome::Tree(answer), good)
    }

    /// Gives an outcome the shape of the protocol that brought the call.
    pub(crate) fn render(&self, outcome: Outcome, request_id: &str) -> Response<Bytes> {
        let reply = match outcome {
            Outcome::Rest(reply) => reply,
            Outcome::Tree(Ok(tree)) => self.render_tree(tree, request_id),
            Outcome::Tree(Err(error)) => error::render(self.service, &error, request_id),
        };
        let headless = self.rest.as_ref().is_some_and(rest::Rest::is_head);
        response(self.service, reply, headless, request_id)
    }

    fn render_tree(&self, mut tree: Value, request_id: &str) -> Reply {
        let action = &self.action;
        match self.service.protocol() {
            Protocol::Query { namespace, .. } => {
                let mut xml = Xml::new("member");
                xml.open(&format!("{action}Response"), namespace);
                xml.open(&format!("{action}Result"), "");
                xml.content(&tree);
                xml.close(&format!("{action}Result"));
                xml.open("ResponseMetadata", "");
                xml.leaf("RequestId", request_id);
                xml.close("ResponseMetadata");
                xml.close(&format!("{action}Response"));
                Reply::new(StatusCode::OK, "text/xml", xml.finish())
            }
            Protocol::Ec2 { namespace, .. } => {
                let mut xml = Xml::new("item");
                xml.open(&format!("{action}Response"), namespace);
                xml.leaf("requestId", request_id);
                xml.content(&tree);
                xml.close(&format!("{action}Response"));
                Reply::new(StatusCode::OK, "text/xml;charset=UTF-8", xml.finish())
            }
            Protocol::Json { .. } | Protocol::Rest => {
                strip_nulls(&mut tree);
                let tree = if tree.is_null() {
                    Value::Object(Map::new())
                } else {
                    tree
                };
                Reply::new(
                    StatusCode::OK,
                    "application/x-amz-json-1.1",
                    tree.to_string(),
                )
            }
        }
    }
}

impl Unreadable {
    /// Gives the error the shape of the service that was most likely meant.
    pub(crate) fn render(&self, request_id: &str) -> Response<Bytes> {
        let reply = error::render(self.service, &self.error, request_id);
        response(self.service, reply, false, request_id)
    }
}

/// What came of a call: a tree, or S3's own reply.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Tree(Answer),
    Rest(Reply),
}

/// Makes the answer of an account that is itself out of order.
pub(crate) fn failed(why: &str) -> Outcome {
    Outcome::Tree(Err(AwsError::new(500, "InternalFailure", why)))
}

/// Carries out a call by its names; an action that is not simulated is AWS's own error.
pub(crate) fn dispatch(world: &mut World, service: Service, action: &str, input: &Input) -> Answer {
    let answer = match service {
        Service::AutoScaling => autoscaling::handle(world, action, input),
        Service::Balancers => balancers::handle(world, action, input),
        Service::CloudFormation => cloudformation::handle(world, action, input),
        Service::CloudWatch => cloudwatch::handle(world, action, input),
        Service::Ec2 => ec2::handle(world, action, input),
        Service::Ecs => ecs::handle(world, action, input),
        Service::Kms => kms::handle(world, action, input),
        Service::Quotas => quotas::handle(world, action, input),
        Service::Ssm => ssm::handle(world, action, input),
        Service::Sts => sts::handle(world, action, input),
        Service::S3 => rest::handle(world, action, input),
    };
    answer.unwrap_or_else(|| Err(unknown_action(service, action)))
}

fn response(service: Service, reply: Reply, headless: bool, request_id: &str) -> Response<Bytes> {
    let id_header = match service.protocol() {
        Protocol::Rest => "x-amz-request-id",
        _ => "x-amzn-requestid",
    };
    let mut response = Response::builder()
        .status(reply.status)
        .header(id_header, request_id);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let body = if headless { Bytes::new() } else { reply.body };
    response.body(body).unwrap_or_else(|_| {
        // A header that HTTP cannot carry, such as an object's metadata with control characters.
        let mut plain = Response::new(Bytes::new());
        *plain.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        plain
    })
}

fn strip_nulls(tree: &mut Value) {
    match tree {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads the service out of `Credential=AKID/DATE/REGION/SERVICE/aws4_request`.
fn scope_service(request: &Request<Bytes>) -> Option<String> {
    let signed = header(request.headers(), "authorization").and_then(|authorization| {
        let scope = authorization.split_once("Credential=")?.1;
        Some(scope.split([',', ' ']).next()?.to_owned())
    });
    let credential = signed.or_else(|| {
        query_pairs(request)
            .find(|(name, _)| name == "X-Amz-Credential")
            .map(|(_, text)| text)
    })?;
    credential.rsplit('/').nth(1).map(str::to_owned)
}

fn service_by_target(target: &str) -> Option<Service> {
    let prefix = target.split('.').next()?;
    Service::ALL
        .into_iter()
        .find(|service| matches!(service.protocol(), Protocol::Json { target } if target == prefix))
}

fn service_by_host(request: &Request<Bytes>) -> Option<Service> {
    let host = host(request)?;
    let labels: Vec<_> = host.split('.').collect();
    if !host.ends_with("amazonaws.com") && labels.len() < 2 {
        return None;
    }
    labels.iter().find_map(|label| Service::named(label))
}

/// Returns the host that was asked for, without its port.
fn host(request: &Request<Bytes>) -> Option<&str> {
    let host = request.uri().authority().map(http::uri::Authority::as_str);
    let host = host.or_else(|| header(request.headers(), "host"))?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if host.starts_with('[') {
        return host.split_once(']').map(|(host, _)| &host[1..]);
    }
    Some(host.split(':').next().unwrap_or(host))
}

fn query_pairs(request: &Request<Bytes>) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned()
}

fn is_form(request: &Request<Bytes>) -> bool {
    let form = header(request.headers(), "content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    // S3 has no POST on `/`, and every form goes there.
    let root = request.method() == http::Method::POST && request.uri().path() == "/";
    form || root || query_pairs(request).any(|(name, _)| name == "Action")
}

/// Reads a form from the body and the query string; the version tells the service if need be.
fn read_form(
    request: &Request<Bytes>,
    service: Option<Service>,
) -> Result<(Service, Map<String, Value>), AwsError> {
    let body = form_urlencoded::parse(request.body()).into_owned();
    let Some(Value::Object(fields)) = form::fold(query_pairs(request).chain(body)) else {
        let message = "The query string contains a syntax error";
        return Err(AwsError::new(400, "MalformedQueryString", message));
    };
    let service = service.or_else(|| {
        let asked = fields.get("Version")?.as_str()?;
        Service::ALL
            .into_iter()
            .find(|service| match service.protocol() {
                Protocol::Query { version, .. } | Protocol::Ec2 { version, .. } => version == asked,
                Protocol::Json { .. } | Protocol::Rest => false,
            })
    });
    let unknown = || AwsError::new(400, "InvalidAction", "No simulated service has this action");
    Ok((service.ok_or_else(unknown)?, fields))
}

fn read_json(body: &Bytes) -> Option<Input> {
    if body.is_empty() {
        return Some(Input(Value::Object(Map::new())));
    }
    serde_json::from_slice(body).ok().map(Input)
}

#[cfg(test)]
mod tests;
