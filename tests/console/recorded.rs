//! A session of the classic command line, byte for byte: what it sends, and what it is answered.
//!
//! `recorded/session.txt` holds requests one after the other, written down from what is known of
//! the classic's headers and their order, and below each the answer that this console gave. It
//! tells when an answer changes, and not whether a classic's own program is content with it. What
//! differs from run to run is masked.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::environment::{Console, on_both};

const SESSION: &str = include_str!("recorded/session.txt");

/// What differs from run to run, and what stands for it.
const MASKS: [(&str, &str); 9] = [
    (r"(?m)^date: .*$", "date: DATE"),
    (r"(?m)^request-id: [0-9a-f]{12}$", "request-id: ID"),
    (r"(?m)^content-length: \d+$", "content-length: LENGTH"),
    (r"person_[0-9A-Za-z]+", "person_ID"),
    (r"keypair-[0-9a-z]+", "keypair-NAME"),
    (r"i-[0-9a-f]{17}", "i-ID"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
    (r"\b01[0-9a-z]{14}\b", "ROLL"),
    (r"10\.0\.\d+\.\d+|54\.\d+\.\d+\.\d+", "ADDRESS"),
];

/// A command of the classic's, one of its requests, and the answer.
struct Exchange {
    command: &'static str,
    request: &'static str,
    answer: &'static str,
}

fn exchanges() -> Vec<Exchange> {
    let all = SESSION.split("$ convox ").skip(1);
    let read = all.map(|text| {
        let (command, rest) = text.split_once('\n').unwrap();
        let (request, answer) = rest.split_once("\n====").unwrap();
        Exchange {
            command,
            request,
            answer: answer.trim_matches('\n'),
        }
    });
    read.collect()
}

/// Somebody with a classic command line.
struct Classic<'c> {
    console: &'c Console,
    host: String,
    basic: String,
    /// The instance that is terminated.
    instance: String,
}

impl Classic<'_> {
    /// Sends a request as it is written down, and returns the connection.
    async fn send(&self, recorded: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.host).await.unwrap();
        let (head, body) = recorded.split_once("\n\n").unwrap_or((recorded, ""));
        let request = format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"));
        let request = request
            .replace("{HOST}", &self.host)
            .replace("{BASIC}", &self.basic)
            .replace("{INSTANCE}", &self.instance);
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Sends a request, and returns its answer, head and body.
    async fn ask(&self, recorded: &str) -> (String, String) {
        let mut stream = self.send(recorded).await;
        let head = read_head(&mut stream).await;
        let length = Regex::new(r"content-length: (\d+)").unwrap();
        let length = length.captures(&head).map(|it| it[1].parse().unwrap());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Hears the rack's word, as whoever waits does: until it is `running` twice in a row.
    async fn wait(&self, status: &str) -> Vec<String> {
        let (mut words, mut running) = (Vec::new(), 0);
        while running < 2 {
            let (_, body) = self.ask(status).await;
            let system: serde_json::Value = serde_json::from_str(&body).unwrap();
            let word = system["status"].as_str().unwrap().to_owned();
            running = if word == "running" { running + 1 } else { 0 };
            words.push(word);
            let every = std::time::Duration::from_secs(5);
            self.console.racks.clock.sleep(every).await;
        }
        words.dedup();
        words
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().replace("\r\n", "\n")
}

/// Reads lines of a log until the roll that is under way has ended.
async fn read_log(mut stream: TcpStream) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while !lines.last().is_some_and(|line| line.contains(": ended: ")) {
        assert_eq!(
            stream.read_u8().await.unwrap(),
            0x81,
            "a text, and all of it"
        );
        let length = match stream.read_u8().await.unwrap() {
            126 => usize::from(stream.read_u16().await.unwrap()),
            length => usize::from(length),
        };
        let mut text = vec![0; length];
        stream.read_exact(&mut text).await.unwrap();
        lines.push(String::from_utf8(text).unwrap());
    }
    lines
}

fn masked(text: &str) -> String {
    MASKS.iter().fold(text.to_owned(), |text, (pattern, mask)| {
        let pattern = Regex::new(pattern).unwrap();
        pattern.replace_all(&text, *mask).into_owned()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_as_it_was_before() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let host = console.address.strip_prefix("http://").unwrap().to_owned();
        let mut classic = Classic {
            console,
            host,
            basic: STANDARD.encode(format!("convox:{}", ada.key)),
            instance: String::new(),
        };
        let exchanges = exchanges();
        let status = exchanges
            .iter()
            .find(|it| it.command == "rack")
            .unwrap()
            .request;
        let mut log = None;
        let mut transcript = String::new();
        for Exchange {
            command, request, ..
        } in &exchanges
        {
            let line = request.lines().next().unwrap();
            let is_log = line.starts_with("GET /system/logs ");
            let (head, body) = if is_log {
                let mut stream = classic.send(request).await;
                let head = read_head(&mut stream).await;
                log = Some(tokio::spawn(read_log(stream)));
                (head, String::new())
            } else {
                classic.ask(request).await
            };
            if line.starts_with("GET /instances?") {
                let instances: serde_json::Value = serde_json::from_str(&body).unwrap();
                classic.instance = instances[0]["id"].as_str().unwrap().to_owned();
            }
            let answer = masked(&format!("{head}{body}"));
            let answer = answer.trim_end_matches('\n');
            write!(
                transcript,
                "$ convox {command}\n{request}\n====\n{answer}\n\n"
            )
            .unwrap();
            if line.starts_with("PUT ") {
                assert_eq!(classic.wait(status).await.last().unwrap(), "running");
                // Until the new instance is one of the cluster's.
                let boot = std::time::Duration::from_mins(10);
                console.racks.clock.sleep(boot).await;
            }
            // The last of what whoever waits for the roll asks: nothing else is read meanwhile.
            if *command == "instances keyroll --wait" && line.starts_with("GET /system?") {
                assert_eq!(classic.wait(status).await, ["updating", "running"]);
                let lines = log.take().unwrap().await.unwrap();
                let is_kept =
                    |line: &String| line.split(' ').nth(1).unwrap().starts_with("system/");
                assert!(lines.iter().all(is_kept), "{lines:#?}");
                let (_, body) = classic.ask(status).await;
                assert!(body.contains("\"status\": \"running\""), "{body}");
                // All of them are others by now.
                let list = exchanges
                    .iter()
                    .find(|it| it.command == "instances")
                    .unwrap();
                let (_, body) = classic.ask(list.request).await;
                let instances: serde_json::Value = serde_json::from_str(&body).unwrap();
                classic.instance = instances[0]["id"].as_str().unwrap().to_owned();
            }
        }
        let recorded = SESSION.trim_end_matches('\n');
        let transcript = transcript.trim_end_matches('\n');
        assert!(recorded == transcript, "it was:\n{transcript}");
        assert!(exchanges.iter().all(|it| !it.answer.is_empty()));
    })
    .await;
}
