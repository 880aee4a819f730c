//! The `/v2` API, compatible with Unkey's: one file for each operation.

mod admission;
mod analytics;
mod apis;
mod authentication;
mod body;
#[cfg(test)]
mod contract;
mod documentation;
mod envelope;
mod error;
mod identities;
mod keys;
mod operation;
mod page;
mod permissions;
mod ratelimit;
mod root_keys;
mod schema;
mod types;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, post};
use http::Request;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::service::Service;
pub(super) use admission::Admission;
pub use documentation::openapi;
use envelope::{Envelope, Reply, render};
use error::{ApiError, Kind};
use operation::{Operation, answer};
use schema::BodySchema;

/// Does something with every operation.
trait ForEach {
    fn operation<O: Operation>(&mut self);
}

/// Lists the operations; the one list that there is.
fn each(visitor: &mut impl ForEach) {
    visitor.operation::<apis::CreateApi>();
    visitor.operation::<apis::GetApi>();
    visitor.operation::<apis::DeleteApi>();
    visitor.operation::<keys::CreateKey>();
    visitor.operation::<keys::GetKey>();
    visitor.operation::<keys::WhoAmI>();
    visitor.operation::<keys::DeleteKey>();
    visitor.operation::<keys::VerifyKey>();
    visitor.operation::<keys::RerollKey>();
    visitor.operation::<keys::GetRotation>();
    visitor.operation::<keys::FinishRotation>();
    visitor.operation::<keys::CancelRotation>();
    visitor.operation::<analytics::GetVerifications>();
    visitor.operation::<apis::ListKeys>();
    visitor.operation::<keys::UpdateKey>();
    visitor.operation::<keys::UpdateCredits>();
    visitor.operation::<keys::AddPermissions>();
    visitor.operation::<keys::SetPermissions>();
    visitor.operation::<keys::RemovePermissions>();
    visitor.operation::<keys::AddRoles>();
    visitor.operation::<keys::SetRoles>();
    visitor.operation::<keys::RemoveRoles>();
    visitor.operation::<identities::CreateIdentity>();
    visitor.operation::<identities::GetIdentity>();
    visitor.operation::<identities::ListIdentities>();
    visitor.operation::<identities::UpdateIdentity>();
    visitor.operation::<identities::DeleteIdentity>();
    visitor.operation::<permissions::CreatePermission>();
    visitor.operation::<permissions::GetPermission>();
    visitor.operation::<permissions::ListPermissions>();
    visitor.operation::<permissions::DeletePermission>();
    visitor.operation::<permissions::CreateRole>();
    visitor.operation::<permissions::GetRole>();
    visitor.operation::<permissions::ListRoles>();
    visitor.operation::<permissions::DeleteRole>();
    visitor.operation::<permissions::SetRolePermissions>();
    visitor.operation::<ratelimit::Limit>();
    visitor.operation::<root_keys::CreateRootKey>();
    visitor.operation::<root_keys::ListRootKeys>();
    visitor.operation::<root_keys::RerollRootKey>();
    visitor.operation::<root_keys::DeleteRootKey>();
}

struct Routes {
    service: Service,
    components: Value,
    router: Router,
}

impl ForEach for Routes {
    fn operation<O: Operation>(&mut self) {
        let path = format!("/v2/{}", O::NAME);
        let name = O::Request::name();
        let schema = Arc::new(BodySchema::new(&path, &name, &self.components));
        let service = self.service.clone();
        let handler =
            post(async move |request: Request<Body>| answer::<O>(service, schema, request).await);
        self.router = std::mem::take(&mut self.router).route(&path, handler);
    }
}

/// Makes the routes of the API.
pub(super) fn router(service: &Service) -> Router {
    let document = serde_json::to_value(openapi()).unwrap_or_default();
    let mut routes = Routes {
        service: service.clone(),
        components: document["components"].clone(),
        router: Router::new(),
    };
    each(&mut routes);
    let alive = service.clone();
    let document: Arc<str> = document.to_string().into();
    routes
        .router
        .route(
            "/v2/liveness",
            get(async move |request: Request<Body>| liveness(&alive, &request)),
        )
        .route(
            "/openapi.json",
            get(async move || {
                let mut response = Response::new(Body::from(document.as_bytes().to_vec()));
                let json = http::HeaderValue::from_static("application/json");
                response.headers_mut().insert("content-type", json);
                response
            }),
        )
}

/// Answers a request for an operation that there is not.
pub(super) fn unknown(service: &Service, request: &Request<Body>) -> Response {
    nothing(service, request, Kind::NO_SUCH_PATH)
}

/// Answers a request for an operation that is asked for by another method.
pub(super) fn other_method(service: &Service, request: &Request<Body>) -> Response {
    nothing(service, request, Kind::METHOD_NOT_ALLOWED)
}

fn nothing(service: &Service, request: &Request<Body>, kind: Kind) -> Response {
    let envelope = Envelope::new(service, request.headers());
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("There is no operation {method} {path}.");
    render::<()>(&envelope, Err(ApiError::new(kind, detail)))
}

/// That the server is there.
#[derive(Debug, Serialize, ToSchema)]
struct Liveness {
    /// A word for a person.
    message: &'static str,
}

fn liveness(service: &Service, request: &Request<Body>) -> Response {
    let envelope = Envelope::new(service, request.headers());
    let message = "alive";
    render(&envelope, Ok(Reply::Data(Liveness { message })))
}
