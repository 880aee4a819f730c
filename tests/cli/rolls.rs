//! `convox rolls`: looking at rolls, and coming back to them.

use crate::environment::TestEnvironment;

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

/// Begins a roll and leaves it at once; returns its id.
fn leave(env: &TestEnvironment) -> String {
    let shown = env.run("--sandbox -q instances keyroll --detach");
    insta::allow_duplicates! {
        insta::assert_snapshot!(shown, @r"
        exit 6
        --- stdout
        Rolling instance key... detached
        --- stderr
        hint: come back with `convox rolls resume ROLL --sandbox`
        hint: the old key stays until the roll is finished that way
        ");
    }
    assert_eq!(
        env.key_pairs(),
        ["prod-keypair-4711", "prod-keypair-ROLL"],
        "both keys work meanwhile"
    );
    env.only_roll()
}

#[test]
fn a_roll_that_was_left_is_finished_by_coming_back() {
    let env = TestEnvironment::in_real_time();
    let roll = leave(&env);
    env.let_a_day_pass();
    insta::assert_snapshot!(env.run(&format!("--sandbox -q rolls resume {roll}")), @r"
    exit 0
    --- stdout
    Resuming roll ROLL... OK
    --- stderr
    ");
    assert_eq!(env.key_pairs(), ["prod-keypair-ROLL"]);
    insta::assert_snapshot!(env.run(&format!("--sandbox rolls resume {roll}")), @r"
    exit 0
    --- stdout
    Resuming roll ROLL... OK
    --- stderr
    3 instances carry prod-keypair-ROLL
    ");
}

#[test]
fn a_roll_that_is_cancelled_goes_back_to_the_old_key() {
    let env = TestEnvironment::in_real_time();
    let roll = leave(&env);
    env.let_no_time_pass();
    insta::assert_snapshot!(env.run(&format!("--sandbox -q rolls cancel {roll}")), @r"
    exit 0
    --- stdout
    Cancelling roll ROLL... OK
    --- stderr
    ");
    assert_eq!(env.key_pairs(), ["prod-keypair-4711"]);
    insta::assert_snapshot!(env.run(&format!("--sandbox rolls cancel {roll}")), @r"
    exit 1
    --- stdout
    Cancelling roll ROLL... <no line break>
    --- stderr
    ERROR: the stack is UPDATE_ROLLBACK_COMPLETE: there is no update to cancel
    hint: see where the roll is with `convox rolls show ROLL --sandbox`
    ");
}
