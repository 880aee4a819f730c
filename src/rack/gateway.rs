//! A rack's HTTP API as a whole: what somebody else asks is passed on to it.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};

use super::error::PortError;
use super::far::RackApi;
use super::system::SystemInstance;

type Result<T> = std::result::Result<T, PortError>;

/// A body that comes and goes piece by piece.
pub type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// A connection that carries bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What a rack makes of a request for a websocket.
pub enum Switched {
    /// It speaks websocket from here on, as its answer of status 101 says.
    Open(http::Response<()>, Box<dyn Duplex>),
    /// It answers like to any other request.
    Answered(http::Response<Pieces>),
}

/// A rack's HTTP API, to which requests are passed on as they are.
///
/// Method, path, query, body and headers stay. What is between one connection's ends, and whoever
/// asked and what they asked with, is left out: the rack is asked with its own password. Answers
/// stay as they are too.
#[async_trait]
pub trait Gateway: RackApi {
    /// Lists the rack's instances (`GET /instances`), ordered by id.
    ///
    /// # Errors
    /// [`PortError::Remote`] with status 401 when the process that answered refuses `password`.
    async fn instances_with(&self, password: &SecretString) -> Result<Vec<SystemInstance>>;

    /// Passes a request on, whose body is taken as the rack takes it. It is never repeated.
    ///
    /// # Errors
    /// When the path could be read as another one, and when no answer comes.
    async fn pass(
        &self,
        password: &SecretString,
        request: http::Request<Pieces>,
    ) -> Result<http::Response<Pieces>>;

    /// Asks for the websocket that a request asks for, on behalf of a page of the rack's own.
    ///
    /// # Errors
    /// As [`Self::pass`]'s.
    async fn switch(&self, password: &SecretString, request: http::Request<()>)
    -> Result<Switched>;
}
