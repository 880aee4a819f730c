//! The values themselves: what this machine knows, and what an account has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cache::{Found, Policy, Question};
use super::kind::Kind;
use super::line::Kept;
use super::refresh;
use crate::cli::context::Context;
use crate::cli::reach::open_classic;
use crate::cli::sandbox::scenarios;
use crate::cli::session::RackArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::rack::ParameterGroup;
use crate::roll::{Entry, Journals};
use crate::ui::outcome_word;

/// How many rolls are offered, the newest first.
const ROLLS: usize = 20;

/// A word that may be typed, and what a shell may show beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Value {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
}

impl Value {
    pub(super) fn new(name: impl Into<String>, help: impl Into<String>) -> Self {
        let help = help.into();
        Self {
            name: name.into(),
            help: Some(help).filter(|help| !help.is_empty()),
        }
    }
}

/// Where values come from, for one line.
pub(super) struct Sources {
    context: Context,
    rack: RackArgs,
    kept: Vec<String>,
}

impl Sources {
    /// Uses the options of [`Line::kept`](super::line::Line::kept).
    pub(super) fn new(kept: Vec<String>) -> Self {
        let Kept { global, rack } = Kept::parse_from_words(&kept);
        Self {
            context: refresh::context(global),
            rack,
            kept,
        }
    }

    /// Lists the values of a kind, in the order in which to show them.
    pub(super) fn values(&self, kind: Kind) -> Vec<Value> {
        match kind {
            Kind::Racks => self.racks(),
            Kind::Instances => self.ask(Question::Rack).instances,
            Kind::Parameters => self.ask(Question::Rack).parameters,
            Kind::Groups => ParameterGroup::names()
                .into_iter()
                .map(|name| Value::new(name, ""))
                .collect(),
            Kind::Hosts => self.hosts(),
            Kind::Rolls => self.rolls(),
            Kind::Scenarios => scenarios()
                .map(|(name, about)| Value::new(name, about))
                .collect(),
            Kind::Profiles => self.profiles(),
            Kind::Files | Kind::Directories => Vec::new(),
        }
    }

    /// Lists the racks of the configuration file, and those that the account answered.
    fn racks(&self) -> Vec<Value> {
        let config = if self.context.global().sandbox {
            Config::default()
        } else {
            Config::load(self.context.environment()).unwrap_or_default()
        };
        let configured = config.rack_names().into_iter();
        let configured = configured.map(|name| Value::new(name, "in config.yaml"));
        let answered = self.ask(Question::Racks).racks.into_iter();
        let mut racks = BTreeMap::new();
        // What an account says of a rack is more than that it is in the file.
        for value in configured.chain(answered) {
            racks.insert(value.name.clone(), value);
        }
        racks.into_values().collect()
    }

    fn hosts(&self) -> Vec<Value> {
        let classic = open_classic(&self.context).ok().flatten();
        let hosts = classic.and_then(|classic| classic.logins().hosts().ok());
        let hosts = hosts.unwrap_or_default().into_iter();
        hosts.map(|host| Value::new(host, "")).collect()
    }

    fn rolls(&self) -> Vec<Value> {
        let Ok(dir) = self.context.journals_dir() else {
            return Vec::new();
        };
        let journals = Journals::new(dir);
        let rolls = journals.rolls().unwrap_or_default();
        let told = rolls.into_iter().rev().take(ROLLS).map(|roll| {
            let lines = journals.read(&roll).ok().flatten().unwrap_or_default();
            let mut rack = None;
            let mut end = "not at an end";
            for line in &lines {
                match &line.entry {
                    Entry::Opened(plan) => rack = Some(plan.rack.as_str()),
                    Entry::Closed(report) => end = outcome_word(report.outcome),
                    _ => end = "not at an end",
                }
            }
            let begun = lines.first().map(|line| {
                let begun = line.at.to_zoned(self.context.zone());
                begun.strftime("%Y-%m-%d %H:%M").to_string()
            });
            let help = match (rack, begun) {
                (Some(rack), Some(begun)) => format!("{rack}, {begun}, {end}"),
                _ => String::new(),
            };
            Value::new(roll.to_string(), help)
        });
        told.collect()
    }

    /// Lists the profiles by the headings of the two files; nothing else in them is looked at.
    fn profiles(&self) -> Vec<Value> {
        let environment = self.context.environment();
        let file = |variable: &str, name: &str| {
            let named = environment.get(variable).map(PathBuf::from);
            let text = named.or_else(|| Some(environment.home()?.join(".aws").join(name)));
            fs::read_to_string(text?).ok()
        };
        let mut names = BTreeSet::new();
        if let Some(text) = file("AWS_CONFIG_FILE", "config") {
            names.extend(headings(&text).filter_map(|heading| match heading {
                "default" => Some(heading.to_owned()),
                _ => Some(heading.strip_prefix("profile ")?.trim().to_owned()),
            }));
        }
        if let Some(text) = file("AWS_SHARED_CREDENTIALS_FILE", "credentials") {
            names.extend(headings(&text).map(str::to_owned));
        }
        names.into_iter().map(|name| Value::new(name, "")).collect()
    }

    /// Returns what is kept about the account, or what it says quickly.
    fn ask(&self, question: Question) -> Found {
        let decided = refresh::cache(&self.context, question, &self.rack);
        let Some((cache, is_sandbox)) = decided else {
            return Found::default();
        };
        let mut policy = Policy::default();
        if is_sandbox {
            // A press of a key makes no account where there is none.
            let Some(changed) = self.sandbox_changed() else {
                return Found::default();
            };
            policy.changed = Some(changed);
            policy.is_local = true;
        }
        // Not the context's own, whose time a test may have stopped.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let Ok(runtime) = runtime else {
            return Found::default();
        };
        runtime.block_on(async {
            let ask = || refresh::start(question, &self.kept);
            cache.look_up(&Clock::system(), policy, ask).await
        })
    }

    /// Says when the sandbox's account was last written; none when there is none.
    fn sandbox_changed(&self) -> Option<Timestamp> {
        let world = self.context.sandbox_dir().ok()?.join("world.json");
        let modified = fs::metadata(world).and_then(|data| data.modified()).ok()?;
        let modified = Timestamp::try_from(modified).ok()?;
        // As coarse as our own times.
        Timestamp::from_millisecond(modified.as_millisecond()).ok()
    }
}

fn headings(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix('[')?.split_once(']'))
        .map(|(heading, _)| heading.trim())
}
