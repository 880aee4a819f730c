//! The scenarios that come along inside the program.

use std::path::Path;

use crate::sandbox::{Scenario, ScenarioError};

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("../../../fixtures/scenarios/", $name, ".yaml")),
        )),*]
    };
}

/// Name and text of each scenario; a test compares them to the directory.
const BUNDLED: &[(&str, &str)] = bundled![
    "all-groups",
    "autoscaler-collision",
    "cancelled-in-console",
    "capacity-refused",
    "denied-update-stack",
    "events-out-of-order",
    "failure-signal",
    "fleet/many-racks",
    "group-without-room",
    "key-pair-missing",
    "large-batches",
    "lost-create-change-set",
    "lost-create-key-pair",
    "lost-delete-change-set",
    "lost-delete-key-pair",
    "lost-put-object",
    "lost-update-stack",
    "password/all-at-once",
    "password/api-never-back",
    "password/api-slow-to-come-back",
    "password/denied-update-service",
    "password/denied-update-stack",
    "password/lost-delete-object",
    "password/lost-put-object",
    "password/lost-update-service",
    "password/lost-update-stack",
    "password/rollback",
    "password/stale-describe",
    "password/success",
    "password/throttled-reads",
    "password/unsent-update-stack",
    "replaces-nothing",
    "revoke-key/failing-commands",
    "revoke-key/no-agent",
    "revoke-key/odd-sshd",
    "rollback-fails",
    "signal-timeout",
    "slow-api",
    "stack-deleted",
    "stale-describe",
    "success",
    "terminating-wait-stuck",
    "throttled-now-and-then",
    "throttled-reads",
    "unsent-update-stack",
];

/// Reads every scenario that comes along.
pub(super) fn all() -> Result<Vec<Scenario>, ScenarioError> {
    BUNDLED
        .iter()
        .map(|(name, text)| Scenario::parse(text, name))
        .collect()
}

/// Lists names and summaries, without reading the scenarios: a shell waits for this.
pub(crate) fn scenarios() -> impl Iterator<Item = (&'static str, &'static str)> {
    BUNDLED.iter().map(|(name, text)| {
        let about = text.lines().find_map(|line| line.strip_prefix("about: "));
        (*name, about.unwrap_or_default())
    })
}

/// Reads the scenario of that name, or else the file of that name.
pub(crate) fn load(name_or_path: &Path) -> Result<Scenario, ScenarioError> {
    let named = BUNDLED
        .iter()
        .find(|(name, _)| Path::new(name) == name_or_path);
    match named {
        Some((name, text)) => Scenario::parse(text, name),
        None => Scenario::load(name_or_path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_repository_comes_along() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
        let mut files = Vec::new();
        let mut dirs = vec![dir.clone()];
        while let Some(next) = dirs.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    let name = path.strip_prefix(&dir).unwrap().with_extension("");
                    files.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        let bundled: Vec<_> = BUNDLED.iter().map(|(name, _)| *name).collect();
        assert_eq!(bundled, files);
    }

    #[test]
    fn every_one_of_them_can_be_read() {
        for (scenario, (name, about)) in all().unwrap().iter().zip(scenarios()) {
            assert!(!scenario.about.is_empty(), "{}", scenario.name);
            assert_eq!((&*scenario.name, &*scenario.about), (name, about));
        }
    }
}
