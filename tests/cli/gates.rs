//! Gates of `convox instances keyroll`: real commands, in a roll of the sandbox.

use crate::environment::TestEnvironment;

fn keyroll(env: &TestEnvironment, more: &[&str]) -> String {
    let mut line = vec!["--sandbox", "instances", "keyroll"];
    line.extend(more);
    let line: Vec<String> = line.into_iter().map(str::to_owned).collect();
    let output = env.command("").args(line).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    format!(
        "exit {code}\n{}{}",
        text(output.stdout),
        text(output.stderr)
    )
}

#[test]
fn a_command_that_exits_with_anything_but_0_takes_the_roll_back() {
    let env = TestEnvironment::new();
    let gate = "echo checking $CONVOX_STAGE of $CONVOX_RACK; exit 4";
    let shown = keyroll(&env, &["--gate", gate]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("gate: checking canary of prod"), "{shown}");
    assert!(shown.contains("the gate exited with 4"), "{shown}");
    assert!(shown.contains("the old key still works"), "{shown}");
}

#[test]
fn a_command_that_exits_with_0_lets_the_roll_end_and_sees_all_stages() {
    let env = TestEnvironment::new();
    let gate = "echo $CONVOX_STAGE $CONVOX_REPLACED/$CONVOX_TOTAL >> stages";
    let shown = keyroll(&env, &["--gate", gate]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let stages = env.read("stages");
    assert!(stages.starts_with("canary 1/3\n"), "{stages}");
    assert!(stages.ends_with("last 3/3\n"), "{stages}");
}

#[test]
fn a_command_whose_time_is_up_is_ended_where_there_is_no_program_to_kill_it() {
    let env = TestEnvironment::new();
    // Ends by itself, much later than its time is up.
    let gate = "i=0; while [ $i -lt 30000000 ]; do i=$((i+1)); done; echo survived > survived";
    let mut command = env.command("");
    command.args(["--sandbox", "instances", "keyroll", "--gate", gate]);
    command
        .args(["--gate-timeout", "1s"])
        .env("PATH", "/nowhere");
    let output = command.output().unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(shown.contains("the gate took longer than 1 s"), "{shown}");
    assert!(!env.path("survived").exists(), "it was waited for");
}

#[test]
fn what_contradicts_itself_is_told_before_anything_is_asked() {
    let env = TestEnvironment::new();
    for (words, said) in [
        (
            vec!["--checkpoints", "10,50"],
            "`--strategy refresh` asks for one",
        ),
        (
            vec!["--strategy", "refresh", "--checkpoints", "50,10"],
            "checkpoints must go up",
        ),
        (
            vec![
                "--strategy",
                "refresh",
                "--min-healthy",
                "10",
                "--max-healthy",
                "150",
            ],
            "more than 100 apart",
        ),
        (vec!["--gate-timeout", "5m"], "--gate"),
        (
            vec!["--strategy", "surge", "--gate", "true"],
            "there are no batches to ask a gate between",
        ),
        (
            vec!["--strategy", "surge", "--surge", "1", "--gate", "true"],
            "nothing would hold these while a gate is asked",
        ),
        (vec!["--strategy", "surge", "--detach"], "it cannot be left"),
    ] {
        let shown = keyroll(&env, &words);
        assert!(shown.starts_with("exit 2\n"), "{shown}");
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[test]
fn a_plan_names_its_gates_and_an_alarm_that_is_not_there_is_refused() {
    let env = TestEnvironment::new();
    let shown = keyroll(
        &env,
        &["--plan", "--gate", "./smoke", "--gate-timeout", "90s"],
    );
    assert!(
        shown.contains("`./smoke` exits with 0 within 90 s"),
        "{shown}"
    );
    assert!(
        shown.contains("CloudFormation goes on with Instances"),
        "{shown}"
    );
    let shown = keyroll(&env, &["--alarm", "5xx"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("there is no alarm 5xx"), "{shown}");
}
