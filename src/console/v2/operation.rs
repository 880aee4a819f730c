//! One operation of the API, and the way that every request takes to it.
//!
//! The order is upstream's: the body is read and checked against its schema before anybody asks
//! who sent it, then the root key, then the workspace's own limit, then the operation.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::{HeaderMap, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::admission::Admission;
use super::authentication::authenticate;
use super::envelope::{Envelope, Reply, render};
use super::error::{ApiError, Kind};
use super::schema::BodySchema;
use crate::console::memory::KnownRoot;
use crate::console::service::Service;
use crate::keys::{Api, Key, Need};
use crate::store::{Audited, Thing};

/// An operation: one path, one request, one answer.
#[async_trait]
pub(super) trait Operation: Send + Sync + 'static {
    /// Its name, which is the end of its path, such as `keys.rerollKey`.
    const NAME: &'static str;
    /// What it does, in one line.
    const SUMMARY: &'static str;
    /// The body that it takes.
    type Request: DeserializeOwned + ToSchema + Send;
    /// What it answers.
    type Data: Serialize + ToSchema + Send;

    /// Carries it out.
    async fn run(call: &Call, request: Self::Request) -> Result<Reply<Self::Data>, ApiError>;
}

/// A request that is well formed and comes from somebody who is known.
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) root: Arc<KnownRoot>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) operation: &'static str,
}

impl Call {
    /// Returns the workspace that the caller's root key opens.
    pub(super) fn workspace(&self) -> &str {
        &self.root.root.workspace
    }

    /// Tells whether the caller may do something.
    pub(super) fn may(&self, need: &Need) -> bool {
        self.root.grants.meet(need)
    }

    /// Finds an API of the caller's workspace.
    ///
    /// # Errors
    /// 404 when there is none such.
    pub(super) async fn api(&self, id: &str) -> Result<Api, ApiError> {
        Ok(self.service.store().api(self.workspace(), id).await?)
    }

    /// Finds a key of the caller's workspace, and its API.
    ///
    /// # Errors
    /// 404 when there is none such.
    pub(super) async fn key(&self, id: &str) -> Result<(Key, Api), ApiError> {
        let key = self.service.store().key(self.workspace(), id).await?;
        let api = self.service.store().api(self.workspace(), &key.api).await;
        // A key whose API was deleted is gone as well.
        let api = api.map_err(|_| ApiError::not_found(Thing::Key))?;
        Ok((key, api))
    }

    /// Says that the caller changes something now.
    pub(super) fn audited(&self) -> Audited {
        self.service.audited(&self.root)
    }

    /// Makes sure that the caller may do something.
    ///
    /// # Errors
    /// 403 with the permissions that would do.
    pub(super) fn need(&self, need: &Need) -> Result<(), ApiError> {
        if self.may(need) {
            return Ok(());
        }
        let detail = self.root.grants.missing(need);
        Err(ApiError::new(Kind::INSUFFICIENT_PERMISSIONS, detail))
    }
}

/// Answers a request for an operation.
pub(super) async fn answer<O: Operation>(
    service: Service,
    schema: Arc<BodySchema>,
    request: Request<Body>,
) -> Response {
    let envelope = Envelope::new(&service, request.headers());
    let mut admission = None;
    let time = service.options().request_time;
    let result = tokio::select! {
        result = take::<O>(&service, &schema, request, &mut admission) => result,
        () = service.clock().sleep(time) => Err(ApiError::new(
            Kind::TIMEOUT,
            format!("The request took longer than {} seconds.", time.as_secs()),
        )),
    };
    let mut response = render(&envelope, result);
    if let Some(admission) = admission {
        admission.tell(response.headers_mut());
    }
    response
}

async fn take<O: Operation>(
    service: &Service,
    schema: &BodySchema,
    request: Request<Body>,
    admission: &mut Option<Admission>,
) -> Result<Reply<O::Data>, ApiError> {
    let (head, body) = request.into_parts();
    let body = read(body, service.options().largest_body).await?;
    let request: O::Request = schema.read(&body)?;
    let root = authenticate(service, &head.headers).await?;
    service.used(&root);
    *admission = service.admit(&root);
    if let Some(admission) = admission {
        admission.check()?;
    }
    let call = Call {
        service: service.clone(),
        root,
        headers: head.headers,
        body: body.into(),
        operation: O::NAME,
    };
    let result = O::run(&call, request).await;
    let is_to_be_repeated = matches!(&result, Err(error) if error.again);
    if is_to_be_repeated && service.refresh_master_keys().await.is_ok() {
        return O::run(&call, schema.read(&call.body)?).await;
    }
    result
}

/// Reads a body of at most `largest` bytes.
async fn read(body: Body, largest: usize) -> Result<bytes::Bytes, ApiError> {
    to_bytes(body, largest).await.map_err(|error| {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(error) = source {
            if error.is::<http_body_util::LengthLimitError>() {
                let detail = format!("The request body is larger than {largest} bytes.");
                return ApiError::new(Kind::BODY_TOO_LARGE, detail);
            }
            source = error.source();
        }
        ApiError::new(Kind::BODY_UNREADABLE, "The request body could not be read.")
    })
}
