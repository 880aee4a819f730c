//! Asking the account, in a process of its own that outlives the press of a key.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::COMMAND;
use super::cache::{Cache, Found, Question};
use super::line::Kept;
use super::values::Value;
use crate::cli::app::GlobalArgs;
use crate::cli::context::Context;
use crate::cli::find;
use crate::clock::system_now;
use crate::ui::{CliError, Printer, Verbosity};

/// The longest that an account is listened to.
const LIMIT: Duration = Duration::from_secs(20);

/// Starts a process that asks `question`, with the options `kept`, and does not wait for it.
///
/// It has no terminal to write to, and a process group of its own, so that no Ctrl-C meant for
/// something else ends it.
#[expect(
    clippy::zombie_processes,
    reason = "it is the system's child within milliseconds, when this process ends"
)]
pub(super) fn start(question: Question, kept: &[String]) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut command = Command::new(program);
    command
        .args([COMMAND, "--refresh", question.as_str()])
        .args(kept)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // Without it there is no answer, which is no worse than an account that gives none.
    drop(command.spawn());
}

/// Asks the account and keeps the answer, unless another process is about it.
pub(super) fn run(question: &str, words: &[String]) {
    let Some(question) = Question::parse(question) else {
        return;
    };
    let Kept { global, rack } = Kept::parse_from_words(words);
    let context = context(global);
    let Some(cache) = Cache::of(context.environment(), question, words) else {
        return;
    };
    let Some(turn) = cache.take() else { return };
    let found = context.block_on(async {
        let asked = async {
            match question {
                Question::Racks => racks(&context).await,
                Question::Rack => one(&context, rack.rack.as_deref()).await,
            }
        };
        match tokio::time::timeout(LIMIT, asked).await {
            Ok(found) => found,
            Err(_) => Err(CliError::failed("no answer")),
        }
    });
    // Whoever asked is gone, and there is nobody to tell.
    let _ = turn.keep(system_now(), found.ok());
}

/// Makes what the rooms below are given, and lets them say nothing.
pub(super) fn context(global: GlobalArgs) -> Context {
    Context::new(Printer::stdio(Verbosity::Quiet), global)
}

async fn racks(context: &Context) -> Result<Found, CliError> {
    let names = find::names(context).await?;
    Ok(Found {
        racks: names.into_iter().map(|name| Value::new(name, "")).collect(),
        ..Found::default()
    })
}

async fn one(context: &Context, name: Option<&str>) -> Result<Found, CliError> {
    let (rack, _) = if context.global().sandbox {
        find::find_in_sandbox(context, name).await?
    } else {
        find::find_in_aws(context, name).await?
    };
    let stack = rack.stacks.describe(&rack.stack).await?;
    let parameters = stack.parameters.iter();
    Ok(Found {
        parameters: parameters
            .map(|parameter| Value::new(format!("{}=", parameter.key), ""))
            .collect(),
        ..Found::default()
    })
}
