//! A server that writes down every byte it is sent, and answers as it is told to.
//!
//! It lives on a thread and a runtime of its own, so that programs that are started by a test
//! can be answered too.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convox::rack::remote::Fingerprint;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub text: String,
}

impl Request {
    /// The first line: method, path, version.
    pub fn line(&self) -> &str {
        self.text.split("\r\n").next().unwrap()
    }

    /// `GET /path?`.
    pub fn what(&self) -> &str {
        self.line().rsplit_once(' ').unwrap().0
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        head.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(':').unwrap();
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An answer in order, which leaves the connection open.
    Http(u16, &'static [(&'static str, &'static str)], Vec<u8>),
    /// These bytes, and then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing: the connection is closed.
    Hang,
    /// A websocket on which all of this happens.
    Socket(Vec<Step>),
}

/// What happens on a websocket.
#[derive(Debug, Clone)]
pub enum Step {
    /// A text frame.
    Text(Vec<u8>),
    /// An empty binary frame.
    End,
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
    /// Waits for a frame that is no ping, and writes down its kind and payload.
    Await,
    /// Waits for a ping.
    AwaitPing,
    /// A close frame, and the connection ends. Otherwise it is cut after the last step.
    Close,
}

impl Answer {
    pub fn ok(body: &str) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: &str) -> Self {
        Self::Http(status, &[], body.as_bytes().to_vec())
    }

    /// Text frames, the end, and a close.
    pub fn said(texts: &[&str]) -> Self {
        let texts = texts
            .iter()
            .map(|text| Step::Text(text.as_bytes().to_vec()));
        Self::Socket(texts.chain([Step::End, Step::Close]).collect())
    }
}

type Script = Box<dyn FnMut(&Request) -> Answer + Send>;

/// Frames that clients have sent: `text hello`, `binary ` and so on.
type Frames = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    frames: Frames,
    connections: Arc<Mutex<usize>>,
    certificate: Option<Certificate>,
}

/// A certificate and who has signed it.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate of the authority, in PEM form.
    pub authority: String,
    pub fingerprint: Fingerprint,
    config: Arc<rustls::ServerConfig>,
}

impl Certificate {
    /// Makes one for these names, signed by an authority that is made for it.
    pub fn new(names: &[&str]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names).unwrap();
        let leaf = leaf.signed_by(&key, &authority).unwrap();
        Self::of(authority.pem(), &leaf, &key)
    }

    /// Makes one that nobody has signed but itself.
    pub fn self_signed(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Self::of(made.cert.pem(), &made.cert, &made.signing_key)
    }

    fn of(authority: String, leaf: &rcgen::Certificate, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Self {
            authority,
            fingerprint: Fingerprint::of(leaf.der()),
            config: Arc::new(config),
        }
    }
}

impl Server {
    /// Serves plain HTTP.
    pub fn start(script: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::serve(None, Box::new(script))
    }

    /// Serves TLS.
    pub fn start_tls(
        certificate: Certificate,
        script: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        Self::serve(Some(certificate), Box::new(script))
    }

    /// Gives these answers one after the other, and the last one from then on.
    pub fn answering(answers: impl Into<Vec<Answer>>) -> Self {
        let mut answers = answers.into();
        answers.reverse();
        Self::start(move |_| match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop().unwrap(),
        })
    }

    fn serve(certificate: Option<Certificate>, script: Script) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            frames: Arc::default(),
            connections: Arc::default(),
            certificate,
        };
        let shared = server.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(shared.accept(listener, Arc::new(Mutex::new(script))));
        });
        server
    }

    async fn accept(self, listener: std::net::TcpListener, script: Arc<Mutex<Script>>) {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            *self.connections.lock().unwrap() += 1;
            let (server, script) = (self.clone(), Arc::clone(&script));
            tokio::spawn(async move {
                match &server.certificate {
                    None => server.converse(stream, &script).await,
                    Some(certificate) => {
                        let acceptor = TlsAcceptor::from(Arc::clone(&certificate.config));
                        // A client that does not trust us leaves here.
                        if let Ok(stream) = acceptor.accept(stream).await {
                            server.converse(stream, &script).await;
                        }
                    }
                }
            });
        }
    }

    async fn converse(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        script: &Mutex<Script>,
    ) {
        while let Some(request) = read_request(&mut stream).await {
            self.requests.lock().unwrap().push(request.clone());
            let answer = (script.lock().unwrap())(&request);
            match answer {
                Answer::Http(status, headers, body) => {
                    let mut head = format!("HTTP/1.1 {status} Whatever\r\n");
                    for (name, value) in headers {
                        head.push_str(&format!("{name}: {value}\r\n"));
                    }
                    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
                    let sent = stream.write_all(&[head.into_bytes(), body].concat()).await;
                    if sent.is_err() {
                        return;
                    }
                }
                Answer::Raw(bytes) => {
                    let _ = stream.write_all(&bytes).await;
                    let _ = stream.shutdown().await;
                    return;
                }
                Answer::Hang => return,
                Answer::Socket(steps) => {
                    let accept =
                        derive_accept_key(request.header("sec-websocket-key").unwrap().as_bytes());
                    let head = format!(
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                         Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    for step in steps {
                        if !self.step(&mut stream, step).await {
                            break;
                        }
                    }
                    let _ = stream.shutdown().await;
                    return;
                }
            }
        }
    }

    async fn step(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), step: Step) -> bool {
        let bytes = match step {
            Step::Text(text) => frame(0x81, &text),
            Step::End => frame(0x82, b""),
            Step::Close => frame(0x88, b""),
            Step::Raw(bytes) => bytes,
            Step::Await | Step::AwaitPing => loop {
                let Some((opcode, payload)) = read_frame(stream).await else {
                    return false;
                };
                let is_ping = opcode == 9;
                if !is_ping {
                    let kind = match opcode {
                        1 => "text",
                        2 => "binary",
                        10 => "pong",
                        _ => "other",
                    };
                    let text = format!("{kind} {}", payload.escape_ascii());
                    self.frames.lock().unwrap().push(text);
                }
                if is_ping == matches!(step, Step::AwaitPing) {
                    return true;
                }
            },
        };
        stream.write_all(&bytes).await.is_ok()
    }

    /// `http://127.0.0.1:PORT` or `https://localhost:PORT`.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The methods and paths of all requests.
    pub fn asked(&self) -> Vec<String> {
        let requests = self.requests();
        requests.iter().map(|r| r.what().to_owned()).collect()
    }

    /// All requests as they came, the port and what is random in them apart.
    pub fn transcript(&self) -> String {
        let mut all = String::new();
        for request in self.requests() {
            let mut text = request.text.replace("\r\n", "\n");
            let port = self.address.port();
            text = text.replace(&format!(":{port}"), ":PORT");
            if let Some(key) = request.header("sec-websocket-key") {
                assert_eq!(STANDARD.decode(key).unwrap().len(), 16);
                text = text.replace(key, "KEY");
            }
            if text.ends_with("\n\n") {
                text.pop();
            } else {
                text.push('\n');
            }
            all.push_str(&text);
            all.push_str("---\n");
        }
        all
    }

    pub fn frames(&self) -> Vec<String> {
        self.frames.lock().unwrap().clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let length = text.to_lowercase();
    let length = length
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    assert_eq!(bytes.len(), head + length, "nothing is sent unasked");
    Some(Request {
        text: String::from_utf8(bytes).unwrap(),
    })
}

/// Makes a frame as a server sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(length),
        _ => {
            bytes.push(126);
            bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let second = stream.read_u8().await.ok()?;
    assert!(second & 0x80 != 0, "what a client sends is masked");
    let length = match second & 0x7f {
        126 => usize::from(stream.read_u16().await.ok()?),
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await.ok()?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Some((first & 0x0f, payload))
}

/// A proxy that passes every CONNECT on to one address, and writes down what it was asked.
pub struct Proxy {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start(to: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let shared = Arc::clone(&asked);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (mut client, _) = listener.accept().await.unwrap();
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move {
                        let Some(request) = read_request(&mut client).await else {
                            return;
                        };
                        shared.lock().unwrap().push(request.line().to_owned());
                        let mut server = TcpStream::connect(to).await.unwrap();
                        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    });
                }
            });
        });
        Self { address, asked }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
