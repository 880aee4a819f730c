//! Schedules of many racks in one YAML file.

use serde::{Deserialize, Deserializer};

use super::sentence::{BadSchedule, checked_days, read_every};
use super::window::{Minute, Window};
use super::{Days, Glob, Schedule, Zone};
use crate::store::RackKeyKind;

/// What a file says of the racks that it names. Of any other it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The rules, of which the first that names a rack and one of its keys counts.
    pub rules: Vec<Rule>,
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

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// It is not YAML of that shape.
    #[error("{0}")]
    Shape(String),
    /// A rule is not right.
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
    /// ```
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(text: &str) -> Result<Self, BadPolicy> {
        let file: File =
            serde_yaml::from_str(text).map_err(|error| BadPolicy::Shape(error.to_string()))?;
        let rules = file.schedules.into_iter().zip(1..);
        let rules = rules.map(|(rule, number)| rule.read(number));
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
        })
    }

    /// Tells whether any rule names a rack.
    #[must_use]
    pub fn names(&self, rack: &str) -> bool {
        self.rules.iter().any(|rule| rule.names(rack))
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schedules: Vec<WrittenRule>,
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

impl WrittenRule {
    fn read(self, number: usize) -> Result<Rule, BadPolicy> {
        let wrong = |told: &str| BadPolicy::Rule(number, told.to_owned());
        if self.racks.is_empty() {
            return Err(wrong("it names no racks"));
        }
        let keys = self.keys.iter().map(|key| key.parse());
        let keys: Result<Vec<RackKeyKind>, _> = keys.collect();
        let mut keys = keys.map_err(|error| wrong(&error.to_string()))?;
        if keys.is_empty() {
            keys.push(RackKeyKind::Ssh);
        }
        let racks = self.racks.iter().map(|rack| Glob::new(rack)).collect();
        let has_parts = self.every.is_some() || self.window.is_some() || self.in_freeze.is_some();
        let schedule = match (&self.schedule, has_parts) {
            (Some(_), true) => {
                return Err(wrong("a schedule is a sentence, or it has parts, not both"));
            }
            (Some(sentence), false) => sentence.parse(),
            (None, _) => self.of_parts(),
        };
        Ok(Rule {
            racks,
            keys,
            schedule: schedule.map_err(|error| BadPolicy::Schedule(number, error))?,
        })
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
    fn what_is_no_policy_is_told_with_its_place() {
        for (text, expected) in [
            (
                "schedules:\n  - racks: a\n    often: yes\n",
                "unknown field `often`",
            ),
            ("rules: []\n", "unknown field `rules`"),
            ("", "missing field `schedules`"),
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
