//! One operation of the API, and the way that every request takes to it.
//!
//! The order is upstream's: the body is read and checked against its schema before anybody asks
//! who sent it, then the root key, then the workspace's own limit, then the operation. Only a large
//! body is read after the root key was looked at.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderMap, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::admission::Admission;
use super::authentication::{authenticate, expired};
use super::body::read;
use super::envelope::{Envelope, Reply, render};
use super::error::{ApiError, Kind};
use super::keys::once::{answer_before, own_answer};
use super::schema::BodySchema;
use crate::console::memory::KnownRoot;
use crate::console::service::Service;
use crate::keys::{Api, Key, KeyRecord, Need};
use crate::store::Audited;

/// An operation: one path, one request, one answer.
#[async_trait]
pub(super) trait Operation: Send + Sync + 'static {
    /// Its name, which is the end of its path, such as `keys.rerollKey`.
    const NAME: &'static str;
    /// What it does, in one line.
    const SUMMARY: &'static str;
    /// Whether it makes a secret, so that it heeds an `Idempotency-Key`.
    const MAKES_SECRET: bool = false;
    /// The body that it takes.
    type Request: DeserializeOwned + ToSchema + Send;
    /// What it answers.
    type Data: Serialize + ToSchema + Send;

    /// Carries it out.
    async fn run(call: &Call, request: Self::Request) -> Result<Reply<Self::Data>, ApiError>;
}

/// A request that is well formed and comes from somebody who is known.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) root: Arc<KnownRoot>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) operation: &'static str,
}

impl Call {
    /// Returns the workspace that the caller's root key opens.
    pub(super) fn workspace(&self) -> &str {
        &self.root.root.workspace
    }

    /// Tells whether the caller may do something.
    pub(super) fn may(&self, need: &Need<'_>) -> bool {
        self.root.grants.meet(need)
    }

    /// Finds an API of the caller's workspace.
    ///
    /// # Errors
    /// 404 when there is none such.
    pub(super) async fn api(&self, id: &str) -> Result<Api, ApiError> {
        Ok(self.service.store().api(self.workspace(), id).await?)
    }

    /// Finds a key of the caller's workspace, with all that hangs on it, and its API.
    ///
    /// # Errors
    /// 404 when there is none such.
    pub(super) async fn key(&self, id: &str) -> Result<(Key, Api), ApiError> {
        Ok(self.service.store().key(self.workspace(), id).await?)
    }

    /// Finds the record of a key of the caller's workspace, and its API.
    ///
    /// # Errors
    /// 404 when there is none such.
    pub(super) async fn key_record(&self, id: &str) -> Result<(KeyRecord, Api), ApiError> {
        Ok(self
            .service
            .store()
            .key_record(self.workspace(), id)
            .await?)
    }

    /// Says that the caller changes something now.
    pub(super) fn audited(&self) -> Audited {
        self.service.audited(&self.root)
    }

    /// Makes sure that the caller may do something.
    ///
    /// # Errors
    /// 403 with the permissions that would do.
    pub(super) fn need(&self, need: &Need<'_>) -> Result<(), ApiError> {
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
        // Most requests wait for nothing, and need no timer then.
        biased;
        result = take::<O>(&service, &schema, request, &mut admission) => result,
        () = service.clock().sleep(time) => Err(ApiError::new(
            Kind::TIMEOUT,
            format!("The request took longer than {} seconds.", time.as_secs()),
        )),
    };
    if let Some(cause) = result.as_ref().err().and_then(ApiError::for_log) {
        service.log(&format!("{} {}: {cause}", envelope.request_id(), O::NAME));
    }
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
    let (body, root) = read(service, &head.headers, body).await?;
    let request: O::Request = schema.read(&body)?;
    let root = match root {
        Some(root) => root,
        None => authenticate(service, &head.headers).await?,
    };
    let is_over = root.root.rotation.is_over(root.root.expires, service.now());
    if !is_over {
        service.used(&root);
        *admission = service.admit(&root);
    }
    if let Some(admission) = admission {
        admission.check()?;
    }
    let call = Call {
        service: service.clone(),
        root,
        headers: head.headers,
        body,
        operation: O::NAME,
    };
    if is_over {
        let answer = own_answer(&call).await?;
        return answer.map(Reply::Again).ok_or_else(expired);
    }
    // Before anything is looked for: what was asked for may be gone by now.
    if O::MAKES_SECRET
        && let Some(answer) = answer_before(&call).await?
    {
        return Ok(Reply::Again(answer));
    }
    let result = O::run(&call, request).await;
    let is_to_be_repeated = matches!(&result, Err(error) if error.again);
    if is_to_be_repeated && service.refresh_master_keys().await.is_ok() {
        return O::run(&call, schema.read(&call.body)?).await;
    }
    result
}
