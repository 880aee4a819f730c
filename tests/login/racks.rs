//! `racks` and `switch`.

use crate::environment::TestEnvironment;
use crate::server::{Answer, Server};

const RACKS: &[Answer] = &[(
    "/racks",
    200,
    "application/json",
    r#"[{"name":"dev","organization":{"name":"acme"},"status":"running"},
        {"name":"dev-eu","organization":{"name":"acme"},"status":"updating"},
        {"name":"prod","organization":{"name":"acme"},"status":"running"}]"#,
)];

const ONE_RACK: &[Answer] = &[(
    "/system",
    200,
    "application/json",
    r#"{"name":"prod","status":"running","version":"20260101000000"}"#,
)];

fn logged_in(server: &Server) -> TestEnvironment {
    let env = server.environment();
    let auth = format!("{{\n  \"{}\": \"secret\"\n}}", server.host);
    env.write(".config/convox2/auth", &auth);
    env.write(".config/convox2/host", &server.host);
    env
}

#[test]
fn a_console_is_listed_in_the_classics_columns() {
    let server = Server::start("secret", RACKS);
    let env = logged_in(&server);
    insta::assert_snapshot!(env.run("racks --tls-ca ca.pem"), @r"
    exit 0
    --- stdout
    NAME         STATUS
    acme/dev     running
    acme/dev-eu  updating
    acme/prod    running
    --- stderr
    ");
    assert_eq!(server.seen(), ["GET /racks? convox:secret"]);
    insta::assert_snapshot!(env.run("racks --tls-ca ca.pem --output json"), @r#"
    exit 0
    --- stdout
    {"name":"acme/dev","status":"running","via":"api","place":"HOST"}
    {"name":"acme/dev-eu","status":"updating","via":"api","place":"HOST"}
    {"name":"acme/prod","status":"running","via":"api","place":"HOST"}
    --- stderr
    "#);
}

#[test]
fn a_rack_that_is_no_console_is_the_only_one() {
    let server = Server::start("secret", ONE_RACK);
    let env = logged_in(&server);
    insta::assert_snapshot!(env.run("racks --tls-ca ca.pem"), @r"
    exit 0
    --- stdout
    NAME  STATUS
    prod  running
    --- stderr
    ");
}

#[test]
fn errors_are_shown_and_hide_no_other_place() {
    let server = Server::start("another", RACKS);
    let env = logged_in(&server);
    let reset = env.run("--sandbox sandbox reset");
    assert!(reset.starts_with("exit 0\n"), "{reset}");
    insta::assert_snapshot!(env.run("racks --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    NAME  STATUS
    --- stderr
    ERROR: HOST: invalid authentication
    hint: `convox login HOST` stores another password, if this one is outdated
    ");
    env.write(".local/state/convox/sandbox/world.json", "{}");
    insta::assert_snapshot!(env.run("racks --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    NAME  STATUS  VIA
    --- stderr
    ERROR: HOST: invalid authentication
    hint: `convox login HOST` stores another password, if this one is outdated
    ERROR: $HOME/.local/state/convox/sandbox/world.json is damaged: missing field `version` at line 1 column 2
    hint: `convox sandbox reset` starts the account afresh
    ");
    server.accept(&["secret"]);
    insta::assert_snapshot!(env.run("racks --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    NAME         STATUS    VIA
    acme/dev     running   api HOST
    acme/dev-eu  updating  api HOST
    acme/prod    running   api HOST
    --- stderr
    ERROR: $HOME/.local/state/convox/sandbox/world.json is damaged: missing field `version` at line 1 column 2
    hint: `convox sandbox reset` starts the account afresh
    ");
    insta::assert_snapshot!(env.run("racks --via sandbox"), @r"
    exit 0
    --- stdout
    NAME  STATUS   VIA
    prod  running  sandbox
    --- stderr
    ");
    insta::assert_snapshot!(env.run("racks --via api"), @r"
    exit 1
    --- stdout
    NAME  STATUS
    --- stderr
    ERROR: cannot verify the certificate of HOST: no authority that this machine knows has signed it
    hint: if the fingerprint FINGERPRINT is the rack's, `convox login HOST --tls-fingerprint FINGERPRINT` trusts it from then on; --tls-ca FILE trusts an authority
    ");
}

#[test]
fn html_in_place_of_json_is_told() {
    let page = "<html><body>Sign in</body></html>";
    let server = Server::start("secret", &[("/racks", 200, "text/html", page)]);
    let env = logged_in(&server);
    insta::assert_snapshot!(env.run("racks --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    NAME  STATUS
    --- stderr
    ERROR: HOST answers GET /racks with a web page
    hint: is that the address of a rack or a console, and does a proxy answer for it?
    ");
}

#[test]
fn a_switch_finds_a_rack_by_its_name_or_by_a_part_of_it() {
    let server = Server::start("secret", RACKS);
    let env = logged_in(&server);
    insta::assert_snapshot!(env.run("switch"), @r"
    exit 0
    --- stdout

    --- stderr
    ");
    insta::assert_snapshot!(env.run("switch acme/dev --tls-ca ca.pem"), @r"
    exit 0
    --- stdout
    Switched to acme/dev
    --- stderr
    ");
    insta::assert_snapshot!(env.left(".config/convox2/racks"), @r#"
    {
      "HOST": "acme/dev"
    }
    "#);
    insta::assert_snapshot!(env.run("switch"), @r"
    exit 0
    --- stdout
    acme/dev
    --- stderr
    ");
    insta::assert_snapshot!(env.run("switch pro --tls-ca ca.pem"), @r"
    exit 0
    --- stdout
    Switched to acme/prod
    --- stderr
    ");
    insta::assert_snapshot!(env.run("switch dev --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: ambiguous rack name: dev
    hint: it is a part of acme/dev, acme/dev-eu
    ");
    insta::assert_snapshot!(env.run("switch stage --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: could not find rack: stage
    hint: `convox racks` lists them
    ");
    insta::assert_snapshot!(env.run("switch acme/prd --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: could not find rack: acme/prd
    hint: did you mean acme/prod or acme/dev or acme/dev-eu?
    ");
    insta::assert_snapshot!(env.run("switch"), @r"
    exit 0
    --- stdout
    acme/prod
    --- stderr
    ");
}

#[test]
fn a_switch_chooses_among_logins_too() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("switch dev"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: could not find rack: dev
    hint: `switch` chooses among the racks of a console: log in with `convox login`; for AWS, set `rack:` in config.yaml
    ");
    env.write(
        ".config/convox2/auth",
        "{\"a.example\": \"s\", \"b.example\": \"s\"}",
    );
    env.write(".config/convox2/host", "a.example");
    insta::assert_snapshot!(env.run("switch b.example"), @r"
    exit 0
    --- stdout
    Switched to b.example
    --- stderr
    ");
    assert_eq!(env.left(".config/convox2/host"), "b.example");
}

#[test]
fn version_three_keeps_its_own_form() {
    let server = Server::start("secret", RACKS);
    let env = server.environment();
    let auth = format!("{{\n  \"{}\": \"secret\"\n}}", server.host);
    env.write(".config/convox/auth", &auth);
    env.write(".config/convox/console", &server.host);
    insta::assert_snapshot!(env.run("switch prod --tls-ca ca.pem"), @r"
    exit 0
    --- stdout
    Switched to acme/prod
    --- stderr
    ");
    insta::assert_snapshot!(env.left(".config/convox/current"), @r#"{"name":"acme/prod","type":"console"}"#);
    insta::assert_snapshot!(env.run("switch"), @r"
    exit 0
    --- stdout
    acme/prod
    --- stderr
    ");
}
