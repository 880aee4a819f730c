//! `convox rehearse`, on the account that a first run finds.

use serde_json::Value;

use crate::environment::TestEnvironment;

/// A rack whose updates wait less for signals than any instance takes to boot.
const HASTY: &str = "rack: { pause: 20s }";

fn forecast(env: &TestEnvironment, flags: &str) -> Value {
    let shown = env.run(&*format!("rehearse --output json {flags}"));
    let mut lines = shown.lines().filter(|line| line.starts_with('{'));
    let line: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(line["type"], "rehearsed", "{shown}");
    line["data"].clone()
}

#[test]
fn a_first_run_can_be_rehearsed() {
    let env = TestEnvironment::new();
    let shown = env.run("--sandbox rehearse --runs 3 --plot plot.svg --fail-on downtime");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    for words in [
        "exit 0\n--- stdout\nNobody goes down\n",
        "Rack prod, 3 rehearsals, seed 1\n",
        "A roll takes ",
        "\nprod-mailer ",
        "Instances in service\n",
        "What would change it, by the same rehearsals\n",
        "as it is ",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(env.read("plot.svg").starts_with("<svg xmlns="));
}

#[test]
fn what_would_roll_back_is_told_and_can_be_failed_on() {
    let env = TestEnvironment::with_faults(HASTY);
    let shown = env.run("rehearse --runs 3 --no-advice --fail-on rollback");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(
        shown.contains("ERROR: the roll might not end well"),
        "{shown}"
    );
    assert!(shown.contains("100% rolled back: Instances: "), "{shown}");

    let data = forecast(&env, "--runs 4 --fail-on rollback --fail-on downtime");
    assert_eq!(data["failed_on"], serde_json::json!(["rollback"]));
    assert_eq!(data["forecast"]["outcomes"]["rolled_back"], 4, "{data}");
    let changes = data["advice"]["changes"].as_array().unwrap();
    let pause = changes.iter().find(|it| it["code"] == "pause").unwrap();
    assert_eq!(pause["effects"]["fails"], 0.0, "{pause}");
    assert_eq!(data["advice"]["now"]["fails"], 1.0);
}

/// A rack whose instances all go at once and are back after longer than draining waits.
const LONE: &str = "rack: { batch: 3, min_in_service: 0, pause: 20m, \
                    pace: { boot_ms: [600000, 610000] }, \
                    services: [{ name: lone, processes: 1 }] }";

#[test]
fn who_goes_down_is_named_first_and_where_it_is_failed_on() {
    let env = TestEnvironment::with_faults(LONE);
    let line = "rehearse --runs 3 --no-advice --fail-on downtime --fail-on below-minimum";
    let shown = env.run(line);
    assert!(shown.starts_with("exit 1\n--- stdout\nDown: "), "{shown}");
    for words in [
        "prod-lone (in all of 3: over 37%)",
        "ERROR: a service would be down: ",
        "ERROR: a service would be below its minimum: ",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let json = env.run(&*format!("{line} --output json"));
    assert!(
        json.contains(r#""failed_on":["downtime","below-minimum"]"#),
        "{json}"
    );
}

#[test]
fn what_nobody_knows_does_not_pass_for_no_downtime() {
    let denied = "faults: [{ deny: { api: \"ecs:ListTasks\" } }]";
    let env = TestEnvironment::with_faults(denied);
    let line = "rehearse --runs 2 --no-advice --fail-on downtime";
    let shown = env.run(line);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    for words in [
        "Nobody goes down in what is rehearsed; see what is assumed",
        "ERROR: whether a service would be down is not known",
        "could not be read as a whole: its tasks",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let json = env.run(&*format!("{line} --output json"));
    assert!(json.contains(r#""is_known":false"#), "{json}");
    assert!(json.contains(r#""failed_on":["downtime"]"#), "{json}");
}

#[test]
fn a_plot_that_cannot_be_written_is_an_error_before_anything_is_asked() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--sandbox rehearse --plot no/such/plot.svg"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: cannot write no/such/plot.svg: No such file or directory (os error 2)
    hint: `--plot` takes the name of a file that can be written
    ");
}
