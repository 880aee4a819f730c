//! `/instances/ID/shell`: the console itself logs in to the instance, with the key that opens it.
//!
//! The protocol is the classic's: text frames both ways, an empty binary frame for the end, the exit
//! code behind a marker, and `ERROR: ...` as text for whatever is in the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::response::Response;
use http::HeaderMap;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::Call;
use super::answer::{Refused, text_of};
use super::logs::Viewer;
use super::socket::{self, watch};
use super::system::note;
use crate::console::service::Service;
use crate::console::shells::Shells;
use crate::frames::{Message, Outgoing, Read, Reader};
use crate::ssh::{
    Agent, Attended, Ended, HostKeyCheck, Invocation, KnownHosts, LoginError, Logins, PrivateDir,
    SshError,
};

/// What comes before the exit code.
const MARKER: &str = "F1E49A85-0AD7-4AEF-A618-C249C6E6568D:";
/// `ssh`'s code for an error of its own (ssh(1), "EXIT STATUS").
const OWN: u8 = 255;
/// How many frames wait until the client takes them.
const WAITING: usize = 64;
/// How much of what `ssh` itself says is kept, in bytes.
const SAID: u64 = 8 * 1024;
/// How often the client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(30);

/// What must hold for an `ssh` that nobody sits at: it asks for nothing, is no way into the server
/// itself, shares no connection, and has a terminal made at the other end.
const OPTIONS: [&str; 10] = [
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ConnectTimeout=20",
    "ControlMaster=no",
    "ControlPath=none",
    "EscapeChar=none",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=force",
    "ServerAliveInterval=15",
];

/// What is to run where.
struct Wanted {
    instance: String,
    command: String,
}

impl Wanted {
    /// Reads it from the headers `Command`, `Height` and `Width`.
    fn of(instance: &str, headers: &HeaderMap) -> Self {
        let command = text_of(headers, "command").unwrap_or_default();
        let number = |name| text_of(headers, name)?.parse::<u16>().ok();
        let size = number("height").zip(number("width"));
        let command = match size {
            None => command,
            // No terminal of ours stands behind it, so the one over there is told its size.
            Some((rows, columns)) => {
                let run = match command.as_str() {
                    "" => "exec \"${SHELL:-/bin/sh}\" -l",
                    command => command,
                };
                format!("stty rows {rows} cols {columns} 2>/dev/null; {run}")
            }
        };
        Self {
            instance: instance.to_owned(),
            command,
        }
    }
}

/// Why there is no shell.
#[derive(Debug, thiserror::Error)]
enum NoShell {
    #[error("this server opens no shells")]
    Nowhere,
    #[error("instance not found: {0}")]
    NoInstance(String),
    #[error("{0} has no address")]
    NoAddress(String),
    #[error(transparent)]
    Login(#[from] LoginError),
}

impl From<SshError> for NoShell {
    fn from(error: SshError) -> Self {
        Self::Login(error.into())
    }
}

/// A shell that runs, with what it needs until its end.
struct Running {
    ssh: Attended,
    agent: Agent,
    /// What its agent's socket is in.
    _logins: Logins,
}

/// Opens a shell on an instance.
pub(super) async fn open(
    call: &Call,
    instance: &str,
    asked: socket::Asked,
) -> Result<Response, Refused> {
    let place = socket::place(&call.service)?;
    let told = format!(
        "Open a shell on instance {instance} of {}",
        call.rack.full_name()
    );
    note(call, "rack.instance.shell", &told).await?;
    let wanted = Wanted::of(instance, &call.asked.headers);
    let (service, viewer) = (call.service.clone(), Viewer::of(call));
    Ok(asked.take(place, async move |io| {
        talk(&service, &viewer, &wanted, io).await;
    }))
}

/// Has client and instance talk to each other until one of them is done.
async fn talk(service: &Service, viewer: &Viewer, wanted: &Wanted, io: TokioIo<Upgraded>) {
    let (from_client, to_client) = tokio::io::split(io);
    let (out, outgoing) = mpsc::channel(WAITING);
    let heard = AtomicBool::new(true);
    let (typed, typing) = mpsc::channel(WAITING);
    let heard = &heard;
    let work = async move {
        let ended = tokio::select! {
            ended = run(service, viewer, wanted, typing, &out) => ended,
            () = hear(from_client, typed, &out, heard) => return,
            () = watch(service, viewer, heard) => return,
            () = ping(service, &out) => return,
        };
        let last = match ended {
            Ok(code) => format!("{MARKER}{code}\n"),
            Err(told) => format!("ERROR: {told}\n"),
        };
        for frame in [
            Outgoing::Text(last.into_bytes()),
            Outgoing::End,
            Outgoing::Close,
        ] {
            // Whoever is gone needs to know nothing.
            let _ = out.send(frame).await;
        }
    };
    tokio::pin!(work);
    let writing = write(to_client, outgoing);
    tokio::pin!(writing);
    tokio::select! {
        () = &mut work => {}
        () = &mut writing => return,
    }
    writing.await;
}

/// Runs the shell to its end, and returns its exit code, or what is in the way.
async fn run(
    service: &Service,
    viewer: &Viewer,
    wanted: &Wanted,
    typing: mpsc::Receiver<Vec<u8>>,
    out: &mpsc::Sender<Outgoing>,
) -> Result<u8, String> {
    let started = start(service, viewer, wanted).await;
    let mut running = started.map_err(|error| error.to_string())?;
    let (output, errors) = (running.ssh.output.take(), running.ssh.errors.take());
    let input = running.ssh.input.take();
    let mut said = Vec::new();
    let printed = async {
        if let Some(output) = output {
            print(output, out).await;
        }
    };
    let saying = async {
        if let Some(mut errors) = errors {
            let _ = (&mut errors).take(SAID).read_to_end(&mut said).await;
            // What does not fit is read nevertheless, so that it does not wait.
            let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
        }
    };
    let typed = async {
        if let Some(input) = input {
            feed(input, typing).await;
        }
        std::future::pending::<()>().await;
    };
    // It ends when nothing more is printed, whatever else is typed.
    tokio::select! {
        _ = async { tokio::join!(printed, saying) } => {}
        () = typed => {}
    }
    let ended = running
        .ssh
        .wait()
        .await
        .map_err(|error| error.to_string())?;
    let seen = running.agent.seen();
    match ended {
        Ended::Code(OWN) if !seen.signed => {
            let said = String::from_utf8_lossy(&said);
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            let why = match (seen.asked, last) {
                (true, _) => "it does not take the key that is kept for it",
                (false, Some(last)) => last.trim(),
                (false, None) => "it cannot be reached",
            };
            Err(format!("cannot log in to {}: {why}", wanted.instance))
        }
        ended => Ok(ended.code()),
    }
}

/// Logs in to the instance.
async fn start(service: &Service, viewer: &Viewer, wanted: &Wanted) -> Result<Running, NoShell> {
    let shells = service.shells().ok_or(NoShell::Nowhere)?;
    let record = viewer.rack();
    let found = service.find_rack(record).await.map_err(LoginError::from)?;
    let known_hosts = KnownHosts::of_rack(&shells.known_hosts, &record.id);
    let dir = PrivateDir::create(&shells.sockets, service.entropy())?;
    let logins = Logins::new(found.rack, known_hosts, dir);
    let mut instances = logins.instances().await.map_err(LoginError::from)?;
    if !instances.iter().any(|it| it.id == wanted.instance) {
        let detached = logins.detached(&instances).await;
        instances.extend(detached.map_err(LoginError::from)?);
    }
    let instance = instances.iter().find(|it| it.id == wanted.instance);
    let instance = instance.ok_or_else(|| NoShell::NoInstance(wanted.instance.clone()))?;
    let key = logins.key_of(instance).await?;
    let hosts = logins.learn(&[instance], &instances).await?;
    for id in &hosts.contradicted {
        service.log(&format!(
            "{id} showed another host key on first use than its console tells"
        ));
    }
    let address = instance.private_ip.as_ref().or(instance.public_ip.as_ref());
    let address = address.ok_or_else(|| NoShell::NoAddress(instance.id.clone()))?;
    let agent = Agent::start(logins.dir(), "agent", key)?;
    let invocation = invocation(shells, &logins, &instance.id, address, wanted, &hosts.told);
    Ok(Running {
        ssh: invocation.hand_over(&agent)?,
        agent,
        _logins: logins,
    })
}

fn invocation(
    shells: &Shells,
    logins: &Logins,
    instance: &str,
    address: &str,
    wanted: &Wanted,
    told: &std::collections::BTreeSet<String>,
) -> Invocation {
    let command = Some(wanted.command.clone()).filter(|it| !it.is_empty());
    Invocation {
        host: address.to_owned(),
        instance: instance.to_owned(),
        user: logins.rack().ssh_user.clone(),
        port: None,
        jump: Vec::new(),
        config: shells.config.clone(),
        options: OPTIONS.map(str::to_owned).to_vec(),
        known_hosts: logins.known_hosts().path().to_owned(),
        check: if told.contains(instance) {
            HostKeyCheck::Known
        } else {
            HostKeyCheck::FirstUse
        },
        tty: false,
        batch: false,
        command: command.into_iter().collect(),
    }
}

/// Sends what the instance prints.
async fn print(mut output: impl AsyncRead + Unpin, out: &mpsc::Sender<Outgoing>) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = output.read(&mut piece).await {
        let text = Outgoing::Text(piece[..length].to_vec());
        if out.send(text).await.is_err() {
            return;
        }
    }
}

/// Types what the client sends.
async fn feed(mut input: impl AsyncWrite + Unpin, mut typing: mpsc::Receiver<Vec<u8>>) {
    while let Some(text) = typing.recv().await {
        // Whatever became of it, the exit code tells.
        let _ = input.write_all(&text).await;
        let _ = input.flush().await;
    }
}

/// Takes in what the client types, and answers its pings; returns once it is gone.
async fn hear(
    from_client: impl AsyncRead + Unpin,
    typed: mpsc::Sender<Vec<u8>>,
    out: &mpsc::Sender<Outgoing>,
    heard: &AtomicBool,
) {
    let mut reader = Reader::new(from_client);
    let mut typed = Some(typed);
    loop {
        let read = reader.next().await;
        heard.store(true, Ordering::Relaxed);
        match read {
            Ok(Read::Message(Message::Text(text))) => {
                if let Some(typed) = &typed {
                    // What nobody reads any more is lost.
                    let _ = typed.send(text).await;
                }
            }
            Ok(Read::Message(Message::End)) => typed = None,
            Ok(Read::Ping(payload)) => {
                let _ = out.try_send(Outgoing::Pong(payload));
            }
            Ok(Read::Sign) => {}
            Ok(Read::Closed) | Err(_) => return,
        }
    }
}

async fn ping(service: &Service, out: &mpsc::Sender<Outgoing>) {
    loop {
        service.clock().sleep(PING_EVERY).await;
        let _ = out.try_send(Outgoing::Ping);
    }
}

/// Writes frames until there are no more.
async fn write(mut to_client: impl AsyncWrite + Unpin, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(frame) = outgoing.recv().await {
        let written = async {
            to_client.write_all(&frame.encode(None)).await?;
            to_client.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
    let _ = to_client.shutdown().await;
}
