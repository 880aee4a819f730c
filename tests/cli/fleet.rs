//! `convox instances keyroll --racks`.

use crate::environment::TestEnvironment;

/// Three racks of two instances, and faults.
fn racks(faults: &str) -> TestEnvironment {
    TestEnvironment::with_faults(&format!(
        "rack: {{ instances: 2, services: [] }}\nracks:\n  - {{ name: prod-eu }}\n  - {{ name: \
         prod-us }}\n  - {{ name: staging }}\n{faults}"
    ))
}

/// The lines of stderr that are not of one rack alone.
fn of_all(shown: &str) -> String {
    let is_of_one = |line: &str| {
        let racks = ["prod-eu: ", "prod-us: ", "staging: "];
        line.starts_with("HH:MM:SS") && racks.iter().any(|rack| line.contains(rack))
    };
    let lines = shown.lines().filter(|line| !is_of_one(line));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn racks_are_rolled_wave_by_wave_and_a_table_says_how_each_ended() {
    let env = racks("");
    let shown = env.run("instances keyroll --racks staging --racks prod-* --canary-rack prod-us");
    let lines = shown
        .lines()
        .filter(|line| line.starts_with("HH:MM:SS prod-eu: plan"));
    assert_eq!(lines.count(), 1, "{shown}");
    insta::assert_snapshot!(of_all(&shown), @"");
}

#[test]
fn a_list_says_what_the_flags_could() {
    let env = racks("faults:\n  - signals: { rack: prod-eu, key: new, fate: failure }\n");
    env.write(
        "racks.yaml",
        "canary: staging\nconcurrency: 1\nstop_after: 1\nracks: [staging, prod-*]\n",
    );
    let shown = env.run("instances keyroll --racks-file racks.yaml --report report.json");
    insta::assert_snapshot!(of_all(&shown), @"");
    let report: serde_json::Value = serde_json::from_str(&env.read("report.json")).unwrap();
    assert_eq!(report["exit_code"], 3);
    let of = |place: usize| &report["racks"][place];
    assert_eq!(
        (&of(0)["rack"], &of(0)["outcome"]),
        (&"staging".into(), &"done".into())
    );
    assert_eq!(of(1)["first_failure"]["logical_id"], "Instances");
    assert_eq!(
        (&of(2)["state"], &of(2)["roll"]),
        (&"waiting".into(), &serde_json::Value::Null)
    );
}

#[test]
fn as_json_every_line_says_which_rack_it_is_about_and_the_last_is_the_report() {
    let env = racks("");
    let shown = env.run("instances keyroll --racks prod-* --output json");
    let lines: Vec<serde_json::Value> = shown
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of_rack = |rack: &str, kind: &str| {
        let of = lines
            .iter()
            .filter(|it| it["rack"] == rack && it["type"] == kind);
        of.count()
    };
    for rack in ["prod-eu", "prod-us"] {
        assert_eq!(of_rack(rack, "planned"), 1, "{shown}");
        assert_eq!(of_rack(rack, "finished"), 1, "{shown}");
    }
    let last = lines.last().unwrap();
    assert_eq!(last["type"], "fleet_finished");
    assert_eq!(last["data"]["racks"].as_array().map(Vec::len), Some(2));
    assert_eq!(lines[0]["type"], "fleet_began");
}

#[test]
fn the_plans_of_all_racks_are_shown_and_nothing_is_done() {
    let env = racks("");
    insta::assert_snapshot!(env.run("instances keyroll --racks * --canary-rack staging --plan"), @"");
    let plans = env.run("instances keyroll --racks * --plan --output json");
    assert_eq!(plans.matches("\"type\":\"planned\"").count(), 3, "{plans}");
    let left = env.files();
    assert!(!left.iter().any(|file| file.contains("fleets")), "{left:?}");
}

#[test]
fn what_is_not_there_is_told_before_anything_begins() {
    let env = racks("");
    insta::assert_snapshot!(env.run("instances keyroll --racks prod-eu,prod-uss,test-*"), @"");
    insta::assert_snapshot!(env.run("instances keyroll --racks prod-* --canary-rack canary"), @"");
    env.write(
        "racks.yaml",
        "racks:\n  - prod-eu\n  - { name: prod-us, regoin: eu-west-1 }\n",
    );
    insta::assert_snapshot!(env.run("instances keyroll --racks-file racks.yaml"), @"");
    insta::assert_snapshot!(env.run("instances keyroll --racks-file none.yaml"), @"");
    let left = env.files();
    assert!(!left.iter().any(|file| file.contains("rolls")), "{left:?}");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let env = racks("");
    for (line, wrong) in [
        ("--racks prod-* --rack prod-eu", "cannot be used with"),
        ("--racks prod-* --detach", "cannot be used with"),
        ("--racks prod-* --racks-file x", "cannot be used with"),
        (
            "--concurrency 2",
            "--concurrency is for a roll of many racks",
        ),
        ("--racks prod-* --concurrency 0", "0 is not in 1.."),
        (
            "--racks prod-* --report none/report.json",
            "no report can be written",
        ),
    ] {
        let shown = env.run(&format!("instances keyroll {line}"));
        assert!(shown.starts_with("exit 2\n"), "{line}: {shown}");
        assert!(shown.contains(wrong), "{line}: {shown}");
    }
}
