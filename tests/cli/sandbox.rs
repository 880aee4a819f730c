//! `convox sandbox`.

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
