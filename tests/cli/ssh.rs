//! `convox instances ssh` as far as it goes without an SSH server: see `tests/ssh` for the rest.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use regex::Regex;

use crate::environment::TestEnvironment;

/// The instances of the sandbox that the seed makes.
const FIRST: &str = "i-075e923be72ddbe94";

/// A machine whose `ssh` is this script.
fn with_ssh(script: &str) -> TestEnvironment {
    let env = TestEnvironment::new();
    env.write("bin/ssh", script);
    let program = env.path("bin/ssh");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let bin = env.path("bin").to_str().unwrap().to_owned();
    let path = format!("{bin}:/usr/bin:/bin");
    let home = env.path("").to_str().unwrap().to_owned();
    env.env("PATH", &path).env("XDG_RUNTIME_DIR", &home)
}

#[test]
fn ssh_is_told_what_must_hold() {
    let env = with_ssh("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 42\n");
    let line = "--sandbox instances ssh -J a,b 10.0.3.4 echo -- -n";
    let output = env.command(line).output().unwrap();
    assert_eq!(output.status.code(), Some(42));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).unwrap();
    let home = env
        .path("")
        .to_str()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let text = text.replace(&home, "$HOME");
    let text = Regex::new("convox-[0-9a-f]{16}")
        .unwrap()
        .replace_all(&text, "convox-RANDOM");
    let told: Vec<&str> = text.lines().filter(|line| *line != "-o").collect();
    let state = "$HOME/.local/state/convox/sandbox";
    assert_eq!(
        told,
        [
            "IdentityAgent=\"$HOME/convox-RANDOM/agent\"",
            "IdentityFile=\"$HOME/convox-RANDOM/agent.pub\"",
            "IdentitiesOnly=yes",
            "ForwardAgent=no",
            &format!("HostKeyAlias={FIRST}"),
            &format!("UserKnownHostsFile=\"{state}/known_hosts/prod\""),
            "StrictHostKeyChecking=yes",
            "HashKnownHosts=no",
            "CheckHostIP=no",
            "ConnectTimeout=5",
            "-l",
            "ec2-user",
            "-J",
            "a,b",
            "--",
            "10.0.3.4",
            "echo",
            "-n",
        ]
    );
    let known = env.read(".local/state/convox/sandbox/known_hosts/prod");
    assert!(
        known.starts_with(&format!("{FIRST} ssh-ed25519 AAAA")),
        "{known}"
    );
    assert!(known.ends_with(" console\n"), "{known}");
    let left = env.files();
    assert!(
        left.iter().all(|file| !file.starts_with("convox-")),
        "{left:?}"
    );
}

#[test]
fn an_error_of_sshs_own_is_explained() {
    let env = with_ssh("#!/bin/sh\necho 'ssh: connect to host: timed out' >&2\nexit 255\n");
    insta::assert_snapshot!(env.run("--sandbox instances ssh 10.0.1.4 true"), @r"
    exit 255
    --- stdout
    --- stderr
    ssh: connect to host: timed out
    ERROR: ssh did not get in touch with i-00000000000000000 at 10.0.1.4
    hint: instances of the sandbox are no machines; an ssh_config can lead their addresses to one
    ");
}

#[test]
fn an_instance_that_is_not_there_or_not_the_only_one() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox instances ssh nosuch"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: instance not found: nosuch
    hint: `convox instances` lists them
    ");
    insta::assert_snapshot!(env.run("--sandbox instances ssh prod"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: `prod` may be any of 3 instances
    hint: say which: i-00000000000000000 (prod, 10.0.3.4), i-00000000000000000 (prod, 10.0.2.4), i-00000000000000000 (prod, 10.0.1.4)
    ");
}

#[test]
fn a_machine_without_ssh() {
    let env = TestEnvironment::new().env("PATH", "/nonexistent");
    insta::assert_snapshot!(env.run("--sandbox instances ssh 10.0.1.4"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: there is no `ssh` program on this machine
    hint: install OpenSSH's client
    ");
}

#[test]
fn a_wrong_command_line() {
    let env = TestEnvironment::new();
    let lines = [
        "--sandbox instances ssh",
        "--sandbox instances ssh --all",
        "--sandbox instances ssh --all --tty -- true",
        "--sandbox instances ssh i-1 --output json",
        "--sandbox instances ssh --all --parallel 0 -- true",
    ];
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            let said = env.run(*line);
            let (_, said) = said.split_once("--- stderr\n").unwrap();
            said.lines().next().unwrap().to_owned()
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    ERROR: missing <INSTANCE>
    ERROR: missing the command that all are to run
    ERROR: `--all` and `--tty` do not go together
    ERROR: missing --all
    ERROR: `0` is not a value of `--parallel <N>`: 0 is not in 1..=65535
    ");
}
