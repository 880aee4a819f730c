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

    let data = forecast(&env, "--runs 4");
    assert_eq!(data["forecast"]["outcomes"]["rolled_back"], 4, "{data}");
    let changes = data["advice"]["changes"].as_array().unwrap();
    let pause = changes.iter().find(|it| it["code"] == "pause").unwrap();
    assert_eq!(pause["effects"]["fails"], 0.0, "{pause}");
    assert_eq!(data["advice"]["now"]["fails"], 1.0);
}
