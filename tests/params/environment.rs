//! A machine with nothing on it, and all that can be seen of a command that is run there.

use std::process::Command;

use tempfile::TempDir;

/// What chance and pace make of names and times is not what these tests are about.
const FILTERS: &[(&str, &str)] = &[
    (r"\b\d\d:\d\d:\d\d ", "HH:MM:SS "),
    (r"about [0-9hms ]+ left", "about SPAN left"),
    (r"\bi-0[0-9a-f]{16}\b", "i-00000000000000000"),
    (r"\blt-0[0-9a-f]{16}\b", "lt-00000000000000000"),
    (r"-[0-9A-F]{12}\b", "-SUFFIX"),
    (r"prod-settings-[0-9a-f]{12}", "prod-settings-suffix"),
    (r"stack/prod/[0-9a-f-]{36}", "stack/prod/UUID"),
    (r"key/[0-9a-f-]{36}", "key/UUID"),
    (r"01[0-9a-hjkmnp-tv-z]{14}\b", "ROLL"),
];

/// An empty home, an empty environment, a fixed time and seed.
pub(crate) struct TestEnvironment {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
    _filters: insta::internals::SettingsBindDropGuard,
}

impl TestEnvironment {
    pub(crate) fn new() -> Self {
        let mut settings = insta::Settings::clone_current();
        settings.set_filters(FILTERS.to_vec());
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            _filters: settings.bind_to_scope(),
        }
    }

    /// The same, with a scenario, in its own words, in place of the everyday sandbox.
    pub(crate) fn with_faults(faults: &str) -> Self {
        let mut env = Self::new();
        let path = env.home.path().join("scenario.yaml");
        std::fs::write(&path, format!("name: x\nabout: y\n{faults}\n")).unwrap();
        let path = path.to_str().unwrap().to_owned();
        env.variables.push(("CONVOX_TEST_SCENARIO", path));
        env
    }

    /// Runs `convox --sandbox` with the words of `line`, and returns all that can be seen of it.
    #[must_use]
    pub(crate) fn run(&self, line: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_convox"))
            .env_clear()
            .env("HOME", self.home.path())
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("CONVOX_TEST_EPOCH", "2026-11-22T03:00:00Z")
            .env("CONVOX_TEST_SEED", "7")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .arg("--sandbox")
            .args(line.split_whitespace())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            if text.is_empty() || text.ends_with('\n') {
                text
            } else {
                text + "<no line break>\n"
            }
        };
        format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr)
        )
    }
}
