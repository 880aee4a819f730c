//! The client of the rack API against a server that writes down every byte it is sent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad;
mod requests;
mod server;
mod sockets;
mod trust;

use std::sync::{Arc, Mutex};

use convox::clock::Clock;
use convox::rack::remote::{Endpoint, Proxies, Remote, RemoteOptions, Trust};
use secrecy::SecretString;
use server::Server;

/// A clock on which a pause of seconds takes milliseconds.
fn clock() -> Clock {
    Clock::starting_at("2026-11-22T03:00:00Z".parse().unwrap(), 1000.0)
}

fn options() -> RemoteOptions {
    RemoteOptions {
        proxies: Proxies::none(),
        ..RemoteOptions::default()
    }
}

fn endpoint(server: &Server) -> Endpoint {
    Endpoint::of_host(&server.url(), SecretString::from("secret"), false).unwrap()
}

fn remote(endpoint: Endpoint) -> Remote {
    let trust = Trust::new();
    Remote::with_options(endpoint, &trust, clock(), Arc::new(|_| {}), options()).unwrap()
}

/// The same, with the sessions that were to be kept.
fn remote_with_sessions(endpoint: Endpoint) -> (Remote, Arc<Mutex<Vec<String>>>) {
    let kept = Arc::<Mutex<Vec<String>>>::default();
    let keep = Arc::clone(&kept);
    let store = Arc::new(move |id: &str| keep.lock().unwrap().push(id.to_owned()));
    let trust = Trust::new();
    let remote = Remote::with_options(endpoint, &trust, clock(), store, options()).unwrap();
    (remote, kept)
}
