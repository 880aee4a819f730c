//! A console, or a rack, of a few lines: it speaks TLS and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::environment::TestEnvironment;

/// What the server answers to: path, status, type and body.
pub type Answer = (&'static str, u16, &'static str, &'static str);

pub struct Server {
    /// `127.0.0.1:PORT`.
    pub host: String,
    /// Its certificate, in PEM form.
    pub pem: String,
    /// Its certificate's SHA-256, with colons.
    pub fingerprint: String,
    state: Arc<Mutex<State>>,
}

struct State {
    passwords: Vec<String>,
    answers: Vec<Answer>,
    seen: Vec<String>,
}

impl Server {
    /// Starts one that accepts `password` and gives these answers to whoever has it.
    pub fn start(password: &str, answers: &[Answer]) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State {
            passwords: vec![password.to_owned()],
            answers: answers.to_vec(),
            seen: Vec::new(),
        }));
        let (config, shared) = (Arc::new(config), Arc::clone(&state));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, state) = (Arc::clone(&config), Arc::clone(&shared));
                // A client that does not believe the certificate hangs up.
                std::thread::spawn(move || serve(stream.unwrap(), config, &state).ok());
            }
        });
        let digest = Sha256::digest(cert.der());
        let fingerprint: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Self {
            host,
            pem: cert.pem(),
            fingerprint: fingerprint.join(":"),
            state,
        }
    }

    /// Returns a machine that has the certificate in `ca.pem` and shows no address of the server.
    pub fn environment(&self) -> TestEnvironment {
        let env = TestEnvironment::new();
        env.write("ca.pem", &self.pem);
        env.hide(&self.host, "HOST")
            .hide(&self.fingerprint, "FINGERPRINT")
    }

    /// Accepts these passwords from now on.
    pub fn accept(&self, passwords: &[&str]) {
        let passwords = passwords.iter().map(|&password| password.to_owned());
        self.state.lock().unwrap().passwords = passwords.collect();
    }

    /// Takes what was asked since the last time: method, path, password, rack.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let header = |name: &str| {
            head.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let password = header("authorization").map_or(String::new(), |text| {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text.trim_start_matches("Basic "))
                .unwrap();
            String::from_utf8(bytes).unwrap()
        });
        let mut words = head[0].split_whitespace();
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (status, kind, body) = {
            let mut state = state.lock().unwrap();
            let rack = header("rack").map_or(String::new(), |rack| format!(" rack={rack}"));
            state.seen.push(format!("{method} {path} {password}{rack}"));
            let secret = password.split_once(':').map_or("", |(_, secret)| secret);
            let is_accepted = state.passwords.iter().any(|known| known == secret);
            let path = path.trim_end_matches('?');
            let answer = state.answers.iter().find(|answer| answer.0 == path);
            match answer {
                _ if !is_accepted => (401, "text/plain", "invalid authentication\n"),
                Some((_, status, kind, body)) => (*status, *kind, *body),
                None => (404, "text/plain", ""),
            }
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(answer.as_bytes())?;
        stream.get_mut().flush()?;
    }
}
