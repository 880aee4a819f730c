//! `convox rack params set Password=`.

use crate::environment::TestEnvironment;

/// What the sandbox's rack is opened with before anything is rolled.
const OLD: &str = "sandbox-password";

/// A minted password: 32 bytes in base58.
fn assert_minted(password: &str) {
    assert!((43..=44).contains(&password.len()), "{password}");
    let is_base58 = |c: char| c.is_ascii_alphanumeric() && !"0OIl".contains(c);
    assert!(password.chars().all(is_base58), "{password}");
}

#[test]
fn a_password_is_made_proven_and_written_where_it_is_told() {
    let env = TestEnvironment::new();
    let shown = env.run("rack params set Password= --password-out new --sandbox");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("Updating parameters... OK\n"), "{shown}");
    assert!(
        shown.contains("the rack API takes the new key, 8 times in a row"),
        "{shown}"
    );
    let password = env.read("new");
    assert_minted(password.trim_end());
    assert_eq!(env.mode("new"), 0o600);
    assert!(!shown.contains(password.trim_end()), "{shown}");
    // Nothing that is left on the machine but that file knows it.
    for file in env.files().iter().filter(|file| *file != "new") {
        assert!(!env.read(file).contains(password.trim_end()), "{file}");
    }
}

#[test]
fn it_is_shown_only_when_asked_for() {
    let env = TestEnvironment::new();
    let line = "rack params set Password= --password-out new --reveal -q --sandbox";
    let shown = env.run(line);
    let password = env.read("new");
    let (_, stdout) = shown.split_once("--- stdout\n").unwrap();
    let (stdout, stderr) = stdout.split_once("--- stderr\n").unwrap();
    assert!(stdout.contains(password.trim_end()), "{shown}");
    assert!(!stderr.contains(password.trim_end()), "{shown}");
    assert!(!stdout.contains("::add-mask::"), "{shown}");
}

#[test]
fn a_github_job_hides_it_before_anything_can_show_it() {
    let env = TestEnvironment::new().env("GITHUB_ACTIONS", "true");
    let shown = env.run("rack params set Password= --password-out new --sandbox");
    let password = env.read("new");
    let mask = format!("::add-mask::{}\n", password.trim_end());
    let (_, stdout) = shown.split_once("--- stdout\n").unwrap();
    assert!(stdout.starts_with(&mask), "{shown}");
}

#[test]
fn one_from_stdin_or_a_file_needs_no_warning_and_one_in_argv_gets_it() {
    let warned = "the password is on the command line";
    let env = TestEnvironment::new();
    let line = "rack params set Password=- --password-out out --sandbox";
    let shown = env.run_with_input(line, "from stdin\n");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(!shown.contains(warned), "{shown}");
    assert_eq!(env.read("out").trim_end(), "from stdin");

    let env = TestEnvironment::new();
    env.write("secret", "from a file\n");
    let shown = env.run("rack params set Password=@secret --sandbox");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(!shown.contains(warned), "{shown}");
    assert!(!shown.contains("from a file"), "{shown}");

    let env = TestEnvironment::new();
    let shown = env.run("rack params set Password=in-argv --sandbox");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains(warned), "{shown}");
    assert!(!shown.contains("in-argv"), "{shown}");
}

#[test]
fn other_parameters_go_along_and_the_plan_changes_nothing() {
    let env = TestEnvironment::in_real_time();
    let shown = env.run(
        "rack params set Password= InstanceType=t3.large --password-out new --plan --output json \
         --sandbox",
    );
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("\"also\":[\"InstanceType\"]"), "{shown}");
    assert!(!shown.contains("InstanceType\":\"t3.large"), "{shown}");
    let shown = env.run("rack params --sandbox");
    assert!(!shown.contains("t3.large"), "{shown}");
    assert!(!env.files().contains(&"new".to_owned()));
}

#[test]
fn what_could_not_work_is_refused_before_anything_changes() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("rack params set Password= --sandbox"), @r"
    exit 1
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: a key would be made, and nobody would know it
    hint: name a file with --password-out FILE, or log in to the rack first
    ");
    let shown = env.run("rack params set Password=**** --sandbox");
    assert!(!shown.starts_with("exit 0\n"), "{shown}");
    let long = "x".repeat(51);
    env.write("long", &long);
    let shown = env.run("rack params set Password=@long --sandbox");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(!shown.contains(&long), "{shown}");
    env.write("taken", "mine");
    let shown = env.run("rack params set Password= --password-out taken --sandbox");
    assert!(!shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(env.read("taken"), "mine");
    let shown = env.run("rack params set Password=@missing --sandbox");
    assert!(!shown.starts_with("exit 0\n"), "{shown}");
}

#[test]
fn a_rollback_leaves_the_old_password_and_exit_3() {
    let env = TestEnvironment::with_scenario("password/rollback");
    let line = "rack params set Password= InstanceType=t3.large --password-out new --sandbox";
    let shown = env.run(line);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(!shown.contains(OLD), "{shown}");
    assert!(!env.files().contains(&"new".to_owned()), "{shown}");
}
