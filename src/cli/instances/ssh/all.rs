//! One command on every instance, side by side: the quick check after a roll.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::direct::Doorway;
use super::explain::Outcome;
use super::{SshArgs, api};
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::signals;
use crate::clock::Clock;
use crate::rack::remote::Remote;
use crate::rack::{Instance, Rack};
use crate::ssh::{Agent, Ended, Ran, Seen};
use crate::ui::{CliError, Exit, Table, one_line};

/// What one instance answered.
struct Answer {
    who: Who,
    took: Duration,
    ran: Result<Run, CliError>,
}

/// An instance, as far as the table shows it.
#[derive(Debug, Clone)]
struct Who {
    id: String,
    name: Option<String>,
    key_name: Option<String>,
}

/// How a command ran, and how far its `ssh` came with the key; over the API nobody tells.
type Run = (Ran, Option<Seen>);

/// What is to be done on one instance, or why nothing can be.
struct Task {
    who: Who,
    work: Result<Work, CliError>,
}

type Work = Pin<Box<dyn Future<Output = Result<Run, CliError>> + Send>>;

/// Runs the command on every instance with the system's `ssh`.
pub(super) async fn run_directly(
    args: &SshArgs,
    context: &Context,
    rack: Rack,
) -> Result<Exit, CliError> {
    let door = Doorway::new(args, context, rack)?;
    let instances = door.instances().await?;
    let is_up = |instance: &&Instance| instance.state == "running";
    let running: Vec<&Instance> = instances.iter().filter(is_up).collect();
    for other in instances.iter().filter(|it| !is_up(it)) {
        let message = format!("{} is {}, and is left out", other.id, other.state);
        context.printer().say(&message);
    }
    let told = door.learn(&running, &instances).await?;
    let mut tasks = Vec::new();
    for (place, instance) in running.into_iter().enumerate() {
        let prepared = async {
            let key = door.key_of(instance).await?;
            let invocation = door.invocation(instance, &told)?;
            // One each, so that each tells whether its key was used.
            let agent = Agent::start(door.dir(), &place.to_string(), key)?;
            Ok::<_, CliError>((invocation, agent))
        };
        let timeout = args.timeout;
        let work = prepared.await.map(|(invocation, agent)| {
            let work = async move {
                // The machine's time: a sandbox may be faster, an `ssh` is not.
                let late = Clock::system();
                let ran = invocation.capture(&agent, late.sleep(timeout)).await?;
                Ok((ran, Some(agent.seen())))
            };
            Box::pin(work) as Work
        });
        let who = Who {
            id: instance.id.clone(),
            name: instance.name.clone(),
            key_name: instance.key().map(str::to_owned),
        };
        tasks.push(Task { who, work });
    }
    together(args, context, tasks).await
}

/// Runs the command on every instance through the rack's API.
pub(super) async fn run_over_api(
    args: &SshArgs,
    context: &Context,
    remote: &Remote,
) -> Result<Exit, CliError> {
    api::refuse_flags_of_ssh(args)?;
    let mut tasks = Vec::new();
    for instance in remote.instances().await? {
        let who = Who {
            id: instance.id.clone(),
            name: instance.name,
            key_name: instance.key_name,
        };
        let command = args.command.join(" ");
        let (timeout, remote) = (args.timeout, remote.clone());
        let work = async move {
            let late = Clock::system();
            let (ended, stdout) = tokio::select! {
                ran = api::capture(remote, instance.id, command) => {
                    let (code, text) = ran?;
                    (Ended::Code(code), text)
                }
                () = late.sleep(timeout) => (Ended::Stopped, String::new()),
            };
            let stderr = String::new();
            let ran = Ran {
                ended,
                stdout,
                stderr,
            };
            Ok((ran, None))
        };
        let work = Ok(Box::pin(work) as Work);
        tasks.push(Task { who, work });
    }
    together(args, context, tasks).await
}

/// Does everything side by side and prints a table, or an object a line, in order of ids.
async fn together(args: &SshArgs, context: &Context, tasks: Vec<Task>) -> Result<Exit, CliError> {
    let printer = context.printer();
    if tasks.is_empty() {
        return Err(CliError::failed("no instance is running")
            .hint("`convox instances` lists those that there are"));
    }
    let count = tasks.len();
    let at_once = Arc::new(Semaphore::new(usize::from(args.parallel)));
    let mut working = JoinSet::new();
    for Task { who, work } in tasks {
        let at_once = Arc::clone(&at_once);
        working.spawn(async move {
            let _permit = at_once.acquire().await;
            let clock = Clock::system();
            let began = clock.now();
            let ran = match work {
                Ok(work) => work.await,
                Err(error) => Err(error),
            };
            let took = Duration::try_from(clock.now().duration_since(began));
            let took = took.unwrap_or_default();
            Answer { who, took, ran }
        });
    }
    let stop = signals::told()
        .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
    tokio::pin!(stop);
    let mut answers = Vec::new();
    loop {
        if args.output == Output::Text {
            printer.busy(&format!("{} of {count} have answered", answers.len()));
        }
        tokio::select! {
            answer = working.join_next() => match answer {
                Some(answer) => answers.extend(answer),
                None => break,
            },
            () = &mut stop => {
                working.shutdown().await;
                printer.close_screen();
                return Ok(Exit::Interrupted);
            }
        }
    }
    printer.close_screen();
    answers.sort_by(|one, other| one.who.id.cmp(&other.who.id));
    match args.output {
        Output::Text => printer.data(&table(&answers).render()),
        Output::Json => {
            for answer in &answers {
                printer.data(&format!("{}\n", object(answer)));
            }
        }
    }
    for answer in answers.iter().filter(|it| it.is_opened_otherwise()) {
        let message = format!("{} was opened by another key than its own", answer.who.id);
        let hint = "an IdentityFile of your ssh_config may be let in too";
        printer.warn(&message, Some(hint));
    }
    match answers.iter().filter(|answer| !answer.is_good()).count() {
        0 => Ok(Exit::Done),
        failed => Err(
            CliError::failed(format!("{failed} of {count} instances did not do it"))
                .hint("`convox instances ssh INSTANCE` on one of them tells more"),
        ),
    }
}

impl Answer {
    fn is_good(&self) -> bool {
        matches!(&self.ran, Ok((ran, _)) if ran.ended.code() == 0)
    }

    fn is_opened_otherwise(&self) -> bool {
        matches!(&self.ran, Ok((_, Some(seen))) if self.is_good() && !seen.signed)
    }

    fn outcome(&self) -> Option<Outcome> {
        let (ran, seen) = self.ran.as_ref().ok()?;
        // Over the API, what went wrong on the way is an error.
        let there = Seen {
            asked: true,
            signed: true,
        };
        Some(Outcome::of(ran.ended, seen.unwrap_or(there)))
    }

    /// Words the exit code, or why there is none.
    fn exit(&self) -> String {
        match (self.outcome(), &self.ran) {
            (Some(Outcome::Ran), Ok((ran, _))) => ran.ended.code().to_string(),
            (Some(Outcome::Stopped), _) => "timeout".to_owned(),
            (Some(outcome), _) => outcome.word().to_owned(),
            (None, _) => "failed".to_owned(),
        }
    }

    /// The first line that it wrote; of one that failed, the last that says why.
    fn line(&self) -> String {
        let (ran, _) = match &self.ran {
            Ok(ran) => ran,
            Err(error) => return error.message().to_owned(),
        };
        let written = |text: &str| !text.trim().is_empty();
        let why = ran.stderr.lines().rev().find(|line| written(line));
        let said = ran.stdout.lines().find(|line| written(line));
        let line = match self.is_good() {
            true => said.or(why),
            false => why.or(said),
        };
        one_line(line.unwrap_or_default())
    }
}

fn table(answers: &[Answer]) -> Table {
    let mut table = Table::new(["ID", "KEY", "EXIT", "SECONDS", "OUTPUT"]);
    for answer in answers {
        table.row([
            answer.who.id.clone(),
            answer.who.key_name.clone().unwrap_or_default(),
            answer.exit(),
            format!("{:.1}", answer.took.as_secs_f64()),
            answer.line(),
        ]);
    }
    table
}

fn object(answer: &Answer) -> serde_json::Value {
    let ran = answer.ran.as_ref().ok().map(|(ran, _)| ran);
    let is_code = answer.outcome() == Some(Outcome::Ran);
    json!({
        "id": answer.who.id,
        "name": answer.who.name,
        "key_name": answer.who.key_name,
        "key_used": answer.ran.as_ref().map_or(Some(false), |(_, seen)| seen.map(|it| it.signed)),
        "outcome": answer.outcome().map_or("failed", Outcome::word),
        "exit_code": ran.filter(|_| is_code).map(|ran| ran.ended.code()),
        "ms": u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
        "stdout": ran.map(|ran| &ran.stdout),
        "stderr": ran.map(|ran| &ran.stderr),
        "error": answer.ran.as_ref().err().map(CliError::message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: &str, ended: Ended, signed: bool, stdout: &str, stderr: &str) -> Answer {
        let ran = Ran {
            ended,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        let seen = Seen {
            asked: signed,
            signed,
        };
        Answer {
            who: Who {
                id: id.to_owned(),
                name: Some("prod".to_owned()),
                key_name: Some("prod-keypair-1".to_owned()),
            },
            took: Duration::from_millis(1250),
            ran: Ok((ran, Some(seen))),
        }
    }

    fn answers() -> Vec<Answer> {
        let lost = "ssh: connect to host 10.0.1.4 port 22: Connection timed out\r\n";
        vec![
            answer(
                "i-1",
                Ended::Code(0),
                true,
                "\nup 3 days\nmore\n",
                "noise\n",
            ),
            answer("i-2", Ended::Code(1), true, "half\n", "sh: no such thing\n"),
            answer("i-3", Ended::Code(255), false, "", lost),
            answer("i-4", Ended::Stopped, true, "", ""),
            answer("i-5", Ended::Code(0), false, "\u{1b}[31mred\n", ""),
            Answer {
                ran: Err(CliError::failed("no key")),
                ..answer("i-6", Ended::Stopped, false, "", "")
            },
        ]
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        insta::assert_snapshot!(table(&answers()).render(), @r"
        ID   KEY             EXIT       SECONDS  OUTPUT
        i-1  prod-keypair-1  0          1.2      up 3 days
        i-2  prod-keypair-1  1          1.2      sh: no such thing
        i-3  prod-keypair-1  unreached  1.2      ssh: connect to host 10.0.1.4 port 22: Connection timed out
        i-4  prod-keypair-1  timeout    1.2      
        i-5  prod-keypair-1  0          1.2      [31mred
        i-6  prod-keypair-1  failed     1.2      no key
        ");
        let good: Vec<_> = answers().iter().map(Answer::is_good).collect();
        assert_eq!(good, [true, false, false, false, true, false]);
        let otherwise: Vec<_> = answers().iter().map(Answer::is_opened_otherwise).collect();
        assert_eq!(otherwise, [false, false, false, false, true, false]);
    }

    #[test]
    fn an_object_has_everything() {
        let lines: Vec<_> = answers().iter().map(|it| object(it).to_string()).collect();
        insta::assert_snapshot!(lines[1], @r#"{"error":null,"exit_code":1,"id":"i-2","key_name":"prod-keypair-1","key_used":true,"ms":1250,"name":"prod","outcome":"ran","stderr":"sh: no such thing\n","stdout":"half\n"}"#);
        insta::assert_snapshot!(lines[5], @r#"{"error":"no key","exit_code":null,"id":"i-6","key_name":"prod-keypair-1","key_used":false,"ms":1250,"name":"prod","outcome":"failed","stderr":null,"stdout":null}"#);
    }
}
