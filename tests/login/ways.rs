//! Which way leads to a rack, and where every setting came from.

use crate::environment::TestEnvironment;
use crate::server::{Answer, Server};

const SYSTEM: &[Answer] = &[
    ("/auth", 200, "text/plain", "ok\n"),
    (
        "/system",
        200,
        "application/json",
        r#"{"name":"prod","provider":"aws","status":"running","version":"20260101000000"}"#,
    ),
];

#[test]
fn nothing_set_means_aws() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.explain("rack --explain"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  aws  no host is chosen
    rack  the only one there is  default
    --- stderr
    ");
}

#[test]
fn a_stored_login_goes_before_aws_and_a_described_rack_before_it() {
    let env = TestEnvironment::new();
    env.write(".config/convox2/auth", "{\"console.example\": \"hunter2\"}");
    env.write(".config/convox2/host", "console.example");
    env.write(
        ".config/convox2/racks",
        "{\"console.example\": \"acme/dev\"}",
    );
    env.write(
        ".config/convox/config.yaml",
        "defaults: {region: eu-west-1}\nracks:\n  shop: {stack: shop-production, ssh_user: ubuntu}\n",
    );
    insta::assert_snapshot!(env.explain("rack --explain"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  api  file $HOME/.config/convox2/host
    host  console.example  file $HOME/.config/convox2/host
    password  (set, not shown)  file $HOME/.config/convox2/auth
    rack  acme/dev  file $HOME/.config/convox2/racks
    files  $HOME/.config/convox2  the files that are there
    --- stderr
    ");
    insta::assert_snapshot!(env.explain("rack --explain -r shop"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  aws  config.yaml describes the rack
    rack  shop  flag --rack
    stack  shop-production  config.yaml: racks.shop.stack
    region  eu-west-1  config.yaml: defaults.region
    key parameter  Key  default
    key store  the rack's settings bucket  default
    ssh user  ubuntu  config.yaml: racks.shop.ssh_user
    --- stderr
    ");
    insta::assert_snapshot!(env.explain("rack --explain -r acme/prod"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  api  file $HOME/.config/convox2/host
    host  console.example  file $HOME/.config/convox2/host
    password  (set, not shown)  file $HOME/.config/convox2/auth
    rack  acme/prod  flag --rack
    files  $HOME/.config/convox2  the files that are there
    --- stderr
    ");
    insta::assert_snapshot!(env.explain("rack --explain --region us-east-1"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  aws  flag --region
    rack  shop  config.yaml: its only rack
    region  us-east-1  flag --region
    stack  shop-production  config.yaml: racks.shop.stack
    key parameter  Key  default
    key store  the rack's settings bucket  default
    ssh user  ubuntu  config.yaml: racks.shop.ssh_user
    --- stderr
    ");
    insta::assert_snapshot!(env.explain("rack --explain --via sandbox"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  sandbox  flag --via
    rack  the only one there is  default
    account  $HOME/.local/state/convox/sandbox  default
    --- stderr
    ");
    insta::assert_snapshot!(env.explain("rack --explain --sandbox --output json"), @r#"
    exit 0
    --- stdout
    {"name":"via","value":"sandbox","source":"flag --sandbox"}
    {"name":"rack","value":"the only one there is","source":"default"}
    {"name":"account","value":"$HOME/.local/state/convox/sandbox","source":"default"}
    --- stderr
    "#);
    let env = env
        .env("CONVOX_HOST", "rack.example")
        .env("CONVOX_PASSWORD", "hunter2");
    insta::assert_snapshot!(env.explain("rack --explain -r shop"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  api  environment CONVOX_HOST
    host  rack.example  environment CONVOX_HOST
    password  (set, not shown)  environment CONVOX_PASSWORD
    rack  shop  flag --rack
    files  $HOME/.config/convox2  the files that are there
    --- stderr
    ");
    insta::assert_snapshot!(env.explain("rack --explain -r shop --via aws"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  aws  flag --via
    rack  shop  flag --rack
    stack  shop-production  config.yaml: racks.shop.stack
    region  eu-west-1  config.yaml: defaults.region
    key parameter  Key  default
    key store  the rack's settings bucket  default
    ssh user  ubuntu  config.yaml: racks.shop.ssh_user
    --- stderr
    ");
    let env = env.env("RACK_URL", "https://jwt:hunter2@direct.example");
    insta::assert_snapshot!(env.explain("rack --explain"), @r"
    exit 0
    --- stdout
    SETTING  VALUE  FROM
    via  api  environment RACK_URL
    host  direct.example  environment RACK_URL
    password  (set, not shown)  environment RACK_URL
    --- stderr
    ");
}

#[test]
fn ways_that_contradict_each_other_are_refused() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("rack --via api --sandbox"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `--via api` and `--sandbox` do not go together
    hint: leave one of them out
    ");
    insta::assert_snapshot!(env.run("rack --via api --region us-east-1"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `--via api` and `--region <REGION>` do not go together
    hint: leave one of them out
    ");
    insta::assert_snapshot!(env.run("rack --via sandbox --profile x"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `--via sandbox` and `--profile <NAME>` do not go together
    hint: leave one of them out
    ");
    insta::assert_snapshot!(env.run("rack --via elsewhere"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `elsewhere` is not a value of `--via <WAY>`
    hint: it takes one of: aws, api, sandbox
    ");
    insta::assert_snapshot!(env.run("rack --via api"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: nothing says where the rack's API is
    hint: log in with `convox login HOST`, or set RACK_URL, or CONVOX_HOST and CONVOX_PASSWORD
    ");
    insta::assert_snapshot!(env.run("racks --via sandbox"), @r"
    exit 0
    --- stdout
    NAME  STATUS   VIA
    prod  running  sandbox
    --- stderr
    ");
    let env = env.env("CONVOX_HOST", "rack.example");
    insta::assert_snapshot!(env.run("rack"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: there is no password for rack.example
    hint: `convox login rack.example` stores one, or set CONVOX_PASSWORD
    ");
}

#[test]
fn the_environment_reaches_a_rack_without_any_file() {
    let server = Server::start("p@ss", SYSTEM);
    let env = server
        .environment()
        .env("CONVOX_HOST", &server.host)
        .env("CONVOX_PASSWORD", "p@ss")
        .env("CONVOX_RACK", "acme/prod");
    insta::assert_snapshot!(env.run("rack --tls-ca ca.pem"), @r"
    exit 0
    --- stdout
    Name      prod
    Provider  aws
    Status    running
    Version   20260101000000
    --- stderr
    ");
    assert_eq!(server.seen(), ["GET /system? convox:p@ss rack=acme/prod"]);
    let env = server
        .environment()
        .env("RACK_URL", &format!("https://jwt:p%40ss@{}", server.host));
    let _ = env.run("rack --tls-ca ca.pem");
    assert_eq!(server.seen(), ["GET /system? jwt:p@ss"]);
}

#[test]
fn a_login_survives_a_roll_whichever_password_the_rack_accepts() {
    let server = Server::start("old", SYSTEM);
    let env = server.environment();
    let host = &server.host;
    env.write(".config/convox2/auth", &format!("{{\"{host}\": \"old\"}}"));
    env.write(".config/convox2/host", host);
    let pending =
        format!("{{\"{host}\": {{\"password\": \"new\", \"roll\": \"01kb2q5z8g000001\"}}}}");
    env.write(".config/convox2/pending.json", &pending);
    let run = || {
        env.run("rack --tls-ca ca.pem")
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(run(), "exit 0");
    assert_eq!(env.left(".config/convox2/auth"), "{\"HOST\": \"old\"}");
    server.accept(&["new"]);
    assert_eq!(run(), "exit 0");
    assert_eq!(
        env.left(".config/convox2/auth"),
        "{\n  \"HOST\": \"new\"\n}"
    );
    insta::assert_snapshot!(env.left(".config/convox2/pending.json"), @r#"
    {
      "HOST": {
        "password": "new",
        "roll": "01kb2q5z8g000001",
        "previous": "old"
      }
    }
    "#);
    server.accept(&["old"]);
    insta::assert_snapshot!(env.run("rack --tls-ca ca.pem"), @r"
    exit 0
    --- stdout
    Name      prod
    Provider  aws
    Status    running
    Version   20260101000000
    --- stderr
    HOST accepts the other password of its roll
    ");
    assert_eq!(
        env.left(".config/convox2/auth"),
        "{\n  \"HOST\": \"old\"\n}"
    );
    server.accept(&["third"]);
    insta::assert_snapshot!(env.run("rack --tls-ca ca.pem"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: invalid authentication
    hint: `convox login HOST` stores another password, if this one is outdated
    ");
    assert_eq!(
        env.left(".config/convox2/auth"),
        "{\n  \"HOST\": \"old\"\n}"
    );
}
