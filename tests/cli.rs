//! The command as a person or a script meets it: stdout, stderr and exit code together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// A machine with nothing on it: an empty home, an empty environment, a fixed time and seed.
struct TestEnvironment {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
    _filters: insta::internals::SettingsBindDropGuard,
}

/// What chance and pace make of names and times is not what these tests are about.
const FILTERS: &[(&str, &str)] = &[
    (r"\b\d\d:\d\d:\d\d ", "HH:MM:SS "),
    (r"about [0-9hms ]+ left", "about SPAN left"),
    (r"\bi-0[0-9a-f]{16}\b", "i-00000000000000000"),
    (r"-[0-9A-F]{12}\b", "-SUFFIX"),
    (r"prod-settings-[0-9a-f]{12}", "prod-settings-suffix"),
    (r"stack/prod/[0-9a-f-]{36}", "stack/prod/UUID"),
    (r"01[0-9a-hjkmnp-tv-z]{14}\b", "ROLL"),
];

impl TestEnvironment {
    fn new() -> Self {
        let mut settings = insta::Settings::clone_current();
        settings.set_filters(FILTERS.to_vec());
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            _filters: settings.bind_to_scope(),
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
              - ed25519: Short and fast
              - rsa:     2048 bits, for SSH clients that know nothing better

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
    ERROR: no roll ROLL is known, here or by the rack's key pairs
    hint: list the rolls with `convox rolls list --sandbox`
    ");
}

#[test]
fn a_roll_in_the_sandbox_ends_with_the_words_of_the_classic() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox instances keyroll"), @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    WARNING: parameter DefaultAmi is looked up anew at every update: a newer machine image may come along
    hint: roll at a time when a new image would be welcome too
    WARNING: service prod-ServiceWebApi-SUFFIX has 2 processes: it may be down for moments of the roll
    WARNING: service prod-mailer has 1 process: it may be down for moments of the roll
    WARNING: service prod-site has 2 processes: it may be down for moments of the roll
    hint: scale it to 3 or more first
    HH:MM:SS plan      roll ROLL of prod: prod-keypair-4711 -> prod-keypair-ROLL
    HH:MM:SS preserve  the private key of prod-keypair-4711 is kept under its own name
    HH:MM:SS mint      key pair prod-keypair-ROLL is made, and its private half kept
    HH:MM:SS install   Key = prod-keypair-ROLL
    HH:MM:SS event     UPDATE_IN_PROGRESS prod: User Initiated
    HH:MM:SS event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service. Waiting on resource signals with a timeout of PT5M when new instances are added to the autoscaling group.
    HH:MM:SS progress  0 of 3 instances replaced, Instances 1 at a time
    HH:MM:SS progress  1 of 3 instances replaced, Instances 1 at a time, about SPAN left
    HH:MM:SS progress  2 of 3 instances replaced, Instances 1 at a time, about SPAN left
    HH:MM:SS progress  3 of 3 instances replaced, Instances 1 at a time
    HH:MM:SS event     UPDATE_COMPLETE_CLEANUP_IN_PROGRESS prod
    HH:MM:SS event     UPDATE_COMPLETE prod
    HH:MM:SS watch     the stack is UPDATE_COMPLETE
    HH:MM:SS verify    3 instances carry prod-keypair-ROLL
    HH:MM:SS promote   prod-keypair-ROLL is the default key now
    HH:MM:SS retire    prod-keypair-4711 is deleted
    3 instances carry prod-keypair-ROLL
    ");
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox instances keyroll -q"), @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    ");
}

#[test]
fn a_roll_that_goes_back_names_its_cause_and_exits_with_3() {
    let env = TestEnvironment::with_scenario("failure-signal");
    insta::assert_snapshot!(env.run("--sandbox instances keyroll"), @r"
    exit 3
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    WARNING: parameter DefaultAmi is looked up anew at every update: a newer machine image may come along
    hint: roll at a time when a new image would be welcome too
    WARNING: service prod-ServiceWebApi-SUFFIX has 2 processes: it may be down for moments of the roll
    WARNING: service prod-mailer has 1 process: it may be down for moments of the roll
    WARNING: service prod-site has 2 processes: it may be down for moments of the roll
    hint: scale it to 3 or more first
    HH:MM:SS plan      roll ROLL of prod: prod-keypair-4711 -> prod-keypair-ROLL
    HH:MM:SS preserve  the private key of prod-keypair-4711 is kept under its own name
    HH:MM:SS mint      key pair prod-keypair-ROLL is made, and its private half kept
    HH:MM:SS install   Key = prod-keypair-ROLL
    HH:MM:SS event     UPDATE_IN_PROGRESS prod: User Initiated
    HH:MM:SS event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service. Waiting on resource signals with a timeout of PT5M when new instances are added to the autoscaling group.
    HH:MM:SS progress  0 of 3 instances replaced, Instances 1 at a time
    HH:MM:SS event     UPDATE_FAILED Instances: Received 1 FAILURE signal(s) out of 4. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement
    HH:MM:SS event     UPDATE_ROLLBACK_IN_PROGRESS prod: The following resource(s) failed to update: [Instances].
    HH:MM:SS rollback  CloudFormation is going back
    HH:MM:SS event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 1 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service. Waiting on resource signals with a timeout of PT5M when new instances are added to the autoscaling group.
    HH:MM:SS progress  going back: 0 of 1 instance replaced, Instances 1 at a time
    HH:MM:SS progress  going back: 1 of 1 instance replaced, Instances 1 at a time
    HH:MM:SS event     UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS prod
    HH:MM:SS event     UPDATE_ROLLBACK_COMPLETE prod
    HH:MM:SS watch     the stack is UPDATE_ROLLBACK_COMPLETE
    HH:MM:SS discard   prod-keypair-ROLL is deleted
    ERROR: the update was rolled back; the old key still works
    first failure: Instances (AWS::AutoScaling::AutoScalingGroup): Received 1 FAILURE signal(s) out of 4. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement
    hint: see what happened with `convox rolls show ROLL --sandbox`, mend it, and roll again
    ");
}

#[test]
fn a_roll_that_replaces_nothing_is_not_proven() {
    let env = TestEnvironment::with_scenario("replaces-nothing");
    insta::assert_snapshot!(env.run("--sandbox -q instances keyroll"), @r"
    exit 4
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    ERROR: the stack is complete, but 3 live instances do not carry the new key
    ID                   KEY                GROUP                        STATE
    i-00000000000000000  prod-keypair-4711  prod-Instances-SUFFIX  InService
    i-00000000000000000  prod-keypair-4711  prod-Instances-SUFFIX  InService
    i-00000000000000000  prod-keypair-4711  prod-Instances-SUFFIX  InService
    hint: replace them, for instance with `convox instances terminate ID --sandbox`
    hint: then come back with `convox rolls resume ROLL --sandbox`; until then both key pairs are kept
    ");
}

#[test]
fn a_rollback_that_fails_is_stuck_and_says_the_way_out() {
    let env = TestEnvironment::with_scenario("rollback-fails");
    insta::assert_snapshot!(env.run("--sandbox -q instances keyroll"), @r"
    exit 5
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    ERROR: the rollback failed (UPDATE_ROLLBACK_FAILED): Instances could not go back
    first failure: Instances (AWS::AutoScaling::AutoScalingGroup): Received 0 SUCCESS signal(s) out of 4. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement
    hint: mend the cause, then `convox rolls continue ROLL --sandbox`
    hint: or leave what fails as it is: `convox rolls continue ROLL --skip Instances --sandbox`
    hint: both key pairs are kept until then
    ");
}

#[test]
fn a_rack_that_does_not_exist_is_told_with_the_nearest_name() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox instances keyroll -r prdo"), @r"
    exit 1
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    ERROR: there is no stack prdo
    hint: did you mean prod?
    ");
    let env = TestEnvironment::new().set("CONVOX_RACK", "prdo");
    insta::assert_snapshot!(env.run("--sandbox instances keyroll --output json"), @r#"
    exit 1
    --- stdout
    {"data":{"exit_code":1,"outcome":"nothing_changed","reasons":[{"code":"no-such-stack","hint":"did you mean prod?","message":"there is no stack prdo"}]},"type":"refused","v":1}
    --- stderr
    ERROR: there is no stack prdo
    hint: did you mean prod?
    "#);
}

#[test]
fn a_plan_changes_nothing() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox instances keyroll --plan"), @r"
    exit 0
    --- stdout
    Roll ROLL of rack prod, not started

    Keys
      old key    prod-keypair-4711
      new key    prod-keypair-ROLL (ed25519)
      stack      arn:aws:cloudformation:us-east-1:123456789012:stack/prod/UUID
      parameter  Key
      key store  s3://prod-settings-suffix/instance-key

    Steps
      1. preserve  keep the private key of prod-keypair-4711 under its own name
      2. mint      make key pair prod-keypair-ROLL (ed25519), its private half to s3://prod-settings-suffix/instance-key
                   undone by: delete prod-keypair-ROLL in EC2 and in the key store
      3. install   set stack parameter Key to prod-keypair-ROLL, and nothing else
                   undone by: delete prod-keypair-ROLL in EC2 and in the key store
      4. watch     replace the instances, batch by batch (CloudFormation does)
                   waits for: the stack to come to rest
                   undone by: CloudFormation rolls back to the old key by itself
      5. verify    nothing
                   waits for: every live instance to report the new key
      6. promote   make prod-keypair-ROLL the default key in s3://prod-settings-suffix/instance-key
      7. retire    delete prod-keypair-4711 in EC2 and in the key store

    Groups
    GROUP      INSTANCES  MIN  MAX   POLICY
    Instances  3          3    2000  1 at a time, never fewer than 3 in service, up to 5m for each to signal

    Changes, as a change set tells
    ACTION  RESOURCE                 REPLACED  TYPE
    Modify  ApiWebTasks              True      AWS::ECS::TaskDefinition
    Modify  Instances                False     AWS::AutoScaling::AutoScalingGroup
    Modify  InstancesLaunchTemplate  False     AWS::EC2::LaunchTemplate
    Modify  ServiceWebApi            False     AWS::ECS::Service

    Warnings
      WARNING: parameter DefaultAmi is looked up anew at every update: a newer machine image may come along
      hint: roll at a time when a new image would be welcome too
      WARNING: service prod-ServiceWebApi-SUFFIX has 2 processes: it may be down for moments of the roll
      WARNING: service prod-mailer has 1 process: it may be down for moments of the roll
      WARNING: service prod-site has 2 processes: it may be down for moments of the roll
      hint: scale it to 3 or more first
    --- stderr
    ");
    assert!(
        env.files().iter().all(|file| !file.ends_with(".jsonl")),
        "{:?}",
        env.files()
    );
}

#[test]
fn json_is_nothing_but_objects_and_the_last_is_the_outcome() {
    let env = TestEnvironment::with_scenario("failure-signal");
    let output = env
        .command("--sandbox instances keyroll --output json")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let events: Vec<serde_json::Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["v"], 1);
        assert_eq!(event["seq"], place + 1, "the cursor has no gaps");
    }
    let last = events.last().unwrap();
    assert_eq!(last["type"], "finished");
    assert_eq!(last["data"]["outcome"], "rolled_back");
    assert_eq!(last["data"]["first_failure"]["logical_id"], "Instances");
    assert!(
        last["data"]["first_failure"]["reason"]
            .as_str()
            .unwrap()
            .contains("FAILURE")
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let env = TestEnvironment::new();
        env.command("--sandbox instances keyroll --output json")
            .output()
            .unwrap()
            .stdout
    };
    assert!(run() == run());
}

#[test]
fn a_roll_is_listed_and_shown_afterwards() {
    let env = TestEnvironment::new();
    let rolled = env
        .command("--sandbox instances keyroll --output json")
        .output()
        .unwrap();
    let first = String::from_utf8(rolled.stdout).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let id = first["roll"].as_str().unwrap();
    insta::assert_snapshot!(env.run("--sandbox rolls list"), @r"
    exit 0
    --- stdout
    ID                RACK  STARTED   STATE  OLD KEY            NEW KEY                        JOURNAL
    ROLL  prod  just now  done   prod-keypair-4711  prod-keypair-ROLL  here
    --- stderr
    ");
    let shown = env.run(&format!("--sandbox rolls show {id}"));
    insta::assert_snapshot!(shown.lines().last().unwrap(), @"--- stderr");
    assert!(shown.contains("Received SUCCESS signal"), "{shown}");
    let json = env.run(&format!("--sandbox rolls show {id} --output json"));
    assert!(json.contains(r#""type":"finished""#), "{json}");
}

#[test]
fn the_saved_key_is_the_new_one_and_private() {
    let env = TestEnvironment::new();
    let shown = env.run("--sandbox -q instances keyroll --save-key new.pem");
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    ");
    let key = fs::read_to_string(env.path("new.pem")).unwrap();
    assert!(key.starts_with("-----BEGIN"), "{}", key.len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(env.path("new.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_roll_that_goes_back_leaves_no_saved_key() {
    let env = TestEnvironment::with_scenario("failure-signal");
    let shown = env.run("--sandbox -q instances keyroll --save-key new.pem");
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(!env.path("new.pem").exists());
}

#[test]
fn no_secret_is_shown_or_left_behind_but_where_it_was_asked_for() {
    for flags in ["-v", "--output json"] {
        let env = TestEnvironment::new();
        let shown = env.run(&format!("--sandbox instances keyroll {flags}"));
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        assert!(!shown.contains("PRIVATE KEY"), "{shown}");
        assert!(!env.files().is_empty(), "there is a journal");
        for file in env.files() {
            let bytes = fs::read(env.path(&file)).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("PRIVATE KEY"), "a private key is in {file}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_stop_or_to_complain() {
    let env = TestEnvironment::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_convox"));
    let mut child = command
        .args(["--sandbox", "instances", "keyroll", "--output", "json"])
        .env_clear()
        .env("HOME", env.home.path())
        .env("CONVOX_TEST_EPOCH", "2026-11-22T03:00:00Z")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stderr)
            .unwrap()
            .matches("ERROR")
            .count(),
        0
    );
}
