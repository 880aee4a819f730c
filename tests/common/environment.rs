//! A machine with nothing on it, and all that can be seen of a command that is run there.

mod running;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use convox::sandbox::Sandbox;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use tempfile::TempDir;

pub(crate) use running::Running;

/// When the commands of a test begin.
const EPOCH: &str = "2026-11-22T03:00:00Z";
/// Where the account that lives on between commands is kept.
const SANDBOX: &str = ".local/state/convox/sandbox";

/// What chance and pace make of names and times is not what these tests are about.
const REDACTIONS: &[(&str, &str)] = &[
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
    hidden: Vec<(String, &'static str)>,
    in_sandbox: bool,
    redactions: Vec<(Regex, &'static str)>,
}

impl TestEnvironment {
    /// Commands begin at a fixed time, waits take no time, chance comes from a seed, and the
    /// account of `--sandbox` lasts as long as the command.
    pub(crate) fn new() -> Self {
        Self::in_real_time()
            .env("CONVOX_TEST_EPOCH", EPOCH)
            .env("CONVOX_TEST_SEED", "7")
    }

    /// The same, with a scenario in place of the everyday sandbox.
    pub(crate) fn with_scenario(name: &str) -> Self {
        Self::new().env("CONVOX_TEST_SCENARIO", name)
    }

    /// The same, with `--sandbox` before the words of every line.
    pub(crate) fn in_sandbox() -> Self {
        let mut env = Self::new();
        env.in_sandbox = true;
        env
    }

    /// The same, with a scenario, in its own words, in place of the everyday sandbox.
    pub(crate) fn with_faults(faults: &str) -> Self {
        let env = Self::in_sandbox();
        env.write("scenario.yaml", &format!("name: x\nabout: y\n{faults}\n"));
        let path = env.path("scenario.yaml");
        env.env("CONVOX_TEST_SCENARIO", path.to_str().unwrap())
    }

    /// Commands run as they do for anybody: the account of `--sandbox` lives on between them,
    /// 32 times as fast as the machine's clock.
    pub(crate) fn in_real_time() -> Self {
        let redactions = REDACTIONS.iter();
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            hidden: Vec::new(),
            in_sandbox: false,
            redactions: redactions
                .map(|(pattern, word)| (Regex::new(pattern).unwrap(), *word))
                .collect(),
        }
    }

    /// Sets an environment variable for every command.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Shows `name` wherever this text would be seen.
    pub(crate) fn hide(mut self, text: &str, name: &'static str) -> Self {
        self.hidden.push((text.to_owned(), name));
        self
    }

    /// Runs `convox` to its end, and returns all that can be seen of it, redacted.
    #[must_use]
    pub(crate) fn run(&self, line: &(impl Words + ?Sized)) -> String {
        self.shown(&self.command(line).output().unwrap())
    }

    /// The same, with something to read on stdin.
    #[must_use]
    pub(crate) fn run_with_input(&self, line: &(impl Words + ?Sized), input: &str) -> String {
        let mut command = assert_cmd::Command::from_std(self.command(line));
        self.shown(&command.write_stdin(input).output().unwrap())
    }

    /// Runs `convox` to its end, and narrows its columns: a home may be long.
    #[must_use]
    pub(crate) fn explain(&self, line: &(impl Words + ?Sized)) -> String {
        let mut text = self.run(line);
        while text.contains("   ") {
            text = text.replace("   ", "  ");
        }
        text
    }

    /// Begins to run `convox`, for a test that has to do with it before its end.
    #[must_use]
    pub(crate) fn start(&self, line: &(impl Words + ?Sized)) -> Running<'_> {
        Running::start(self, self.command(line))
    }

    /// Returns the command itself, for a test that wants its bytes.
    pub(crate) fn command(&self, line: &(impl Words + ?Sized)) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .args(self.in_sandbox.then_some("--sandbox"))
            .args(line.words());
        command
    }

    /// Returns the path of a file in the home directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file in the home directory, for its owner only, and the directories that lead
    /// there.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        #[cfg(unix)]
        self.chmod(name, 0o600);
    }

    /// Lets others do with a file in the home directory what `mode` says, such as `0o644`.
    #[cfg(unix)]
    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Reads a file in the home directory.
    #[must_use]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Reads a file in the home directory as the test knows it, and `-` where there is none.
    #[must_use]
    pub(crate) fn left(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(name));
        text.map_or_else(|_| "-".to_owned(), |text| self.named(&text))
    }

    /// Returns who may do what with a file in the home directory, such as `0o600`.
    #[cfg(unix)]
    #[must_use]
    pub(crate) fn mode(&self, name: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    /// Lists the files below the home directory.
    #[must_use]
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut dirs = vec![self.home.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    let name = path.strip_prefix(self.home.path()).unwrap();
                    files.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }

    /// Returns the id of the only roll that has a journal in the sandbox.
    #[must_use]
    pub(crate) fn only_roll(&self) -> String {
        let files = self.files();
        let journals = files
            .iter()
            .filter_map(|file| file.strip_prefix(SANDBOX)?.strip_prefix("/rolls/"));
        let ids: Vec<_> = journals
            .filter_map(|name| name.strip_suffix(".jsonl"))
            .filter(|name| !name.ends_with(".events"))
            .collect();
        let [id] = ids.as_slice() else {
            panic!("not one roll: {files:?}");
        };
        (*id).to_owned()
    }

    /// Lists the key pairs of the account that lives on between commands.
    #[must_use]
    pub(crate) fn key_pairs(&self) -> Vec<String> {
        let (sandbox, _) = Sandbox::open(&self.path(SANDBOX), 1.0).unwrap();
        let names = sandbox.peek(|world| world.key_pair_names());
        let mut names: Vec<_> = names.iter().map(|name| self.redacted(name)).collect();
        names.sort();
        names
    }

    /// Lets more than a day pass in the account that lives on between commands.
    pub(crate) fn let_a_day_pass(&self) {
        self.left_alone(SignedDuration::from_hours(-1));
    }

    /// Has the next command find the account as the last one left it, however slow the machine.
    pub(crate) fn let_no_time_pass(&self) {
        self.left_alone(SignedDuration::from_hours(1));
    }

    /// Moves the time at which the account was left.
    fn left_alone(&self, by: SignedDuration) {
        let path = format!("{SANDBOX}/world.json");
        let text = self.read(&path);
        let world: serde_json::Value = serde_json::from_str(&text).unwrap();
        let saved = world["saved"].as_str().unwrap();
        let moved: Timestamp = saved.parse().unwrap();
        let moved = moved.checked_add(by).unwrap().to_string();
        self.write(&path, &text.replacen(saved, &moved, 1));
    }

    /// Tells all that can be seen of a command that has ended, redacted.
    pub(super) fn shown(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| {
            let text = self.redacted(std::str::from_utf8(bytes).unwrap());
            if text.is_empty() || text.ends_with('\n') {
                text
            } else {
                text + "<no line break>\n"
            }
        };
        let exit = match output.status.code() {
            Some(code) => format!("exit {code}"),
            None => "ended by a signal".to_owned(),
        };
        format!(
            "{exit}\n--- stdout\n{}--- stderr\n{}",
            text(&output.stdout),
            text(&output.stderr)
        )
    }

    fn redacted(&self, text: &str) -> String {
        let text = blank_ends(&self.named(text));
        let redactions = self.redactions.iter();
        redactions.fold(text, |text, (pattern, word)| {
            pattern.replace_all(&text, *word).into_owned()
        })
    }

    /// Puts names in the place of what only this run of the test knows.
    pub(crate) fn named(&self, text: &str) -> String {
        let text = text.replace(self.home.path().to_str().unwrap(), "$HOME");
        let hidden = self.hidden.iter();
        hidden.fold(text, |text, (secret, name)| text.replace(secret, name))
    }
}

/// Drops the blanks that clap leaves at the ends of lines.
fn blank_ends(text: &str) -> String {
    text.split('\n')
        .map(|line| if line.trim().is_empty() { "" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The words of a command line: a text with blanks between them, or a list.
pub(crate) trait Words {
    fn words(&self) -> Vec<String>;
}

impl Words for str {
    fn words(&self) -> Vec<String> {
        self.split_whitespace().map(str::to_owned).collect()
    }
}

impl Words for String {
    fn words(&self) -> Vec<String> {
        self.as_str().words()
    }
}

impl<const N: usize> Words for [&str; N] {
    fn words(&self) -> Vec<String> {
        self.iter().map(|word| (*word).to_owned()).collect()
    }
}
