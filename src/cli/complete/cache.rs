//! Answers that are kept, so that no shell ever waits for an account.
//!
//! One file for each question and each way to the account: names only, no value of a parameter
//! and no secret, and for its owner only all the same.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::values::Value;
use crate::clock::Clock;
use crate::config::{Environment, Setting};
use crate::private;

/// An answer is used as it is for so long.
const FRESH: Duration = Duration::from_secs(60);

/// An account that did not answer is left alone for so long.
const RETRY: Duration = Duration::from_secs(10);

/// The longest wait for an answer that is not there yet. What a shell waits for besides (the
/// start of two processes) takes some 20 ms, and all of it must stay below 200 ms.
const PATIENCE: Duration = Duration::from_millis(120);

/// How often to look whether the answer is there.
const LOOK: Duration = Duration::from_millis(5);

/// A file that nobody has written for so long is thrown away.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);

/// The form of the file.
const VERSION: u32 = 1;

/// What is asked of an account; each is a few calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Question {
    /// Which racks there are.
    Racks,
    /// What one rack has: instances and parameters.
    Rack,
}

impl Question {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Racks => "racks",
            Self::Rack => "rack",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Racks, Self::Rack]
            .into_iter()
            .find(|question| question.as_str() == text)
    }
}

/// What an account answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) racks: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) instances: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<Value>,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    v: u32,
    /// When the account was last asked.
    asked: Timestamp,
    /// When it last answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<Timestamp>,
    found: Found,
}

/// The kept answer to one question, asked in one way.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    path: PathBuf,
}

/// The right to ask the account, which one process has at a time.
pub(super) struct Turn<'a> {
    cache: &'a Cache,
    _lock: File,
}

/// How old answers are to be taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Policy {
    /// An answer from before this time is not fresh, however young it is.
    pub(super) changed: Option<Timestamp>,
    /// Whether to wait, within bounds, even where there is an old answer.
    pub(super) is_local: bool,
}

impl Cache {
    /// Finds the file for `question` about what `decided` names.
    ///
    /// Those are the settings by which the rack is reached, from wherever they come, so that
    /// `convox switch` and its like lead to another file. No secret is among them.
    pub(super) fn of(
        environment: &Environment,
        question: Question,
        decided: &[Setting],
    ) -> Option<Self> {
        // What the AWS SDK goes by, and `decided` may not know.
        const VARIABLES: [&str; 5] = [
            "AWS_PROFILE",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_ENDPOINT_URL",
        ];
        let mut digest = Sha256::new();
        let mut add = |text: &str| {
            digest.update(text);
            digest.update([0]);
        };
        for setting in decided {
            add(setting.name);
            add(&setting.value);
        }
        for name in VARIABLES {
            add(environment.get(name).unwrap_or_default());
        }
        let name: String = digest.finalize()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let dir = environment.cache_dir().ok()?.join("completion");
        Some(Self {
            path: dir.join(format!("{}-{name}.json", question.as_str())),
        })
    }

    /// Returns what is kept, if that is fresh, or what is found by `ask` soon enough.
    ///
    /// `ask` starts somebody who will [`take`](Self::take) a turn, and returns at once. An old
    /// answer is better than none and than waiting for another. This never takes longer than
    /// [`PATIENCE`].
    pub(super) async fn look_up(&self, clock: &Clock, policy: Policy, ask: impl FnOnce()) -> Found {
        let now = clock.now();
        let kept = self.read();
        let is_since = |time: Timestamp, span: Duration| {
            let age = now.duration_since(time);
            // A time to come is from a clock that has been set back since.
            !age.is_negative() && age.unsigned_abs() < span
        };
        if let Some(kept) = &kept {
            let is_current = |time| policy.changed.is_none_or(|changed| time >= changed);
            let answered = kept.answered.filter(|time| is_since(*time, FRESH));
            let is_fresh = answered.is_some_and(is_current);
            let is_down = kept.answered != Some(kept.asked) && is_since(kept.asked, RETRY);
            if is_fresh || is_down {
                return kept.found.clone();
            }
        }
        ask();
        let has_old = kept.as_ref().is_some_and(|kept| kept.answered.is_some());
        let old = kept.map(|kept| kept.found).unwrap_or_default();
        if has_old && !policy.is_local {
            return old;
        }
        let answered = async {
            loop {
                clock.sleep(LOOK).await;
                if let Some(kept) = self.read().filter(|kept| kept.asked >= now) {
                    return kept.found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered)
            .await
            .unwrap_or(old)
    }

    /// Takes the turn to ask the account; none while another process has it.
    pub(super) fn take(&self) -> Option<Turn<'_>> {
        private::create_dir(self.path.parent()?).ok()?;
        let lock = private::open_lock(&self.path.with_extension("lock")).ok()?;
        lock.try_lock().ok()?;
        Some(Turn {
            cache: self,
            _lock: lock,
        })
    }

    fn read(&self) -> Option<Kept> {
        let text = fs::read(&self.path).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.v == VERSION).then_some(kept)
    }
}

impl Turn<'_> {
    /// Keeps what the account answered at `now`; `None` when it did not.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keep(&self, now: Timestamp, found: Option<Found>) -> io::Result<()> {
        let before = self.cache.read();
        let kept = Kept {
            v: VERSION,
            asked: now,
            answered: match &found {
                Some(_) => Some(now),
                None => before.as_ref().and_then(|kept| kept.answered),
            },
            found: found.or(before.map(|kept| kept.found)).unwrap_or_default(),
        };
        let path = &self.cache.path;
        private::replace(path, &serde_json::to_vec(&kept)?)?;
        if let Some(dir) = path.parent() {
            forget_old(dir, now);
        }
        Ok(())
    }
}

/// Throws away the answers that nobody has asked for in a while.
fn forget_old(dir: &Path, now: Timestamp) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|data| data.modified());
        let modified = modified
            .ok()
            .and_then(|time| Timestamp::try_from(time).ok());
        let is_old = |time: Timestamp| {
            let age = now.duration_since(time);
            !age.is_negative() && age.unsigned_abs() > FORGOTTEN
        };
        if modified.is_some_and(is_old) {
            // It is tried again the next time.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tempfile::TempDir;

    use super::*;

    fn cache() -> (TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("completion/rack-0.json");
        (dir, Cache { path })
    }

    fn clock() -> Clock {
        Clock::starting_at("2026-11-22T03:00:00Z".parse().unwrap(), 1.0)
    }

    fn found(name: &str) -> Found {
        Found {
            instances: vec![Value::new(name, "")],
            ..Found::default()
        }
    }

    /// Looks up, and tells whether somebody was asked and how many virtual ms went by.
    async fn look(cache: &Cache, clock: &Clock, policy: Policy) -> (Found, bool, i128) {
        let asked = Cell::new(false);
        let before = clock.now();
        let found = cache.look_up(clock, policy, || asked.set(true)).await;
        let passed = clock.now().duration_since(before).as_millis();
        (found, asked.get(), passed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_young_answer_is_used_and_an_old_one_is_asked_for_again_at_once() {
        let (_dir, cache) = cache();
        let clock = clock();
        let turn = cache.take().unwrap();
        turn.keep(clock.now(), Some(found("i-1"))).unwrap();
        let policy = Policy::default();
        clock.sleep(Duration::from_secs(59)).await;
        assert_eq!(look(&cache, &clock, policy).await, (found("i-1"), false, 0));
        clock.sleep(Duration::from_secs(1)).await;
        assert_eq!(look(&cache, &clock, policy).await, (found("i-1"), true, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_bound_for_an_account_that_is_silent() {
        let (_dir, cache) = cache();
        let clock = clock();
        let (found, asked, passed) = look(&cache, &clock, Policy::default()).await;
        assert_eq!((found, asked), (Found::default(), true));
        assert!(passed <= 200, "{passed} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_answer_is_waited_for() {
        let (_dir, cache) = cache();
        let clock = clock();
        let (other, other_clock) = (cache.clone(), clock.clone());
        let asked = cache.look_up(&clock, Policy::default(), || {
            tokio::spawn(async move {
                other_clock.sleep(Duration::from_millis(100)).await;
                let turn = other.take().unwrap();
                turn.keep(other_clock.now(), Some(found("i-1"))).unwrap();
            });
        });
        assert_eq!(asked.await, found("i-1"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_fails_is_left_alone_for_a_while_and_the_old_answer_stays() {
        let (_dir, cache) = cache();
        let clock = clock();
        let turn = cache.take().unwrap();
        turn.keep(clock.now(), Some(found("i-1"))).unwrap();
        clock.sleep(Duration::from_secs(3600)).await;
        turn.keep(clock.now(), None).unwrap();
        let policy = Policy::default();
        assert_eq!(look(&cache, &clock, policy).await, (found("i-1"), false, 0));
        clock.sleep(RETRY).await;
        assert_eq!(look(&cache, &clock, policy).await, (found("i-1"), true, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_never_answered_makes_one_press_in_ten_seconds_wait() {
        let (_dir, cache) = cache();
        let clock = clock();
        cache.take().unwrap().keep(clock.now(), None).unwrap();
        let (nothing, asked, passed) = look(&cache, &clock, Policy::default()).await;
        assert_eq!((nothing, asked, passed), (Found::default(), false, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_changed_here_is_asked_for_and_waited_for() {
        let (_dir, cache) = cache();
        let clock = clock();
        let turn = cache.take().unwrap();
        turn.keep(clock.now(), Some(found("i-1"))).unwrap();
        clock.sleep(Duration::from_secs(2)).await;
        let policy = Policy {
            changed: Some(clock.now()),
            is_local: true,
        };
        let (old, asked, passed) = look(&cache, &clock, policy).await;
        assert_eq!((old, asked), (found("i-1"), true));
        assert!((1..=200).contains(&passed), "{passed} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_back_makes_no_answer_last_for_ever() {
        let (_dir, cache) = cache();
        let clock = clock();
        let later = clock.now() + Duration::from_secs(86400);
        cache
            .take()
            .unwrap()
            .keep(later, Some(found("i-1")))
            .unwrap();
        assert!(look(&cache, &clock, Policy::default()).await.1);
    }

    #[test]
    fn one_process_asks_at_a_time() {
        let (_dir, cache) = cache();
        let turn = cache.take();
        assert!(turn.is_some());
        assert!(cache.take().is_none());
        drop(turn);
        assert!(cache.take().is_some());
    }

    #[test]
    fn a_damaged_file_is_no_answer() {
        let (_dir, cache) = cache();
        let turn = cache.take().unwrap();
        fs::write(&cache.path, "{\"v\":1,\"asked\"").unwrap();
        assert_eq!(cache.read(), None);
        fs::write(
            &cache.path,
            "{\"v\":2,\"asked\":\"2026-11-22T03:00:00Z\",\"found\":{}}",
        )
        .unwrap();
        assert_eq!(cache.read(), None);
        turn.keep(Timestamp::UNIX_EPOCH, Some(found("i-1")))
            .unwrap();
        assert_eq!(cache.read().unwrap().found, found("i-1"));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, cache) = cache();
        let turn = cache.take().unwrap();
        turn.keep(Timestamp::UNIX_EPOCH, Some(found("i-1")))
            .unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&cache.path), 0o600);
        assert_eq!(mode(cache.path.parent().unwrap()), 0o700);
    }

    #[test]
    fn each_way_to_an_account_has_a_file_of_its_own() {
        let path = |variables: &[(&str, &str)], question, decided: &[(&'static str, &str)]| {
            let home = [("HOME", "/dirs/ada")];
            let environment = Environment::from_iter(home.iter().chain(variables).copied());
            let setting = |&(name, value)| Setting::new(name, value, "a test");
            let decided: Vec<_> = decided.iter().map(setting).collect();
            Cache::of(&environment, question, &decided).unwrap().path
        };
        let plain = path(&[], Question::Rack, &[("via", "aws")]);
        assert!(plain.starts_with("/dirs/ada/.cache/convox/completion"));
        for other in [
            path(&[], Question::Racks, &[("via", "aws")]),
            path(&[], Question::Rack, &[("via", "sandbox")]),
            path(&[], Question::Rack, &[("via", "aws"), ("rack", "prod")]),
            path(&[("AWS_PROFILE", "x")], Question::Rack, &[("via", "aws")]),
        ] {
            assert_ne!(plain, other);
        }
    }
}
