//! A way to a server on which answers are lost: what was asked is done, and nobody is told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Listens in front of a server and passes requests on.
pub(crate) struct Lossy {
    pub(crate) address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Lossy {
    /// Loses the first `lost` answers of the server at `address`, and passes on all others.
    pub(crate) fn before(address: &str, lost: usize) -> Self {
        let server = address.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut client = stream.unwrap();
                let Some((head, body)) = read(&mut client) else {
                    continue;
                };
                let nth = {
                    let mut heads = heard.lock().unwrap();
                    heads.push(head.clone());
                    heads.len()
                };
                let mut upstream = TcpStream::connect(&server).unwrap();
                upstream.write_all(head.as_bytes()).unwrap();
                upstream.write_all(&body).unwrap();
                let (head, body) = read(&mut upstream).unwrap();
                if nth > lost {
                    // One request a connection, so that each has an answer of its own.
                    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                    client.write_all(head.as_bytes()).unwrap();
                    client.write_all(&body).unwrap();
                }
                let _ = client.shutdown(Shutdown::Both);
            }
        });
        Self { address, heads }
    }

    /// Returns how many requests were passed on.
    pub(crate) fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    /// Returns the `Idempotency-Key` of each request that had one.
    pub(crate) fn idempotency_keys(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        let lines = heads.iter().flat_map(|head| head.lines());
        lines
            .filter_map(|line| line.strip_prefix("idempotency-key: "))
            .map(str::to_owned)
            .collect()
    }
}

/// Reads a request or an answer: its head and its body.
fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}
