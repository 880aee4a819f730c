//! What can go wrong, as scenario files write it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::sandbox::quotas::STANDARD;

/// A length of time, written as `90s` or `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("`{text}` is not a time like 90s or 5m")))
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Instances do not signal, or signal failure.
    Signals(Signals),
    /// Calls are refused because there are too many.
    Throttle(Calls),
    /// Calls are refused for as long as there are more of them than an account may make.
    Rate(Rate),
    /// Calls are carried out and the answer is lost.
    Lose(Calls),
    /// The connection is lost before the call is carried out.
    Unsent(Calls),
    /// Calls are refused for want of a permission.
    Deny(Calls),
    /// Calls take time.
    Latency(Latency),
    /// `DescribeStacks` shows what was so some time ago.
    Stale(Stale),
    /// EC2 refuses instances above a limit.
    Capacity(Capacity),
    /// The account may run fewer vCPUs than anybody needs, as Service Quotas tells and EC2 heeds.
    Quota(Quota),
    /// The drain function never completes a terminating hook.
    DrainStuck(DrainStuck),
    /// Instances have no SSM agent, or one that nobody hears from.
    Agents(Agents),
    /// The sshd of instances does not take every key, or cannot be asked about it.
    Sshd(SshdOdd),
    /// Commands fail on instances.
    Commands(CommandsFail),
    /// Tasks do not come up.
    Tasks(TasksFail),
    /// Tasks run and never pass the checks of their load balancers.
    Unhealthy(Unhealthy),
    /// Somebody else makes a call.
    Call(OtherCall),
    /// Events of the same second come in another order than they happened.
    Shuffle,
    /// Rolling updates complete without replacing anything.
    ReplaceNothing,
}

/// Which boots do not signal success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// The group's logical id; every group when not said.
    #[serde(default)]
    pub group: Option<String>,
    /// The rack's name, such as `prod-*`; every rack when not said.
    #[serde(default)]
    pub rack: Option<String>,
    /// The key that the instance was started with.
    #[serde(default)]
    pub key: WhichKey,
    /// What happens instead of success.
    pub fate: Fate,
    /// The first boot that is hit, counted from 1 among those that match.
    #[serde(default = "one")]
    pub from: u64,
    /// How many boots are hit; all of them when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// Tells instances apart by their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichKey {
    /// The key that the rack had in the beginning.
    Old,
    /// Any other key.
    New,
    /// Whatever key.
    #[default]
    Any,
}

/// How a boot fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It never signals.
    Never,
    /// It signals failure.
    Failure,
}

/// Which calls are hit. Without `nth`, `every` or `times` it is all in the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The API, such as `cloudformation:Describe*`; `*` stands for anything.
    pub api: String,
    /// The window opens with the first success of this API; at once when not said.
    #[serde(default)]
    pub after: Option<String>,
    /// How long after that the window opens.
    #[serde(default)]
    pub from: Span,
    /// How long the window stays open; for good when not said.
    #[serde(default, rename = "for")]
    pub lasting: Option<Span>,
    /// The first call that is hit, counted from 1 within the window.
    #[serde(default)]
    pub nth: Option<u64>,
    /// Every how many calls one is hit.
    #[serde(default)]
    pub every: Option<u64>,
    /// How many calls are hit; one with `nth`, and else no limit, when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

impl Calls {
    /// Tells whether the `seen`th call in the window is hit.
    pub(super) fn hits(&self, seen: u64) -> bool {
        let first = self.nth.unwrap_or(1);
        let Some(past) = seen.checked_sub(first) else {
            return false;
        };
        let step = self.every.unwrap_or(1).max(1);
        let limit = match (self.times, self.nth, self.every) {
            (Some(times), _, _) => times,
            (None, Some(_), None) => 1,
            (None, _, _) => u64::MAX,
        };
        // Without `nth`, `every: 3` hits the 3rd, 6th, ... call.
        let past = if self.nth.is_none() { past + 1 } else { past };
        let hit = past.is_multiple_of(step);
        let nth_hit = if self.nth.is_none() {
            past / step
        } else {
            past / step + 1
        };
        hit && nth_hit <= limit
    }
}

/// How many calls an account may make: each API has a bucket of its own, which fills at a steady
/// rate, and what finds it empty is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The API, such as `cloudformation:*`.
    pub api: String,
    /// How many calls a second, for long.
    pub per_second: f64,
    /// How many at once after a rest; as many as a second brings when not said.
    #[serde(default)]
    pub burst: Option<f64>,
}

/// Calls that take time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The API, such as `ec2:*`.
    pub api: String,
    /// How long each call takes.
    pub takes: Span,
}

/// Reads of stacks that lag behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    /// How far they lag.
    pub lag: Span,
}

/// A limit on running instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// The most instances.
    pub limit: usize,
}

/// A quota on the vCPUs of the instances of a class that run at once, such as
/// `quota: { vcpus: 16 }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The quota's code in Service Quotas; that of standard on-demand instances when not said.
    #[serde(default = "standard")]
    pub code: String,
    /// The most vCPUs.
    pub vcpus: u32,
}

fn standard() -> String {
    STANDARD.to_owned()
}

/// A drain function that hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainStuck {
    /// The first termination that is hit, counted from 1.
    #[serde(default = "one")]
    pub from: u64,
    /// How many are hit; all of them when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// Instances whose agents cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// What is wrong with the agents.
    pub agent: AgentState,
    /// The first instance that is hit, counted from 1 in the order in which those that live were
    /// started.
    #[serde(default = "one")]
    pub from: u64,
    /// How many are hit; all of them when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// How the SSM agent of an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// It answers.
    Online,
    /// It has not been heard from for a while, and does not come for commands.
    Lost,
    /// There is none.
    Missing,
}

/// Instances whose sshd is not as it comes, such as `sshd: { sshd: no_client, times: 1 }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshdOdd {
    /// What is odd about it.
    pub sshd: SshdState,
    /// The first instance that is hit, counted from 1 in the order in which those that live were
    /// started.
    #[serde(default = "one")]
    pub from: u64,
    /// How many are hit; all of them when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// How the sshd of an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SshdState {
    /// It takes the keys that the user's `authorized_keys` name.
    Usual,
    /// It takes no Ed25519 keys, as where FIPS 140 is enforced.
    RefusesEd25519,
    /// It reads another file than the user's own.
    ReadsElsewhere,
    /// It reads a second file, which names the key that the instance was started with.
    ReadsSecondFile,
    /// There is no ssh client by which to ask it.
    NoClient,
}

/// Commands that end with an error and do nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandsFail {
    /// The first run on an instance that is hit, counted from 1.
    #[serde(default = "one")]
    pub from: u64,
    /// How many are hit; all of them when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// Tasks that end as soon as they have come up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TasksFail {
    /// The service's name, such as `*ServiceWebApi*`.
    pub service: String,
    /// The first start that is hit, counted from 1 among those that match.
    #[serde(default = "one")]
    pub from: u64,
    /// How many starts are hit; all of them when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// Tasks that run and do not answer their load balancers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unhealthy {
    /// The service's name, such as `*-site`.
    pub service: String,
    /// The first task that is hit, counted from 1 among those that match and run from the start of
    /// the scenario on.
    #[serde(default = "one")]
    pub from: u64,
    /// How many tasks are hit; all of them when not said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// A call that another person or program makes.
///
/// In its input `$rack`, `$old_key` and `$new_key` stand for the stack's name and
/// the key pairs; the word `$keep` in a list of `Parameters` stands for all that
/// are not named, with `UsePreviousValue`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherCall {
    /// The API, such as `cloudformation:CancelUpdateStack`.
    pub api: String,
    /// The parameters, named as on the wire, lists without `member`.
    #[serde(default)]
    pub input: Value,
    /// How long after the start.
    #[serde(default)]
    pub at: Option<Span>,
    /// The API whose first success sets it off, instead of a time.
    #[serde(default)]
    pub after: Option<String>,
    /// How long after that success.
    #[serde(default)]
    pub delay: Span,
    /// The call is made again and again, with so much time between.
    #[serde(default)]
    pub every: Option<Span>,
    /// How many times it is made; without end when not said and `every` is.
    #[serde(default)]
    pub times: Option<u64>,
}

fn one() -> u64 {
    1
}

/// Tells whether an API fits a pattern in which `*` stands for anything.
pub(super) fn fits(pattern: &str, api: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = api.strip_prefix(first) else {
        return false;
    };
    let mut tail = None;
    for part in parts {
        if let Some(middle) = tail.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + str::len(middle)..],
                None => return false,
            }
        }
    }
    match tail {
        Some(tail) => rest.ends_with(tail),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, api, fit) in [
            ("ec2:CreateKeyPair", "ec2:CreateKeyPair", true),
            ("ec2:CreateKeyPair", "ec2:CreateKeyPairs", false),
            (
                "cloudformation:Describe*",
                "cloudformation:DescribeStacks",
                true,
            ),
            ("*:Describe*s", "ecs:DescribeTasks", true),
            ("*:Describe*s", "ecs:DescribeTask", false),
            ("*", "s3:PutObject", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(fits(pattern, api), fit, "{pattern} {api}");
        }
    }

    #[test]
    fn which_calls_are_hit() {
        let hit = |calls: &Calls| (1..=9).filter(|n| calls.hits(*n)).collect::<Vec<_>>();
        let all = Calls::default();
        assert_eq!(hit(&all).len(), 9);
        assert_eq!(
            hit(&Calls {
                nth: Some(2),
                ..all.clone()
            }),
            [2]
        );
        assert_eq!(
            hit(&Calls {
                nth: Some(2),
                times: Some(3),
                ..all.clone()
            }),
            [2, 3, 4]
        );
        assert_eq!(
            hit(&Calls {
                every: Some(3),
                ..all.clone()
            }),
            [3, 6, 9]
        );
        assert_eq!(
            hit(&Calls {
                every: Some(3),
                times: Some(2),
                ..all.clone()
            }),
            [3, 6]
        );
        assert_eq!(
            hit(&Calls {
                nth: Some(2),
                every: Some(3),
                ..all.clone()
            }),
            [2, 5, 8]
        );
        assert_eq!(
            hit(&Calls {
                times: Some(2),
                ..all
            }),
            [1, 2]
        );
    }
}
