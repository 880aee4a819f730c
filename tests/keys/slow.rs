//! Slow clients, large heads, and a server that stops: the real server on a port.

use std::time::Duration;

use convox::console::{ConnectionOptions, ServiceOptions, serve};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::environment::Server;

/// The real server beside the one that the environment has, on the same service.
struct Port {
    address: String,
    root: String,
    server: Server,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn port(options: ServiceOptions) -> Port {
    let server = Server::with(options).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, told) = oneshot::channel::<()>();
    let service = server.service.clone();
    let served = tokio::spawn(serve(listener, None, service, async {
        let _ = told.await;
    }));
    Port {
        address,
        root: server.root.clone(),
        server,
        stop,
        served,
    }
}

impl Port {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Words a request without the end of its body.
    fn request(&self, body: &str, missing: usize) -> String {
        format!(
            "POST /v2/keys.verifyKey HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.root,
            body.len() + missing,
        )
    }
}

fn short() -> ServiceOptions {
    ServiceOptions {
        request_time: Duration::from_millis(300),
        connection: ConnectionOptions {
            header_time: Duration::from_millis(300),
            ..ConnectionOptions::default()
        },
        ..ServiceOptions::default()
    }
}

async fn all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has ended too.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn whoever_sends_nothing_is_let_go() {
    let port = port(short()).await;
    assert_eq!(all(&mut port.connect().await).await, "");
}

#[tokio::test]
async fn whoever_sends_a_byte_at_a_time_is_let_go() {
    let port = port(short()).await;
    let (mut reading, mut writing) = port.connect().await.into_split();
    let clock = &port.server.clock;
    let trickling = async {
        // For ever, if it is let.
        while writing.write_all(b"G").await.is_ok() {
            clock.sleep(Duration::from_millis(10)).await;
        }
    };
    let mut said = Vec::new();
    let reading = reading.read_to_end(&mut said);
    tokio::select! {
        () = trickling => {}
        _ = reading => {}
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_time_out() {
    let port = port(short()).await;
    let mut stream = port.connect().await;
    let request = port.request("{\"key\":", 10);
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("bad_request/request_timeout"), "{answer}");
}

#[tokio::test]
async fn a_large_body_is_read_only_from_whoever_is_known() {
    let port = port(ServiceOptions::default()).await;
    let head = |token: &str, more: &str| {
        format!(
            "POST /v2/keys.verifyKey HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n{more}\r\n\r\n"
        )
    };
    let asks = async |request: String| {
        let mut stream = port.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        all(&mut stream).await
    };
    // It is said to be large, and nothing of it is waited for.
    let announced = asks(head("nobody", "content-length: 1000000")).await;
    assert!(announced.starts_with("HTTP/1.1 401 "), "{announced}");
    // It turns out to be large, and its end is not waited for.
    let begun = format!("{:x}\r\n{}\r\n", 65_537, "[".repeat(65_537));
    let chunked = head("nobody", "transfer-encoding: chunked");
    let chunked = asks(chunked + &begun).await;
    assert!(chunked.starts_with("HTTP/1.1 401 "), "{chunked}");
    let too_large = asks(head(&port.root, "content-length: 10485761")).await;
    assert!(too_large.starts_with("HTTP/1.1 413 "), "{too_large}");
    // Whoever is known has it read, and is told what is wrong with it; so is anybody with less.
    let large = format!("[{}[]]", "[],".repeat(30_000));
    let length = format!("content-length: {}", large.len());
    let known = asks(head(&port.root, &length) + &large).await;
    assert!(known.starts_with("HTTP/1.1 400 "), "{known}");
    assert!(known.contains("failed to validate schema"), "{known}");
    let small = asks(head("nobody", "content-length: 2") + "[]").await;
    assert!(small.starts_with("HTTP/1.1 400 "), "{small}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let port = port(ServiceOptions::default()).await;
    let long = format!("x: {}\r\n", "y".repeat(40_000));
    let many = "x: y\r\n".repeat(65);
    for headers in [long, many] {
        let mut stream = port.connect().await;
        let request = format!("GET /v2/liveness HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let _ = stream.write_all(request.as_bytes()).await;
        let answer = all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let mut stream = port.connect().await;
    let request = "GET /v2/liveness HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(all(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_request_under_way_is_answered_by_a_server_that_stops() {
    let port = port(ServiceOptions::default()).await;
    let body = json!({ "key": "nobody" }).to_string();
    let (begun, rest) = body.split_at(5);
    let request = port.request(begun, rest.len());
    let mut stream = port.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    // One that was answered on another connection shows that the first was read.
    let mut idle = port.connect().await;
    idle.write_all(b"GET /v2/liveness HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    port.stop.send(()).unwrap();
    // Whoever has no request under way is let go, and nobody new is taken.
    all(&mut idle).await;
    assert!(TcpStream::connect(&port.address).await.is_err());
    stream.write_all(rest.as_bytes()).await.unwrap();
    let answer = all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("NOT_FOUND"), "{answer}");
    port.served.await.unwrap();
}
