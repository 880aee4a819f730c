//! Websockets: a shell on an instance, and the rack's log.

use convox::rack::remote::{LogOptions, RemoteError, ShellEvent, Size};

use super::server::{Answer, Server, Step, frame};
use super::{endpoint, remote};

const MARKER: &str = "F1E49A85-0AD7-4AEF-A618-C249C6E6568D";

fn text(text: impl AsRef<[u8]>) -> Step {
    Step::Text(text.as_ref().to_vec())
}

/// A rack whose shell does all of this.
fn shell(steps: Vec<Step>) -> Server {
    Server::start(move |request| match request.what() {
        "GET /system?" => Answer::ok("{\"name\":\"prod\",\"version\":\"20230403123456\"}"),
        "GET /racks?" => Answer::status(404, ""),
        _ => Answer::Socket(steps.clone()),
    })
}

/// Runs `uptime`, and returns what was printed and how it ended.
async fn run(steps: Vec<Step>) -> (String, Result<i32, RemoteError>) {
    let server = shell(steps);
    let remote = remote(endpoint(&server));
    let mut shell = match remote.shell("i-1", "uptime", None).await {
        Ok(shell) => shell,
        Err(error) => return (String::new(), Err(error)),
    };
    let mut printed = Vec::new();
    loop {
        match shell.next().await {
            Ok(Some(ShellEvent::Output(bytes))) => printed.extend_from_slice(&bytes),
            Ok(Some(ShellEvent::Exited(code))) => {
                assert_eq!(shell.next().await, Ok(None), "nothing comes after the end");
                return (printed.escape_ascii().to_string(), Ok(code));
            }
            Ok(None) => panic!("it ended without a word"),
            Err(error) => return (printed.escape_ascii().to_string(), Err(error)),
        }
    }
}

#[tokio::test]
async fn a_shell_is_asked_for_as_the_classic_does() {
    let steps = vec![
        Step::Await,
        text("echo\r\n"),
        Step::Await,
        Step::AwaitPing,
        text(format!("{MARKER}:3\n")),
        Step::End,
        Step::Close,
    ];
    let server = shell(steps);
    let remote = remote(endpoint(&server));
    let size = Some(Size {
        width: 80,
        height: 24,
    });
    let mut shell = remote.shell("i-1", "cat", size).await.unwrap();
    let input = shell.input();
    input.send(b"typed \xff").await.unwrap();
    let output = shell.next().await.unwrap();
    assert_eq!(output, Some(ShellEvent::Output("echo\r\n".into())));
    input.end().await.unwrap();
    assert_eq!(shell.next().await, Ok(Some(ShellEvent::Exited(3))));
    assert_eq!(server.frames(), ["text typed \\xff", "binary "]);
    assert_eq!(
        server.asked(),
        ["GET /system?", "GET /racks?", "GET /instances/i-1/shell"]
    );
    let transcript = server.transcript();
    let last = transcript.split("---\n").nth(2).unwrap();
    insta::assert_snapshot!(last, @r"
    GET /instances/i-1/shell HTTP/1.1
    Host: 127.0.0.1:PORT
    User-Agent: convox.go/dev
    Authorization: Basic Y29udm94OnNlY3JldA==
    Command: cat
    Connection: Upgrade
    Height: 24
    Origin: http://127.0.0.1:PORT
    Sec-Websocket-Key: KEY
    Sec-Websocket-Version: 13
    Session: 
    Upgrade: websocket
    Version: dev
    Width: 80
    Accept: */*
    Accept-Encoding: gzip
    ");
}

#[tokio::test]
async fn output_comes_as_it_is_and_the_marker_does_not() {
    let steps = vec![
        text(b"\xe2\x82"),
        text(b"\xac\xff one\n"),
        Step::Raw([frame(0x01, b"tw"), frame(0x89, b"?"), frame(0x80, b"o")].concat()),
        text(&MARKER[..20]),
        text(format!("{}:1", &MARKER[20..])),
        text("7\n"),
        Step::End,
        Step::Close,
    ];
    let (printed, code) = run(steps).await;
    assert_eq!(
        (printed.as_str(), code),
        (r"\xe2\x82\xac\xff one\ntwo", Ok(17))
    );
}

#[tokio::test]
async fn a_failure_of_the_rack_is_one() {
    let failed = |words: &str| vec![text(format!("ERROR: {words}\n")), Step::End, Step::Close];
    let (printed, end) = run(failed("no such instance: i-1")).await;
    let reported = RemoteError::Reported {
        message: "no such instance: i-1".to_owned(),
    };
    assert_eq!((printed.as_str(), end), ("", Err(reported)));

    // The upgrade comes before the password is looked at.
    let (_, end) = run(failed("invalid authentication")).await;
    assert!(end.unwrap_err().is_unauthorized());

    // A program may print the same, and then ends like a program.
    let code = text(format!("{MARKER}:0\n"));
    let (printed, end) = run(vec![text("ERROR: mine\n"), code, Step::End]).await;
    assert_eq!((printed.as_str(), end), (r"ERROR: mine\n", Ok(0)));
}

#[tokio::test]
async fn a_shell_that_breaks_off_has_no_exit_code() {
    let half = Step::Raw(frame(0x81, b"half of it")[..6].to_vec());
    for steps in [
        vec![text("some"), half],
        vec![text("some"), Step::Close],
        vec![text("some"), Step::End],
        vec![
            text("some"),
            Step::Raw(vec![0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]),
        ],
        vec![text("some")],
    ] {
        let what = format!("{steps:?}");
        let (printed, end) = run(steps).await;
        assert_eq!(printed, "some", "{what}");
        let error = end.unwrap_err();
        assert!(
            matches!(error, RemoteError::Broken { .. }),
            "{what}: {error}"
        );
    }
    // What may be the beginning of a marker is told when it is none.
    let (printed, _) = run(vec![text("F1E49"), Step::End]).await;
    assert_eq!(printed, "F1E49");
}

#[tokio::test]
async fn what_is_no_websocket_is_refused() {
    for (answer, expected) in [
        (
            Answer::status(401, "invalid authentication\n"),
            "invalid authentication",
        ),
        (Answer::status(403, "Forbidden\n"), "Forbidden"),
        (Answer::ok("<html></html>"), "with a web page"),
        (Answer::ok("ok"), "with something else than a websocket"),
        (
            Answer::Raw(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                  Upgrade: websocket\r\nSec-WebSocket-Accept: bm9ib2R5\r\n\r\n"
                    .to_vec(),
            ),
            "with a websocket that was meant for somebody else",
        ),
    ] {
        let server = Server::start(move |request| match request.what() {
            "GET /system?" => Answer::ok("{}"),
            "GET /racks?" => Answer::ok("[]"),
            _ => answer.clone(),
        });
        let error = remote(endpoint(&server)).shell("i-1", "", None).await;
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[tokio::test]
async fn an_old_rack_takes_width_for_height() {
    let server = Server::start(|request| match request.what() {
        "GET /system?" => Answer::ok("{\"version\":\"20180708231844\"}"),
        "GET /racks?" => Answer::ok("[]"),
        _ => Answer::said(&[]),
    });
    let size = Size {
        width: 80,
        height: 24,
    };
    let remote = remote(endpoint(&server));
    let _shell = remote.shell("i-1", "", Some(size)).await.unwrap();
    let last = server.requests().pop().unwrap();
    assert_eq!(last.what(), "GET /instances/i-1/ssh");
    let header = |name| last.header(name).unwrap();
    assert_eq!(
        (header("width"), header("height"), header("terminal")),
        ("24", "80", "xterm")
    );
}

#[tokio::test]
async fn a_log_is_followed_over_every_connection_without_loss_or_repetition() {
    let line = |second: u32, what: &str| {
        format!("2026-11-22T03:00:{second:02}Z system/cloudformation {what}\n")
    };
    let half = line(4, "CREATE_COMPLETE");
    let mut connections = vec![
        // A line that is cut off, and then the connection.
        vec![
            text(line(1, "one")),
            text(format!("{}{}", line(2, "same"), line(2, "same"))),
            text(&half[..20]),
        ],
        // All of it again; half a frame.
        vec![
            text([line(1, "one"), line(2, "same"), line(2, "same")].concat()),
            text(&half),
            Step::Raw(frame(0x81, line(5, "five").as_bytes())[..30].to_vec()),
        ],
        vec![
            text(line(2, "same")),
            text(line(5, "five")),
            Step::End,
            Step::Close,
        ],
        vec![
            text(line(4, "CREATE_COMPLETE")),
            text(line(6, "six")),
            Step::AwaitPing,
        ],
    ];
    connections.reverse();
    let server = Server::start(move |request| match request.what() {
        "GET /racks?" => Answer::status(404, ""),
        _ => Answer::Socket(connections.pop().unwrap_or_default()),
    });
    let remote = remote(endpoint(&server));
    let mut logs = remote.logs(LogOptions::default());
    let mut lines = String::new();
    for _ in 0..6 {
        lines.push_str(&logs.next().await.unwrap());
        lines.push('\n');
    }
    let expected = [
        line(1, "one"),
        line(2, "same"),
        line(2, "same"),
        half,
        line(5, "five"),
        line(6, "six"),
    ];
    assert_eq!(lines, expected.concat());
    let sockets: Vec<_> = server.requests();
    let sockets: Vec<_> = sockets
        .iter()
        .filter(|request| request.what() == "GET /system/logs")
        .collect();
    assert_eq!(sockets.len(), 4);
    assert_eq!(sockets[0].header("since"), Some("5s"));
    assert_eq!(sockets[0].header("prefix"), Some("true"));
    for again in &sockets[1..] {
        let since = again.header("since").unwrap();
        let since: u64 = since.strip_suffix('s').unwrap().parse().unwrap();
        assert!(since > 30, "{since} s do not overlap");
    }
    let asked = server.asked();
    assert_eq!(asked[..2], ["GET /racks?", "GET /system/logs"]);
}

#[tokio::test]
async fn a_log_that_is_refused_says_why_and_may_be_asked_again() {
    let mut answers = vec![
        Answer::said(&["2026-11-22T03:00:00Z system/x back\n"]),
        Answer::said(&["ERROR: no such log\n"]),
        Answer::status(503, ""),
        Answer::said(&["ERROR: invalid authentication\n"]),
    ];
    let server = Server::start(move |request| match request.what() {
        "GET /racks?" => Answer::status(404, ""),
        _ => answers.pop().unwrap(),
    });
    let mut logs = remote(endpoint(&server)).logs(LogOptions::default());
    assert!(logs.next().await.unwrap_err().is_unauthorized());
    assert!(logs.next().await.unwrap_err().is_transient());
    assert_eq!(logs.next().await.unwrap_err().to_string(), "no such log");
    assert_eq!(
        logs.next().await.unwrap(),
        "2026-11-22T03:00:00Z system/x back"
    );
}
