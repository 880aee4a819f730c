//! SSM Run Command as a way to `authorized_keys`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Clock;
use crate::rack::{
    CommandState, Commands, Instance, Invoked, KeyAccess, KeyAnswer, KeyDeed, KeySwap, LinesSeen,
    PortError, SshdSaid, Through,
};

/// How many instances one command goes to.
const INSTANCES_AT_ONCE: usize = 50;
/// How long an instance is waited for: as long as SSM tries to deliver and then lets it run.
const PATIENCE: Duration = Duration::from_secs(100);
/// How long SSM may not know yet what it has just taken on.
const UNHEARD_OF: Duration = Duration::from_secs(20);
/// Between two looks at first, and at last.
const LOOKS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// What the agent adds to what a script wrote that failed.
const AGENTS_OWN: &str = "failed to run commands: ";

/// The agents of instances, which run commands as root.
pub struct SsmAccess {
    commands: Arc<dyn Commands>,
    clock: Clock,
}

/// One command: what is done where, and who hears of it.
struct Errand<'a> {
    deed: KeyDeed,
    swap: &'a KeySwap,
    instances: &'a [Instance],
    answers: &'a UnboundedSender<KeyAnswer>,
    until: Timestamp,
}

impl Errand<'_> {
    fn answer(&self, instance: &str, result: Result<(), String>) {
        // Whoever asked may have stopped listening.
        let _ = self.answers.send(KeyAnswer {
            instance: instance.to_owned(),
            deed: self.deed,
            result,
        });
    }

    fn ended(&self, invoked: &Invoked) {
        let said = invoked.output.trim();
        let mut instances = self.instances.iter();
        let instance = instances.find(|instance| instance.id == invoked.instance);
        let seen = LinesSeen::read(said);
        let result = match (invoked.state, seen.zip(instance)) {
            (CommandState::Succeeded, Some((seen, instance))) => {
                let judged = self.swap.judge(self.deed, instance, seen);
                judged.and_then(|()| self.swap.judge_sshd(self.deed, SshdSaid::read(said)))
            }
            (CommandState::Succeeded, None) => Err("its script has not said how it ended".into()),
            _ => {
                let last = said.lines().rfind(|line| !line.starts_with(AGENTS_OWN));
                let last = last.unwrap_or_default();
                let colon = if last.is_empty() { "" } else { ": " };
                Err(format!(
                    "its command ended as {}{colon}{last}",
                    invoked.status
                ))
            }
        };
        self.answer(&invoked.instance, result);
    }
}

impl SsmAccess {
    /// Reaches instances by `commands`, and waits by `clock`.
    #[must_use]
    pub fn new(commands: Arc<dyn Commands>, clock: Clock) -> Self {
        Self { commands, clock }
    }

    /// Has instances run the script, and answers for each of them.
    async fn go(&self, errand: &Errand<'_>, ids: &[String]) {
        let script = errand.swap.script(errand.deed, true);
        match self.send(errand, ids, &script).await {
            Ok(command) => self.wait(errand, &command, ids).await,
            // One that cannot be asked keeps all others from being asked.
            Err(PortError::Rejected { ref code, .. })
                if code == "InvalidInstanceId" && ids.len() > 1 =>
            {
                let each = ids.iter().map(std::slice::from_ref);
                join_all(each.map(|id| Box::pin(self.go(errand, id)))).await;
            }
            Err(error) => {
                for id in ids {
                    errand.answer(id, Err(error.to_string()));
                }
            }
        }
    }

    /// Sends a command; again where the answer was lost, since doing it twice does no harm.
    async fn send(
        &self,
        errand: &Errand<'_>,
        ids: &[String],
        script: &str,
    ) -> Result<String, PortError> {
        let mut wait = LOOKS.0;
        loop {
            match self.commands.run(ids, script).await {
                Err(error) if error.is_transient() && self.clock.now() < errand.until => {}
                answer => return answer,
            }
            self.clock.sleep(wait).await;
            wait = (wait * 2).min(LOOKS.1);
        }
    }

    async fn wait(&self, errand: &Errand<'_>, command: &str, ids: &[String]) {
        let mut open: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        let mut wait = LOOKS.0;
        let known_by = self.clock.now().saturating_add(UNHEARD_OF);
        let known_by = known_by.unwrap_or(Timestamp::MAX);
        loop {
            self.clock.sleep(wait).await;
            wait = (wait * 3 / 2).min(LOOKS.1);
            let looked = self.commands.invoked(command).await;
            for invoked in looked.iter().flatten() {
                let is_over = invoked.state != CommandState::UnderWay;
                if is_over && open.remove(invoked.instance.as_str()) {
                    errand.ended(invoked);
                }
            }
            let given_up = match looked {
                Err(error) if is_unheard_of(&error) && self.clock.now() < known_by => None,
                Err(error) if !error.is_transient() => Some(error.to_string()),
                _ if self.clock.now() >= errand.until => {
                    let waited = PATIENCE.as_secs();
                    Some(format!("its command has not ended within {waited} s"))
                }
                _ => None,
            };
            if let Some(why) = given_up {
                for id in open {
                    errand.answer(id, Err(why.clone()));
                }
                return;
            }
            if open.is_empty() {
                return;
            }
        }
    }
}

/// Tells whether SSM says that there is no such command, as it may at first of one that it has
/// just taken on.
fn is_unheard_of(error: &PortError) -> bool {
    let codes = ["InvalidCommandId", "InvocationDoesNotExist"];
    match error {
        PortError::NotFound { .. } => true,
        PortError::Rejected { code, .. } => codes.contains(&code.as_str()),
        _ => false,
    }
}

#[async_trait]
impl KeyAccess for SsmAccess {
    fn through(&self) -> Through {
        Through::Ssm
    }

    async fn unreached(
        &self,
        instances: &[Instance],
    ) -> Result<BTreeMap<String, String>, PortError> {
        let ids: Vec<String> = instances.iter().map(|it| it.id.clone()).collect();
        let agents = self.commands.agents(&ids).await?;
        let why = |id: String| match agents.get(&id).map(String::as_str) {
            Some("Online") => None,
            Some(status) => Some((id, format!("its SSM agent is {status}"))),
            None => Some((id, "it has no SSM agent".to_owned())),
        };
        Ok(ids.into_iter().filter_map(why).collect())
    }

    async fn carry_out(
        &self,
        deed: KeyDeed,
        swap: &KeySwap,
        instances: &[Instance],
        answers: &UnboundedSender<KeyAnswer>,
    ) {
        let until = self.clock.now().saturating_add(PATIENCE);
        let ids: Vec<String> = instances.iter().map(|it| it.id.clone()).collect();
        let errand = Errand {
            deed,
            swap,
            instances,
            answers,
            until: until.unwrap_or(Timestamp::MAX),
        };
        if deed == KeyDeed::ProveNew {
            // The command that has let it in has ended with that, or it has failed; and the one
            // that takes the old line out begins with it.
            for id in &ids {
                errand.answer(id, Ok(()));
            }
            return;
        }
        join_all(
            ids.chunks(INSTANCES_AT_ONCE)
                .map(|ids| self.go(&errand, ids)),
        )
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::mpsc;

    use super::*;
    use crate::rack::PublicLine;

    /// Knows of no command before it has been asked so many times.
    struct Slow {
        code: &'static str,
        unknown: u32,
        asked: AtomicU32,
    }

    #[async_trait]
    impl Commands for Slow {
        async fn agents(&self, _: &[String]) -> Result<BTreeMap<String, String>, PortError> {
            Ok(BTreeMap::new())
        }

        async fn run(&self, _: &[String], _: &str) -> Result<String, PortError> {
            Ok("command".to_owned())
        }

        async fn invoked(&self, _: &str) -> Result<Vec<Invoked>, PortError> {
            if self.asked.fetch_add(1, Ordering::Relaxed) < self.unknown {
                return Err(PortError::Rejected {
                    api: "ListCommandInvocations",
                    code: self.code.to_owned(),
                    message: String::new(),
                });
            }
            Ok(vec![Invoked {
                instance: "i-1".to_owned(),
                state: CommandState::Succeeded,
                status: "Success".to_owned(),
                output: "authorized_keys: new=yes old=yes\nsshd: new=yes\n".to_owned(),
            }])
        }
    }

    async fn added(commands: Slow) -> Result<(), String> {
        let start = Timestamp::UNIX_EPOCH;
        let access = SsmAccess::new(Arc::new(commands), Clock::starting_at(start, 1.0));
        let line = |name| PublicLine::read(name, &format!("ssh-ed25519 {name}")).unwrap();
        let swap = KeySwap {
            user: "ec2-user".to_owned(),
            new: line("new"),
            old: line("old"),
            kept: None,
        };
        let instance = Instance {
            id: "i-1".to_owned(),
            name: None,
            state: "running".to_owned(),
            key_name: Some("old".to_owned()),
            opened_by: None,
            owner: None,
            lifecycle: None,
            private_ip: None,
            public_ip: None,
            launched_at: None,
        };
        let (tell, mut heard) = mpsc::unbounded_channel();
        access
            .carry_out(KeyDeed::Add, &swap, &[instance], &tell)
            .await;
        heard.try_recv().unwrap().result
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_ssm_does_not_know_yet_is_asked_for_again() {
        for code in ["InvalidCommandId", "InvocationDoesNotExist"] {
            let slow = |unknown| Slow {
                code,
                unknown,
                asked: AtomicU32::new(0),
            };
            assert_eq!(added(slow(3)).await, Ok(()), "{code}");
            let never = added(slow(u32::MAX)).await.unwrap_err();
            assert!(never.contains(code), "{never}");
        }
        let other = Slow {
            code: "InternalServerError",
            unknown: 1,
            asked: AtomicU32::new(0),
        };
        assert!(added(other).await.is_err());
    }
}
