//! What cannot be understood or reached: one line that says so, and the way out.

use crate::environment::TestEnvironment;

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
    let env = TestEnvironment::new().env("AWS_PROFILE", "work");
    env.write(
        ".aws/config",
        "[profile work]\nregion = us-east-1\nsso_session = corp\nsso_account_id = 123456789012\n\
         sso_role_name = admin\n[sso-session corp]\nsso_region = us-east-1\n\
         sso_start_url = https://corp.awsapps.com/start\n",
    );
    // The cache is named after the SHA-1 of `corp`.
    env.write(
        ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
        r#"{"accessToken": "stale", "expiresAt": "2020-01-01T00:00:00Z"}"#,
    );
    let shown = env.run("instances keyroll -r prod");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(
        shown.contains("ERROR: no usable AWS credentials: the SSO token has expired"),
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
fn a_key_store_that_cannot_be_used_stops_a_roll_before_it_begins() {
    let served = TestEnvironment::in_real_time();
    let mut serve = served.start("sandbox serve --port 0");
    let env = TestEnvironment::in_real_time()
        .env("AWS_ENDPOINT_URL", &serve.first_data())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "any");
    env.write("taken", "");
    let directory = env.path("taken").join("keys");
    let config = format!(
        "racks:\n  prod:\n    stack: prod\n    key_store:\n      directory: {}\n",
        directory.display()
    );
    env.write(".config/convox/config.yaml", &config);
    insta::assert_snapshot!(env.run("instances keyroll -r prod"), @r"
    exit 1
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    ERROR: key store directory $HOME/taken/keys: cannot write $HOME/taken/keys/keys/convox-check: Not a directory (os error 20)
    hint: choose another with `key_store` in config.yaml
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
    let env = TestEnvironment::new().env("CONVOX_RACK", "prdo");
    insta::assert_snapshot!(env.run("--sandbox instances keyroll --output json"), @r#"
    exit 1
    --- stdout
    {"data":{"exit_code":1,"outcome":"nothing_changed","reasons":[{"code":"no-such-stack","hint":"did you mean prod?","message":"there is no stack prdo"}]},"type":"refused","v":1}
    --- stderr
    ERROR: there is no stack prdo
    hint: did you mean prod?
    "#);
}
