//! Logging in through the rack's API, which logs in for us and passes everything on.

use std::io::{ErrorKind, Read as _};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::SshArgs;
use super::direct::unclear;
use crate::cli::context::Context;
use crate::cli::signals;
use crate::rack::SystemInstance;
use crate::rack::remote::{Remote, Shell, ShellEvent, Size};
use crate::ssh::{Candidate, ChooseError, Terminal, choose};
use crate::ui::{CliError, Exit};

/// The classic's own code for an end that no exit code fits.
const STRANGE: u8 = 255;

/// Logs in to the instance that `wanted` means, on our own terminal.
pub(super) async fn log_in(
    args: &SshArgs,
    context: &Context,
    remote: &Remote,
    wanted: &str,
) -> Result<Exit, CliError> {
    refuse_flags_of_ssh(args)?;
    let id = meant(remote, wanted).await?;
    let terminal = Terminal::remember();
    let size = terminal.as_ref().and_then(Terminal::size);
    let size = size.map(|(width, height)| Size { width, height });
    let shell = remote.shell(&id, &args.command.join(" "), size).await?;
    context.printer().close_screen();
    let Some(terminal) = terminal else {
        // Ctrl-C ends us, as it ends whatever else is in the pipe.
        return converse(context, shell).await;
    };
    let stop = signals::told_by_others()
        .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
    terminal
        .make_raw()
        .map_err(|error| CliError::failed(format!("cannot use the terminal: {error}")))?;
    let ended = tokio::select! {
        ended = converse(context, shell) => ended,
        () = stop => Ok(Exit::Interrupted),
    };
    // As it was, before anything is said about how it went.
    drop(terminal);
    ended
}

/// Passes what is typed on, prints what comes, and returns the command's exit code.
async fn converse(context: &Context, mut shell: Shell) -> Result<Exit, CliError> {
    let input = shell.input();
    let mut typed = read_stdin();
    let typing = async {
        while let Some(bytes) = typed.recv().await {
            if input.send(&bytes).await.is_err() {
                break;
            }
        }
        // Whoever has ended already need not be told.
        let _ = input.end().await;
        std::future::pending::<()>().await;
    };
    let printing = async {
        while let Some(event) = shell.next().await? {
            match event {
                ShellEvent::Output(bytes) => context.printer().data_bytes(&bytes),
                ShellEvent::Exited(code) => return Ok(Exit::Remote(code_of(code))),
            }
        }
        Ok(Exit::Remote(STRANGE))
    };
    tokio::select! {
        ended = printing => ended,
        () = typing => Ok(Exit::Remote(STRANGE)),
    }
}

pub(super) fn code_of(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(STRANGE)
}

/// Reads stdin on a thread, which is left behind where it waits when the command ends.
fn read_stdin() -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; 16 << 10];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    let bytes = Bytes::copy_from_slice(&buffer[..length]);
                    if sender.blocking_send(bytes).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    receiver
}

/// Finds the instance that is meant. A whole id is sent as it is, and nothing is asked.
async fn meant(remote: &Remote, wanted: &str) -> Result<String, CliError> {
    if is_whole_id(wanted) {
        return Ok(wanted.to_owned());
    }
    let mut instances = remote.instances().await?;
    let candidates: Vec<Candidate> = instances.iter().map(candidate_of).collect();
    match choose(wanted, &candidates) {
        Ok(place) => Ok(instances.swap_remove(place).id),
        Err(error) => {
            let known = match &error {
                ChooseError::None { known, .. } => known.clone(),
                ChooseError::Several { .. } => Vec::new(),
            };
            Err(unclear(&error, &known))
        }
    }
}

/// Tells a whole instance id: 17 hexadecimal digits, or 8 before 2016.
fn is_whole_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|it| it.is_ascii_hexdigit())
    })
}

fn candidate_of(instance: &SystemInstance) -> Candidate {
    let addresses = [&instance.private_ip, &instance.public_ip];
    let told = addresses.into_iter().filter(|address| !address.is_empty());
    Candidate {
        id: instance.id.clone(),
        name: instance.name.clone(),
        addresses: told.cloned().collect(),
    }
}

/// The rack logs in by itself: as whom, and how it gets there, is not ours to say.
pub(super) fn refuse_flags_of_ssh(args: &SshArgs) -> Result<(), CliError> {
    let given = [
        ("--user", args.user.is_some()),
        ("--port", args.port.is_some()),
        ("--jump", !args.jump.is_empty()),
        ("--public", args.public),
        ("--by-id", args.by_id),
        ("--ssh-config", args.ssh_config.is_some()),
        ("--ssh-option", !args.options.is_empty()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(CliError::usage(format!(
            "`{flag}` is for ssh, and the rack is reached through its API"
        ))
        .hint("`--via aws` logs in with the system's ssh")),
        None => Ok(()),
    }
}

/// Runs the command on one instance and keeps what it prints, the first megabyte at the most.
pub(super) async fn capture(
    remote: Remote,
    id: String,
    command: String,
) -> Result<(u8, String), CliError> {
    const KEPT: usize = 1 << 20;
    let mut shell = remote.shell(&id, &command, None).await?;
    let mut kept = Vec::new();
    while let Some(event) = shell.next().await? {
        match event {
            ShellEvent::Output(bytes) => {
                let room = KEPT.saturating_sub(kept.len()).min(bytes.len());
                kept.extend_from_slice(&bytes[..room]);
            }
            ShellEvent::Exited(code) => {
                let text = String::from_utf8_lossy(&kept).into_owned();
                return Ok((code_of(code), text));
            }
        }
    }
    Ok((STRANGE, String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_id_is_told_from_the_beginning_of_one() {
        for whole in ["i-0123456789abcdef0", "i-01234567"] {
            assert!(is_whole_id(whole), "{whole}");
        }
        for part in [
            "i-0123456789abcdef",
            "0123456789abcdef0",
            "i-",
            "i-0123456x",
            "10.0.1.4",
        ] {
            assert!(!is_whole_id(part), "{part}");
        }
    }
}
