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
    insta::assert_snapshot!(env.run("switch --output json"), @r#"
    exit 0
    --- stdout
    {"rack":"acme/dev"}
    --- stderr
    "#);
    insta::assert_snapshot!(env.run("switch acme/dev --tls-ca ca.pem --output json"), @r#"
    exit 0
    --- stdout
    {"host":"HOST","rack":"acme/dev"}
    --- stderr
    "#);
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

#[test]
fn a_rack_in_aws_is_chosen_by_the_configuration() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("switch dev"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: `switch` chooses among logins and the racks of a console, and dev is none of them
    hint: for a rack in AWS, write `rack: dev` into $HOME/.config/convox/config.yaml, or set CONVOX_RACK=dev
    ");
    env.write(
        ".config/convox/config.yaml",
        "rack: shop # ours\nracks: { shop: { stack: shop-production }, site: {} }\n",
    );
    insta::assert_snapshot!(env.run("switch"), @r"
    exit 0
    --- stdout
    shop
    --- stderr
    ");
    insta::assert_snapshot!(env.run("switch site"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: `switch` leaves config.yaml, which describes site, to you
    hint: for a rack in AWS, write `rack: site` into $HOME/.config/convox/config.yaml, or set CONVOX_RACK=site
    ");
    insta::assert_snapshot!(env.run("switch shp"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: `switch` chooses among logins and the racks of a console, and shp is none of them
    hint: did you mean shop?
    hint: for a rack in AWS, write `rack: shp` into $HOME/.config/convox/config.yaml, or set CONVOX_RACK=shp
    ");
    insta::assert_snapshot!(env.run("switch prod --sandbox"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: `switch` chooses among logins and the racks of a console
    hint: in the sandbox, name a rack with `-r prod`
    ");
    // And what the hints say does it.
    let rack = |env: &TestEnvironment| env.explain("rack --explain");
    assert!(rack(&env).contains("\nrack  shop  config.yaml: rack\n"));
    let env = env.env("CONVOX_RACK", "site");
    assert!(rack(&env).contains("\nrack  site  environment CONVOX_RACK\n"));
    assert!(rack(&env).contains("\nvia  aws "));
}

#[test]
fn a_rack_of_the_configuration_is_named_while_a_login_is_chosen() {
    let server = Server::start("secret", RACKS);
    let env = logged_in(&server);
    let config = "racks: { shop: { stack: shop-production }, prod: {} }\n";
    env.write(".config/convox/config.yaml", config);
    insta::assert_snapshot!(env.run("switch shop --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: config.yaml describes shop, and `switch` chooses at HOST
    hint: name it with `-r shop`, or set CONVOX_RACK=shop
    ");
    // The console has one of that name too, and it is the console's that are switched between.
    let switched = env.run("switch prod --tls-ca ca.pem");
    assert!(switched.contains("Switched to acme/prod\n"), "{switched}");
    let env = env.env("CONVOX_RACK", "shop");
    assert!(env.explain("rack --explain").contains("\nvia  aws "));
}

/// A console of version 3, with the files of its command line on the machine.
fn third(server: &Server) -> TestEnvironment {
    let env = server.environment();
    let auth = format!("{{\n  \"{}\": \"secret\"\n}}", server.host);
    env.write(".config/convox/auth", &auth);
    env.write(".config/convox/console", &server.host);
    env
}

const CONSOLE: &[Answer] = &[RACKS[0], ONE_RACK[0]];

#[test]
fn version_three_names_a_rack_without_its_organization() {
    let server = Server::start("secret", CONSOLE);
    let env = third(&server);
    let shown = env.run("rack -r dev --tls-ca ca.pem");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let asked = [
        "GET /racks? convox:secret",
        "GET /system? convox:secret rack=acme/dev",
    ];
    assert_eq!(server.seen(), asked);
    insta::assert_snapshot!(env.run("rack -r de --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: could not find rack: de
    hint: `convox racks` lists them
    ");
    assert_eq!(server.seen(), asked[..1]);
    // Whole names, and what was switched to, are taken as they are.
    let _ = env.run("rack -r acme/prod --tls-ca ca.pem");
    let _ = env.run("switch acme/prod --tls-ca ca.pem");
    let _ = env.run("rack --tls-ca ca.pem");
    let asked = [
        "GET /system? convox:secret rack=acme/prod",
        "GET /racks? convox:secret",
        "GET /system? convox:secret rack=acme/prod",
    ];
    assert_eq!(server.seen(), asked);
    let env = env.env("CONVOX_RACK", "dev");
    let _ = env.run("rack --tls-ca ca.pem");
    assert!(server.seen()[1].ends_with(" rack=acme/dev"));
}

#[test]
fn a_name_that_several_organizations_have_is_no_rack() {
    const TWO: &[Answer] = &[(
        "/racks",
        200,
        "application/json",
        r#"[{"name":"prod","organization":{"name":"acme"},"status":"running"},
            {"name":"prod","organization":{"name":"other"},"status":"running"}]"#,
    )];
    let server = Server::start("secret", TWO);
    insta::assert_snapshot!(third(&server).run("instances keyroll -r prod --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: ambiguous rack name: prod
    hint: it is a part of acme/prod, other/prod
    ");
    assert_eq!(server.seen(), ["GET /racks? convox:secret"]);
}

#[test]
fn a_rack_itself_is_sent_the_name_as_it_is() {
    let server = Server::start("secret", ONE_RACK);
    let env = third(&server);
    let shown = env.run("rack -r dev --tls-ca ca.pem");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(server.seen()[1], "GET /system? convox:secret rack=dev");
    // So is every name where the files are those of version 2.
    let env = logged_in(&server);
    let _ = env.run("rack -r dev --tls-ca ca.pem");
    assert_eq!(server.seen(), ["GET /system? convox:secret rack=dev"]);
}
