//! `convox instances keyroll`.

use std::fs;
use std::process::Stdio;

use crate::environment::TestEnvironment;

/// How every roll of the everyday rack begins.
const BEGINNING: &str = "\
WARNING: parameter DefaultAmi is looked up anew at every update: a newer machine image may come along
hint: roll at a time when a new image would be welcome too
WARNING: service prod-ServiceWebApi-SUFFIX has 2 processes: it may be down for moments of the roll
hint: scale it to 3 or more first
HH:MM:SS plan      roll ROLL of prod: prod-keypair-4711 -> prod-keypair-ROLL
HH:MM:SS preserve  the private key of prod-keypair-4711 is kept under its own name
HH:MM:SS mint      key pair prod-keypair-ROLL is made, and its private half kept
HH:MM:SS install   Key = prod-keypair-ROLL
HH:MM:SS event     UPDATE_IN_PROGRESS prod: User Initiated
HH:MM:SS event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service. Waiting on resource signals with a timeout of PT5M when new instances are added to the autoscaling group.
HH:MM:SS progress  0 of 3 instances replaced, Instances 1 at a time
";

/// How the private halves begin that EC2 gives out.
const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
const RSA: &str = "-----BEGIN RSA PRIVATE KEY-----\n";

/// Rolls the key, and shortens how every roll begins.
fn roll(env: &TestEnvironment) -> String {
    let shown = env.run("--sandbox instances keyroll");
    shown.replace(BEGINNING, "<beginning>\n")
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
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
    assert_eq!(env.read("key.pem"), "precious");
    assert_eq!(env.files(), ["key.pem"], "nothing began");
}

#[test]
fn a_roll_in_the_sandbox_ends_with_the_words_of_the_classic() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(roll(&env), @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    <beginning>
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
fn nobody_is_asked_about_an_account_that_is_not_real() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run_with_input("--sandbox -q instances keyroll", "n\n"), @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    ");
}

#[test]
fn an_old_key_pair_that_is_to_stay_stays() {
    let env = TestEnvironment::new();
    let shown = env.run("--sandbox instances keyroll --keep-old");
    insta::assert_snapshot!(last_lines(&shown, 3), @r"
    HH:MM:SS promote   prod-keypair-ROLL is the default key now
    HH:MM:SS retire    prod-keypair-4711 stays, as asked
    3 instances carry prod-keypair-ROLL
    ");
    let plan = env.run("--sandbox instances keyroll --keep-old --plan");
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    assert!(!plan.contains("delete prod-keypair-4711"), "{plan}");
}

#[test]
fn a_key_pair_is_of_the_kind_that_was_asked_for() {
    for (kind, begins, most) in [("ed25519", OPENSSH, 600), ("rsa", RSA, 2000)] {
        let env = TestEnvironment::new();
        let shown = env.run(&[
            "--sandbox",
            "instances",
            "keyroll",
            "--key-type",
            kind,
            "--save-key",
            "new.pem",
        ]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        let key = env.read("new.pem");
        assert!(key.starts_with(begins), "{kind}: {}", key.len());
        assert!(key.len() < most, "{kind}: {}", key.len());
        let plan = env.run(&[
            "--sandbox",
            "instances",
            "keyroll",
            "--key-type",
            kind,
            "--plan",
        ]);
        assert!(
            plan.contains(&format!("new key    prod-keypair-ROLL ({kind})")),
            "{plan}"
        );
    }
}

#[test]
fn a_roll_that_goes_back_names_its_cause_and_exits_with_3() {
    let env = TestEnvironment::with_scenario("failure-signal");
    insta::assert_snapshot!(roll(&env), @r"
    exit 3
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    <beginning>
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

    Services of prod-Cluster-SUFFIX
    SERVICE                          DESIRED  RUNNING  MIN  MAX   PLACED ON              HOST PORTS  GRACE  STOPS IN
    prod-ServiceWebApi-SUFFIX  2        2        50%  200%  2 instances            4000        -      30s
    prod-mailer                      1        1        50%  200%  1 instance             -           -      30s
    prod-shop                        3        3        50%  200%  2 instances, 2 on one  -           -      30s
    prod-site                        2        2        50%  200%  2 instances            -           -      30s
    a lifecycle hook drains each instance for at most 5m; no managed draining
    never without a task, if the roll ends well: prod-mailer, prod-shop, prod-site

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
fn the_saved_key_is_the_new_one_and_private() {
    let env = TestEnvironment::new();
    let shown = env.run("--sandbox -q instances keyroll --save-key new.pem");
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    ");
    let key = env.read("new.pem");
    assert!(key.starts_with("-----BEGIN"), "{}", key.len());
    #[cfg(unix)]
    assert_eq!(env.mode("new.pem"), 0o600);
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
    let mut child = env
        .command("--sandbox instances keyroll --output json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("ERROR").count(), 0, "{stderr}");
}
