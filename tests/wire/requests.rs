//! What is sent, byte for byte, and what becomes of the answers.

use std::collections::BTreeMap;

use convox::rack::System as _;
use convox::rack::remote::{Endpoint, Keyroll, RemoteError};
use secrecy::SecretString;

use super::server::{Answer, Server};
use super::{endpoint, remote, remote_with_sessions};

const SYSTEM: &str = r#"{
  "count": 3,
  "domain": "prod-1.us-east-1.elb.amazonaws.com",
  "name": "prod",
  "outputs": null,
  "parameters": {"Key": "prod-keypair-1", "Password": "****"},
  "provider": "aws",
  "rack-domain": "rack.example.com",
  "region": "us-east-1",
  "status": "running",
  "type": "t3.small",
  "version": "20230403123456"
}
"#;

#[tokio::test]
async fn a_login_names_neither_a_rack_nor_a_session() {
    let server = Server::answering([Answer::ok("ok\n"), Answer::ok("{\"id\":\"user-1\"}")]);
    let endpoint = endpoint(&server).with_rack(Some("acme/prod".to_owned()));
    let remote = remote(endpoint);
    assert_eq!(remote.auth().await.unwrap().id, None);
    assert_eq!(remote.auth().await.unwrap().id.as_deref(), Some("user-1"));
    let transcript = server.transcript();
    let first = transcript.split_once("---\n").unwrap().0;
    insta::assert_snapshot!(first, @r"
    GET /auth? HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Accept: */*
    Authorization: Basic Y29udm94OnNlY3JldA==
    Content-Type: application/octet-stream
    Version: dev
    Accept-Encoding: gzip
    ");
}

#[tokio::test]
async fn an_update_is_a_nested_form_after_one_look_at_the_rack() {
    let server = Server::answering([Answer::ok(SYSTEM), Answer::ok("ok\n")]);
    let endpoint = endpoint(&server).with_rack(Some("acme/prod".to_owned()));
    let remote = remote(endpoint.with_session(Some("s1".to_owned())));
    let changes = [("Password", "a=b&c d"), ("Foo", "bar")];
    let changes = BTreeMap::from(changes.map(|(k, v)| (k.to_owned(), v.to_owned())));
    remote.set_parameters(&changes).await.unwrap();
    insta::assert_snapshot!(server.transcript(), @r"
    GET /system? HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Accept: */*
    Authorization: Basic Y29udm94OnNlY3JldA==
    Content-Type: application/octet-stream
    Rack: acme/prod
    Session: s1
    Version: dev
    Accept-Encoding: gzip
    ---
    PUT /system? HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Content-Length: 51
    Accept: */*
    Authorization: Basic Y29udm94OnNlY3JldA==
    Content-Type: application/x-www-form-urlencoded
    Rack: acme/prod
    Session: s1
    Version: dev
    Accept-Encoding: gzip

    parameters=Foo%3Dbar%26Password%3Da%253Db%2526c%2Bd
    ---
    ");
}

#[tokio::test]
async fn a_keyroll_and_a_termination_have_no_body() {
    let server = Server::answering([Answer::ok("ok\n")]);
    let remote = remote(endpoint(&server));
    assert!(matches!(remote.keyroll().await, Ok(Keyroll::Started)));
    remote.terminate("i-0123").await.unwrap();
    insta::assert_snapshot!(server.transcript(), @r"
    POST /instances/keyroll? HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Content-Length: 0
    Accept: */*
    Authorization: Basic Y29udm94OnNlY3JldA==
    Content-Type: application/octet-stream
    Session: 
    Version: dev
    Accept-Encoding: gzip
    ---
    DELETE /instances/i-0123? HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Accept: */*
    Authorization: Basic Y29udm94OnNlY3JldA==
    Content-Type: application/octet-stream
    Session: 
    Version: dev
    Accept-Encoding: gzip
    ---
    ");
}

#[tokio::test]
async fn what_a_rack_says_is_understood() {
    let instances = r#"[
      {"agent":true,"cpu":0.5,"id":"i-2","memory":0.25,"private-ip":"10.0.0.2","processes":4,
       "public-ip":"203.0.113.2","status":"active","started":"2026-11-20T03:00:00Z"},
      {"agent":false,"cpu":0,"id":"i-1","memory":0,"private-ip":"10.0.0.1","processes":0,
       "public-ip":"","status":"","started":"0001-01-01T00:00:00Z"}]"#;
    let racks = r#"[{"name":"b","organization":{"name":"acme"},"status":"running","provider":"aws"},
      {"name":"a","organization":null,"status":"updating"}]"#;
    let server = Server::answering([
        Answer::ok(SYSTEM),
        Answer::ok(instances),
        Answer::ok(racks),
        Answer::ok("{\"name\":\"k\",\"private-key\":\"PEM\"}"),
        Answer::ok("{\"b\":1,\"a\":[null]}"),
    ]);
    let remote = remote(endpoint(&server));
    let system = remote.system().await.unwrap();
    assert_eq!((system.count, system.name.as_str()), (3, "prod"));
    assert_eq!(system.parameters["Password"], "****");
    assert_eq!(system.rack_domain, "rack.example.com");
    let instances = remote.instances().await.unwrap();
    assert_eq!(instances[0].id, "i-1");
    assert_eq!(instances[0].started, None);
    assert_eq!(instances[1].processes, 4);
    assert_eq!(instances[1].started, "2026-11-20T03:00:00Z".parse().ok());
    let names: Vec<_> = remote.racks().await.unwrap();
    let names: Vec<_> = names.iter().map(|rack| rack.full_name()).collect();
    assert_eq!(names, ["a", "acme/b"]);
    let Keyroll::Minted { name, private_key } = remote.keyroll().await.unwrap() else {
        panic!("a rack of the third generation hands its key over");
    };
    assert_eq!((name.as_str(), private_key.expose()), ("k", "PEM"));
    let json = remote.get_json("/apps/web?x=y").await.unwrap();
    assert_eq!(json.to_string(), r#"{"a":[null],"b":1}"#);
    assert_eq!(
        server.asked(),
        [
            "GET /system?",
            "GET /instances?",
            "GET /racks?",
            "POST /instances/keyroll?",
            "GET /apps/web?x=y"
        ]
    );
}

#[tokio::test]
async fn a_password_goes_out_as_the_bytes_that_it_is() {
    let server = Server::answering([Answer::ok("ok\n"), Answer::status(401, "no\n")]);
    let url = server.url();
    let url = url.replace("http://", "http://jwt:p%40ss%2Fw%2Brd%20%25%26@");
    let remote = remote(Endpoint::of_url(&url, false).unwrap());
    remote.auth().await.unwrap();
    let other = SecretString::from("ä&b c+d");
    assert!(!remote.accepts(&other).await.unwrap());
    let sent: Vec<_> = server.requests();
    let sent = sent.iter().map(|r| r.header("authorization").unwrap());
    // printf 'jwt:p@ss/w+rd %%&' | base64, and the same for the other.
    assert_eq!(
        sent.collect::<Vec<_>>(),
        ["Basic and0OnBAc3MvdytyZCAlJg==", "Basic and0OsOkJmIgYytk"]
    );
}

#[tokio::test]
async fn a_challenge_is_answered_once_and_the_session_kept() {
    const CHALLENGE: &[(&str, &str)] = &[(
        "WWW-Authenticate",
        "Session path=\"/session\" token=\"false\"",
    )];
    let server = Server::answering([
        Answer::Http(401, CHALLENGE, Vec::new()),
        Answer::ok("{\"id\":\"s-1\"}"),
        Answer::ok("[]"),
        Answer::Http(401, CHALLENGE, Vec::new()),
        Answer::ok("{\"id\":\"s-2\"}"),
        Answer::Http(401, CHALLENGE, Vec::new()),
    ]);
    let (remote, kept) = remote_with_sessions(endpoint(&server));
    remote.racks().await.unwrap();
    let error = remote.racks().await.unwrap_err();
    assert!(matches!(error, RemoteError::SessionRefused { .. }));
    assert_eq!(*kept.lock().unwrap(), ["s-1", "s-2"]);
    let sent = server.requests();
    let sent: Vec<_> = sent
        .iter()
        .map(|r| (r.what(), r.header("session").unwrap()))
        .collect();
    assert_eq!(
        sent,
        [
            ("GET /racks?", ""),
            ("POST /session?", ""),
            ("GET /racks?", "s-1"),
            ("GET /racks?", "s-1"),
            ("POST /session?", "s-1"),
            ("GET /racks?", "s-2")
        ]
    );
}

#[tokio::test]
async fn a_security_key_is_only_talked_about() {
    const CHALLENGE: &[(&str, &str)] =
        &[("WWW-Authenticate", "Session path=\"/u2f\" token=\"true\"")];
    let server = Server::answering([Answer::Http(401, CHALLENGE, Vec::new())]);
    let error = remote(endpoint(&server)).racks().await.unwrap_err();
    assert!(matches!(error, RemoteError::SecurityKey { .. }));
    assert!(error.hint().unwrap().contains("API key"));
    assert_eq!(server.asked(), ["GET /racks?"]);
}

#[tokio::test]
async fn only_what_is_safe_is_repeated() {
    let busy = || Answer::status(503, "<html>503</html>");
    let server = Server::answering([busy(), Answer::Hang, Answer::ok(SYSTEM)]);
    let patient = remote(endpoint(&server));
    assert_eq!(patient.system().await.unwrap().name, "prod");
    assert_eq!(server.asked().len(), 3);

    let server = Server::answering([busy()]);
    let error = remote(endpoint(&server)).system().await.unwrap_err();
    assert_eq!(error.to_string(), "response status 503");
    assert!(error.is_transient());
    assert_eq!(server.asked().len(), 3, "three attempts and no more");

    for answer in [busy(), Answer::Hang] {
        let server = Server::answering([answer]);
        let error = remote(endpoint(&server)).keyroll().await.unwrap_err();
        assert!(error.is_unanswered(), "{error}");
        assert_eq!(server.asked().len(), 1, "a keyroll is asked for once");
    }

    let server = Server::answering([Answer::status(500, "boom")]);
    assert!(remote(endpoint(&server)).system().await.is_err());
    assert_eq!(server.asked().len(), 1, "a failure is not repeated");
}

#[tokio::test]
async fn an_old_rack_has_its_parameters_elsewhere() {
    let old = SYSTEM.replace("20230403123456", "20180708231844");
    let server = Server::answering([Answer::ok(&old)]);
    let remote = remote(endpoint(&server));
    let changes = [("B", "2 &"), ("A", "1")];
    let changes = BTreeMap::from(changes.map(|(k, v)| (k.to_owned(), v.to_owned())));
    remote.update_system(&changes).await.unwrap();
    let last = server.requests().pop().unwrap();
    assert_eq!(last.what(), "POST /apps/prod/parameters?");
    assert_eq!(last.body(), "A=1&B=2+%26");
}
