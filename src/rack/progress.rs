//! What a rack's own word tells about an update that it carries out by itself.
//!
//! The API shows one word for the whole rack, and shows `running` both after an update and
//! after one that was rolled back, before an update is visible and after it. So an end is only
//! believed once something of the update was seen, and a rollback is told by the word
//! `rollback` or by a `Key` that is what it was.

use std::time::Duration;

use jiff::Timestamp;

use super::system::SystemDescription;

/// The parameter that a key roll changes.
const KEY: &str = "Key";

/// How often a word must be heard in a row to be believed.
const IN_A_ROW: u32 = 2;

/// How long a rack may show nothing of an update that it has accepted.
const UNSEEN: Duration = Duration::from_mins(5);

/// How long a rack may give no good answer: its API runs on the instances that it replaces.
const SILENT: Duration = Duration::from_mins(15);

/// What is known of an update so far.
#[derive(Debug, Clone)]
pub struct Progress {
    began: Timestamp,
    /// What must change, where something must: an update that was asked for just now.
    expected: Option<KeyBefore>,
    is_seen: bool,
    is_rolling_back: bool,
    /// The last word, and how often it was heard in a row.
    last: Option<(String, u32)>,
    last_good: Option<Timestamp>,
}

/// The key pair that instances were started with before; none where the rack does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBefore(Option<String>);

impl KeyBefore {
    /// Reads it from a description that was made before anything was asked for.
    #[must_use]
    pub fn of(system: &SystemDescription) -> Self {
        Self(key_of(system).map(str::to_owned))
    }
}

/// How an update stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing<E> {
    /// It goes on, or nothing can be said yet.
    Going,
    /// The rack is at rest, and whatever was expected has come about.
    Done,
    /// The rack is at rest, and as it was before.
    RolledBack,
    /// The rack is stuck: a person must act.
    Stuck,
    /// The rack is at rest, and nothing was seen of what it had accepted.
    Unseen,
    /// There was no good answer for too long; this was the last bad one.
    Lost(E),
}

impl Progress {
    /// Waits for a rack to be at rest, whatever it was doing.
    #[must_use]
    pub fn of_anything(now: Timestamp) -> Self {
        Self {
            began: now,
            expected: None,
            is_seen: true,
            is_rolling_back: false,
            last: None,
            last_good: None,
        }
    }

    /// Waits for the end of a key roll that was asked for at `now`.
    #[must_use]
    pub fn of_keyroll(before: KeyBefore, now: Timestamp) -> Self {
        Self {
            expected: Some(before),
            is_seen: false,
            last_good: Some(now),
            ..Self::of_anything(now)
        }
    }

    /// Waits for the end of an update that was accepted at `now`, and of which the rack's
    /// parameters show nothing.
    #[must_use]
    pub fn of_update(now: Timestamp) -> Self {
        Self {
            is_seen: false,
            last_good: Some(now),
            ..Self::of_anything(now)
        }
    }

    /// Takes in that something of the update was seen by other means.
    pub fn see(&mut self) {
        self.is_seen = true;
    }

    /// Begins to count silence at `now`, for an update that nobody has followed until then.
    pub fn listen(&mut self, now: Timestamp) {
        self.last_good = Some(now);
    }

    /// Tells whether something of the update was seen.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.is_seen
    }

    /// Tells whether the rack has said that it goes back.
    #[must_use]
    pub fn is_rolling_back(&self) -> bool {
        self.is_rolling_back
    }

    /// Returns the last word that the rack said about itself.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.last.as_ref().map(|(status, _)| status.as_str())
    }

    /// Takes in how the rack describes itself.
    pub fn hear<E>(&mut self, system: &SystemDescription, now: Timestamp) -> Standing<E> {
        self.last_good = Some(now);
        let status = system.status.as_str();
        let count = match &self.last {
            Some((last, count)) if last == status => count + 1,
            _ => 1,
        };
        self.last = Some((status.to_owned(), count));
        let has_new_key = self.expected.as_ref().and_then(|KeyBefore(before)| {
            let (before, now) = (before.as_deref()?, key_of(system)?);
            Some(before != now)
        });
        match status {
            "updating" | "converging" => self.is_seen = true,
            "rollback" => {
                self.is_seen = true;
                self.is_rolling_back = true;
            }
            _ if has_new_key == Some(true) => self.is_seen = true,
            _ => {}
        }
        match status {
            "failed" if count >= IN_A_ROW => Standing::Stuck,
            "running" if count < IN_A_ROW => Standing::Going,
            "running" if !self.is_seen => {
                if now.duration_since(self.began).unsigned_abs() < UNSEEN {
                    Standing::Going
                } else {
                    Standing::Unseen
                }
            }
            // It may have been rolled back while nobody could ask.
            "running" if self.is_rolling_back || has_new_key == Some(false) => Standing::RolledBack,
            "running" => Standing::Done,
            _ => Standing::Going,
        }
    }

    /// Takes in that the rack could not be asked, or would not answer.
    ///
    /// While the processes of its API are replaced it answers 401, 404 and 5xx, or not at all;
    /// that is put up with for 15 minutes, but only from a rack that was heard before. An error
    /// that `is_final` is not.
    pub fn miss<E>(&mut self, error: E, is_final: bool, now: Timestamp) -> Standing<E> {
        let is_too_long = match self.last_good {
            None => true,
            Some(good) => now.duration_since(good).unsigned_abs() >= SILENT,
        };
        if is_final || is_too_long {
            return Standing::Lost(error);
        }
        Standing::Going
    }
}

fn key_of(system: &SystemDescription) -> Option<&str> {
    system.parameters.get(KEY).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rack::remote::RemoteError;

    type Standing = super::Standing<RemoteError>;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn system(status: &str, key: Option<&str>) -> SystemDescription {
        SystemDescription {
            status: status.to_owned(),
            parameters: key
                .map(|key| (KEY.to_owned(), key.to_owned()))
                .into_iter()
                .collect(),
            ..SystemDescription::default()
        }
    }

    /// Hears each word five seconds after the last; `-` is a miss. Returns the first standing
    /// that is not `Going`, and after how many words it came.
    fn follow(mut progress: Progress, words: &str) -> (Standing, usize) {
        let mut heard = 0;
        for word in words.split(' ') {
            heard += 1;
            let now = at(5 * i64::try_from(heard).unwrap());
            let (status, key) = word.split_once('=').unwrap_or((word, ""));
            let key = (!key.is_empty()).then_some(key);
            let standing = match status {
                "-" => progress.miss(refused(401), false, now),
                _ => progress.hear(&system(status, key), now),
            };
            if standing != Standing::Going {
                return (standing, heard);
            }
        }
        (Standing::Going, heard)
    }

    fn refused(status: u16) -> RemoteError {
        RemoteError::Refused {
            status,
            message: "no".to_owned(),
        }
    }

    fn keyroll(words: &str) -> (Standing, usize) {
        let before = KeyBefore::of(&system("running", Some("old")));
        follow(Progress::of_keyroll(before, at(0)), words)
    }

    #[test]
    fn a_key_roll_is_done_when_it_was_seen_and_the_rack_is_at_rest() {
        use super::Standing::{Done, Going, RolledBack, Stuck};
        for (words, expected) in [
            ("updating=new running=new running=new", (Done, 3)),
            (
                "running=old running=old updating=new running=new running=new",
                (Done, 5),
            ),
            ("running=old running=old running=old", (Going, 3)),
            ("running=new running=new", (Done, 2)),
            (
                "updating=new running=new converging=new running=new running=new",
                (Done, 5),
            ),
            ("updating=new - - - running=new - running=new", (Done, 7)),
            (
                "updating=new rollback=old rollback=old running=old running=old",
                (RolledBack, 5),
            ),
            ("updating=new - - running=old running=old", (RolledBack, 5)),
            ("updating rollback running running", (RolledBack, 4)),
            ("updating running running", (Done, 3)),
            (
                "updating=new rollback=old failed=old failed=old",
                (Stuck, 4),
            ),
            ("updating=new failed=new running=new running=new", (Done, 4)),
            ("unknown=new unknown=new unknown=new", (Going, 3)),
        ] {
            assert_eq!(keyroll(words), expected, "{words}");
        }
    }

    #[test]
    fn a_wait_for_anything_needs_no_more_than_rest() {
        let wait = |words| follow(Progress::of_anything(at(0)), words);
        assert_eq!(wait("running running"), (Standing::Done, 2));
        assert_eq!(
            wait("updating rollback running running"),
            (Standing::RolledBack, 4)
        );
        assert_eq!(wait("failed failed"), (Standing::Stuck, 2));
        assert_eq!(
            wait("running converging running running"),
            (Standing::Done, 4)
        );
        assert_eq!(
            wait("-"),
            (Standing::Lost(refused(401)), 1),
            "never heard before"
        );
    }

    #[test]
    fn neither_silence_nor_rest_is_waited_out_for_ever() {
        let rest = "running=old ".repeat(1000);
        let (standing, heard) = keyroll(rest.trim_end());
        assert_eq!((standing, heard), (Standing::Unseen, 60));
        let silence = format!("updating=new {}", "- ".repeat(1000));
        let (standing, heard) = keyroll(silence.trim_end());
        assert_eq!((standing, heard), (Standing::Lost(refused(401)), 181));
    }

    #[test]
    fn a_certificate_that_changed_is_not_put_up_with() {
        let mut progress = Progress::of_keyroll(KeyBefore(None), at(0));
        let changed = RemoteError::Unverified {
            host: "h".to_owned(),
            reason: "r".to_owned(),
        };
        assert_eq!(
            progress.miss(changed.clone(), changed.is_final(), at(1)),
            Standing::Lost(changed)
        );
    }
}
