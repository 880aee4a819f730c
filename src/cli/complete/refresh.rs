//! Asking the account, in a process of its own that outlives the press of a key.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::COMMAND;
use super::cache::{Cache, Found, Question};
use super::line::Kept;
use super::values::Value;
use crate::cli::app::GlobalArgs;
use crate::cli::context::Context;
use crate::cli::find::{list_in_aws, list_in_sandbox};
use crate::cli::racks::list_at;
use crate::cli::reach::{Decision, Way, decide, reach};
use crate::cli::session::RackArgs;
use crate::clock::system_now;
use crate::rack::{ParameterGroup, SystemInstance};
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
    let Some((cache, _)) = cache(&context, question, &rack) else {
        return;
    };
    let Some(turn) = cache.take() else { return };
    let found = context.block_on(async {
        let asked = async {
            match question {
                Question::Racks => racks(&context).await,
                Question::Rack => one(&context, &rack).await,
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

/// Finds where the answer is kept, and tells whether it is the sandbox that is asked.
pub(super) fn cache(
    context: &Context,
    question: Question,
    rack: &RackArgs,
) -> Option<(Cache, bool)> {
    // Which rack is meant makes no difference to which racks there are.
    let rack = match question {
        Question::Racks => None,
        Question::Rack => rack.rack.as_deref(),
    };
    let Decision { way, settings } = decide(context, rack).ok()?;
    let cache = Cache::of(context.environment(), question, &settings)?;
    Some((cache, matches!(way, Way::Sandbox)))
}

async fn racks(context: &Context) -> Result<Found, CliError> {
    let listing = match decide(context, None)?.way {
        Way::Sandbox => list_in_sandbox(context).await?,
        Way::Aws => list_in_aws(context).await?,
        Way::Api(place) => list_at(context, &place).await?,
    };
    let racks = listing.racks.into_iter();
    let racks = racks.map(|rack| Value::new(rack.name, rack.status));
    match listing.errors.into_iter().next() {
        Some(error) if racks.len() == 0 => Err(error),
        _ => Ok(Found {
            racks: racks.collect(),
            ..Found::default()
        }),
    }
}

async fn one(context: &Context, rack: &RackArgs) -> Result<Found, CliError> {
    let system = reach(context, rack).await?.system();
    let (described, instances) = tokio::try_join!(system.describe(), system.instances())?;
    Ok(Found {
        parameters: described.parameters.keys().map(parameter).collect(),
        instances: instances.iter().map(instance).collect(),
        ..Found::default()
    })
}

/// Names a parameter and its groups, and never its value.
fn parameter(name: &String) -> Value {
    let groups = ParameterGroup::names().into_iter().filter(|group| {
        let group = ParameterGroup::find(group);
        group.is_ok_and(|group| group.has(name))
    });
    let groups: Vec<_> = groups.collect();
    Value::new(format!("{name}="), groups.join(", "))
}

fn instance(instance: &SystemInstance) -> Value {
    let texts = [
        instance.name.as_deref().unwrap_or_default(),
        &instance.private_ip,
        &instance.status,
    ];
    let texts: Vec<_> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    Value::new(&instance.id, texts.join(", "))
}
