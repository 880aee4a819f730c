//! `convox sandbox`, and the API of the rack in it.

use crate::environment::TestEnvironment;

#[test]
fn a_scenario_that_is_not_there_is_told() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("sandbox serve --port 0 --scenario none.yaml"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: cannot read none.yaml: No such file or directory (os error 2)
    hint: `convox sandbox scenarios` lists those that come along
    ");
}

#[test]
fn api_get_asks_the_api_of_the_sandboxs_rack() {
    let env = TestEnvironment::new();
    let shown = env.run("api get /system --sandbox");
    assert!(
        shown.contains("    \"InstanceType\": \"t3.small\",\n"),
        "{shown}"
    );
    assert!(shown.contains("    \"Password\": \"****\",\n"), "{shown}");
    let line = "api get /system?x=y --via sandbox -r prod --output json";
    let told = env.command(line).output().unwrap();
    let system: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(system["status"], "running");
    insta::assert_snapshot!(env.run("api get /auth --sandbox"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: the rack answers GET /auth with text that is not JSON
    hint: in the sandbox, the API of a rack answers /system
    ");
    insta::assert_snapshot!(env.run("api get /instances --sandbox"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: response status 404
    hint: in the sandbox, the API of a rack answers /system
    ");
    insta::assert_snapshot!(env.run("api get /system --sandbox -r other"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: 503 Service Unavailable
    hint: `convox --sandbox racks` lists the racks and their status
    ");
    insta::assert_snapshot!(env.run(&["api", "get", "/a b", "--sandbox"]), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `/a b` is no path
    hint: percent-encode what is no letter
    ");
}

#[test]
fn the_scenarios_that_come_along_are_data_too() {
    let env = TestEnvironment::new();
    let listed = env.run("sandbox scenarios --output json");
    let lines = listed
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('{'));
    let all: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = all.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"success"), "{names:?}");
    assert!(
        all.iter()
            .all(|it| !it["about"].as_str().unwrap().is_empty())
    );
}
