//! Logs of a rack's rolls, by websocket: who gets them, and what they say.

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key};

use crate::environment::{Console, Person, on_both};

pub type Socket = WebSocketStream<tokio::net::TcpStream>;

fn request(person: &Person<'_>, key: &str, headers: &[(&str, &str)]) -> Request {
    request_to(person, key, "/system/logs", headers)
}

pub fn request_to(person: &Person<'_>, key: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("convox:{key}"));
    let address = person.console.address.strip_prefix("http://").unwrap();
    let mut request = Request::builder()
        .uri(format!("ws://{address}{path}"))
        .header("Host", address)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header("Authorization", format!("Basic {basic}"))
        .header("Rack", person.rack.as_deref().unwrap());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

pub async fn open(request: Request) -> Result<Socket, (u16, String)> {
    let address = request.uri().authority().unwrap().to_string();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
            let body = answer.body().clone().unwrap_or_default();
            Err((answer.status().as_u16(), String::from_utf8(body).unwrap()))
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_refused_before_it_is_opened() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let refused = open(request(&ada, "convox_wrong", &[])).await;
        let (status, _) = refused.map(drop).unwrap_err();
        assert_eq!(status, 401);
        let elsewhere = [("Origin", "https://evil.example")];
        let refused = open(request(&ada, &ada.key, &elsewhere)).await;
        let (status, _) = refused.map(drop).unwrap_err();
        assert_eq!(status, 403);
        let here = [("Origin", console.address.as_str())];
        assert!(open(request(&ada, &ada.key, &here)).await.is_ok());
        let plain = ada.get("/system/logs").await;
        assert_eq!(plain.told(), (400, "logs come by websocket\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_sees_what_the_roll_does() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let classic = [("Prefix", "true"), ("Since", "5s")];
        let mut socket = open(request(&ada, &ada.key, &classic)).await.unwrap();
        let asked = ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let mut lines = Vec::new();
        let is_last = |line: &String| line.contains("system/convox") && line.contains(": ended: ");
        while !lines.last().is_some_and(is_last) {
            match socket.next().await.unwrap().unwrap() {
                Message::Text(text) => lines.push(text.to_string()),
                other => panic!("{other:?} after {lines:#?}"),
            }
        }
        assert_eq!(console.ended().await["outcome"], json!("done"));
        for line in &lines {
            let mut words = line.splitn(3, ' ');
            let at: jiff::Timestamp = words.next().unwrap().parse().unwrap();
            assert_eq!(at.subsec_millisecond(), 0, "{line}");
            assert!(words.next().unwrap().starts_with("system/"), "{line}");
            assert!(line.ends_with('\n'));
        }
        let says = |text: &str| lines.iter().any(|line| line.contains(text));
        assert!(
            says("system/cloudformation aws/cfm prod UPDATE_IN_PROGRESS prod"),
            "{lines:#?}"
        );
        assert!(says("UPDATE_COMPLETE"), "{lines:#?}");
        assert!(
            says("Received SUCCESS signal with UniqueId i-"),
            "{lines:#?}"
        );
    })
    .await;
}
