//! The yardstick of `benches/keys/run`: a handler that reads a request and answers with one body,
//! which is what a verification answers. It looks nothing up, reads no JSON and counts nothing.
//!
//! `bare ADDRESS FILE` serves the file's bytes on the address until it is killed. With other
//! arguments, such as those of `cargo bench`, it does nothing.

use std::io;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

/// As the server's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, file] = arguments.as_slice() else {
        return Ok(());
    };
    let answer = Bytes::from(std::fs::read(file)?);
    let handler = post(async move |_: Bytes| ([(CONTENT_TYPE, "application/json")], answer));
    let router = Router::new().route("/v2/keys.verifyKey", handler);
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        // As the server does.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}
