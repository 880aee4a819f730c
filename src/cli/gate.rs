//! Runs the commands of gates: in a shell, with what they should know in their environment.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use async_trait::async_trait;

use crate::roll::{GateCall, GateRunner};
use crate::ui::{Printer, one_line};

/// Runs commands, and passes on what they say.
pub(super) struct ShellGate {
    printer: Printer,
}

impl ShellGate {
    pub(super) fn new(printer: Printer) -> Self {
        Self { printer }
    }
}

#[async_trait]
impl GateRunner for ShellGate {
    async fn run(&self, call: &GateCall) -> Result<(), String> {
        let (call, printer) = (call.clone(), self.printer.clone());
        // Dropped with this future, which ends the command.
        let (wanted, unwanted) = channel::<()>();
        let ran = tokio::task::spawn_blocking(move || run(&call, &printer, unwanted)).await;
        drop(wanted);
        ran.unwrap_or_else(|error| Err(format!("the gate broke down: {error}")))
    }
}

/// How long what a command has written is read after its end: something that it has left running
/// may hold its output open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a command that is being killed is waited for.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// Runs a command to its end, or until its time is up or nobody wants it any more. What it has
/// left running is ended with it.
fn run(call: &GateCall, printer: &Printer, unwanted: Receiver<()>) -> Result<(), String> {
    let mut child = command(call)
        .spawn()
        .map_err(|error| format!("the gate cannot be run: {error}"))?;
    let (read, all_read) = channel();
    if let Some(stdout) = child.stdout.take() {
        pass_on(stdout, printer.clone(), read.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        pass_on(stderr, printer.clone(), read.clone());
    }
    // What is left holds one end of this channel each for as long as it reads.
    drop(read);
    let group = child.id();
    let (tell, heard) = channel();
    std::thread::spawn(move || wait(child, &tell));
    let timeout = call.timeout;
    let Some(status) = in_time(&heard, &unwanted, timeout) else {
        end(group);
        let _ = heard.recv_timeout(LAST_BREATH);
        return Err(format!("the gate took longer than {} s", timeout.as_secs()));
    };
    // Nothing is ever sent: it is over when all have let go of it.
    let _ = all_read.recv_timeout(LAST_WORDS);
    end(group);
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(worded(status)),
        None => Err("nobody knows how the gate ended".to_owned()),
    }
}

fn worded(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("the gate exited with {code}"),
        None => "the gate was ended by a signal".to_owned(),
    }
}

/// Waits for a command; `None` when its time is up, or nobody waits for it any more.
fn in_time(
    heard: &Receiver<Option<ExitStatus>>,
    unwanted: &Receiver<()>,
    timeout: Duration,
) -> Option<Option<ExitStatus>> {
    const STEP: Duration = Duration::from_millis(50);
    let mut left = timeout;
    loop {
        let step = left.min(STEP);
        match heard.recv_timeout(step) {
            Ok(status) => return Some(status),
            Err(RecvTimeoutError::Disconnected) => return Some(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
        left = left.saturating_sub(step);
        let is_unwanted = matches!(
            unwanted.try_recv(),
            Err(std::sync::mpsc::TryRecvError::Disconnected)
        );
        if left.is_zero() || is_unwanted {
            return None;
        }
    }
}

fn wait(mut child: Child, tell: &Sender<Option<ExitStatus>>) {
    // Nobody listens any more when its time was up.
    let _ = tell.send(child.wait().ok());
}

fn command(call: &GateCall) -> Command {
    #[cfg(unix)]
    let mut command = {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new("/bin/sh");
        // A group of its own, so that all that it starts can be ended.
        command.arg("-c").arg(&call.command).process_group(0);
        command
    };
    #[cfg(not(unix))]
    let mut command = {
        let mut command = Command::new("cmd");
        command.arg("/C").arg(&call.command);
        command
    };
    command
        .env("CONVOX_ROLL", call.roll.as_str())
        .env("CONVOX_RACK", &call.rack)
        .env("CONVOX_STAGE", call.stage.as_str())
        .env("CONVOX_NEW_KEY", &call.new_key)
        .env("CONVOX_REPLACED", call.replaced.to_string())
        .env("CONVOX_TOTAL", call.total.to_string())
        .env("CONVOX_INSTANCES", call.instances.join(" "))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Ends a command and all that it has started. Every shell can kill by itself; a program of that
/// name is not everywhere.
#[cfg(unix)]
fn end(group: u32) {
    let kill = Command::new("/bin/sh")
        .args(["-c", "kill -s KILL -- \"-$1\"", "sh", &group.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // What has ended meanwhile cannot be killed, and need not be.
    drop(kill);
}

#[cfg(not(unix))]
fn end(process: u32) {
    let process = process.to_string();
    drop(
        Command::new("taskkill")
            .args(["/T", "/F", "/PID", &process])
            .status(),
    );
}

/// Passes a stream on, line by line, until it is closed; then lets go of `done`.
fn pass_on(stream: impl Read + Send + 'static, printer: Printer, done: Sender<Infallible>) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            printer.say(&format!("gate: {}", one_line(text.trim_end())));
            line.clear();
        }
        drop(done);
    });
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::ids::{Entropy, RollId};
    use crate::roll::GateStage;
    use crate::ui::Verbosity;

    fn call(command: &str, timeout: Duration) -> GateCall {
        GateCall {
            command: command.to_owned(),
            timeout,
            roll: RollId::generate(jiff::Timestamp::UNIX_EPOCH, &Entropy::seeded(1)),
            rack: "prod".to_owned(),
            stage: GateStage::Canary,
            new_key: "new".to_owned(),
            replaced: 1,
            total: 3,
            instances: vec!["i-1".to_owned(), "i-2".to_owned()],
        }
    }

    async fn ran(command: &str, timeout: Duration) -> (Result<(), String>, String) {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let gate = ShellGate::new(printer);
        let answer = gate.run(&call(command, timeout)).await;
        (answer, captured.stderr())
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_command_knows_where_the_roll_is_and_is_heard_on_stderr() {
        let told = "echo $CONVOX_RACK $CONVOX_STAGE $CONVOX_REPLACED/$CONVOX_TOTAL; \
                    echo $CONVOX_INSTANCES >&2";
        let (answer, heard) = ran(told, LONG).await;
        assert_eq!(answer, Ok(()));
        assert!(heard.contains("gate: prod canary 1/3\n"), "{heard}");
        assert!(heard.contains("gate: i-1 i-2\n"), "{heard}");
    }

    #[tokio::test]
    async fn a_command_that_fails_or_is_not_there_shuts_the_gate() {
        let (answer, _) = ran("exit 3", LONG).await;
        assert_eq!(answer, Err("the gate exited with 3".to_owned()));
        let (answer, _) = ran("kill -s KILL $$", LONG).await;
        assert_eq!(answer, Err("the gate was ended by a signal".to_owned()));
        let (answer, heard) = ran("/nowhere/at/all", LONG).await;
        assert_eq!(
            answer,
            Err("the gate exited with 127".to_owned()),
            "{heard}"
        );
    }

    #[tokio::test]
    async fn a_command_whose_time_is_up_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let hangs = format!("sleep 600 & echo $! > {}; wait", file.display());
        let (answer, _) = ran(&hangs, Duration::from_secs(2)).await;
        assert_eq!(answer, Err("the gate took longer than 2 s".to_owned()));
        assert_ends(&std::fs::read_to_string(file).unwrap());
    }

    #[tokio::test]
    async fn a_command_that_leaves_something_running_is_over_when_it_exits() {
        let dir = tempfile::tempdir().unwrap();
        let (pid, late) = (dir.path().join("pid"), dir.path().join("late"));
        for (output, exit) in [("", 0), (">/dev/null 2>&1", 0), ("", 3)] {
            let leaves = format!(
                "(sleep 30; echo late > {}) {output} & echo $! > {}; echo ready; exit {exit}",
                late.display(),
                pid.display()
            );
            let (answer, heard) = ran(&leaves, LONG).await;
            assert_eq!(answer.is_ok(), exit == 0, "{answer:?}");
            assert!(heard.contains("gate: ready\n"), "{heard}");
            assert!(!late.exists(), "it was waited for");
            assert_ends(&std::fs::read_to_string(&pid).unwrap());
        }
    }

    /// A process is gone, or a zombie that nobody has waited for yet; the signal may be on its way
    /// still.
    fn assert_ends(pid: &str) {
        let stat = format!("/proc/{}/stat", pid.trim());
        let still_runs = || {
            std::thread::yield_now();
            std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "))
        };
        assert!((0..1_000_000).any(|_| !still_runs()), "{pid} still runs");
    }
}
