//! One command on every instance, side by side: the quick check after a roll.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::SshArgs;
use super::direct::Doorway;
use super::explain::Outcome;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::signals;
use crate::clock::Clock;
use crate::rack::{Instance, Rack};
use crate::ssh::{Agent, Invocation, Ran, Seen};
use crate::ui::{CliError, Exit, Table, one_line};

/// What one instance answered.
struct Answer {
    instance: Instance,
    took: Duration,
    ran: Result<(Ran, Seen), CliError>,
}

/// Runs the command and prints a table, or an object a line.
pub(super) async fn run(args: &SshArgs, context: &Context, rack: Rack) -> Result<Exit, CliError> {
    let printer = context.printer();
    let door = Doorway::new(args, context, rack)?;
    let mut instances = door.instances().await?;
    instances.sort_by(|one, other| one.id.cmp(&other.id));
    let running: Vec<&Instance> = instances
        .iter()
        .filter(|instance| instance.state == "running")
        .collect();
    for other in instances.iter().filter(|it| it.state != "running") {
        printer.say(&format!("{} is {}, and is left out", other.id, other.state));
    }
    if running.is_empty() {
        return Err(CliError::failed("no instance is running")
            .hint("`convox instances` lists those that there are"));
    }
    let told = door.learn(&running, &instances).await?;
    let at_once = Arc::new(Semaphore::new(usize::from(args.parallel)));
    let mut working = JoinSet::new();
    let mut answers = BTreeMap::new();
    for (place, instance) in running.iter().enumerate() {
        let prepared = async {
            let key = door.key_of(instance).await?;
            let invocation = door.invocation(instance, &told)?;
            // One each, so that each tells whether its key was used.
            let agent = Agent::start(&door.dir, &place.to_string(), key)?;
            Ok::<_, CliError>((invocation, agent))
        };
        let instance = (*instance).clone();
        match prepared.await {
            Ok((invocation, agent)) => {
                let (at_once, timeout) = (Arc::clone(&at_once), args.timeout);
                working.spawn(async move {
                    let _permit = at_once.acquire().await;
                    ask(instance, invocation, agent, timeout).await
                });
            }
            Err(error) => {
                let answer = Answer {
                    instance,
                    took: Duration::ZERO,
                    ran: Err(error),
                };
                answers.insert(answer.instance.id.clone(), answer);
            }
        }
    }
    let stop = signals::told()
        .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
    tokio::pin!(stop);
    loop {
        if args.output == Output::Text {
            printer.busy(&format!(
                "{} of {} have answered",
                answers.len(),
                running.len()
            ));
        }
        tokio::select! {
            answer = working.join_next() => match answer {
                Some(Ok(answer)) => {
                    answers.insert(answer.instance.id.clone(), answer);
                }
                Some(Err(_)) => {}
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
    let answers: Vec<Answer> = answers.into_values().collect();
    match args.output {
        Output::Text => printer.data(&table(&answers).render()),
        Output::Json => {
            for answer in &answers {
                printer.data(&format!("{}\n", object(answer)));
            }
        }
    }
    for answer in answers.iter().filter(|answer| answer.is_opened_otherwise()) {
        let message = format!(
            "{} was opened by another key than its own",
            answer.instance.id
        );
        printer.warn(
            &message,
            Some("an IdentityFile of your ssh_config may be let in too"),
        );
    }
    let failed = answers.iter().filter(|answer| !answer.is_good()).count();
    match failed {
        0 => Ok(Exit::Done),
        _ => Err(CliError::failed(format!(
            "{failed} of {} instances did not do it",
            answers.len()
        ))
        .hint("`convox instances ssh INSTANCE` on one of them tells more")),
    }
}

/// Runs the command on one instance, for as long as it may take.
async fn ask(
    instance: Instance,
    invocation: Invocation,
    agent: Agent,
    timeout: Duration,
) -> Answer {
    // The machine's time: a sandbox may be faster, an `ssh` is not.
    let clock = Clock::system();
    let began = clock.now();
    let ran = invocation.capture(&agent, clock.sleep(timeout)).await;
    Answer {
        instance,
        took: Duration::try_from(clock.now().duration_since(began)).unwrap_or_default(),
        ran: ran.map(|ran| (ran, agent.seen())).map_err(CliError::from),
    }
}

impl Answer {
    fn is_good(&self) -> bool {
        matches!(&self.ran, Ok((ran, _)) if ran.ended.code() == 0)
    }

    fn is_opened_otherwise(&self) -> bool {
        matches!(&self.ran, Ok((_, seen)) if self.is_good() && !seen.signed)
    }

    fn outcome(&self) -> Option<Outcome> {
        let (ran, seen) = self.ran.as_ref().ok()?;
        Some(Outcome::of(ran.ended, *seen))
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
            answer.instance.id.clone(),
            answer.instance.key_name.clone().unwrap_or_default(),
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
        "id": answer.instance.id,
        "name": answer.instance.name,
        "key_name": answer.instance.key_name,
        "key_used": answer.ran.as_ref().is_ok_and(|(_, seen)| seen.signed),
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
    use crate::ssh::Ended;

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
            instance: Instance {
                id: id.to_owned(),
                name: Some("prod".to_owned()),
                state: "running".to_owned(),
                key_name: Some("prod-keypair-1".to_owned()),
                owner: None,
                lifecycle: None,
                private_ip: None,
                public_ip: None,
                launched_at: None,
            },
            took: Duration::from_millis(1250),
            ran: Ok((ran, seen)),
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
