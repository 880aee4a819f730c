//! The command as a person or a script meets it: stdout, stderr and exit code together.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// A machine with nothing on it: an empty home, an empty environment, a fixed time and seed.
struct TestEnvironment {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl TestEnvironment {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// The same, with a scenario in place of the everyday sandbox.
    fn with_scenario(name: &str) -> Self {
        Self::new().set("CONVOX_TEST_SCENARIO", name)
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("CONVOX_TEST_EPOCH", "2026-11-22T03:00:00Z")
            .env("CONVOX_TEST_SEED", "7")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .args(line.split_whitespace());
        command
    }

    /// Runs `convox` with the words of `line`, and returns all that can be seen of it.
    #[must_use]
    fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let text = text.replace(self.home.path().to_str().unwrap(), "$HOME");
            let text = blank_ends(&text);
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

    /// Lists the files below the home directory.
    fn files(&self) -> Vec<String> {
        fn walk(root: &Path, dir: &Path, files: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, files);
                } else {
                    files.push(
                        path.strip_prefix(root)
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned(),
                    );
                }
            }
        }
        let mut files = Vec::new();
        walk(self.home.path(), self.home.path(), &mut files);
        files.sort();
        files
    }
}

/// Drops the blanks that clap leaves at the ends of lines.
fn blank_ends(text: &str) -> String {
    text.split('\n')
        .map(|line| if line.trim().is_empty() { "" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn version_and_help_are_data() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--version"), @r"
    exit 0
    --- stdout
    convox 0.1.0
    --- stderr
    ");
    insta::assert_snapshot!(env.run("--help"), @r"
    exit 0
    --- stdout
    Rolls every key of a rack without ever locking anybody out

    Usage: convox [OPTIONS] <COMMAND>

    Commands:
      instances    Manage the instances of a rack
      rolls        Look at rolls, go on with them or undo them
      sandbox      Manage the little AWS account on this machine
      completions  Print a shell's completions

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --region <REGION>
              AWS region [default: as the AWS CLI finds it]

          --profile <NAME>
              Profile of the AWS configuration files

          --endpoint-url <URL>
              Send every AWS call to this address instead

          --sandbox
              Use the little AWS account that lives on this machine

      -q, --quiet
              Say only how it ended

      -v, --verbose
              Tell every detail

    Exit codes:
      0  done
      1  failed, and nothing is changed
      2  the command line or a configuration file is wrong
      3  rolled back, and the old key still works
      4  the stack is complete, but the new key is not proven
      5  stuck, a person must act
      6  detached, the roll goes on
      7  the stack is busy with another operation
    --- stderr
    ");
    insta::assert_snapshot!(env.run("instances keyroll --help"), @r"
    exit 0
    --- stdout
    Give every instance of a rack a new SSH key

    Usage: convox instances keyroll [OPTIONS]

    Options:
      -r, --rack <NAME>
              Name of the rack [default: CONVOX_RACK, or the only one there is]
              
              [env: CONVOX_RACK]

      -w, --wait
              Wait for the end, which is what happens anyway

          --detach
              Leave as soon as CloudFormation has taken the update

          --plan
              Say what would be done, and do nothing

          --output <FORMAT>
              What to write on stdout

              Possible values:
              - text: Lines for a person
              - json: One JSON object a line
              
              [default: text]

          --key-type <TYPE>
              Kind of key pair

              Possible values:
              - ed25519: Ed25519: short and fast
              - rsa:     RSA, 2048 bits, for old SSH clients
              
              [default: ed25519]

          --keep-old
              Keep the old key pair

          --save-key <FILE>
              Also write the new private key to this file, which must not exist yet

      -y, --yes
              Do not ask whether to go ahead

          --wait-busy <DURATION>
              How long to wait for a stack that is busy, such as 90s or 15m
              
              [default: 10m]

      -h, --help
              Print help (see a summary with '-h')

    Global options:
          --region <REGION>
              AWS region [default: as the AWS CLI finds it]

          --profile <NAME>
              Profile of the AWS configuration files

          --endpoint-url <URL>
              Send every AWS call to this address instead

          --sandbox
              Use the little AWS account that lives on this machine

      -q, --quiet
              Say only how it ended

      -v, --verbose
              Tell every detail
    --- stderr
    ");
}

#[test]
fn a_command_line_without_a_command_shows_the_way() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run(""), @r"
    exit 2
    --- stdout
    --- stderr
    Rolls every key of a rack without ever locking anybody out

    Usage: convox [OPTIONS] <COMMAND>

    Commands:
      instances    Manage the instances of a rack
      rolls        Look at rolls, go on with them or undo them
      sandbox      Manage the little AWS account on this machine
      completions  Print a shell's completions

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
          --region <REGION>     AWS region [default: as the AWS CLI finds it]
          --profile <NAME>      Profile of the AWS configuration files
          --endpoint-url <URL>  Send every AWS call to this address instead
          --sandbox             Use the little AWS account that lives on this machine
      -q, --quiet               Say only how it ended
      -v, --verbose             Tell every detail
    ");
    insta::assert_snapshot!(env.run("rolls"), @r"
    exit 2
    --- stdout
    --- stderr
    Look at rolls, go on with them or undo them

    Usage: convox rolls [OPTIONS] <COMMAND>

    Commands:
      list      List the rolls of a rack, the newest first
      show      Show what happened in a roll
      resume    Go on with a roll that was left or interrupted
      cancel    Cancel a roll, and follow CloudFormation back to the old key
      continue  Go on with a rollback that is stuck

    Options:
      -h, --help  Print help

    Global options:
          --region <REGION>     AWS region [default: as the AWS CLI finds it]
          --profile <NAME>      Profile of the AWS configuration files
          --endpoint-url <URL>  Send every AWS call to this address instead
          --sandbox             Use the little AWS account that lives on this machine
      -q, --quiet               Say only how it ended
      -v, --verbose             Tell every detail
    ");
}

#[test]
fn a_wrong_flag_is_one_line_and_a_hint() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("instances keyroll --detatch"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: unknown argument `--detatch`
    hint: did you mean `--detach`?
    ");
}

#[test]
fn without_a_region_nothing_is_called() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("instances keyroll"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: no AWS region: neither a flag, nor AWS_REGION, nor the profile names one
    hint: name the region with --region, or set AWS_REGION
    ");
    insta::assert_snapshot!(env.run("instances keyroll -r prod --output json"), @r#"
    exit 1
    --- stdout
    {"data":{"exit_code":1,"hints":["name the region with --region, or set AWS_REGION"],"message":"no AWS region: neither a flag, nor AWS_REGION, nor the profile names one"},"type":"error","v":1}
    --- stderr
    ERROR: no AWS region: neither a flag, nor AWS_REGION, nor the profile names one
    hint: name the region with --region, or set AWS_REGION
    "#);
}

#[test]
fn without_credentials_the_way_to_sign_in_is_told() {
    let env = TestEnvironment::new();
    let shown = env.run("instances keyroll --region us-east-1 -r prod");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(
        shown.contains("ERROR: no usable AWS credentials"),
        "{shown}"
    );
    assert!(
        shown.contains("hint: sign in again, for instance with `aws sso login`"),
        "{shown}"
    );
    assert_eq!(
        shown
            .lines()
            .filter(|line| line.starts_with("ERROR"))
            .count(),
        1,
        "{shown}"
    );
}

#[test]
fn an_expired_sso_token_says_how_to_sign_in_again() {
    let env = TestEnvironment::new().set("AWS_PROFILE", "work");
    env.write(
        ".aws/config",
        "[profile work]\nregion = us-east-1\nsso_session = corp\nsso_account_id = 123456789012\n\
         sso_role_name = admin\n[sso-session corp]\nsso_region = us-east-1\n\
         sso_start_url = https://corp.awsapps.com/start\n",
    );
    // The cache is named after the SHA-1 of `corp`.
    env.write(
        ".aws/sso/cache/c2fd0ad0a8d5b8ea8d8e1c0c50e6e86a8bb8dd84.json",
        r#"{"accessToken": "stale", "expiresAt": "2020-01-01T00:00:00Z"}"#,
    );
    let shown = env.run("instances keyroll -r prod");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(
        shown.contains("ERROR: no usable AWS credentials"),
        "{shown}"
    );
    assert!(shown.contains("aws sso login"), "{shown}");
}

#[test]
fn a_configuration_file_is_wrong_at_a_line_and_a_column() {
    let env = TestEnvironment::new();
    env.write(
        ".config/convox/config.yaml",
        "racks:\n  prod:\n    stak: acme\n",
    );
    insta::assert_snapshot!(env.run("instances keyroll"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: $HOME/.config/convox/config.yaml:3:5: racks.prod: unknown field `stak`, expected one of `stack`, `region`, `profile`, `role_arn`, `key_parameter`, `key_store`, `ssh_user`
    hint: did you mean `stack`?
    ");
    env.write(".config/convox/config.yaml", "racks: [\n");
    insta::assert_snapshot!(env.run("instances keyroll"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: $HOME/.config/convox/config.yaml:1:8: racks: invalid type: sequence, expected a map
    hint: the keys are rack, defaults and racks: see the README for an example
    ");
}

#[test]
fn a_file_for_the_key_that_exists_stops_everything() {
    let env = TestEnvironment::new();
    env.write("key.pem", "precious");
    insta::assert_snapshot!(env.run("--sandbox instances keyroll --save-key key.pem"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: key.pem exists already
    hint: give --save-key a name that is free, a key is never overwritten
    ");
    assert_eq!(fs::read_to_string(env.path("key.pem")).unwrap(), "precious");
    assert_eq!(env.files(), ["key.pem"], "nothing began");
}

#[test]
fn completions_are_data() {
    let env = TestEnvironment::new();
    let shown = env.run("completions bash");
    assert!(
        shown.starts_with("exit 0\n--- stdout\n_convox()"),
        "{shown}"
    );
    assert!(shown.ends_with("--- stderr\n"), "{shown}");
}

#[test]
fn a_scenario_that_is_not_there_is_told() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("sandbox serve --port 0 --scenario none.yaml"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: cannot read none.yaml: No such file or directory (os error 2)
    hint: `convox sandbox scenarios` lists those that come along
    ");
}

#[test]
fn an_unknown_roll_is_told() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox rolls show 01kb2q5z8g000001"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: no journal of roll 01kb2q5z8g000001 here
    hint: `convox rolls list` names the rolls, and says which have a journal here
    ");
}
