//! Certificates: proper ones, known ones, changed ones; and the way through a proxy.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use convox::rack::remote::{
    Endpoint, KnownRacks, Proxies, Remote, RemoteError, RemoteOptions, Trust,
};
use tempfile::TempDir;

use super::server::{Answer, Certificate, Proxy, Server};
use super::{clock, options};

fn remote(url: &str, trust: &Trust, options: RemoteOptions) -> Result<Remote, RemoteError> {
    let endpoint = Endpoint::of_host(url, "secret".into(), false)?;
    Remote::with_options(endpoint, trust, clock(), Arc::new(|_| {}), options)
}

fn serve(certificate: &Certificate) -> Server {
    Server::start_tls(certificate.clone(), |_| Answer::ok("ok\n"))
}

fn known(home: &TempDir) -> KnownRacks {
    KnownRacks::new(home.path().join("known_racks.json"))
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let certificate = Certificate::self_signed(&["elsewhere.example.com"]);
    let server = serve(&certificate);
    let trust = Trust::new().with_known(known(&home));
    let error = remote(&server.url(), &trust, options())
        .unwrap()
        .auth()
        .await;
    let error = error.unwrap_err();
    let RemoteError::UnknownCertificate { fingerprint, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*fingerprint, certificate.fingerprint);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot verify the certificate of {}: no authority that this machine knows has \
             signed it",
            server.address()
        )
    );
    assert!(error.hint().unwrap().contains(&fingerprint.to_string()));
    assert!(!error.is_transient());
    assert_eq!(server.connections(), 1, "asking again would not help");
    assert_eq!(server.asked(), [""; 0], "no password has left");
    assert!(!home.path().join("known_racks.json").exists());
}

#[tokio::test]
async fn first_use_is_vouched_for_then_known_then_guarded() {
    let home = tempfile::tempdir().unwrap();
    let certificate = Certificate::self_signed(&["elsewhere.example.com"]);
    let server = serve(&certificate);
    let host = server.address().to_string();
    let trust = Trust::new().with_known(known(&home));

    // First: somebody has compared the fingerprint.
    let vouched = trust.clone().vouching(certificate.fingerprint);
    let first = remote(&server.url(), &vouched, options()).unwrap();
    first.auth().await.unwrap();
    known(&home)
        .remember(&host, certificate.fingerprint)
        .unwrap();

    // Same: nobody is asked.
    let same = remote(&server.url(), &trust, options()).unwrap();
    same.auth().await.unwrap();
    assert_eq!(server.asked().len(), 2);

    // Changed: another certificate at the same address.
    let other = Certificate::self_signed(&["elsewhere.example.com"]);
    let impostor = serve(&other);
    let there = impostor.address().to_string();
    known(&home)
        .remember(&there, certificate.fingerprint)
        .unwrap();
    let error = remote(&impostor.url(), &trust, options())
        .unwrap()
        .auth()
        .await;
    let error = error.unwrap_err();
    assert_eq!(
        error,
        RemoteError::ChangedCertificate {
            host: there,
            known: certificate.fingerprint,
            presented: other.fingerprint,
        }
    );
    assert_eq!(impostor.asked(), [""; 0], "no password has left");

    // A wrong fingerprint vouches for nothing.
    let wrong = Trust::new().vouching(other.fingerprint);
    assert!(
        remote(&server.url(), &wrong, options())
            .unwrap()
            .auth()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_authority_of_ones_own_verifies_properly() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ca.pem");
    let certificate = Certificate::new(&["127.0.0.1"]);
    fs::write(&file, &certificate.authority).unwrap();
    let server = serve(&certificate);
    let trust = Trust::new().with_authorities(Some(file.clone()));
    remote(&server.url(), &trust, options())
        .unwrap()
        .auth()
        .await
        .unwrap();

    // The right authority, and another name.
    let certificate = Certificate::new(&["elsewhere.example.com"]);
    fs::write(&file, &certificate.authority).unwrap();
    let server = serve(&certificate);
    let error = remote(&server.url(), &trust, options())
        .unwrap()
        .auth()
        .await;
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("it is for another name"), "{error}");

    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n"] {
        fs::write(&file, text).unwrap();
        let error = remote(&server.url(), &trust, options()).unwrap_err();
        assert!(
            matches!(error, RemoteError::BadCertificates { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    let error = remote(&url, &Trust::new(), options()).unwrap().auth().await;
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("cannot set up TLS: 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_proxy_carries_requests_and_websockets() {
    let certificate = Certificate::new(&["rack.test"]);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ca.pem");
    fs::write(&file, &certificate.authority).unwrap();
    let server = Server::start_tls(certificate, |request| match request.what() {
        "GET /system/logs" => Answer::said(&["2026-11-22T03:00:00Z system/x hello\n"]),
        _ => Answer::ok("[]"),
    });
    let proxy = Proxy::start(server.address());
    let address = format!("http://{}", proxy.address);
    let variables = move |name: &str| match name {
        "https_proxy" => Some(address.clone()),
        "NO_PROXY" => Some("internal.test".to_owned()),
        _ => None,
    };
    let options = || RemoteOptions {
        proxies: Proxies::of(&variables),
        attempts: 1,
        ..options()
    };
    let trust = Trust::new().with_authorities(Some(file));
    let remote_at = |url| remote(url, &trust, options()).unwrap();
    let rack = remote_at("https://rack.test:5443");
    rack.racks().await.unwrap();
    let line = rack.logs(Default::default()).next().await.unwrap();
    assert_eq!(line, "2026-11-22T03:00:00Z system/x hello");
    // One tunnel: the websocket takes over the connection that the request came by.
    assert_eq!(proxy.asked(), ["CONNECT rack.test:5443 HTTP/1.1"]);
    assert_eq!(server.connections(), 1);

    // Neither an exception nor the machine itself is reached through it.
    assert!(
        remote_at("https://internal.test:5443")
            .racks()
            .await
            .is_err()
    );
    assert!(remote_at("https://127.0.0.1:1").racks().await.is_err());
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn a_proxy_that_is_none_is_an_error_without_its_password() {
    let options = RemoteOptions {
        proxies: Proxies::of(|name| {
            (name == "HTTPS_PROXY").then(|| "http://u:hunter2@[bad".to_owned())
        }),
        ..options()
    };
    let error = remote("https://rack.test", &Trust::new(), options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use the proxy that HTTPS_PROXY names: it is no address"
    );
}
