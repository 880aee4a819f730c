//! Secrets that are given on the command line.

use crate::environment::TestEnvironment;

/// What the template does not echo is not shown, and cannot be given any other way than this.
#[test]
fn a_secret_on_the_command_line_is_warned_of() {
    let plain = include_str!("../../fixtures/rack.yaml");
    let bid = "  SpotInstanceBid:\n    Type: String\n";
    assert!(plain.contains(bid));
    let secret = plain.replacen(bid, &format!("{bid}    NoEcho: true\n"), 1);
    let env = TestEnvironment::with_faults("template: secret.yaml");
    env.write("secret.yaml", &secret);
    insta::assert_snapshot!(env.run("rack params set SpotInstanceBid=@hunter2 ApiCpu=256"), @r"
    exit 0
    --- stdout
    Updating parameters... OK
    --- stderr
    WARNING: SpotInstanceBid is secret, and its value is on the command line, where other users of this machine and the shell's history see it
    ");
    let planned = env.run("rack params set SpotInstanceBid=@hunter2 --plan");
    assert!(
        planned.contains("SpotInstanceBid  ****  ****\n"),
        "{planned}"
    );
    assert!(
        planned.contains("WARNING: SpotInstanceBid is secret"),
        "{planned}"
    );
    assert!(!planned.contains("hunter2"), "{planned}");
    // Nothing is no secret.
    let emptied = env.run("rack params set SpotInstanceBid= ApiCpu=256");
    assert!(!emptied.contains("WARNING"), "{emptied}");
}
