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
    "group-without-room",
    "key-pair-missing",
    "large-batches",
    "lost-create-change-set",
    "lost-create-key-pair",
    "lost-delete-change-set",
    "lost-delete-key-pair",
    "lost-put-object",
    "lost-update-stack",
    "replaces-nothing",
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
        let mut files: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
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
