//! `convox instances revoke-key`.

use crate::environment::TestEnvironment;

#[test]
fn every_instance_is_told_of_and_what_is_to_follow() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox instances revoke-key"), @r"
    exit 0
    --- stdout
    Revoking instance key... OK
    --- stderr
    HH:MM:SS plan      roll ROLL of prod: prod-keypair-4711 -> prod-keypair-ROLL
    HH:MM:SS preserve  the private key of prod-keypair-4711 is kept under its own name
    HH:MM:SS mint      key pair prod-keypair-ROLL is made, and its private half kept
    HH:MM:SS instance  i-00000000000000000: its sshd takes the new key and no more the old one
    HH:MM:SS instance  i-00000000000000000: its sshd takes the new key and no more the old one
    HH:MM:SS instance  i-00000000000000000: its sshd takes the new key and no more the old one
    HH:MM:SS admit     prod-keypair-ROLL is in on 3 instances
    HH:MM:SS exclude   prod-keypair-4711 is out on 3 instances
    HH:MM:SS promote   prod-keypair-ROLL is the default key now
    prod-keypair-ROLL is in and prod-keypair-4711 is out on 3 instances, proven by what their sshd takes
    hint: while the launch template names prod-keypair-4711, until the next roll, an instance that starts lets it in; `convox instances revoke-key --key prod-keypair-4711 --sandbox` mends that
    hint: `convox instances keyroll --sandbox` makes the launch template agree, at leisure
    ");
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox -q instances revoke-key"), @r"
    exit 0
    --- stdout
    Revoking instance key... OK
    --- stderr
    ");
}

#[test]
fn a_dry_run_shows_each_instance_and_changes_nothing() {
    let env = TestEnvironment::in_real_time();
    let shown = env.run("--sandbox instances revoke-key --dry-run");
    insta::assert_snapshot!(shown, @r"
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
      3. admit     let prod-keypair-ROLL in on every live instance, and tag it as opened by it
                   waits for: each instance to prove it
      4. exclude   shut prod-keypair-4711 out, on each instance once prod-keypair-ROLL is proven there
                   waits for: each instance to prove it
      5. promote   make prod-keypair-ROLL the default key in s3://prod-settings-suffix/instance-key

    Instances
    ID                   OPENED BY          THROUGH  PROOF
    i-00000000000000000  prod-keypair-4711  ssm      its sshd, offered both keys
    i-00000000000000000  prod-keypair-4711  ssm      its sshd, offered both keys
    i-00000000000000000  prod-keypair-4711  ssm      its sshd, offered both keys
    --- stderr
    ");
    assert_eq!(env.key_pairs(), ["prod-keypair-4711"]);
    let rolls = env.files().into_iter().filter(|it| it.contains("/rolls/"));
    assert_eq!(rolls.count(), 0, "no journal was begun");
}

#[test]
fn a_dry_run_is_one_object_too() {
    let env = TestEnvironment::with_scenario("revoke-key/no-agent");
    let line = "--sandbox instances revoke-key --dry-run --output json";
    let told = env.command(line).output().unwrap();
    assert_eq!(told.status.code(), Some(0));
    let plan: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(plan["type"], "planned");
    let revocation = &plan["data"]["kind"]["revocation"];
    assert_eq!(revocation["reused"], false);
    let instances = revocation["instances"].as_array().unwrap();
    let through: Vec<_> = instances.iter().map(|it| it["through"].as_str()).collect();
    assert_eq!(through.iter().filter(|it| **it == Some("ssm")).count(), 1);
    let why = instances.iter().filter_map(|it| it["unreached"].as_str());
    let mut why: Vec<_> = why.collect();
    why.sort_unstable();
    assert_eq!(
        why,
        ["it has no SSM agent", "its SSM agent is ConnectionLost"]
    );
}

#[test]
fn an_instance_that_is_not_reached_is_named_and_the_code_is_4() {
    let env = TestEnvironment::with_scenario("revoke-key/no-agent");
    insta::assert_snapshot!(env.run("--sandbox instances revoke-key"), @r"
    exit 4
    --- stdout
    Revoking instance key... <no line break>
    --- stderr
    WARNING: i-00000000000000000 is not reached, and goes on letting the old key in: it has no SSM agent
    WARNING: i-00000000000000000 is not reached, and goes on letting the old key in: its SSM agent is ConnectionLost
    hint: `convox instances terminate` has its group replace it, once that starts instances with a new key
    HH:MM:SS plan      roll ROLL of prod: prod-keypair-4711 -> prod-keypair-ROLL
    HH:MM:SS preserve  the private key of prod-keypair-4711 is kept under its own name
    HH:MM:SS mint      key pair prod-keypair-ROLL is made, and its private half kept
    HH:MM:SS instance  i-00000000000000000 is not done: it has no SSM agent
    HH:MM:SS instance  i-00000000000000000 is not done: its SSM agent is ConnectionLost
    HH:MM:SS instance  i-00000000000000000: its sshd takes the new key and no more the old one
    ERROR: 2 of 3 live instances may still let prod-keypair-4711 in
    ID                   KEY                GROUP                        STATE
    i-00000000000000000  prod-keypair-4711  prod-Instances-SUFFIX  it has no SSM agent
    i-00000000000000000  prod-keypair-4711  prod-Instances-SUFFIX  its SSM agent is ConnectionLost
    hint: mend what keeps them from being reached, or terminate them once new instances have a new key
    hint: then come back with `convox rolls resume ROLL --sandbox`; both keys are kept
    ");
}

#[test]
fn an_instance_whose_sshd_does_not_take_the_new_key_keeps_the_old_one_and_is_named() {
    let env = TestEnvironment::with_scenario("revoke-key/odd-sshd");
    insta::assert_snapshot!(env.run("--sandbox instances revoke-key"), @r"
    exit 4
    --- stdout
    Revoking instance key... <no line break>
    --- stderr
    HH:MM:SS plan      roll ROLL of prod: prod-keypair-4711 -> prod-keypair-ROLL
    HH:MM:SS preserve  the private key of prod-keypair-4711 is kept under its own name
    HH:MM:SS mint      key pair prod-keypair-ROLL is made, and its private half kept
    HH:MM:SS instance  i-00000000000000000 is not done: its command ended as Failed: not proven: sshd takes no keys of the type ssh-ed25519
    HH:MM:SS instance  i-00000000000000000 is not done: its command ended as Failed: not proven: there is no ssh client
    HH:MM:SS instance  i-00000000000000000: its sshd takes the new key and no more the old one
    ERROR: 2 of 3 live instances may still let prod-keypair-4711 in
    ID                   KEY                GROUP                        STATE
    i-00000000000000000  prod-keypair-4711  prod-Instances-SUFFIX  its command ended as Failed: not proven: sshd takes no keys of the type ssh-ed25519
    i-00000000000000000  prod-keypair-4711  prod-Instances-SUFFIX  its command ended as Failed: not proven: there is no ssh client
    hint: no old line goes where the new key is not proven: mend what sshd is set to there, or prove it by logins from here, with `convox instances revoke-key --key prod-keypair-4711 --through ssh --sandbox`
    hint: mend what keeps them from being reached, or terminate them once new instances have a new key
    hint: then come back with `convox rolls resume ROLL --sandbox`; both keys are kept
    ");
    // Another type is asked for: the rest is done, but where nobody can ask.
    let line = "--sandbox -q instances revoke-key --key-type rsa";
    let env = TestEnvironment::with_scenario("revoke-key/odd-sshd");
    let told = env.run(line);
    assert!(told.contains("1 of 3 live instances may still"), "{told}");
    assert_eq!(told.matches("there is no ssh client").count(), 1, "{told}");
}

#[test]
fn events_are_lines_and_the_last_one_is_the_report() {
    let env = TestEnvironment::with_scenario("revoke-key/failing-commands");
    let line = "--sandbox instances revoke-key --output json";
    let told = env.command(line).output().unwrap();
    assert_eq!(told.status.code(), Some(4));
    let text = String::from_utf8(told.stdout).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let instances: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "instance")
        .map(|event| &event["data"])
        .collect();
    assert_eq!(instances.len(), 3, "{text}");
    let done = instances.iter().filter(|it| it["proof"] == "sshd");
    assert_eq!(done.count(), 1, "{text}");
    let last = events.last().unwrap();
    assert_eq!(last["type"], "finished");
    assert_eq!(last["data"]["outcome"], "unproven");
    assert_eq!(last["data"]["exit_code"], 4);
    assert_eq!(last["data"]["holdouts"].as_array().unwrap().len(), 2);
}

#[test]
fn it_is_refused_where_nothing_could_come_of_it() {
    let env = TestEnvironment::new();
    let line = "--sandbox instances revoke-key --key prod-keypair-0815";
    insta::assert_snapshot!(env.run(line), @r"
    exit 1
    --- stdout
    Revoking instance key... <no line break>
    --- stderr
    ERROR: s3://prod-settings-suffix/instance-key has no private key of prod-keypair-0815, by which its line is known
    hint: `convox instances keyroll --sandbox` replaces every instance, whatever keys they let in
    ");
    insta::assert_snapshot!(env.run("--sandbox instances revoke-key -r stage"), @r"
    exit 1
    --- stdout
    Revoking instance key... <no line break>
    --- stderr
    ERROR: there is no stack stage
    hint: racks here: prod
    ");
    insta::assert_snapshot!(env.run("--sandbox instances revoke-key --through telnet"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `telnet` is not a value of `--through <WAY>`
    hint: it takes one of: auto, ssm, ssh
    ");
    let env = TestEnvironment::with_faults("faults:\n- agents: { agent: missing }");
    insta::assert_snapshot!(env.run("instances revoke-key"), @r"
    exit 1
    --- stdout
    Revoking instance key... <no line break>
    --- stderr
    ERROR: i-00000000000000000 is not reached: it has no SSM agent
    hint: an instance needs an SSM agent that may call Systems Manager, or a way for ssh
    ERROR: i-00000000000000000 is not reached: it has no SSM agent
    hint: an instance needs an SSM agent that may call Systems Manager, or a way for ssh
    ERROR: i-00000000000000000 is not reached: it has no SSM agent
    hint: an instance needs an SSM agent that may call Systems Manager, or a way for ssh
    ");
    let env = TestEnvironment::with_faults(
        "faults:\n- deny: { api: \"ssm:DescribeInstanceInformation\" }",
    );
    insta::assert_snapshot!(env.run("instances revoke-key"), @r"
    exit 1
    --- stdout
    Revoking instance key... <no line break>
    --- stderr
    ERROR: not allowed to call ssm:DescribeInstanceInformation: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: ssm:DescribeInstanceInformation because no identity-based policy allows the ssm:DescribeInstanceInformation action
    hint: ask for the IAM permission ssm:DescribeInstanceInformation
    ");
}

#[test]
fn ssh_uses_the_new_key_from_then_on_and_a_roll_lets_it_go() {
    let env = TestEnvironment::in_real_time();
    let revoked = env.run("--sandbox -q instances revoke-key");
    assert!(revoked.starts_with("exit 0\n"), "{revoked}");
    let keys = ["prod-keypair-4711", "prod-keypair-ROLL"];
    assert_eq!(env.key_pairs(), keys);
    let listed = env.run("--sandbox instances --keys");
    assert_eq!(listed.matches("prod-keypair-ROLL").count(), 3, "{listed}");
    let roll = env.only_roll();
    let resumed = env.run(&["--sandbox", "-q", "rolls", "resume", &roll]);
    assert!(resumed.starts_with("exit 0\n"), "{resumed}");
    let rolls = env.run("--sandbox rolls list");
    assert!(
        rolls.contains("  done   prod-keypair-4711  prod-keypair-ROLL"),
        "{rolls}"
    );
}
