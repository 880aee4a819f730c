//! A rack behind its own API: what people ask is passed on to it, with the console's password.

use convox::store::Role;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::environment::{Console, Person, on_both};
use crate::server::{Answer, Server, Step};
use crate::sockets::{open, request_to};

/// The rack's password.
const PASSWORD: &str = "p@ss w+rd%&";

/// Returns `Authorization` for the rack's password.
fn basic() -> String {
    use base64::Engine as _;
    let pair = format!("convox:{PASSWORD}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

/// Lets the console know a rack `far` at `server`, and returns somebody who asks about it.
async fn person_of<'c>(console: &'c Console, server: &Server, role: Role) -> Person<'c> {
    let known = console.store.rack_called(&console.acme, "far").await;
    if known.is_err() {
        console.add_api_rack("far", &server.url(), PASSWORD).await;
    }
    let name = format!("{role}@example.com");
    let person = console.person(&name, role, &console.acme.clone()).await;
    person.of("acme/far")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_and_its_answer_are_passed_on_as_they_are() {
    on_both("success", async |console: &Console| {
        let server = Server::start(|request| match request.what() {
            "GET /apps?" => Answer::Http(
                200,
                &[("Content-Type", "application/json"), ("X-Of-Rack", "1")],
                b"[\n  \xff\x00\n]\n".to_vec(),
            ),
            "POST /apps/web/builds?x=%2F1&y" => Answer::Http(201, &[], b"made".to_vec()),
            "DELETE /apps/web?" => Answer::Http(
                500,
                &[("Content-Type", "text/plain; charset=utf-8")],
                b"AccessDenied: 100% of %s\n\tstatus code: 403".to_vec(),
            ),
            _ => Answer::status(404, ""),
        });
        let ada = person_of(console, &server, Role::Operator).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client
            .get(format!("{}/apps?", console.address))
            .basic_auth("convox", Some(&ada.key))
            .header("Rack", "acme/far")
            .send()
            .await
            .unwrap();
        assert_eq!(asked.status(), 200);
        assert_eq!(asked.headers()["content-type"], "application/json");
        assert_eq!(asked.headers()["x-of-rack"], "1");
        assert_eq!(asked.headers()["request-id"].len(), 12);
        assert_eq!(&asked.bytes().await.unwrap()[..], b"[\n  \xff\x00\n]\n");
        let form = "url=object%3A%2F%2Ftmp%2Fx.tgz&no-cache=";
        let made = client
            .post(format!("{}/apps/web/builds?x=%2F1&y", console.address))
            .basic_auth("convox", Some(&ada.key))
            .header("Rack", "acme/far")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", "theirs=1")
            .header("Connection", "X-Hop")
            .header("X-Hop", "1")
            .header("Session", "theirs")
            .body(form)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (made.status().as_u16(), &*made.text().await.unwrap()),
            (201, "made")
        );
        let refused = ada.ask(Method::DELETE, "/apps/web", None).await;
        let said = "AccessDenied: 100% of %s\n\tstatus code: 403";
        assert_eq!(refused.told(), (500, said));
        assert_eq!(refused.content_type, "text/plain; charset=utf-8");
        let unknown = ada.get("/nothing").await;
        assert_eq!(unknown.told(), (404, ""));
        let requests = server.requests();
        assert_eq!(requests[1].body(), form);
        for request in &requests {
            assert_eq!(
                request.header("authorization"),
                Some(&*basic()),
                "{}",
                request.text
            );
            let host = server.address().to_string();
            assert_eq!(request.header("host"), Some(&*host));
            for name in ["rack", "session", "cookie", "x-hop", "origin", "connection"] {
                assert_eq!(request.header(name), None, "{}", request.text);
            }
            assert!(!request.text.contains(&ada.key));
        }
        let last = requests.last().unwrap();
        assert_eq!(last.header("version"), Some("dev"));
        assert_eq!(last.header("user-agent"), Some("convox.go/dev"));
        let audited = console.audited().await;
        let of_ada: Vec<_> = audited
            .iter()
            .filter(|(who, _)| who.contains(&ada.id))
            .map(|(_, told)| told.as_str())
            .collect();
        let expected = [
            "POST /apps/web/builds of acme/far",
            "DELETE /apps/web of acme/far",
            "DELETE /apps/web of acme/far failed: the rack answered 500",
        ];
        assert_eq!(of_ada, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_decides_what_is_passed_on() {
    on_both("success", async |console: &Console| {
        let server = Server::start(|_| Answer::ok("ok\n"));
        let reader = person_of(console, &server, Role::Read).await;
        let deployer = person_of(console, &server, Role::Deploy).await;
        let told = "you are unauthorized to access this\n";
        for (person, method, path, is_passed_on) in [
            (&reader, Method::GET, "/apps/web/builds/B1", true),
            (&reader, Method::POST, "/apps/web/builds", false),
            (&reader, Method::GET, "/instances/i-1/shell", false),
            (&reader, Method::GET, "/instances/i-1/shel%6c", false),
            (&deployer, Method::POST, "/apps/web/builds", true),
            (&deployer, Method::DELETE, "/apps/web", false),
            (&deployer, Method::POST, "/instances/keyroll", false),
        ] {
            let before = server.requests().len();
            let answer = person.ask(method.clone(), path, None).await;
            let passed_on = server.requests().len() - before;
            assert_eq!(passed_on, usize::from(is_passed_on), "{method} {path}");
            match is_passed_on {
                true => assert_eq!(answer.told(), (200, "ok\n"), "{method} {path}"),
                false => assert_eq!(answer.told(), (401, told), "{method} {path}"),
            }
        }
        // What a client would clean up before it sends it.
        let before = server.requests().len();
        for path in [
            "/apps/web/builds/../../../system",
            "/apps/web/builds/..%2F..%2Fx",
        ] {
            let answered = raw(console, &deployer, &format!("POST {path}")).await;
            assert!(answered.starts_with("HTTP/1.1 400 "), "{answered}");
            assert!(
                answered.ends_with("the path has two readings\n"),
                "{answered}"
            );
        }
        let password = "/apps/far/parameters";
        let operator = person_of(console, &server, Role::Operator).await;
        let form = Some("Password=x&InstanceCount=3");
        let refused = operator.ask(Method::POST, password, form).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        let hidden = operator
            .ask(Method::PUT, "/system?parameters=Password%3Dx&", None)
            .await;
        assert_eq!(hidden.status, 400, "{}", hidden.body);
        assert_eq!(server.requests().len(), before);
        let form = "parameters=InstanceCount%3D4&version=20260421";
        let set = operator.ask(Method::PUT, "/system", Some(form)).await;
        assert_eq!(set.told(), (200, "ok\n"));
        assert_eq!(server.requests().last().unwrap().body(), form);
    })
    .await;
}

/// Sends a request whose path stays as it is, and returns the whole answer.
async fn raw(console: &Console, person: &Person<'_>, line: &str) -> String {
    use base64::Engine as _;
    let key = format!("convox:{}", person.key);
    let key = base64::engine::general_purpose::STANDARD.encode(key);
    let host = console.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {key}\r\nRack: acme/far\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_that_is_down_or_shuts_the_console_out_is_told_from_a_wrong_key() {
    on_both("success", async |console: &Console| {
        let server = Server::start(|_| Answer::status(401, "invalid authentication\n"));
        let ada = person_of(console, &server, Role::Operator).await;
        let told = "rack acme/far refuses the password that the console has for it\n";
        assert_eq!(ada.get("/system").await.told(), (502, told));
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let host = format!("http://{address}");
        console.add_api_rack("gone", &host, PASSWORD).await;
        let ada = ada.of("acme/gone");
        let down = ada.get("/apps").await;
        let told = format!("rack acme/gone: cannot connect to {address}: ");
        assert_eq!(down.status, 502);
        assert!(down.body.starts_with(&told), "{}", down.body);
        let failed = ada.ask(Method::DELETE, "/instances/i-1", None).await;
        assert_eq!(failed.status, 502);
        let audited = console.audited().await;
        let (_, last) = audited.last().unwrap();
        let told = "DELETE /instances/i-1 of acme/gone failed: rack acme/gone: cannot connect";
        assert!(last.starts_with(told), "{last}");
        let racks = ada.get("/racks").await.json();
        let state = |at: usize| (racks[at]["name"].clone(), racks[at]["status"].clone());
        assert_eq!(state(0), ("far".into(), "unknown".into()));
        assert_eq!(state(1), ("gone".into(), "unknown".into()));
        assert_eq!(state(2), ("prod".into(), "running".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_rolls_its_ssh_key_by_itself_but_only_at_rest() {
    on_both("success", async |console: &Console| {
        let mut statuses = ["updating", "rollback", "running"].into_iter();
        let server = Server::start(move |request| match request.what() {
            "GET /system?" => {
                let status = statuses.next().unwrap();
                Answer::ok(&format!("{{\"name\":\"far\",\"status\":\"{status}\"}}"))
            }
            "POST /instances/keyroll?" => Answer::ok("ok\n"),
            _ => Answer::status(404, ""),
        });
        let ada = person_of(console, &server, Role::Operator).await;
        for status in ["updating", "rollback"] {
            let refused = ada.ask(Method::POST, "/instances/keyroll", None).await;
            let told = format!("ValidationError: rack acme/far is in {status} state");
            assert_eq!(refused.status, 500);
            assert!(refused.body.starts_with(&told), "{}", refused.body);
        }
        let rolled = ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(rolled.told(), (200, "ok\n"));
        let asked = server.asked();
        assert_eq!(asked[..3], ["GET /system?"; 3]);
        assert_eq!(asked[3..], ["POST /instances/keyroll?"]);
        let audited = console.audited().await;
        let (_, last) = audited.last().unwrap();
        assert_eq!(last, "POST /instances/keyroll of acme/far");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_go_through_piece_by_piece_however_long_they_are() {
    on_both("success", async |console: &Console| {
        let rack = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}", rack.local_addr().unwrap());
        console.add_api_rack("far", &host, PASSWORD).await;
        let ada = console
            .person("bob", Role::Operator, &console.acme.clone())
            .await;
        const SENT: usize = 24 << 20;
        // Answers before the body has come, and goes on only once its first piece was seen.
        let (seen, mut is_seen) = tokio::sync::mpsc::channel::<()>(1);
        let answering = async {
            let (mut stream, _) = rack.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            assert!(
                head.contains(&format!("content-length: {SENT}\r\n")),
                "{head}"
            );
            let mut left = SENT;
            let mut piece = vec![0; 1 << 16];
            while left > 0 {
                left -= stream.read(&mut piece).await.unwrap();
            }
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
            stream.write_all(head).await.unwrap();
            is_seen.recv().await.unwrap();
            stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
            stream
        };
        let asking = async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let mut answer = client
                .post(format!("{}/apps/web/objects/tmp/x.tgz", console.address))
                .basic_auth("convox", Some(&ada.key))
                .header("Rack", "far")
                .body(vec![7_u8; SENT])
                .send()
                .await
                .unwrap();
            assert_eq!(&answer.chunk().await.unwrap().unwrap()[..], b"one");
            seen.send(()).await.unwrap();
            assert_eq!(&answer.chunk().await.unwrap().unwrap()[..], b"two");
            assert_eq!(answer.chunk().await.unwrap(), None);
        };
        tokio::join!(answering, asking);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_of_the_rack_is_carried_both_ways_as_it_is() {
    on_both("success", async |console: &Console| {
        let marker = "F1E49A85-0AD7-4AEF-A618-C249C6E6568D:7\n";
        let server = Server::start(move |request| match request.what() {
            "GET /instances/i-1/shell" => Answer::Socket(vec![
                Step::Await,
                Step::Text(b"prompt \xff\xe2\x82".to_vec()),
                Step::Await,
                Step::Text(marker.as_bytes().to_vec()),
                Step::End,
                Step::Close,
            ]),
            _ => Answer::status(404, "process not found: p\n"),
        });
        let ada = person_of(console, &server, Role::Operator).await;
        let shell = "/instances/i-1/shell";
        let headers = [
            ("Command", "sh"),
            ("Height", "24"),
            ("Width", "80"),
            ("Session", "theirs"),
            ("Origin", console.address.as_str()),
        ];
        let mut socket = open(request_to(&ada, &ada.key, shell, &headers))
            .await
            .unwrap();
        let typed = Frame::message(b"typed \xfe".to_vec(), OpCode::Data(Data::Text), true);
        socket.send(Message::Frame(typed)).await.unwrap();
        // Frames that are no UTF-8 are for whoever reads them raw.
        let mut prompt = vec![0; 12];
        socket.get_mut().read_exact(&mut prompt).await.unwrap();
        assert_eq!(prompt, b"\x81\x0aprompt \xff\xe2\x82");
        socket.send(Message::binary(Vec::new())).await.unwrap();
        let text = socket.next().await.unwrap().unwrap();
        assert_eq!(text, Message::text(marker));
        let end = socket.next().await.unwrap().unwrap();
        assert_eq!(end, Message::binary(Vec::new()));
        assert!(socket.next().await.unwrap().unwrap().is_close());
        assert_eq!(server.frames(), ["text typed \\xfe", "binary "]);
        let request = server.requests().pop().unwrap();
        assert_eq!(request.header("authorization"), Some(&*basic()));
        assert_eq!(request.header("origin"), Some(&*server.url()));
        for (name, value) in &headers[..3] {
            assert_eq!(request.header(name), Some(*value));
        }
        assert_eq!(request.header("session"), None);
        assert_eq!(request.header("rack"), None);
        let exec = "/apps/web/processes/p/exec";
        let refused = open(request_to(&ada, &ada.key, exec, &[])).await;
        let told = (404, "process not found: p\n".to_owned());
        assert_eq!(refused.map(drop).unwrap_err(), told);
        // Neither of these reaches the rack.
        let before = server.requests().len();
        let reader = person_of(console, &server, Role::Read).await;
        for (key, path, headers, status) in [
            (&*reader.key, shell, &[][..], 401),
            ("convox_wrong", shell, &[], 401),
            (&*ada.key, shell, &[("Origin", "https://evil.example")], 403),
        ] {
            let refused = open(request_to(&ada, key, path, headers)).await;
            assert_eq!(refused.map(drop).unwrap_err().0, status, "{path}");
        }
        assert_eq!(server.requests().len(), before);
        let audited = console.audited().await;
        let opened = "GET /instances/i-1/shell of acme/far";
        assert_eq!(audited.iter().filter(|(_, told)| told == opened).count(), 1);
        assert!(!format!("{audited:?}").contains(PASSWORD));
    })
    .await;
}
