//! The system's `ssh` as a child: what it is told, and how it ends.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::agent::Agent;
use super::error::SshError;

/// The most that is kept of what one command writes on one stream, in bytes.
const KEPT: usize = 1 << 20;

/// How `ssh` is to know that it talks to the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyCheck {
    /// Its host keys are in the file of known hosts.
    Known,
    /// Whatever it shows the first time is written down there.
    FirstUse,
}

/// One run of `ssh`.
///
/// What must hold is given as options, which come before `ssh_config`. Everything else is left
/// to `ssh_config`: host names, ports, proxies, ciphers, keep-alives.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What is called: an address, or the instance's id for an `ssh_config` that knows it.
    pub host: String,
    /// The instance's id, which its host keys are kept by.
    pub instance: String,
    /// The user to log in as.
    pub user: String,
    /// The port, where it is not left to `ssh_config`.
    pub port: Option<u16>,
    /// Hosts to go through.
    pub jump: Vec<String>,
    /// The file to read in place of `~/.ssh/config`.
    pub config: Option<PathBuf>,
    /// More options, such as `ServerAliveInterval=15`.
    pub options: Vec<String>,
    /// The file of known hosts.
    pub known_hosts: PathBuf,
    /// How the host's key is checked.
    pub check: HostKeyCheck,
    /// Whether a command gets a terminal.
    pub tty: bool,
    /// Whether nobody is there to be asked, and nothing is shared with another connection.
    pub batch: bool,
    /// The words of the command; none for a login shell.
    pub command: Vec<String>,
}

/// How `ssh` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself: the remote code, or 255 for an error of its own.
    Code(u8),
    /// By a signal, of this number.
    Signal(u8),
    /// Because it was told to.
    Stopped,
}

impl Ended {
    /// Returns the exit code that a shell would tell.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_add(128),
            Self::Stopped => 130,
        }
    }
}

/// A command that ran, and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// Its stdout, the first megabyte at the most.
    pub stdout: String,
    /// Its stderr, and `ssh`'s own.
    pub stderr: String,
}

/// An `ssh` that runs for somebody else. It ends when this is dropped.
#[derive(Debug)]
pub struct Attended {
    /// What is typed.
    pub input: Option<ChildStdin>,
    /// What the instance prints.
    pub output: Option<ChildStdout>,
    /// What `ssh` itself says.
    pub errors: Option<ChildStderr>,
    child: Child,
}

impl Attended {
    /// Waits until it has ended.
    ///
    /// # Errors
    /// [`SshError::Program`].
    pub async fn wait(&mut self) -> Result<Ended, SshError> {
        Ok(ended(self.child.wait().await.map_err(SshError::Program)?))
    }
}

impl Invocation {
    /// Returns the arguments: no secret is among them.
    #[must_use]
    pub fn arguments(&self, agent: &Agent) -> Vec<OsString> {
        self.arguments_for(agent.socket(), agent.public_key_file())
    }

    fn arguments_for(&self, socket: &Path, public_key: &Path) -> Vec<OsString> {
        let mut args = Vec::new();
        if let Some(config) = &self.config {
            args.extend(["-F".into(), config.clone().into_os_string()]);
        }
        let check = match self.check {
            HostKeyCheck::Known => "yes",
            HostKeyCheck::FirstUse => "accept-new",
        };
        let mut options = vec![
            format!("IdentityAgent={}", quoted(socket)),
            format!("IdentityFile={}", quoted(public_key)),
            "IdentitiesOnly=yes".to_owned(),
            // The agent would go along, and whoever is root there could log in elsewhere.
            "ForwardAgent=no".to_owned(),
            format!("HostKeyAlias={}", self.instance),
            format!("UserKnownHostsFile={}", quoted(&self.known_hosts)),
            format!("StrictHostKeyChecking={check}"),
            // Entries are forgotten by instance, and never made for an address.
            "HashKnownHosts=no".to_owned(),
            "CheckHostIP=no".to_owned(),
        ];
        if self.batch {
            let alone = [
                "BatchMode=yes",
                "ControlMaster=no",
                "ControlPath=none",
                "ClearAllForwardings=yes",
                "PermitLocalCommand=no",
                "RemoteCommand=none",
                "RequestTTY=no",
            ];
            options.extend(alone.map(str::to_owned));
        }
        options.extend(self.options.iter().cloned());
        for option in options {
            args.extend(["-o".into(), option.into()]);
        }
        args.extend(["-l".into(), self.user.clone().into()]);
        if let Some(port) = self.port {
            args.extend(["-p".into(), port.to_string().into()]);
        }
        if !self.jump.is_empty() {
            args.extend(["-J".into(), self.jump.join(",").into()]);
        }
        if self.tty {
            args.push("-t".into());
        }
        args.extend(["--".into(), self.host.clone().into()]);
        args.extend(self.command.iter().map(OsString::from));
        args
    }

    /// Runs `ssh` on our own terminal or streams, until it ends or `stop` completes.
    ///
    /// # Errors
    /// [`SshError::NoProgram`], [`SshError::Program`].
    pub async fn attend(
        &self,
        agent: &Agent,
        stop: impl Future<Output = ()>,
    ) -> Result<Ended, SshError> {
        let mut child = self.start(agent, |command| command)?;
        tokio::select! {
            status = child.wait() => Ok(ended(status.map_err(SshError::Program)?)),
            () = stop => {
                child.kill().await.map_err(SshError::Program)?;
                Ok(Ended::Stopped)
            }
        }
    }

    /// Runs `ssh` with no stdin and keeps what it writes, until it ends or `stop` completes.
    ///
    /// # Errors
    /// [`SshError::NoProgram`], [`SshError::Program`].
    pub async fn capture(
        &self,
        agent: &Agent,
        stop: impl Future<Output = ()>,
    ) -> Result<Ran, SshError> {
        let mut child = self.start(agent, |command| {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
        })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut texts = (Vec::new(), Vec::new());
        let ended = {
            let reading =
                async { tokio::join!(read(stdout, &mut texts.0), read(stderr, &mut texts.1)) };
            let all = async {
                let (_, status) = tokio::join!(reading, child.wait());
                status
            };
            tokio::select! {
                status = all => Some(ended(status.map_err(SshError::Program)?)),
                () = stop => None,
            }
        };
        if ended.is_none() {
            child.kill().await.map_err(SshError::Program)?;
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ran {
            ended: ended.unwrap_or(Ended::Stopped),
            stdout: text(texts.0),
            stderr: text(texts.1),
        })
    }

    /// Runs `ssh` with streams that somebody else reads and writes, until it is dropped.
    ///
    /// # Errors
    /// [`SshError::NoProgram`], [`SshError::Program`].
    pub fn hand_over(&self, agent: &Agent) -> Result<Attended, SshError> {
        let mut child = self.start(agent, |command| {
            command
                // A terminal over there is made for this one.
                .env("TERM", "xterm")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
        })?;
        Ok(Attended {
            input: child.stdin.take(),
            output: child.stdout.take(),
            errors: child.stderr.take(),
            child,
        })
    }

    fn start(
        &self,
        agent: &Agent,
        streams: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Child, SshError> {
        let mut command = Command::new("ssh");
        command.args(self.arguments(agent)).kill_on_drop(true);
        let child = streams(&mut command).spawn();
        child.map_err(|error| match error.kind() {
            ErrorKind::NotFound => SshError::NoProgram,
            _ => SshError::Program(error),
        })
    }
}

/// Reads to the end, and keeps the first megabyte.
async fn read(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let room = KEPT.saturating_sub(kept.len()).min(length);
        kept.extend(&buffer[..room]);
    }
}

fn ended(status: ExitStatus) -> Ended {
    let number = |code: i32| u8::try_from(code).unwrap_or(u8::MAX);
    match status.code() {
        Some(code) => Ended::Code(number(code)),
        None => Ended::Signal(number(
            std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0),
        )),
    }
}

/// Writes a path as a value of `ssh_config`, in which `%` and blanks have meanings.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation() -> Invocation {
        Invocation {
            host: "10.0.1.4".to_owned(),
            instance: "i-0abc".to_owned(),
            user: "ec2-user".to_owned(),
            port: None,
            jump: Vec::new(),
            config: None,
            options: Vec::new(),
            known_hosts: "/dirs/ada lovelace/known_hosts/prod".into(),
            check: HostKeyCheck::Known,
            tty: false,
            batch: false,
            command: Vec::new(),
        }
    }

    fn line(invocation: &Invocation) -> String {
        let args = invocation.arguments_for(
            Path::new("/run/user/1000/convox-1/agent"),
            Path::new("/run/100%/agent.pub"),
        );
        let words: Vec<_> = args.iter().map(|word| word.to_str().unwrap()).collect();
        words
            .join(" ")
            .replace(" -o ", "\n-o ")
            .replace(" -l", "\n-l")
    }

    #[test]
    fn a_login_is_told_what_must_hold_and_no_more() {
        insta::assert_snapshot!(line(&invocation()), @r#"
        -o IdentityAgent="/run/user/1000/convox-1/agent"
        -o IdentityFile="/run/100%%/agent.pub"
        -o IdentitiesOnly=yes
        -o ForwardAgent=no
        -o HostKeyAlias=i-0abc
        -o UserKnownHostsFile="/dirs/ada lovelace/known_hosts/prod"
        -o StrictHostKeyChecking=yes
        -o HashKnownHosts=no
        -o CheckHostIP=no
        -l ec2-user -- 10.0.1.4
        "#);
    }

    #[test]
    fn everything_that_may_be_asked_for_comes_before_the_host() {
        let invocation = Invocation {
            port: Some(2222),
            jump: vec!["ada@bastion".to_owned(), "inner:2200".to_owned()],
            config: Some("my config".into()),
            options: vec!["ServerAliveInterval=15".to_owned()],
            check: HostKeyCheck::FirstUse,
            tty: true,
            batch: true,
            command: ["-l", "two words", ";"].map(str::to_owned).into(),
            ..invocation()
        };
        insta::assert_snapshot!(line(&invocation), @r#"
        -F my config
        -o IdentityAgent="/run/user/1000/convox-1/agent"
        -o IdentityFile="/run/100%%/agent.pub"
        -o IdentitiesOnly=yes
        -o ForwardAgent=no
        -o HostKeyAlias=i-0abc
        -o UserKnownHostsFile="/dirs/ada lovelace/known_hosts/prod"
        -o StrictHostKeyChecking=accept-new
        -o HashKnownHosts=no
        -o CheckHostIP=no
        -o BatchMode=yes
        -o ControlMaster=no
        -o ControlPath=none
        -o ClearAllForwardings=yes
        -o PermitLocalCommand=no
        -o RemoteCommand=none
        -o RequestTTY=no
        -o ServerAliveInterval=15
        -l ec2-user -p 2222 -J ada@bastion,inner:2200 -t -- 10.0.1.4
        -l two words ;
        "#);
    }

    #[test]
    fn a_signal_is_told_as_a_shell_does() {
        assert_eq!(Ended::Code(255).code(), 255);
        assert_eq!(Ended::Signal(15).code(), 143);
        assert_eq!(Ended::Stopped.code(), 130);
    }
}
