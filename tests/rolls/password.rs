//! Rolls of the rack API's key: the same engine on the same sandbox, with an API that answers
//! with what its processes were started with, and a login that must work at every instant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use convox::ids::RollId;
use convox::rack::{ApiKeyAccess, ApiKeyHolder, PortError};
use convox::roll::{ApiKeyRequest, Engine, Journals, Outcome, Plan, Refusal, Report};
use convox::sandbox::Scenario;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;

use crate::rehearsal::{Rehearsal, WAIT_BUSY, in_virtual_time, outcome};
use crate::sandbox_api::Probe;

pub(crate) const OLD: &str = "sandbox-password";

/// A stored login, which a crash of the engine does not touch.
#[derive(Debug, Clone)]
pub(crate) struct Login(Arc<Mutex<Stored>>);

#[derive(Debug, Default)]
pub(crate) struct Stored {
    current: Option<String>,
    pending: BTreeMap<String, String>,
    /// Every key that it ever had.
    seen: BTreeSet<String>,
}

impl Login {
    pub(crate) fn of(current: Option<&str>) -> Self {
        Self(Arc::new(Mutex::new(Stored {
            current: current.map(str::to_owned),
            ..Stored::default()
        })))
    }

    pub(crate) fn keys(&self) -> BTreeSet<String> {
        let stored = self.0.lock().unwrap();
        let pending = stored.pending.values().cloned();
        pending.chain(stored.current.clone()).collect()
    }

    pub(crate) fn current_key(&self) -> String {
        self.0.lock().unwrap().current.clone().unwrap()
    }

    /// Every key that it ever was handed.
    pub(crate) fn seen(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().seen.clone()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.0.lock().unwrap().pending.is_empty()
    }
}

#[async_trait]
impl ApiKeyHolder for Login {
    fn describe(&self) -> String {
        "the login at rack.example.com".to_owned()
    }

    async fn current(&self) -> Result<Option<SecretString>, PortError> {
        Ok(self
            .0
            .lock()
            .unwrap()
            .current
            .clone()
            .map(SecretString::from))
    }

    async fn pending(&self, roll: &RollId) -> Result<Option<SecretString>, PortError> {
        let stored = self.0.lock().unwrap();
        Ok(stored
            .pending
            .get(roll.as_str())
            .cloned()
            .map(SecretString::from))
    }

    async fn stage(&self, new: &SecretString, roll: &RollId) -> Result<(), PortError> {
        let mut stored = self.0.lock().unwrap();
        let new = new.expose_secret().to_owned();
        stored.seen.insert(new.clone());
        stored.pending.insert(roll.to_string(), new);
        Ok(())
    }

    async fn promote(&self, new: &SecretString, roll: &RollId) -> Result<(), PortError> {
        let mut stored = self.0.lock().unwrap();
        stored.current = Some(new.expose_secret().to_owned());
        stored.pending.remove(roll.as_str());
        Ok(())
    }

    async fn discard(&self, roll: &RollId) -> Result<(), PortError> {
        self.0.lock().unwrap().pending.remove(roll.as_str());
        Ok(())
    }
}

/// A rehearsal with a login.
struct Rack {
    rehearsal: Rehearsal,
    login: Login,
    /// What the watcher saw broken.
    broken: Arc<Mutex<BTreeSet<String>>>,
    set: BTreeMap<String, String>,
}

impl Rack {
    fn new(scenario: &Scenario) -> Self {
        let rack = Self {
            rehearsal: Rehearsal::new(scenario),
            login: Login::of(Some(OLD)),
            broken: Arc::default(),
            set: match scenario.name.as_str() {
                "password/rollback" => {
                    BTreeMap::from([("InstanceType".to_owned(), "t3.large".to_owned())])
                }
                _ => BTreeMap::new(),
            },
        };
        rack.watch();
        rack
    }

    /// After every virtual second: whoever of the API's processes is asked, the login's key or
    /// its pending one opens it.
    fn watch(&self) {
        let (sandbox, clock) = (self.rehearsal.sandbox.clone(), self.rehearsal.clock.clone());
        let (login, broken) = (self.login.clone(), self.broken.clone());
        tokio::spawn(async move {
            loop {
                let known = login.keys();
                sandbox.peek(|world| {
                    let keys = world.rack_api_keys("prod");
                    if keys.iter().any(|key| !known.contains(key)) {
                        broken
                            .lock()
                            .unwrap()
                            .insert(format!("locked out at {}", world.now));
                    }
                });
                clock.sleep(Duration::from_secs(1)).await;
            }
        });
    }

    fn access(&self, login: &Login) -> ApiKeyAccess {
        ApiKeyAccess {
            probe: Some(Arc::new(Probe(self.rehearsal.sandbox.clone()))),
            holders: vec![Arc::new(login.clone())],
        }
    }

    async fn engine(&self, journals: Journals) -> Engine {
        let engine = self.rehearsal.engine(journals).await;
        engine.with_api(self.access(&self.login))
    }

    async fn roll(&self, journals: Journals) -> Result<Report, Refusal> {
        let mut engine = self.engine(journals).await;
        let plan = self.plan(&mut engine).await?;
        Ok(engine.run(plan, false).await)
    }

    async fn plan(&self, engine: &mut Engine) -> Result<Plan, Refusal> {
        let request = ApiKeyRequest {
            set: self.set.clone(),
            ..ApiKeyRequest::default()
        };
        engine.plan_api_key(request, WAIT_BUSY).await
    }

    /// The names under which the key store keeps keys of rolls.
    fn staged(&self) -> Vec<String> {
        self.rehearsal.sandbox.peek(|world| {
            let all = world.bucket_names().flat_map(|it| world.object_keys(it));
            let staged = all.filter(|key| key.contains("-password-"));
            staged.map(str::to_owned).collect()
        })
    }

    fn assert_settled(&self, result: &Result<Report, Refusal>, context: &str) {
        let broken = self.broken.lock().unwrap().clone();
        assert!(broken.is_empty(), "{context}: {broken:#?}");
        self.rehearsal.watcher.assert_whole(context);
        let keys = self
            .rehearsal
            .sandbox
            .peek(|world| world.rack_api_keys("prod"));
        let parameter = self
            .rehearsal
            .sandbox
            .peek(|world| world.ssm_value("prodRackApiSecret").unwrap());
        let current = self.login.current_key();
        match outcome(result) {
            Outcome::Done => {
                assert_ne!(parameter, OLD, "{context}");
                assert_eq!(self.staged(), [""; 0], "{context}");
                assert!(keys.iter().all(|key| *key == parameter), "{context}");
            }
            Outcome::RolledBack | Outcome::NothingChanged | Outcome::Busy => {
                assert_eq!(parameter, OLD, "{context}");
                assert_eq!(current, OLD, "{context}");
                assert_eq!(self.staged(), [""; 0], "{context}");
                assert!(keys.iter().all(|key| *key == OLD), "{context}: {keys:?}");
            }
            Outcome::Unproven | Outcome::Detached | Outcome::Stuck => {
                assert!(self.login.keys().contains(OLD), "{context}");
                assert_eq!(self.staged().len(), 1, "{context}");
            }
        }
    }

    fn assert_no_secret(&self, context: &str) {
        let left = self.rehearsal.left_behind() + &self.rehearsal.tape.json();
        let seen = self.login.seen();
        for secret in seen.iter().map(String::as_str).chain([OLD]) {
            assert!(!left.contains(secret), "{context}: a key was left behind");
        }
    }
}

fn scenarios() -> Vec<PathBuf> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenarios/password");
    let entries = std::fs::read_dir(dir).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn scenario(name: &str) -> Scenario {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenarios/password");
    Scenario::load(&PathBuf::from(dir).join(format!("{name}.yaml"))).unwrap()
}

#[test]
fn every_scenario_ends_as_its_file_says() {
    let mut wrong = Vec::new();
    for path in scenarios() {
        let scenario = Scenario::load(&path).unwrap();
        let expect = scenario.expect.clone().unwrap();
        in_virtual_time(async {
            let rack = Rack::new(&scenario);
            let result = rack.roll(rack.rehearsal.journals()).await;
            let ended = serde_json::to_value(outcome(&result)).unwrap();
            if ended != expect.outcome.as_str() || outcome(&result).exit_code() != expect.exit {
                wrong.push(format!("{}: {ended}: {result:#?}", scenario.name));
            }
            rack.assert_settled(&result, &scenario.name);
            rack.assert_no_secret(&scenario.name);
            if outcome(&result) == Outcome::Done {
                assert_ne!(rack.login.current_key(), OLD);
                assert!(rack.login.is_settled());
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A scenario on a template that differs from the rack's.
fn on_template(dir: &std::path::Path, change: impl Fn(String) -> String) -> Scenario {
    let rack = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rack.yaml");
    let text = std::fs::read_to_string(rack).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text);
    let path = dir.join("rack.yaml");
    std::fs::write(&path, changed).unwrap();
    Scenario {
        template: Some(path),
        ..Scenario::default()
    }
}

#[test]
fn a_rack_whose_definition_holds_the_key_is_restarted_by_its_stack() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = on_template(dir.path(), |text| {
        let secrets = text.find("          Secrets:\n").unwrap();
        let end = text.find("  ServiceWebApi:\n").unwrap();
        let variable = "          Environment: [{ Name: PASSWORD, Value: { Ref: Password } }]\n";
        format!("{}{variable}{}", &text[..secrets], &text[end..])
    });
    in_virtual_time(async {
        let rack = Rack::new(&scenario);
        let result = rack.roll(rack.rehearsal.journals()).await;
        assert_eq!(outcome(&result), Outcome::Done, "{result:?}");
        rack.assert_settled(&result, "before 2023");
        let calls = rack.rehearsal.sandbox.calls();
        assert!(!calls.contains_key("ecs:UpdateService"), "{calls:?}");
    });
}

#[test]
fn a_rack_of_one_host_is_told_how_long_nobody_answers_and_then_how_long_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let least = "DeploymentConfiguration: { MinimumHealthyPercent: ";
    let mut scenario = on_template(dir.path(), |text| {
        text.replace(&format!("{least}50"), &format!("{least}0"))
    });
    scenario.rack.instances = 1;
    scenario
        .parameters
        .insert("ApiCount".to_owned(), "1".to_owned());
    in_virtual_time(async {
        let rack = Rack::new(&scenario);
        let mut engine = rack.engine(rack.rehearsal.journals()).await;
        let plan = rack.plan(&mut engine).await.unwrap();
        let expected = plan.api().unwrap().unavailable_ms;
        assert!(expected > 0);
        let said = plan.warnings.iter().any(|warning| {
            warning.code == "api-restart" && warning.message.contains("nobody answers")
        });
        assert!(said, "{:?}", plan.warnings);
        let report = engine.run(plan, false).await;
        let measured = report.unavailable_ms.unwrap();
        assert!((1..=2 * expected).contains(&measured), "{measured} ms");
        assert!(
            report.message.contains("it answered nobody for"),
            "{report:?}"
        );
        rack.assert_settled(&Ok(report), "one host");
    });
}

#[test]
fn what_could_never_be_proven_is_refused() {
    let codes = |scenario: Scenario, request: fn() -> ApiKeyRequest, login: bool| {
        in_virtual_time(async {
            let rack = Rack::new(&scenario);
            let engine = rack.rehearsal.engine(rack.rehearsal.journals()).await;
            let mut access = rack.access(&rack.login);
            if !login {
                access.holders.clear();
            }
            let planned = engine
                .with_api(access)
                .plan_api_key(request(), WAIT_BUSY)
                .await;
            let reasons = planned.unwrap_err().reasons;
            assert_eq!(rack.staged(), [""; 0]);
            reasons.into_iter().map(|it| it.code).collect::<Vec<_>>()
        })
    };
    let set = |name: &str, value: &str| Scenario {
        parameters: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..Scenario::default()
    };
    let mut tight = set("ApiCount", "1");
    tight.rack.instances = 1;
    assert_eq!(
        codes(tight, ApiKeyRequest::default, true),
        ["no-room-to-restart"]
    );
    let idle = set("ApiCount", "0");
    assert_eq!(
        codes(idle, ApiKeyRequest::default, true),
        ["api-scaled-to-nothing"]
    );
    let unknown = || ApiKeyRequest {
        set: BTreeMap::from([("Instancetype".to_owned(), "x".to_owned())]),
        ..ApiKeyRequest::default()
    };
    assert_eq!(codes(Scenario::default(), unknown, true), ["unfit-value"]);
    for value in ["", "****", &"x".repeat(51)] {
        let value = value.to_owned();
        in_virtual_time(async {
            let rack = Rack::new(&Scenario::default());
            let mut engine = rack.engine(rack.rehearsal.journals()).await;
            let request = ApiKeyRequest {
                value: Some(SecretString::from(value.as_str())),
                ..ApiKeyRequest::default()
            };
            let refusal = engine.plan_api_key(request, WAIT_BUSY).await.unwrap_err();
            assert_eq!(refusal.reasons[0].code, "unfit-value", "{value}");
            assert!(value.len() < 9 || !format!("{refusal:?}").contains(&value));
        });
    }
    let minted = codes(Scenario::default(), ApiKeyRequest::default, false);
    assert_eq!(minted, ["nobody-keeps-it"]);
}

#[test]
fn a_key_that_the_stack_has_already_is_still_brought_to_every_process() {
    in_virtual_time(async {
        let rack = Rack::new(&Scenario::default());
        let mut engine = rack.engine(rack.rehearsal.journals()).await;
        let request = ApiKeyRequest {
            value: Some(SecretString::from(OLD)),
            ..ApiKeyRequest::default()
        };
        let plan = engine.plan_api_key(request, WAIT_BUSY).await.unwrap();
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_eq!(rack.staged(), [""; 0]);
        assert_eq!(rack.login.current_key(), OLD);
        let calls = rack.rehearsal.sandbox.calls();
        assert_eq!(calls["ecs:UpdateService"], 1);
    });
}

#[test]
fn a_roll_that_was_left_is_listed_everywhere_and_goes_on() {
    in_virtual_time(async {
        let rack = Rack::new(&Scenario::default());
        let mut engine = rack.engine(rack.rehearsal.journals()).await;
        let plan = rack.plan(&mut engine).await.unwrap();
        let left = engine.run(plan.clone(), true).await;
        assert_eq!(left.outcome, Outcome::Detached);
        let mut elsewhere = rack.engine(rack.rehearsal.elsewhere()).await;
        let rolls = elsewhere.rolls().await.unwrap();
        assert_eq!(rolls.len(), 1);
        assert!(rolls[0].api && rolls[0].id == plan.roll && !rolls[0].local);
        let told = elsewhere.remembered(&plan.roll).await.unwrap();
        assert!(told.len() > 1);
        let result = elsewhere.resume(&plan.roll).await;
        assert_eq!(outcome(&result), Outcome::Done, "{result:?}");
        rack.assert_settled(&result, "left");
        rack.assert_no_secret("left");
    });
}

/// Where a crash strikes.
#[derive(Debug, Clone, Copy)]
struct Crash {
    line: usize,
    before: bool,
    /// Whether another machine, which has no journal and a login of its own, takes it up.
    elsewhere: bool,
}

/// Kills a roll, takes it up again, and checks how it ends. `false` when the journal of an
/// undisturbed roll is not that long.
async fn crash_and_resume(rack: &Rack, crash: Crash, context: &str) -> bool {
    let tripped = Arc::new(Notify::new());
    let home = rack.rehearsal.journals();
    let journals = home.crashing_at(crash.line, crash.before, tripped.clone());
    tokio::select! {
        _ = rack.roll(journals) => return false,
        () = tripped.notified() => {}
    }
    let Some(roll) = roll_of(rack) else {
        assert_eq!(rack.staged(), [""; 0], "{context}");
        return true;
    };
    let mut other = rack.engine(rack.rehearsal.elsewhere()).await;
    let theirs = Login::of(Some(OLD));
    other = other.with_api(rack.access(&theirs));
    let known_elsewhere = !rack.staged().is_empty();
    let result = if crash.elsewhere && known_elsewhere {
        let result = other.resume(&roll).await;
        if outcome(&result) == Outcome::Done {
            assert_ne!(theirs.current_key(), OLD, "{context}");
        }
        result
    } else {
        rack.engine(rack.rehearsal.journals())
            .await
            .resume(&roll)
            .await
    };
    let report = result
        .as_ref()
        .unwrap_or_else(|refusal| panic!("{context}: {refusal}"));
    assert_ne!(report.outcome, Outcome::Detached, "{context}: {report:?}");
    rack.assert_settled(&result, context);
    rack.assert_no_secret(context);
    // Taking it up once more, at home, changes nothing but what home has to learn.
    let mut engine = rack.engine(rack.rehearsal.journals()).await;
    let again = engine.resume(&roll).await;
    rack.assert_settled(&again, context);
    let ended = |of: &Result<Report, Refusal>| outcome(of) == Outcome::Done;
    assert_eq!(ended(&again), ended(&result), "{context}: {again:?}");
    if ended(&again) {
        let api = rack
            .rehearsal
            .sandbox
            .peek(|world| world.rack_api_keys("prod"));
        assert!(api.contains(&rack.login.current_key()), "{context}");
        assert!(rack.login.is_settled(), "{context}");
    }
    true
}

fn roll_of(rack: &Rack) -> Option<RollId> {
    let journals = rack.rehearsal.journals();
    let roll = journals.rolls().unwrap().into_iter().next()?;
    let opened = journals
        .read(&roll)
        .unwrap()
        .is_some_and(|lines| !lines.is_empty());
    opened.then_some(roll)
}

/// Kills the roll of a scenario at every line of its journal.
fn killed_at_every_line(name: &str) {
    let scenario = scenario(name);
    let mut ways = vec![(false, false)];
    if name == "success" {
        ways.push((false, true));
    }
    // As for the SSH key, CI also strikes just before a line and loses the machine.
    if std::env::var_os("CI").is_some() {
        ways = vec![(false, false), (true, false), (false, true), (true, true)];
    }
    for (before, elsewhere) in ways {
        for line in 1.. {
            let crash = Crash {
                line,
                before,
                elsewhere,
            };
            let context = format!("{name} {crash:?}");
            let struck = in_virtual_time(async {
                let rack = Rack::new(&scenario);
                crash_and_resume(&rack, crash, &context).await
            });
            if !struck {
                assert!(line > 4, "{context}: the journal has only {line} lines");
                break;
            }
        }
    }
}

macro_rules! killed {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            killed_at_every_line($name);
        })*

        #[test]
        fn no_scenario_is_forgotten() {
            let files = scenarios().into_iter().map(|path| {
                path.file_stem().unwrap().to_str().unwrap().to_owned()
            });
            assert_eq!(files.collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

killed! {
    all_at_once: "all-at-once",
    api_never_back: "api-never-back",
    api_slow_to_come_back: "api-slow-to-come-back",
    denied_update_service: "denied-update-service",
    denied_update_stack: "denied-update-stack",
    lost_delete_object: "lost-delete-object",
    lost_put_object: "lost-put-object",
    lost_update_service: "lost-update-service",
    lost_update_stack: "lost-update-stack",
    rollback: "rollback",
    stale_describe: "stale-describe",
    success: "success",
    throttled_reads: "throttled-reads",
    unsent_update_stack: "unsent-update-stack",
}
