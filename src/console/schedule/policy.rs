//! Schedules of many racks in one YAML file.

use serde::{Deserialize, Deserializer};

use super::sentence::{BadSchedule, checked_days, read_every};
use super::window::{Minute, Window};
use super::{Days, Glob, Schedule, Zone};
use crate::store::{BadRackKeyKind, RackKeyKind};

/// What a file says of the racks that it names. Of any other it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The rules, of which the first that names a rack and one of its keys counts.
    pub rules: Vec<Rule>,
    /// All waves that begin by themselves; nothing is said of them if there are none.
    pub waves: Option<Vec<WaveRule>>,
}

/// When some keys of some racks are rolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which racks.
    pub racks: Vec<Glob>,
    /// Which keys.
    pub keys: Vec<RackKeyKind>,
    /// When.
    pub schedule: Schedule,
}

/// A wave that begins by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveRule {
    /// What it is called.
    pub name: String,
    /// Which racks.
    pub racks: Vec<Glob>,
    /// Which key.
    pub key: RackKeyKind,
    /// The rack that all others wait for.
    pub canary: Option<String>,
    /// How many racks are rolled at once.
    pub concurrency: u16,
    /// When.
    pub schedule: Schedule,
}

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// It is not YAML of that shape.
    #[error("{0}")]
    Shape(String),
    /// A schedule or a wave is not right, by its place in the file.
    #[error("rule {0}: {1}")]
    Rule(usize, String),
    /// A schedule is not right.
    #[error("rule {0}: {1}")]
    Schedule(usize, BadSchedule),
}

impl Policy {
    /// Reads a policy:
    ///
    /// ```yaml
    /// schedules:
    ///   - racks: [prod-eu, "prod-us-*"]
    ///     schedule: every 90 days, Tue 03:00-05:00 Europe/Paris
    ///   - racks: ["*"]
    ///     keys: [ssh, api]
    ///     every: 30 days
    ///     window: {days: Mon-Fri, from: "03:00", to: "05:00", zone: UTC}
    ///     in_freeze: true
    /// waves:
    ///   - name: staging
    ///     racks: ["staging-*"]
    ///     canary: staging-eu
    ///     concurrency: 2
    ///     schedule: every 30 days, daily 03:00-05:00 UTC
    /// ```
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(text: &str) -> Result<Self, BadPolicy> {
        let file: File =
            serde_yaml::from_str(text).map_err(|error| BadPolicy::Shape(error.to_string()))?;
        if file.schedules.is_none() && file.waves.is_none() {
            let told = "it has neither `schedules` nor `waves`";
            return Err(BadPolicy::Shape(told.to_owned()));
        }
        let rules = file.schedules.unwrap_or_default().into_iter().zip(1..);
        let rules = rules.map(|(rule, number)| rule.read(number));
        let waves = file.waves.map(|waves| {
            let waves = waves.into_iter().zip(1..);
            waves.map(|(wave, number)| wave.read(number)).collect()
        });
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            waves: waves.transpose()?,
        })
    }

    /// Tells whether any rule or wave names a rack.
    #[must_use]
    pub fn names(&self, rack: &str) -> bool {
        let of_waves = self.waves.iter().flatten();
        self.rules.iter().any(|rule| rule.names(rack))
            || of_waves.into_iter().any(|wave| wave.names(rack))
    }

    /// Returns when a key of a rack is rolled by itself; none if it is not.
    #[must_use]
    pub fn schedule(&self, rack: &str, key: RackKeyKind) -> Option<&Schedule> {
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| rule.keys.contains(&key) && rule.names(rack));
        rule.map(|rule| &rule.schedule)
    }
}

impl Rule {
    fn names(&self, rack: &str) -> bool {
        self.racks.iter().any(|glob| glob.fits(rack))
    }
}

impl WaveRule {
    fn names(&self, rack: &str) -> bool {
        self.canary.as_deref() == Some(rack) || self.racks.iter().any(|glob| glob.fits(rack))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schedules: Option<Vec<WrittenRule>>,
    waves: Option<Vec<WrittenWave>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWave {
    name: String,
    #[serde(deserialize_with = "one_or_more")]
    racks: Vec<String>,
    key: Option<String>,
    canary: Option<String>,
    concurrency: Option<u16>,
    schedule: Option<String>,
    every: Option<Every>,
    window: Option<WrittenWindow>,
    in_freeze: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    #[serde(deserialize_with = "one_or_more")]
    racks: Vec<String>,
    #[serde(default, deserialize_with = "one_or_more")]
    keys: Vec<String>,
    schedule: Option<String>,
    every: Option<Every>,
    window: Option<WrittenWindow>,
    in_freeze: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Every {
    Days(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenWindow {
    Text(String),
    Parts(Parts),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    #[serde(default, deserialize_with = "one_or_more")]
    days: Vec<String>,
    from: String,
    to: String,
    zone: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    })
}

/// When, in one of the two forms in which it is written.
struct When {
    sentence: Option<String>,
    every: Option<Every>,
    window: Option<WrittenWindow>,
    in_freeze: Option<bool>,
}

fn wrong(number: usize) -> impl Fn(&str) -> BadPolicy {
    move |told| BadPolicy::Rule(number, told.to_owned())
}

fn globs(racks: &[String], number: usize) -> Result<Vec<Glob>, BadPolicy> {
    if racks.is_empty() {
        return Err(wrong(number)("it names no racks"));
    }
    Ok(racks.iter().map(|rack| Glob::new(rack)).collect())
}

fn key(word: &str, number: usize) -> Result<RackKeyKind, BadPolicy> {
    let key = word.parse();
    key.map_err(|error: BadRackKeyKind| wrong(number)(&error.to_string()))
}

impl WrittenRule {
    fn read(self, number: usize) -> Result<Rule, BadPolicy> {
        let keys = self.keys.iter().map(|word| key(word, number));
        let mut keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            keys.push(RackKeyKind::Ssh);
        }
        let when = When {
            sentence: self.schedule,
            every: self.every,
            window: self.window,
            in_freeze: self.in_freeze,
        };
        Ok(Rule {
            racks: globs(&self.racks, number)?,
            keys,
            schedule: when.read(number)?,
        })
    }
}

impl WrittenWave {
    fn read(self, number: usize) -> Result<WaveRule, BadPolicy> {
        let concurrency = self.concurrency.unwrap_or(1);
        if concurrency == 0 {
            return Err(wrong(number)("at least one rack is rolled at once"));
        }
        let when = When {
            sentence: self.schedule,
            every: self.every,
            window: self.window,
            in_freeze: self.in_freeze,
        };
        Ok(WaveRule {
            name: self.name,
            racks: globs(&self.racks, number)?,
            key: key(self.key.as_deref().unwrap_or("ssh"), number)?,
            canary: self.canary,
            concurrency,
            schedule: when.read(number)?,
        })
    }
}

impl When {
    fn read(self, number: usize) -> Result<Schedule, BadPolicy> {
        let has_parts = self.every.is_some() || self.window.is_some() || self.in_freeze.is_some();
        let read = match (&self.sentence, has_parts) {
            (Some(_), true) => {
                let told = "a schedule is a sentence, or it has parts, not both";
                return Err(wrong(number)(told));
            }
            (Some(sentence), false) => sentence.parse(),
            (None, _) => self.of_parts(),
        };
        read.map_err(|error| BadPolicy::Schedule(number, error))
    }

    fn of_parts(self) -> Result<Schedule, BadSchedule> {
        let every = match self.every {
            None => return Err(BadSchedule::Every(String::new())),
            Some(Every::Days(days)) => checked_days(days)?,
            Some(Every::Text(text)) if text.trim_start().starts_with("every") => read_every(&text)?,
            Some(Every::Text(text)) => read_every(&format!("every {text}"))?,
        };
        let window = match self.window {
            None => None,
            Some(WrittenWindow::Text(text)) => Some(text.parse()?),
            Some(WrittenWindow::Parts(parts)) => Some(parts.read()?),
        };
        Ok(Schedule {
            every,
            window,
            in_freeze: self.in_freeze.unwrap_or(false),
        })
    }
}

impl Parts {
    fn read(self) -> Result<Window, BadSchedule> {
        let days = match self.days.is_empty() {
            true => Days::ALL,
            false => Days::read(&self.days.join(","))?,
        };
        let zone = Zone::named(&self.zone).ok_or(BadSchedule::Zone(self.zone))?;
        Window::new(
            days,
            Minute::read(&self.from)?,
            Minute::read(&self.to)?,
            zone,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(policy: &Policy, rack: &str, key: RackKeyKind) -> Option<String> {
        policy.schedule(rack, key).map(ToString::to_string)
    }

    #[test]
    fn the_first_rule_that_names_a_rack_and_a_key_counts() {
        let policy = Policy::read(
            r#"
schedules:
  - racks: [prod-eu, "prod-us-*"]
    schedule: every 90 days, Tue 03:00-05:00 Europe/Paris
  - racks: "prod-*"
    keys: [ssh, api]
    every: 4 weeks
    window: {days: [Mon, Wed-Fri], from: "22:00", to: "02:00", zone: UTC}
    in_freeze: true
  - racks: ["lab"]
    keys: api
    every: 7
    window: Sun 03:00-05:00 UTC
"#,
        );
        let policy = policy.unwrap();
        let eu = "every 90 days, Tue 03:00-05:00 Europe/Paris, not in a freeze";
        let all = "every 28 days, Mon,Wed-Fri 22:00-02:00 UTC, also in a freeze";
        let lab = "every 7 days, Sun 03:00-05:00 UTC, not in a freeze";
        for (rack, ssh, api) in [
            ("prod-eu", Some(eu), Some(all)),
            ("prod-us-1", Some(eu), Some(all)),
            ("prod-asia", Some(all), Some(all)),
            ("lab", None, Some(lab)),
            ("other", None, None),
        ] {
            let is = |it: Option<&str>| it.map(str::to_owned);
            assert_eq!(told(&policy, rack, RackKeyKind::Ssh), is(ssh), "{rack}");
            assert_eq!(told(&policy, rack, RackKeyKind::Api), is(api), "{rack}");
            assert_eq!(policy.names(rack), rack != "other", "{rack}");
        }
    }

    #[test]
    fn a_wave_names_its_racks_and_their_canary() {
        let policy = Policy::read(
            r#"
waves:
  - name: staging
    racks: ["staging-*"]
    canary: lab
    concurrency: 3
    schedule: every 30 days, daily 03:00-05:00 UTC
  - {name: rest, racks: prod, key: api, every: 2 weeks}
"#,
        );
        let policy = policy.unwrap();
        for (rack, is_named) in [("staging-eu", true), ("lab", true), ("other", false)] {
            assert_eq!(policy.names(rack), is_named, "{rack}");
            assert_eq!(policy.schedule(rack, RackKeyKind::Ssh), None);
        }
        let waves = policy.waves.unwrap();
        let staging = &waves[0];
        assert_eq!(staging.canary.as_deref(), Some("lab"));
        assert_eq!((staging.key, staging.concurrency), (RackKeyKind::Ssh, 3));
        let told = staging.schedule.to_string();
        assert_eq!(
            told,
            "every 30 days, daily 03:00-05:00 UTC, not in a freeze"
        );
        assert_eq!((waves[1].key, waves[1].concurrency), (RackKeyKind::Api, 1));
        assert_eq!(Policy::read("waves: []").unwrap().waves, Some(Vec::new()));
    }

    #[test]
    fn what_is_no_policy_is_told_with_its_place() {
        for (text, expected) in [
            (
                "schedules:\n  - racks: a\n    often: yes\n",
                "unknown field `often`",
            ),
            ("rules: []\n", "unknown field `rules`"),
            ("waves: []\nrules: []\n", "unknown field `rules`"),
            ("{}", "it has neither `schedules` nor `waves`"),
            (
                "waves:\n  - {name: w, racks: a, concurrency: 0, every: 3}\n",
                "rule 1: at least one rack is rolled at once",
            ),
            (
                "schedules:\n  - {racks: [], every: 3}\n",
                "rule 1: it names no racks",
            ),
            (
                "schedules:\n  - {racks: a, every: 3}\n  - {racks: a, every: 3 months}\n",
                "rule 2: `every 3 months` does not say how often",
            ),
            (
                "schedules:\n  - {racks: a}\n",
                "rule 1: `` does not say how often",
            ),
            (
                "schedules:\n  - {racks: a, schedule: every day, in_freeze: true}\n",
                "rule 1: a schedule is a sentence, or it has parts, not both",
            ),
            (
                "schedules:\n  - {racks: a, keys: tls, every: 3}\n",
                "rule 1: `tls` is no key of a rack (ssh, api)",
            ),
            (
                "schedules:\n  - {racks: a, every: 3, window: {from: '3:00', to: '4:00', zone: Mars}}\n",
                "rule 1: there is no time zone `Mars`",
            ),
        ] {
            let told = Policy::read(text).unwrap_err().to_string();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
