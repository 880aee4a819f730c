//! Scenario files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::fault::{Fault, Span};
use super::racks::Racks;
use crate::sandbox::api::AwsError;
use crate::sandbox::balancers::TargetGroup;
use crate::sandbox::world::Pace;

/// A world and what goes wrong in it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name, as in the file's.
    pub name: String,
    /// What happens, in a line.
    pub about: String,
    /// Where chance starts.
    #[serde(default)]
    pub seed: u64,
    /// The rack.
    #[serde(default)]
    pub rack: Rack,
    /// The racks of an account that has many, in place of that one.
    #[serde(default)]
    pub racks: Option<Racks>,
    /// A template to use in place of the built-in rack's, relative to the file.
    #[serde(default)]
    pub template: Option<PathBuf>,
    /// Objects that are in S3 before the rack is made, such as the templates of nested stacks:
    /// `bucket/key` and a file with the object's content, relative to this one.
    #[serde(default)]
    pub objects: BTreeMap<String, PathBuf>,
    /// Parameters of the stack, over those that follow from `rack`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// What goes wrong.
    #[serde(default, with = "serde_yaml::with::singleton_map_recursive")]
    pub faults: Vec<Fault>,
    /// How a roll of the rack's key ends here.
    #[serde(default)]
    pub expect: Option<Expect>,
}

/// The rack that is there when a scenario starts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rack {
    /// The stack's name.
    pub name: String,
    /// How many instances it has.
    pub instances: u32,
    /// How many instances an update replaces at a time.
    pub batch: u32,
    /// How many instances an update keeps in service; all of them when not said.
    pub min_in_service: Option<u32>,
    /// How long an update waits for signals.
    pub pause: Span,
    /// Whether there is a build group, of one instance.
    pub build: bool,
    /// Whether there is a spot group, of two instances.
    pub spot: bool,
    /// The apps' services.
    pub services: Vec<Service>,
    /// How long things take.
    pub pace: Pace,
}

impl Default for Rack {
    fn default() -> Self {
        let service = |name: &str, processes| Service {
            name: name.to_owned(),
            processes,
            balancer: None,
        };
        Self {
            name: "prod".to_owned(),
            instances: 3,
            batch: 1,
            min_in_service: None,
            pause: Span(Duration::from_secs(300)),
            build: false,
            spot: false,
            services: vec![service("mailer", 1), service("site", 2), service("shop", 3)],
            pace: Pace::default(),
        }
    }
}

/// A service of an app.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The name.
    pub name: String,
    /// How many processes it runs.
    pub processes: u32,
    /// The load balancer that it is behind; none when not said.
    #[serde(default)]
    pub balancer: Option<Balancer>,
}

/// How a load balancer checks the processes of a service and lets them go. What is not said is as
/// Elastic Load Balancing has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Balancer {
    /// From one check to the next.
    pub interval: Span,
    /// How many checks in a row a process passes before it is healthy.
    pub healthy: u32,
    /// How many in a row it fails before it is not.
    pub unhealthy: u32,
    /// How long a process is kept that leaves.
    pub delay: Span,
    /// How long the checks of a new process are not heeded.
    pub grace: Span,
}

impl Default for Balancer {
    fn default() -> Self {
        let usual = TargetGroup::new("");
        Self {
            interval: Span(usual.interval),
            healthy: usual.healthy_threshold,
            unhealthy: usual.unhealthy_threshold,
            delay: Span(usual.deregistration_delay),
            grace: Span(Duration::ZERO),
        }
    }
}

/// How a roll ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The outcome: `done`, `nothing_changed`, `rolled_back`, `unproven`, `stuck`,
    /// `detached` or `busy`.
    pub outcome: String,
    /// The exit code.
    pub exit: u8,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "success".to_owned(),
            about: "Nothing goes wrong".to_owned(),
            seed: 1,
            rack: Rack::default(),
            racks: None,
            template: None,
            objects: BTreeMap::new(),
            parameters: BTreeMap::new(),
            faults: Vec::new(),
            expect: Some(Expect {
                outcome: "done".to_owned(),
                exit: 0,
            }),
        }
    }
}

/// Why there is no such world.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a scenario; the text of the source names line and column.
    #[error("{origin} is not a scenario: {source}")]
    Parse {
        /// The file.
        origin: String,
        /// What is wrong, and where.
        source: serde_yaml::Error,
    },
    /// The simulated AWS refused a step of building the world.
    #[error("the sandbox cannot {what}: {}: {}", error.code, error.message)]
    Refused {
        /// The step.
        what: String,
        /// The refusal.
        error: AwsError,
    },
    /// The rack did not come up.
    #[error("the rack of the sandbox ended in {0}")]
    Broken(String),
}

impl Scenario {
    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is not a scenario.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut scenario = Self::parse(&text, &path.display().to_string())?;
        let dir = path.parent().unwrap_or(Path::new("."));
        let files = scenario.template.iter_mut();
        for file in files.chain(scenario.objects.values_mut()) {
            *file = dir.join(&*file);
        }
        Ok(scenario)
    }

    /// Reads a scenario from text; `origin` names it in errors.
    ///
    /// # Errors
    /// When it is not a scenario: with the line and the column.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ScenarioError> {
        serde_yaml::from_str(text).map_err(|source| ScenarioError::Parse {
            origin: origin.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, from the directory of scenarios, and paths.
    fn fixtures() -> Vec<(String, PathBuf)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
        let (mut found, mut dirs) = (Vec::new(), vec![root.clone()]);
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().with_extension("");
                    found.push((name.to_str().unwrap().to_owned(), path));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn every_fixture_is_a_scenario_named_after_its_file() {
        let fixtures = fixtures();
        assert!(fixtures.len() >= 20, "{}", fixtures.len());
        for (name, path) in fixtures {
            let scenario = Scenario::load(&path).unwrap();
            assert_eq!(scenario.name, name);
            let expect = scenario.expect.expect("says how it ends");
            let exit = match expect.outcome.as_str() {
                "done" => 0,
                "nothing_changed" => 1,
                "rolled_back" => 3,
                "unproven" => 4,
                "stuck" => 5,
                "detached" => 6,
                "busy" => 7,
                other => panic!("{}: outcome {other}", path.display()),
            };
            assert_eq!(expect.exit, exit, "{}", path.display());
        }
    }

    #[test]
    fn the_default_is_the_success_scenario() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios/success.yaml");
        let mut file = Scenario::load(&path).unwrap();
        file.about = Scenario::default().about;
        assert_eq!(file, Scenario::default());
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place() {
        let text = "name: x\nabout: y\nfaults:\n  - signals: { fate: never, grup: Instances }\n";
        let error = Scenario::parse(text, "x.yaml").unwrap_err().to_string();
        assert!(error.contains("x.yaml"), "{error}");
        assert!(error.contains("grup"), "{error}");
        assert!(error.contains("line 4 column"), "{error}");
        let error = Scenario::parse("name: x\nabout: y\nsed: 1\n", "x.yaml").unwrap_err();
        assert!(error.to_string().contains("line 3 column 1"), "{error}");
    }

    #[test]
    fn a_time_without_a_unit_is_refused() {
        let text = "name: x\nabout: y\nfaults:\n  - stale: { lag: 30 }\n";
        let error = Scenario::parse(text, "x.yaml").unwrap_err().to_string();
        assert!(
            error.contains("is not a time") || error.contains("string"),
            "{error}"
        );
    }
}
