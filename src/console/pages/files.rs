//! The files that pages load: all of them ours, one of them vendored (htmx, 0BSD).

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method};

/// A file.
pub(super) struct File {
    /// Where it is.
    pub(super) path: &'static str,
    kind: &'static str,
    text: &'static str,
}

/// How the pages look.
pub(super) const STYLE: File = File {
    path: concat!("/files/", env!("CARGO_PKG_VERSION"), "/style.css"),
    kind: "text/css; charset=utf-8",
    text: include_str!("files/style.css"),
};

/// What loads parts of live pages again.
pub(super) const HTMX: File = File {
    path: "/files/htmx-2.0.11.min.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("files/htmx-2.0.11.min.js"),
};

/// What copies a secret when asked to.
pub(super) const SCRIPT: File = File {
    path: concat!("/files/", env!("CARGO_PKG_VERSION"), "/page.js"),
    kind: "text/javascript; charset=utf-8",
    text: include_str!("files/page.js"),
};

/// What a browser shows of the pages beside their title.
pub(super) const ICON: File = File {
    path: concat!("/files/", env!("CARGO_PKG_VERSION"), "/icon.svg"),
    kind: "image/svg+xml",
    text: include_str!("files/icon.svg"),
};

/// Answers a request for a file; none if it is for something else.
pub(super) fn answer(method: &Method, path: &str) -> Option<Response> {
    if method != Method::GET {
        return None;
    }
    let mut files = [STYLE, HTMX, SCRIPT, ICON].into_iter();
    let file = files.find(|file| file.path == path)?;
    let mut response = Response::new(Body::from(Bytes::from_static(file.text.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    let hour = HeaderValue::from_static("public, max-age=3600");
    headers.insert(CACHE_CONTROL, hour);
    Some(response)
}
