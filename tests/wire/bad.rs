//! Answers that no rack would give, and no answers at all: one clear line each.

use std::io::Write as _;

use convox::rack::remote::{Endpoint, RemoteError, RemoteOptions, Trust};

use super::server::{Answer, Server};
use super::{clock, endpoint, options, remote};

/// What a call of `GET /system` says about an answer, with the port taken out.
async fn said(answer: Answer) -> String {
    let server = Server::answering([answer]);
    let error = remote(endpoint(&server)).system().await.unwrap_err();
    told(&error).replace(&server.address().to_string(), "HOST")
}

fn told(error: &RemoteError) -> String {
    let message = error.to_string();
    assert!(!message.contains('\n') || error.status().is_some());
    let hint = error.hint().unwrap_or_else(|| "none".to_owned());
    assert!(!hint.contains('\n'));
    format!("{message} | {hint}")
}

#[tokio::test]
async fn an_answer_that_is_no_racks_is_named() {
    let page = Answer::ok("\n<!DOCTYPE html><html><body>Welcome</body></html>");
    insta::assert_snapshot!(said(page).await, @"HOST answers GET /system with a web page | is that the address of a rack or a console, and does a proxy answer for it?");
    let cut = Answer::ok("{\"name\": \"prod\", \"stat");
    insta::assert_snapshot!(said(cut).await, @"HOST answers GET /system with JSON that ends too early | is that the address of a rack or a console, and does a proxy answer for it?");
    let bytes = Answer::Http(200, &[], b"{\"name\": \"\xff\xfe\"}".to_vec());
    insta::assert_snapshot!(said(bytes).await, @"HOST answers GET /system with bytes that are not text | is that the address of a rack or a console, and does a proxy answer for it?");
    insta::assert_snapshot!(said(Answer::ok("")).await, @"HOST answers GET /system with nothing | is that the address of a rack or a console, and does a proxy answer for it?");
    insta::assert_snapshot!(said(Answer::ok("ok\n")).await, @"HOST answers GET /system with text that is not JSON | is that the address of a rack or a console, and does a proxy answer for it?");
    insta::assert_snapshot!(said(Answer::ok("[\"hunter2\"]")).await, @"HOST answers GET /system with JSON that is not what was asked for | is that the address of a rack or a console, and does a proxy answer for it?");
}

#[tokio::test]
async fn a_web_page_is_no_login() {
    let server = Server::answering([Answer::ok("<html>Sign in to the wireless network</html>")]);
    let error = remote(endpoint(&server)).auth().await.unwrap_err();
    assert!(error.to_string().ends_with("with a web page"));
}

#[tokio::test]
async fn an_answer_of_ten_megabytes_is_not_taken() {
    let big = format!("{{\"name\": \"{}\"}}", "x".repeat(10 << 20));
    insta::assert_snapshot!(said(Answer::ok(&big)).await, @"HOST answers GET /system with more than 8 MiB | is that the address of a rack or a console, and does a proxy answer for it?");
}

#[tokio::test]
async fn a_packed_answer_is_bounded_as_it_is_unpacked() {
    // 10 MiB of zeros: a gzip member that is made of stored blocks would not be small, so this
    // one is made of the fixed code's longest run, again and again.
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    packed.extend(zeros(10 << 20));
    let _ = packed.write_all(&[0; 8]);
    assert!(packed.len() < 100_000);
    let answer = Answer::Http(200, &[("Content-Encoding", "gzip")], packed);
    assert!(said(answer).await.contains("more than 8 MiB"));
}

/// Packs at least `count` zero bytes by the fixed code of RFC 1951: one literal, then matches
/// of 258 bytes at distance 1.
fn zeros(count: usize) -> Vec<u8> {
    let mut bits = vec![true, true, false];
    // Literal 0 is 00110000, most significant bit first.
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..count.div_ceil(258) {
        // Length 258 is code 285, which is 11000101; distance 1 is 00000.
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    // The end of the block is code 256, seven zeros.
    bits.extend([false; 7]);
    let byte = |bits: &[bool]| {
        let set = bits.iter().enumerate().filter(|(_, set)| **set);
        set.fold(0_u8, |byte, (at, _)| byte | (1 << at))
    };
    bits.chunks(8).map(byte).collect()
}

#[tokio::test]
async fn a_connection_that_breaks_is_no_answer() {
    insta::assert_snapshot!(said(Answer::Hang).await, @"no answer from HOST to GET /system: connection closed before message completed | look whether it was done before trying again");
    let short = Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"name\"".to_vec());
    insta::assert_snapshot!(said(short).await, @"no answer from HOST to GET /system: end of file before message length reached | look whether it was done before trying again");
    let noise = Answer::Raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec());
    insta::assert_snapshot!(said(noise).await, @"no answer from HOST to GET /system: invalid HTTP version parsed | look whether it was done before trying again");
}

#[tokio::test]
async fn failures_are_told_in_the_servers_own_words() {
    for (status, body, expected) in [
        (500, "100% of %s broken\n", "100% of %s broken"),
        (404, "instance not found: i-1\n", "instance not found: i-1"),
        (404, "", "response status 404"),
        (422, "{\"error\":\"no\"}", "no"),
        (
            502,
            "<html><body>Bad gateway</body></html>",
            "response status 502",
        ),
    ] {
        let message = said(Answer::status(status, body)).await;
        assert_eq!(message, format!("{expected} | none"), "{body}");
    }
    let wrong = said(Answer::status(401, "invalid authentication\n")).await;
    insta::assert_snapshot!(wrong, @"invalid authentication | `convox login HOST` stores another password, if this one is outdated");
}

#[tokio::test]
async fn a_password_follows_no_redirection() {
    let elsewhere = Server::answering([Answer::ok("{}")]);
    let location: &'static str = format!("{}/system?token=x", elsewhere.url()).leak();
    let headers: &'static [_] = vec![("Location", location)].leak();
    let message = said(Answer::Http(302, headers, Vec::new())).await;
    assert!(
        message.starts_with("HOST answers GET /system with a redirection to 127.0.0.1/system |")
    );
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_host_that_is_down_is_said_so() {
    // A port that nobody is given, so that no other test listens there.
    let address = "127.0.0.1:1";
    let endpoint = Endpoint::of_host(&format!("https://{address}"), "s".into(), false).unwrap();
    let error = remote(endpoint).keyroll().await.unwrap_err();
    let message = told(&error).replace(address, "HOST");
    insta::assert_snapshot!(message, @"cannot connect to HOST: Connection refused (os error 111) | is the rack up, and does a proxy or a firewall lie between?");
    assert!(error.is_transient() && !error.is_unanswered());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    // It takes the connection and answers nothing at all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let endpoint = Endpoint::of_host(&format!("http://{address}"), "s".into(), false).unwrap();
    let options = RemoteOptions {
        timeout: std::time::Duration::from_millis(50),
        attempts: 1,
        ..options()
    };
    let sessions = std::sync::Arc::new(|_: &str| {});
    let remote = convox::rack::remote::Remote::with_options(
        endpoint,
        &Trust::new(),
        clock(),
        sessions,
        options,
    );
    let error = remote.unwrap().system().await.unwrap_err();
    assert!(error.is_unanswered() && error.is_transient(), "{error}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_not() {
    let server = Server::answering([Answer::ok("{}")]);
    let remote = remote(endpoint(&server));
    for path in ["instances", "", "/a b", "/ä", "/a\nb", "/a#b"] {
        assert!(remote.get_json(path).await.is_err(), "{path}");
    }
    assert!(remote.terminate("../system").await.is_err());
    assert!(remote.shell("i-1/..", "", None).await.is_err());
    assert_eq!(server.connections(), 0);
}
