//! A rack of which only the API is seen, as a small model: it updates its own stack in its own
//! time, each of its processes takes one key, and whoever asks meets one process or another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use convox::clock::Clock;
use convox::rack::{ApiProbe, PortError, RackApi, SystemDescription};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::password::OLD;

/// What becomes of `PUT /system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is accepted.
    Accepted,
    /// It is accepted, and the answer is lost.
    AnswerLost,
    /// It never arrives, and that looks the same.
    Lost,
    /// It is refused (403).
    Refused,
    /// It fails in the rack (500), which does nothing.
    Fails,
}

/// How a rack behaves. Times are seconds since it accepted the update.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// Answers to one request after the other; from then on it accepts.
    pub(crate) puts: Vec<Put>,
    /// When its stack is at rest again.
    pub(crate) rests_at: u64,
    /// When each process takes the new key.
    pub(crate) flips_at: Vec<u64>,
    /// When its stack begins to go back, and when each process takes the old key again.
    pub(crate) back_at: Option<(u64, u64)>,
    /// From when until when a balancer answers for it with 502.
    pub(crate) down: Option<(u64, u64)>,
    /// Its last word, which is `running` in a rack that is well.
    pub(crate) ends_as: &'static str,
}

/// When a process never takes the new key by itself.
pub(crate) const NEVER: u64 = u64::MAX;

impl Default for Script {
    fn default() -> Self {
        Self {
            puts: Vec::new(),
            rests_at: 120,
            flips_at: vec![60, 100],
            back_at: None,
            down: None,
            ends_as: "running",
        }
    }
}

/// The rack. Clones share it.
#[derive(Clone)]
pub(crate) struct FarModel(Arc<Mutex<State>>, Clock);

struct State {
    script: Script,
    update: Option<Update>,
    /// Requests that were asked for an update, and the values that they brought.
    asked: Vec<BTreeMap<String, String>>,
    requests: usize,
    /// When all processes were started anew.
    restarted_at: Option<Timestamp>,
    /// What the API said before its update.
    pub(crate) status: &'static str,
}

struct Update {
    began: Timestamp,
    key: String,
    /// The key of each process until it takes the new one.
    before: Vec<String>,
}

impl State {
    fn passed(&self, now: Timestamp) -> Option<u64> {
        let update = self.update.as_ref()?;
        u64::try_from(now.duration_since(update.began).as_secs()).ok()
    }

    fn is_back(&self, passed: u64) -> bool {
        self.script.back_at.is_some_and(|(at, _)| passed >= at)
    }

    fn status(&self, now: Timestamp) -> &'static str {
        match self.passed(now) {
            None => self.status,
            Some(passed) if passed >= self.script.rests_at => self.script.ends_as,
            Some(passed) if self.is_back(passed) => "rollback",
            Some(_) => "updating",
        }
    }

    /// The key that the stack holds.
    fn parameter(&self, now: Timestamp) -> String {
        match (&self.update, self.passed(now)) {
            (Some(update), Some(passed)) if !self.is_back(passed) => update.key.clone(),
            _ => OLD.to_owned(),
        }
    }

    /// The key of each process.
    fn keys(&self, now: Timestamp) -> Vec<String> {
        let (Some(update), Some(passed)) = (&self.update, self.passed(now)) else {
            return vec![OLD.to_owned(); self.script.flips_at.len()];
        };
        let restarted = self.restarted_at.map(|at| self.parameter(at));
        // A process that starts once the stack goes back starts with the old key.
        let flips = |at: u64| passed >= at && !self.is_back(at);
        let gone_back = self.script.back_at.is_some_and(|(_, by)| passed >= by);
        let key = |(flips_at, before): (&u64, &String)| match &restarted {
            Some(key) => key.clone(),
            None if gone_back => OLD.to_owned(),
            None if flips(*flips_at) => update.key.clone(),
            None => before.clone(),
        };
        let flips_at = self.script.flips_at.iter();
        flips_at.zip(&update.before).map(key).collect()
    }

    /// Lets one process answer to whoever has its key.
    fn open(&mut self, now: Timestamp, key: &str) -> Result<(), PortError> {
        if let (Some((from, until)), Some(passed)) = (self.script.down, self.passed(now))
            && (from..until).contains(&passed)
        {
            return Err(answer(Some(502), "response status 502"));
        }
        let keys = self.keys(now);
        let chosen = self.requests % keys.len();
        self.requests += 1;
        if keys[chosen] == key {
            return Ok(());
        }
        Err(answer(Some(401), "invalid authentication"))
    }
}

/// What the client makes of an answer, or of none.
fn answer(status: Option<u16>, message: &str) -> PortError {
    PortError::Remote {
        status,
        transient: status.is_none_or(|status| status >= 500),
        unanswered: status.is_none_or(|status| (502..=504).contains(&status)),
        message: message.to_owned(),
        hint: None,
    }
}

impl FarModel {
    pub(crate) fn new(script: Script, clock: Clock) -> Self {
        let state = State {
            script,
            update: None,
            asked: Vec::new(),
            requests: 0,
            restarted_at: None,
            status: "running",
        };
        Self(Arc::new(Mutex::new(state)), clock)
    }

    /// Has it say this word as long as it has no update.
    pub(crate) fn say(&self, status: &'static str) {
        self.0.lock().unwrap().status = status;
    }

    /// The keys that its processes take now.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().keys(self.1.now())
    }

    /// The key that its stack holds now.
    pub(crate) fn parameter(&self) -> String {
        self.0.lock().unwrap().parameter(self.1.now())
    }

    /// What it was asked to set.
    pub(crate) fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.0.lock().unwrap().asked.clone()
    }

    /// Starts all its processes anew, as somebody does who replaces its instances.
    pub(crate) fn restart(&self) {
        self.0.lock().unwrap().restarted_at = Some(self.1.now());
    }
}

#[async_trait]
impl ApiProbe for FarModel {
    fn describe(&self) -> String {
        "rack.example.com".to_owned()
    }

    async fn accepts(&self, password: &SecretString) -> Result<bool, PortError> {
        let mut state = self.0.lock().unwrap();
        match state.open(self.1.now(), password.expose_secret()) {
            Ok(()) => Ok(true),
            Err(PortError::Remote {
                status: Some(401), ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl RackApi for FarModel {
    async fn describe_with(&self, password: &SecretString) -> Result<SystemDescription, PortError> {
        let mut state = self.0.lock().unwrap();
        let now = self.1.now();
        state.open(now, password.expose_secret())?;
        let parameters = [
            ("Password", "****"),
            ("ApiCount", "2"),
            ("InstanceType", "t3.small"),
        ];
        Ok(SystemDescription {
            name: "prod".to_owned(),
            status: state.status(now).to_owned(),
            version: "20220101000000".to_owned(),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..SystemDescription::default()
        })
    }

    async fn set_with(
        &self,
        password: &SecretString,
        changes: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        let mut state = self.0.lock().unwrap();
        let now = self.1.now();
        state.open(now, password.expose_secret())?;
        state.asked.push(changes.clone());
        let put = state.script.puts.get(state.asked.len() - 1).copied();
        let put = put.unwrap_or(Put::Accepted);
        match put {
            Put::Refused => return Err(answer(Some(403), "you may not")),
            Put::Fails => return Err(answer(Some(500), "something broke")),
            Put::Lost => return Err(answer(None, "nothing came for 60 s")),
            Put::Accepted | Put::AnswerLost => {}
        }
        let status = state.status(now);
        if ["updating", "rollback"].contains(&status) {
            return Err(PortError::Busy {
                what: "the rack".to_owned(),
                status: status.to_owned(),
            });
        }
        let key = changes["Password"].clone();
        if state.parameter(now) == key {
            return Err(PortError::NoChanges);
        }
        let before = state.keys(now);
        state.update = Some(Update {
            began: now,
            key,
            before,
        });
        if put == Put::AnswerLost {
            return Err(answer(None, "nothing came for 60 s"));
        }
        Ok(())
    }
}
