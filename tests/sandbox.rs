//! The account as a whole: shared by processes, served on a port, the same for the same seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use bytes::Bytes;
use convox::clock::Clock;
use convox::envelope::Envelope;
use convox::sandbox::api::Input;
use convox::sandbox::world::World;
use convox::sandbox::{Sandbox, Scenario, bind, reset, serve};
use http::Request;
use jiff::Timestamp;

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

async fn json(sandbox: &Sandbox, target: &str, body: &str) -> String {
    let request = Request::builder()
        .method("POST")
        .uri("/")
        .header("x-amz-target", target)
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap();
    let response = sandbox.handle(request).await.unwrap();
    String::from_utf8(response.into_body().to_vec()).unwrap()
}

#[tokio::test]
async fn two_processes_share_an_account() {
    let dir = tempfile::tempdir().unwrap();
    let (one, _) = Sandbox::open(dir.path(), 1.0).unwrap();
    let (two, _) = Sandbox::open(dir.path(), 1.0).unwrap();
    for (writer, reader, value) in [(&one, &two, "a"), (&two, &one, "b"), (&one, &two, "c")] {
        let put = format!(r#"{{"Name":"n","Value":"{value}","Type":"String","Overwrite":true}}"#);
        json(writer, "AmazonSSM.PutParameter", &put).await;
        let text = json(reader, "AmazonSSM.GetParameter", r#"{"Name":"n"}"#).await;
        assert!(text.contains(&format!(r#""Value":"{value}""#)), "{text}");
    }
    drop((one, two));
    let (three, _) = Sandbox::open(dir.path(), 1.0).unwrap();
    let text = json(&three, "AmazonSSM.GetParameter", r#"{"Name":"n"}"#).await;
    assert!(text.contains(r#""Value":"c""#), "{text}");
    reset(dir.path()).unwrap();
    let (fresh, _) = Sandbox::open(dir.path(), 1.0).unwrap();
    let text = json(&fresh, "AmazonSSM.GetParameter", r#"{"Name":"n"}"#).await;
    assert!(text.contains("ParameterNotFound"), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_account_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let account = dir.path().join("account");
    let (_sandbox, _) = Sandbox::open(&account, 1.0).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&account), 0o700);
    assert_eq!(mode(&account.join("world.json")), 0o600);
}

#[tokio::test]
async fn an_account_lives_on_between_commands() {
    let dir = tempfile::tempdir().unwrap();
    let (_, first) = Sandbox::open(dir.path(), 1.0).unwrap();
    let before = first.now();
    // A speed so high that the time between two lines is days, and the cap takes hold.
    let (_, second) = Sandbox::open(dir.path(), 1e6).unwrap();
    let lived = second.now().duration_since(before);
    assert!(lived.as_secs() > 0, "{lived}");
}

/// Finds the bucket that CloudFormation named after a resource.
fn bucket_like(world: &World, resource: &str) -> Option<String> {
    world
        .bucket_names()
        .find(|name| name.contains(resource))
        .map(str::to_owned)
}

fn exchange(address: SocketAddr, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A connection that was cut may end in an error as well as in an early end.
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_a_connection_that_is_cut() {
    let clock = Clock::starting_at(start(), 1000.0);
    let text = "name: x\nabout: y\nfaults:\n  - lose: { api: \"ssm:PutParameter\", nth: 1 }\n";
    let scenario = Scenario::parse(text, "x").unwrap();
    let sandbox = Sandbox::new(&scenario, clock).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, sandbox.clone(), async {
        let _ = stopped.await;
    }));
    let body = r#"{"Name":"n","Value":"v","Type":"String"}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-amz-target: AmazonSSM.PutParameter\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let lost = request.clone();
    let answer = tokio::task::spawn_blocking(move || exchange(address, &lost))
        .await
        .unwrap();
    assert_eq!(answer, b"");
    assert_eq!(
        sandbox.peek(|world| world.ssm_value("n")).as_deref(),
        Some("v")
    );
    let answer = tokio::task::spawn_blocking(move || exchange(address, &request))
        .await
        .unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains("ParameterAlreadyExists"), "{answer}");
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

/// Asks for a path with this `Authorization`; returns the status line and the body.
fn ask_rack(address: SocketAddr, path: &str, authorization: &str) -> (String, String) {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{authorization}\r\n");
    let answer = String::from_utf8(exchange(address, &request)).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap();
    (status.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_of_a_rack_is_served_beside_the_account() {
    let sandbox = Sandbox::new(&Scenario::default(), Clock::starting_at(start(), 1.0)).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, sandbox.clone(), async {
        let _ = stopped.await;
    }));
    let asked = tokio::task::spawn_blocking(move || {
        let basic = |pair: &str| {
            let pair = base64::engine::general_purpose::STANDARD.encode(pair);
            format!("authorization: Basic {pair}\r\n")
        };
        let good = basic("convox:sandbox-password");
        let ask = |path: &str, authorization: &str| ask_rack(address, path, authorization);
        let answer = |status: &str, body: &str| (format!("HTTP/1.1 {status}"), body.to_owned());
        assert_eq!(ask("/racks/prod/auth", &good), answer("200 OK", "ok\n"));
        let refused = answer("401 Unauthorized", "invalid authentication\n");
        assert_eq!(ask("/racks/prod/auth", &basic("convox:other")), refused);
        assert_eq!(ask("/racks/prod/auth", ""), refused);
        // A balancer's check has no password.
        assert_eq!(ask("/racks/prod/check", ""), answer("200 OK", "ok"));
        assert_eq!(ask("/racks/prod/apps", &good), answer("404 Not Found", ""));
        // Nobody answers for a rack that there is not.
        let nobody = answer("503 Service Unavailable", "503 Service Unavailable\n");
        assert_eq!(ask("/racks/other/auth", &good), nobody);
        let (_, system) = ask("/racks/prod/system", &basic("anybody:sandbox-password"));
        let system: serde_json::Value = serde_json::from_str(&system).unwrap();
        assert_eq!(
            (&system["name"], &system["status"]),
            (&"prod".into(), &"running".into())
        );
        assert_eq!(system["parameters"]["Password"], "****");
        // What is signed as calls to S3 are is one, whatever the bucket is called.
        let signed =
            "authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request\r\n";
        let (_, bucket) = ask("/racks/prod/auth", signed);
        assert!(bucket.contains("<Code>NoSuchBucket</Code>"), "{bucket}");
    });
    asked.await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_scenario_starts_with_a_rack_whose_key_is_kept() {
    let dirs = ["fixtures/scenarios", "fixtures/scenarios/password"];
    let files = dirs.map(|dir| std::fs::read_dir(dir).unwrap());
    let paths = files.into_iter().flatten().map(|file| file.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.is_file()).collect();
    paths.sort();
    for path in paths {
        let scenario = Scenario::load(&path).unwrap();
        let world = World::of_scenario(&scenario, start()).unwrap();
        assert_eq!(world.now, start(), "{}", scenario.name);
        let bucket = bucket_like(&world, "settings").unwrap();
        let sealed = std::str::from_utf8(world.get_object(&bucket, "instance-key").unwrap());
        let sealed = Envelope::parse(sealed.unwrap()).unwrap();
        let (_, data_key) = world
            .kms_decrypt(sealed.wrapped_key(), &Input::default())
            .unwrap();
        let private = sealed.open(&data_key.try_into().unwrap()).unwrap();
        assert!(
            private.starts_with(b"-----BEGIN OPENSSH PRIVATE KEY-----"),
            "{}",
            scenario.name
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_makes_the_same_world() {
    let world = |seed| {
        let scenario = Scenario {
            seed,
            ..Scenario::default()
        };
        serde_json::to_string(&World::of_scenario(&scenario, start()).unwrap()).unwrap()
    };
    assert_eq!(world(1), world(1));
    assert_ne!(world(1), world(2));
}
