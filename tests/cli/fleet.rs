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
    let text: String = lines.map(|line| format!("{}\n", line.trim_end())).collect();
    let spans = regex::Regex::new(r"\b\d+m \d+s\b").unwrap();
    spans.replace_all(&text, "SPAN").into_owned()
}

#[test]
fn racks_are_rolled_wave_by_wave_and_a_table_says_how_each_ended() {
    let env = racks("");
    let shown = env.run("instances keyroll --racks staging --racks prod-* --canary-rack prod-us");
    let lines = shown
        .lines()
        .filter(|line| line.starts_with("HH:MM:SS prod-eu: plan"));
    assert_eq!(lines.count(), 1, "{shown}");
    insta::assert_snapshot!(of_all(&shown), @r"
    exit 0
    --- stdout
    WAVE    RACK     OUTCOME  TOOK    ROLL              WHAT
    canary  prod-us  done     SPAN  ROLL  prod-us-keypair-ROLL
    1       staging  done     SPAN  ROLL  staging-keypair-ROLL
    2       prod-eu  done     SPAN  ROLL  prod-eu-keypair-ROLL
    --- stderr
    fleet ROLL: 3 racks in 3 waves, 5 at once, prod-us first
    prod-us: done: 2 instances carry prod-us-keypair-ROLL
    staging: done: 2 instances carry staging-keypair-ROLL
    prod-eu: done: 2 instances carry prod-eu-keypair-ROLL
    3 of 3 racks carry their new key
    ");
}

#[test]
fn a_list_says_what_the_flags_could() {
    let env = racks("faults:\n  - signals: { rack: prod-eu, key: new, fate: failure }\n");
    env.write(
        "racks.yaml",
        "canary: staging\nconcurrency: 1\nstop_after: 1\nracks: [staging, prod-*]\n",
    );
    let shown = env.run("instances keyroll --racks-file racks.yaml --report report.json");
    insta::assert_snapshot!(of_all(&shown), @r"
    exit 3
    --- stdout
    WAVE    RACK     OUTCOME      TOOK    ROLL              WHAT
    canary  staging  done         SPAN  ROLL  staging-keypair-ROLL
    1       prod-eu  rolled back  SPAN  ROLL  the update was rolled back; the old key still works
    1       prod-us  not begun                              not begun
    --- stderr
    fleet ROLL: 3 racks in 2 waves, 1 at once, staging first
    staging: done: 2 instances carry staging-keypair-ROLL
    prod-eu: rolled back: the update was rolled back; the old key still works
    no more racks begin: prod-eu did not end well
    ERROR: 1 of 3 racks carry their new key, 1 did not end well, 1 did not begin: prod-eu did not end well
    hint: go on with all that are not done with `convox rolls resume ROLL --sandbox`
    ");
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
    let shown = env.run("instances keyroll --racks * --canary-rack staging --plan");
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    WAVE    RACK     INSTANCES  OLD KEY               WARNINGS
    canary  staging  2          staging-keypair-4711  2
    1       prod-eu  2          prod-eu-keypair-4711  2
    1       prod-us  2          prod-us-keypair-4711  2
    --- stderr
    ");
    let plans = env.run("instances keyroll --racks * --plan --output json");
    assert_eq!(plans.matches("\"type\":\"planned\"").count(), 3, "{plans}");
    let left = env.files();
    assert!(!left.iter().any(|file| file.contains("fleets")), "{left:?}");
}

#[test]
fn fleets_are_listed_below_rolls_and_keep_to_the_calls_that_were_asked_for() {
    let env = racks("faults:\n  - deny: { api: \"ec2:CreateKeyPair\" }\n");
    let rolled = env.run("instances keyroll --racks prod-* --concurrency 1 --calls-per-second 2");
    assert!(rolled.starts_with("exit 1\n"), "{rolled}");
    let files = env.files();
    let journal = files.iter().find(|file| file.contains("/fleets/")).unwrap();
    assert!(env.read(journal).contains("\"calls_per_second\":2"));
    insta::assert_snapshot!(env.run("rolls list --rack prod-eu"), @r"
    exit 0
    --- stdout
    ID  RACK  STARTED  STATE  OLD KEY  NEW KEY  JOURNAL

    FLEET             STARTED   RACKS  DONE  NOT WELL  STOPPED
    ROLL  just now  2      0     1         prod-eu did not end well
    --- stderr
    ");
    let told = env.run("rolls list --rack prod-eu --output json");
    let line = told.lines().find(|line| line.starts_with('{')).unwrap();
    let fleet: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&fleet["racks"], &fleet["done"]), (&2.into(), &0.into()));
}

#[test]
fn a_stack_that_is_reached_in_two_ways_is_in_the_fleet_once() {
    let env = racks("");
    // The region that the sandbox is in where none is said.
    for list in [
        "racks: [prod-eu, { name: prod-*, wave: 2, region: us-east-1 }]\ncanary: prod-eu\n",
        "racks: [{ name: prod-*, wave: 2, region: us-east-1 }]\ncanary: prod-eu\n",
        "racks: [{ name: prod-eu, canary: true }, { name: prod-*, wave: 2, region: us-east-1 }]\n",
    ] {
        env.write("racks.yaml", list);
        let shown = env.run("instances keyroll --racks-file racks.yaml --plan");
        assert!(shown.starts_with("exit 0\n"), "{list}: {shown}");
        let rows: Vec<Vec<&str>> = shown
            .lines()
            .filter(|line| line.contains("-keypair-"))
            .map(|line| line.split_whitespace().take(2).collect())
            .collect();
        assert_eq!(rows, [["canary", "prod-eu"], ["2", "prod-us"]], "{list}");
    }
}

#[test]
fn a_canary_is_where_the_pattern_of_a_list_finds_it() {
    let env = racks("");
    let list = "racks: [{ name: prod-*, region: eu-west-1 }]\ncanary: prod-eu\n";
    env.write("racks.yaml", list);
    let shown = env.run("instances keyroll --racks-file racks.yaml --output json");
    let began = shown.lines().find(|line| line.contains("fleet_began"));
    let began: serde_json::Value = serde_json::from_str(began.unwrap()).unwrap();
    let racks = began["data"]["plan"]["racks"].as_array().unwrap();
    let told: Vec<_> = racks
        .iter()
        .map(|rack| (rack["name"].as_str(), rack["home"]["region"].as_str()))
        .collect();
    let region = Some("eu-west-1");
    assert_eq!(told, [(Some("prod-eu"), region), (Some("prod-us"), region)]);
}

#[test]
fn racks_of_the_same_names_in_another_account_are_not_rolled_in_their_place() {
    let env = racks("faults:\n  - deny: { api: \"ec2:CreateKeyPair\" }\n");
    let shown = env.run("instances keyroll --racks prod-* --concurrency 1");
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    let files = env.files();
    let journal = files.iter().find(|file| file.contains("/fleets/")).unwrap();
    let (_, fleet) = journal.rsplit_once('/').unwrap();
    let fleet = fleet.strip_suffix(".jsonl").unwrap();
    // As if it had been begun with other credentials.
    let kept = env.read(journal);
    assert!(kept.contains("\"account\":\"123456789012\""), "{kept}");
    env.write(journal, &kept.replace("123456789012", "210987654321"));
    let shown = env.run(&format!("rolls resume {fleet}"));
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    let why = "prod-eu is in account 210987654321 in us-east-1, and calls go to account \
               123456789012 in us-east-1";
    assert!(shown.contains(why), "{shown}");
    env.write(journal, &kept);
    let shown = env.run(&format!("rolls resume {fleet} --report again.json"));
    assert!(!shown.contains("calls go to"), "{shown}");
    let report: serde_json::Value = serde_json::from_str(&env.read("again.json")).unwrap();
    assert_eq!(report["racks"][0]["outcome"], "nothing_changed");
    let nowhere = env.run(&format!("rolls resume {fleet} --report none/again.json"));
    assert!(nowhere.starts_with("exit 2\n"), "{nowhere}");
}

#[test]
fn what_is_not_there_is_told_before_anything_begins() {
    let env = racks("");
    insta::assert_snapshot!(env.run("instances keyroll --racks prod-eu,prod-uss,test-*"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: no rack is called prod-uss, test-*
    hint: was prod-us, prod-eu meant? nothing has begun
    ");
    env.write(
        "racks.yaml",
        "racks:\n  - prod-eu\n  - { name: prod-us, regoin: eu-west-1 }\n",
    );
    for (line, exit, wrong) in [
        (
            "--racks prod-* --canary-rack canary",
            1,
            "no rack is called canary",
        ),
        (
            "--racks-file racks.yaml",
            2,
            "rack 2: unknown field `regoin`",
        ),
        ("--racks-file none.yaml", 2, "cannot read none.yaml"),
    ] {
        let shown = env.run(&format!("instances keyroll {line}"));
        assert!(
            shown.starts_with(&format!("exit {exit}\n")),
            "{line}: {shown}"
        );
        assert!(shown.contains(wrong), "{line}: {shown}");
        assert!(shown.contains("hint: "), "{line}: {shown}");
    }
    let left = env.files();
    assert!(!left.iter().any(|file| file.contains("rolls")), "{left:?}");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let env = racks("");
    for (line, wrong) in [
        ("--racks prod-* --rack prod-eu", "do not go together"),
        ("--racks prod-* --detach", "do not go together"),
        ("--racks prod-* --racks-file x", "do not go together"),
        (
            "--concurrency 2",
            "--concurrency is for a roll of many racks",
        ),
        ("--racks prod-* --concurrency 0", "0 is not in 1.."),
        ("--racks prod-* --racks ,", "names no rack"),
        (
            "--calls-per-second 2",
            "--calls-per-second is for a roll of many",
        ),
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
