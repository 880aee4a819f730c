//! Rolls of the rack API's key over that API: a scripted rack in virtual time, killed at every
//! line of the journal, and a login that must open it at every second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convox::clock::Clock;
use convox::ids::{Entropy, RollId};
use convox::rack::directory::Directory;
use convox::rack::{ApiKeyHolder, FarRack};
use convox::roll::{
    ApiKeyEngine as _, ApiKeyRequest, EventKind, FarEngine, Journals, Outcome, Refusal, Report,
    Stop,
};
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::far_rack::{FarModel, NEVER, Put, Script};
use crate::password::{Login, OLD};
use crate::rehearsal::{Tape, WAIT_BUSY, in_virtual_time, outcome};

/// A rack, a login, and a machine to roll from.
pub(crate) struct Place {
    pub(crate) rack: FarModel,
    pub(crate) clock: Clock,
    login: Login,
    stop: Stop,
    tape: Tape,
    home: tempfile::TempDir,
    /// What the watcher saw broken.
    broken: Arc<Mutex<BTreeSet<String>>>,
}

impl Place {
    pub(crate) fn new(script: &Script) -> Self {
        let start = "2026-11-22T02:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(start, 1.0);
        let place = Self {
            rack: FarModel::new(script.clone(), clock.clone()),
            clock,
            login: Login::of(Some(OLD)),
            stop: Stop::new(),
            tape: Tape::default(),
            home: tempfile::tempdir().unwrap(),
            broken: Arc::default(),
        };
        place.watch();
        place
    }

    /// After every virtual second: each of the rack's processes takes the login's key, or its
    /// pending one.
    fn watch(&self) {
        let (rack, clock) = (self.rack.clone(), self.clock.clone());
        let (login, broken) = (self.login.clone(), Arc::clone(&self.broken));
        tokio::spawn(async move {
            loop {
                let known = login.keys();
                if rack.keys().iter().any(|key| !known.contains(key)) {
                    let now = clock.now();
                    broken
                        .lock()
                        .unwrap()
                        .insert(format!("locked out at {now}"));
                }
                clock.sleep(Duration::from_secs(1)).await;
            }
        });
    }

    pub(crate) fn journals(&self) -> Journals {
        Journals::new(self.home.path().join("rolls"))
    }

    fn keys_dir(&self) -> std::path::PathBuf {
        self.home.path().join("staged")
    }

    fn far_rack(&self) -> FarRack {
        FarRack {
            api: Arc::new(self.rack.clone()),
            password: SecretString::from(OLD),
            holders: vec![Arc::new(self.login.clone()) as Arc<dyn ApiKeyHolder>],
            keys: Arc::new(Directory::new(self.keys_dir())),
        }
    }

    pub(crate) fn engine(&self, journals: Journals) -> FarEngine {
        FarEngine::new(
            self.far_rack(),
            self.clock.clone(),
            Entropy::seeded(5),
            journals,
            Box::new(self.tape.clone()),
            self.stop.clone(),
        )
    }

    pub(crate) async fn roll_with(&self, journals: Journals) -> Result<Report, Refusal> {
        let mut engine = self.engine(journals);
        let request = ApiKeyRequest {
            set: BTreeMap::from([("InstanceType".to_owned(), "t3.large".to_owned())]),
            ..ApiKeyRequest::default()
        };
        let plan = engine.plan_api_key(request, WAIT_BUSY).await?;
        Ok(engine.run(plan, false).await)
    }

    pub(crate) async fn roll(&self) -> Result<Report, Refusal> {
        self.roll_with(self.journals()).await
    }

    pub(crate) async fn resume(&self, id: &RollId) -> Result<Report, Refusal> {
        self.engine(self.journals()).resume(id).await
    }

    pub(crate) fn only_roll(&self) -> Option<RollId> {
        let journals = self.journals();
        let roll = journals.rolls().unwrap().into_iter().next()?;
        let lines = journals.read(&roll).unwrap();
        lines.is_some_and(|lines| !lines.is_empty()).then_some(roll)
    }

    /// How many new keys wait in the key store.
    fn staged(&self) -> usize {
        match std::fs::read_dir(self.keys_dir().join("keys")) {
            Ok(entries) => entries.count(),
            Err(_) => 0,
        }
    }

    pub(crate) fn assert_settled(&self, result: &Result<Report, Refusal>, context: &str) {
        let broken = self.broken.lock().unwrap().clone();
        assert!(broken.is_empty(), "{context}: {broken:#?}");
        let keys = self.rack.keys();
        match outcome(result) {
            Outcome::Done => {
                let current = self.login.current_key();
                assert_ne!(current, OLD, "{context}");
                assert_eq!(self.rack.parameter(), current, "{context}");
                assert!(
                    keys.iter().all(|key| *key == current),
                    "{context}: {keys:?}"
                );
                assert!(self.login.is_settled() && self.staged() == 0, "{context}");
            }
            Outcome::RolledBack | Outcome::NothingChanged | Outcome::Busy => {
                assert_eq!(self.rack.parameter(), OLD, "{context}: {result:?}");
                assert_eq!(self.login.current_key(), OLD, "{context}");
                assert!(keys.iter().all(|key| *key == OLD), "{context}: {keys:?}");
                assert!(self.login.is_settled() && self.staged() == 0, "{context}");
            }
            Outcome::Unproven | Outcome::Detached | Outcome::Stuck => {
                assert!(self.login.keys().contains(OLD), "{context}");
                assert_eq!(
                    (self.login.keys().len(), self.staged()),
                    (2, 1),
                    "{context}"
                );
            }
        }
    }

    /// Nothing that is left but the key store has a key in it.
    pub(crate) fn assert_no_secret(&self, context: &str) {
        let mut left = self.tape.json();
        if let Ok(files) = std::fs::read_dir(self.home.path().join("rolls")) {
            for file in files {
                left += &std::fs::read_to_string(file.unwrap().path()).unwrap();
            }
        }
        let seen = self.login.seen();
        for secret in seen.iter().map(String::as_str).chain([OLD]) {
            assert!(!left.contains(secret), "{context}: a key was left behind");
        }
    }
}

/// Every way in which a rack may behave, and how a roll of it ends.
pub(crate) fn scripts() -> Vec<(&'static str, Script, Outcome)> {
    let script = Script::default;
    vec![
        ("one by one", script(), Outcome::Done),
        (
            "after the update",
            Script {
                flips_at: vec![150, 300, 400],
                ..script()
            },
            Outcome::Done,
        ),
        (
            "never",
            Script {
                flips_at: vec![NEVER, NEVER],
                ..script()
            },
            Outcome::Unproven,
        ),
        (
            "one of them never",
            Script {
                flips_at: vec![60, NEVER],
                ..script()
            },
            Outcome::Unproven,
        ),
        (
            "rollback",
            Script {
                back_at: Some((80, 150)),
                rests_at: 160,
                ..script()
            },
            Outcome::RolledBack,
        ),
        (
            "a process keeps the new key after a rollback",
            Script {
                back_at: Some((80, NEVER)),
                rests_at: 160,
                ..script()
            },
            Outcome::Stuck,
        ),
        (
            "the rollback fails",
            Script {
                back_at: Some((80, 150)),
                ends_as: "failed",
                ..script()
            },
            Outcome::Stuck,
        ),
        (
            "502 for a while",
            Script {
                down: Some((50, 110)),
                ..script()
            },
            Outcome::Done,
        ),
        (
            "silent for good",
            Script {
                down: Some((50, NEVER)),
                ..script()
            },
            Outcome::Detached,
        ),
        (
            "the answer is lost",
            Script {
                puts: vec![Put::AnswerLost],
                ..script()
            },
            Outcome::Done,
        ),
        (
            "the request is lost",
            Script {
                puts: vec![Put::Lost],
                ..script()
            },
            Outcome::Done,
        ),
        (
            "refused",
            Script {
                puts: vec![Put::Refused; 9],
                ..script()
            },
            Outcome::NothingChanged,
        ),
        (
            "fails in the rack",
            Script {
                puts: vec![Put::Fails; 9],
                ..script()
            },
            Outcome::NothingChanged,
        ),
    ]
}

#[test]
fn every_rack_ends_as_it_must() {
    let mut wrong = Vec::new();
    for (name, script, expected) in scripts() {
        in_virtual_time(async {
            let place = Place::new(&script);
            let result = place.roll().await;
            if outcome(&result) != expected {
                wrong.push(format!("{name}: {result:#?}"));
            }
            place.assert_settled(&result, name);
            place.assert_no_secret(name);
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a crash strikes, and how much later the roll is taken up again.
#[derive(Debug, Clone, Copy)]
struct Crash {
    line: usize,
    before: bool,
    later: Duration,
}

/// Kills a roll, takes it up again, and checks how it ends. `false` when the journal of an
/// undisturbed roll is not that long.
async fn crash_and_resume(place: &Place, crash: Crash, context: &str) -> Option<Outcome> {
    let tripped = Arc::new(Notify::new());
    let journals = place.journals();
    let journals = journals.crashing_at(crash.line, crash.before, tripped.clone());
    tokio::select! {
        _ = place.roll_with(journals) => return None,
        () = tripped.notified() => {}
    }
    place.clock.sleep(crash.later).await;
    let Some(roll) = place.only_roll() else {
        assert_eq!(
            (place.staged(), place.rack.asked().len()),
            (0, 0),
            "{context}"
        );
        return Some(Outcome::NothingChanged);
    };
    let result = place.resume(&roll).await;
    let report = result
        .as_ref()
        .unwrap_or_else(|refusal| panic!("{context}: {refusal}"));
    place.assert_settled(&result, &format!("{context}: {report:?}"));
    place.assert_no_secret(context);
    // Taking it up once more, after somebody has restarted the API, settles what is not.
    let ended = report.outcome;
    if ended == Outcome::Unproven {
        place.rack.restart();
    }
    let again = place.resume(&roll).await;
    place.assert_settled(&again, &format!("{context}: again {again:?}"));
    Some(ended)
}

#[test]
fn a_roll_that_is_killed_anywhere_ends_as_if_it_had_not_been() {
    for (name, script, expected) in scripts() {
        for before in [false, true] {
            for line in 1.. {
                let crash = Crash {
                    line,
                    before,
                    later: Duration::ZERO,
                };
                let context = format!("{name} {crash:?}");
                let ended = in_virtual_time(async {
                    let place = Place::new(&script);
                    crash_and_resume(&place, crash, &context).await
                });
                let Some(ended) = ended else {
                    assert!(line > 6, "{context}: the journal has only {line} lines");
                    break;
                };
                // Before anything is asked of the rack a roll may also be taken back.
                let allowed = [expected, Outcome::NothingChanged];
                assert!(allowed.contains(&ended), "{context}: {ended:?}");
            }
        }
    }
}

#[test]
fn nobody_is_locked_out_by_coming_back_an_hour_later() {
    for (name, script, expected) in scripts() {
        for line in 1.. {
            let crash = Crash {
                line,
                before: false,
                later: Duration::from_hours(1),
            };
            let context = format!("{name} {crash:?}");
            let ended = in_virtual_time(async {
                let place = Place::new(&script);
                crash_and_resume(&place, crash, &context).await
            });
            let Some(ended) = ended else { break };
            // A rack does not say any more that it went back while nobody listened.
            let allowed = [expected, Outcome::NothingChanged, Outcome::Unproven];
            assert!(allowed.contains(&ended), "{context}: {ended:?}");
        }
    }
}

#[test]
fn an_unproven_roll_is_done_once_somebody_restarts_the_api() {
    in_virtual_time(async {
        let script = Script {
            flips_at: vec![NEVER, NEVER],
            ..Script::default()
        };
        let place = Place::new(&script);
        let report = place.roll().await.unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::Unproven, 4));
        assert!(
            report
                .hints
                .iter()
                .any(|hint| hint.contains("instances keyroll")),
            "{report:?}"
        );
        let roll = place.only_roll().unwrap();
        place.rack.restart();
        let result = place.resume(&roll).await;
        assert_eq!(outcome(&result), Outcome::Done, "{result:?}");
        place.assert_settled(&result, "restarted");
        assert_eq!(place.rack.asked().len(), 1, "it is set once");
    });
}

#[test]
fn an_update_is_asked_for_again_only_when_nothing_was_seen_of_it() {
    for (put, times) in [(Put::Accepted, 1), (Put::AnswerLost, 1), (Put::Lost, 2)] {
        in_virtual_time(async {
            let place = Place::new(&Script {
                puts: vec![put],
                ..Script::default()
            });
            let report = place.roll().await.unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{put:?}: {report:?}");
            let asked = place.rack.asked();
            assert_eq!(asked.len(), times, "{put:?}");
            assert!(asked.iter().all(|it| it["InstanceType"] == "t3.large"));
        });
    }
}

#[test]
fn how_long_nobody_answered_is_told() {
    in_virtual_time(async {
        let place = Place::new(&Script {
            down: Some((50, 110)),
            ..Script::default()
        });
        let report = place.roll().await.unwrap();
        let measured = report.unavailable_ms.unwrap();
        assert!((50_000..=70_000).contains(&measured), "{measured} ms");
        assert!(
            report.message.contains("it answered nobody for"),
            "{report:?}"
        );
        let said: Vec<_> = place
            .tape
            .events()
            .into_iter()
            .filter_map(|event| match event.kind {
                EventKind::System { status } => Some(status),
                _ => None,
            })
            .collect();
        assert_eq!(said, ["updating", "updating", "running"]);
    });
}

#[test]
fn who_lets_go_keeps_both_keys() {
    in_virtual_time(async {
        let place = Place::new(&Script::default());
        let stop = place.stop.clone();
        let clock = place.clock.clone();
        tokio::spawn(async move {
            clock.sleep(Duration::from_secs(30)).await;
            stop.request();
        });
        let result = place.roll().await;
        assert_eq!(outcome(&result), Outcome::Detached, "{result:?}");
        place.assert_settled(&result, "let go");
    });
}

#[test]
fn a_rack_that_could_not_be_rolled_is_left_alone() {
    let refused = |status: &'static str, request: ApiKeyRequest| {
        in_virtual_time(async {
            let place = Place::new(&Script::default());
            place.rack.say(status);
            let mut engine = place.engine(place.journals());
            let refusal = engine
                .plan_api_key(request, Duration::from_secs(20))
                .await
                .unwrap_err();
            assert!(place.rack.asked().is_empty() && place.staged() == 0);
            (refusal.reasons[0].code.clone(), refusal.outcome)
        })
    };
    let of = |value: &str| ApiKeyRequest {
        value: Some(SecretString::from(value)),
        ..ApiKeyRequest::default()
    };
    let nothing = |code: &str| (code.to_owned(), Outcome::NothingChanged);
    let busy = ("stack-busy".to_owned(), Outcome::Busy);
    assert_eq!(refused("updating", of("new")), busy);
    assert_eq!(refused("rollback", of("new")), busy);
    assert_eq!(refused("failed", of("new")), nothing("not-running"));
    assert_eq!(refused("running", of(OLD)), nothing("unchanged"));
    for unfit in ["", "****", &"x".repeat(51)] {
        assert_eq!(
            refused("running", of(unfit)),
            nothing("unfit-value"),
            "{unfit}"
        );
    }
    let unknown = ApiKeyRequest {
        set: BTreeMap::from([("Instancetype".to_owned(), "x".to_owned())]),
        ..ApiKeyRequest::default()
    };
    assert_eq!(refused("running", unknown), nothing("unfit-value"));
}

#[test]
fn a_made_key_must_be_kept_by_somebody() {
    let planned = |request: ApiKeyRequest| {
        in_virtual_time(async {
            let place = Place::new(&Script::default());
            let mut rack = place.far_rack();
            rack.holders.clear();
            let (journals, sink) = (place.journals(), Box::new(Tape::default()));
            let (clock, stop) = (place.clock.clone(), place.stop.clone());
            let mut engine = FarEngine::new(rack, clock, Entropy::seeded(5), journals, sink, stop);
            let plan = engine.plan_api_key(request, WAIT_BUSY).await?;
            let report = engine.run(plan.clone(), false).await;
            assert_eq!(report.outcome, Outcome::Done, "{report:?}");
            // Until it is shown, the last copy stays.
            assert_eq!(place.staged(), 1);
            engine.shown(&plan).await.unwrap();
            assert_eq!(place.staged(), 0);
            Ok::<_, Refusal>(())
        })
    };
    let refusal = planned(ApiKeyRequest::default()).unwrap_err();
    assert_eq!(refusal.reasons[0].code, "nobody-keeps-it");
    let shown = ApiKeyRequest {
        shown: true,
        ..ApiKeyRequest::default()
    };
    planned(shown).unwrap();
}
