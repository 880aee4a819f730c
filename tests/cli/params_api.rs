//! `rack params set` on a rack that is reached over its API: what is sent, byte for byte.

use super::api::{at, run};
use super::server::{Answer, Server};

const SYSTEM: &str = r#"{"name":"prod","status":"running","version":"20230403123456","parameters":
    {"Ami":"","InstanceType":"t3.small","Key":"k","Password":"****"}}"#;

/// A rack that answers an update so.
fn rack(update: Answer) -> Server {
    Server::start(move |request| match request.what() {
        "GET /system?" => Answer::ok(SYSTEM),
        "PUT /system?" => update.clone(),
        _ => Answer::status(404, ""),
    })
}

#[test]
fn one_look_at_the_rack_and_one_nested_form() {
    let server = rack(Answer::ok("ok\n"));
    let words = [
        "rack",
        "params",
        "set",
        "InstanceType=t3.large",
        "Ami=a=b&c d",
    ];
    insta::assert_snapshot!(at(&server).run(&words), @r"
    exit 0
    --- stdout
    Updating parameters... OK
    --- stderr
    ");
    insta::assert_snapshot!(server.transcript(), @r"
    GET /system? HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Accept: */*
    Authorization: Basic Y29udm94Omh1bnRlcjI=
    Content-Type: application/octet-stream
    Session: 
    Version: dev
    Accept-Encoding: gzip
    ---
    PUT /system? HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Content-Length: 60
    Accept: */*
    Authorization: Basic Y29udm94Omh1bnRlcjI=
    Content-Type: application/x-www-form-urlencoded
    Session: 
    Version: dev
    Accept-Encoding: gzip

    parameters=Ami%3Da%253Db%2526c%2Bd%26InstanceType%3Dt3.large
    ---
    ");
}

#[test]
fn what_is_refused_here_is_not_sent() {
    for (line, code) in [
        ("rack params set InstanceTyp=t3.large", 1),
        ("rack params set Key=****", 1),
        ("rack params set HighAvailability=true", 1),
        ("rack params set InstanceType=t3.small", 0),
        ("rack params set InstanceType=t3.large --plan", 0),
    ] {
        let server = rack(Answer::ok("ok\n"));
        let seen = run(&server, line);
        assert!(
            seen.starts_with(&format!("exit {code}\n")),
            "{line}: {seen}"
        );
        assert_eq!(server.asked(), ["GET /system?"], "{line}");
    }
}

#[test]
fn what_the_rack_refuses_is_told() {
    let nothing = "ValidationError: No updates are to be performed.\n\tstatus code: 400\n";
    let server = rack(Answer::status(500, nothing));
    insta::assert_snapshot!(run(&server, "rack params set InstanceType=t3.large"), @r"
    exit 0
    --- stdout
    --- stderr
    nothing to change: prod is like that already
    ");
    let denied = "AccessDenied: not authorized to perform cloudformation:UpdateStack\n";
    let server = rack(Answer::status(500, denied));
    insta::assert_snapshot!(run(&server, "rack params set InstanceType=t3.large"), @r"
    exit 1
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: AccessDenied: not authorized to perform cloudformation:UpdateStack
    ");
}

#[test]
fn a_secret_on_the_command_line_is_warned_of() {
    let server = Server::start(|request| match request.what() {
        "GET /system?" => Answer::ok(&SYSTEM.replace("\"Ami\"", "\"License\":\"****\",\"Ami\"")),
        _ => Answer::ok("ok\n"),
    });
    insta::assert_snapshot!(run(&server, "rack params set License=@hunter3 Ami=x"), @r"
    exit 0
    --- stdout
    Updating parameters... OK
    --- stderr
    WARNING: License is secret, and its value is on the command line, where other users of this machine and the shell's history see it
    ");
    let update = server.requests().pop().unwrap();
    assert_eq!(update.body(), "parameters=Ami%3Dx%26License%3D%2540hunter3");
}
