//! Commands on a rack that is reached over its API, against a server that writes down what it
//! is sent.

use std::fs;
use std::net::TcpListener;

use super::environment::TestEnvironment;
use super::server::{Answer, Server, Step};

/// A machine on which `RACK_URL` leads to `server`, and ten seconds take a fifth of one.
pub(super) fn at(server: &Server) -> TestEnvironment {
    let url = server.url().replace("http://", "http://convox:hunter2@");
    TestEnvironment::in_real_time()
        .env("RACK_URL", &url)
        .env("CONVOX_TEST_SPEED", "50")
}

/// Runs a command, and takes the port out of what is seen.
pub(super) fn run(server: &Server, line: &str) -> String {
    let seen = at(server).run(line);
    assert!(!seen.contains("hunter2"), "{seen}");
    let seen = seen.replace(&server.address().to_string(), "HOST");
    let passed = regex::Regex::new(r"after \d+s\b").unwrap();
    passed.replace_all(&seen, "after SPAN").into_owned()
}

/// A rack that says these words about itself, one after the other, and the last one from then
/// on: `STATUS`, `STATUS=KEY`, or an HTTP status.
fn rack(words: &str) -> Server {
    rack_that_answers(words, Answer::ok("ok\n"))
}

fn rack_that_answers(words: &str, keyroll: Answer) -> Server {
    let mut words: Vec<_> = words.split(' ').map(str::to_owned).collect();
    words.reverse();
    Server::start(move |request| match request.what() {
        "GET /system?" => {
            let word = match words.len() {
                1 => words[0].clone(),
                _ => words.pop().unwrap(),
            };
            if let Ok(status) = word.parse() {
                return Answer::status(status, "invalid authentication\n");
            }
            let (status, key) = word.split_once('=').unwrap_or((&word, "old"));
            Answer::ok(&format!(
                r#"{{"name":"prod","status":"{status}","version":"20230403123456","parameters":{{"Key":"{key}"}}}}"#
            ))
        }
        "GET /system/logs" => {
            let lines = "2026-11-22T03:00:01Z system/cloudformation aws/cfm prod UPDATE_IN_PROGRESS Instances\n\
                         2026-11-22T03:00:02Z service/web hello\n";
            // It stays open until the client leaves.
            Answer::Socket(vec![Step::Text(lines.into()), Step::Await])
        }
        "POST /instances/keyroll?" => keyroll.clone(),
        _ => Answer::status(404, ""),
    })
}

fn asked_for_keyrolls(server: &Server) -> usize {
    let asked = server.asked();
    let keyrolls = asked
        .iter()
        .filter(|asked| *asked == "POST /instances/keyroll?");
    keyrolls.count()
}

#[test]
fn api_get_prints_what_the_rack_answers() {
    let server = Server::start(|request| match request.what() {
        "GET /instances?" => Answer::ok("[{\"id\":\"i-1\",\"agent\":true,\"cpu\":0.5}]"),
        "GET /page?" => Answer::ok("<html></html>"),
        "GET /big?" => Answer::ok(&format!("[\"{}\"]", "x".repeat(10 << 20))),
        "GET /denied?" => Answer::status(401, "invalid authentication\n"),
        _ => Answer::status(404, ""),
    });
    insta::assert_snapshot!(run(&server, "api get /instances"), @r#"
    exit 0
    --- stdout
    [
      {
        "agent": true,
        "cpu": 0.5,
        "id": "i-1"
      }
    ]
    --- stderr
    "#);
    insta::assert_snapshot!(run(&server, "api get /instances --output json"), @r#"
    exit 0
    --- stdout
    [{"agent":true,"cpu":0.5,"id":"i-1"}]
    --- stderr
    "#);
    insta::assert_snapshot!(run(&server, "api get instances"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `instances` is no path: it does not begin with a slash
    hint: try `convox api get /instances`
    ");
    insta::assert_snapshot!(run(&server, "api get /page"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: HOST answers GET /page with a web page
    hint: is that the address of a rack or a console, and does a proxy answer for it?
    ");
    insta::assert_snapshot!(run(&server, "api get /big"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: HOST answers GET /big with more than 8 MiB
    hint: is that the address of a rack or a console, and does a proxy answer for it?
    ");
    insta::assert_snapshot!(run(&server, "api get /denied"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: invalid authentication
    hint: `convox login HOST` stores another password, if this one is outdated
    ");
    insta::assert_snapshot!(run(&server, "api get /nothing"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: response status 404
    ");
    let all = server.requests();
    assert!(all.iter().all(|request| request.body().is_empty()));
    insta::assert_snapshot!(all[0].text.replace("\r\n", "\n").replace(&server.address().to_string(), "HOST"), @r"
    GET /instances? HTTP/1.1
    Host: HOST
    User-Agent: convox.go/dev
    Accept: */*
    Authorization: Basic Y29udm94Omh1bnRlcjI=
    Content-Type: application/octet-stream
    Session: 
    Version: dev
    Accept-Encoding: gzip
    ");
}

#[test]
fn a_rack_that_is_named_beside_a_url_is_asked_for() {
    let server = Server::start(|_| Answer::ok("[]"));
    run(&server, "instances -r acme/prod");
    let request = server.requests().remove(0);
    assert_eq!(request.header("rack"), Some("acme/prod"));
}

#[test]
fn api_get_needs_an_api() {
    insta::assert_snapshot!(TestEnvironment::new().run("api get /system --region us-east-1"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: nothing says where the rack's API is
    hint: log in with `convox login HOST`, or set RACK_URL, or CONVOX_HOST and CONVOX_PASSWORD
    ");
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let env = TestEnvironment::in_real_time()
        .env("RACK_URL", &format!("https://convox:hunter2@{free}"))
        .env("CONVOX_TEST_SPEED", "50");
    let seen = env
        .run("api get /system")
        .replace(&free.to_string(), "HOST");
    insta::assert_snapshot!(seen, @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: cannot connect to HOST: Connection refused (os error 111)
    hint: is the rack up, and does a proxy or a firewall lie between?
    ");
}

#[test]
fn version_tells_both_sides() {
    let server = rack("running");
    insta::assert_snapshot!(run(&server, "version"), @r"
    exit 0
    --- stdout
    client: 0.1.0
    server: 20230403123456 (HOST)
    --- stderr
    ");
    insta::assert_snapshot!(run(&server, "version --output json"), @r#"
    exit 0
    --- stdout
    {"client":"0.1.0","server":{"host":"HOST","version":"20230403123456"}}
    --- stderr
    "#);
    insta::assert_snapshot!(TestEnvironment::in_real_time().run("version"), @r"
    exit 0
    --- stdout
    client: 0.1.0
    server: none
    --- stderr
    ");
    insta::assert_snapshot!(run(&rack("401"), "version"), @r"
    exit 1
    --- stdout
    client: 0.1.0
    --- stderr
    ERROR: invalid authentication
    hint: `convox login HOST` stores another password, if this one is outdated
    ");
}

#[test]
fn rack_wait_tells_every_end_from_the_others() {
    insta::assert_snapshot!(run(&rack("updating updating running running"), "rack wait"), @r"
    exit 0
    --- stdout
    Waiting for rack... 
    OK
    --- stderr
    2026-11-22T03:00:01Z system/cloudformation aws/cfm prod UPDATE_IN_PROGRESS Instances
    prod is updating
    prod is running
    the rack is running
    ");
    insta::assert_snapshot!(run(&rack("updating rollback rollback running running"), "rack wait"), @r"
    exit 3
    --- stdout
    Waiting for rack... 
    --- stderr
    2026-11-22T03:00:01Z system/cloudformation aws/cfm prod UPDATE_IN_PROGRESS Instances
    prod is updating
    prod is rollback
    prod is running
    ERROR: the rack's update was rolled back
    hint: mend what failed first, then try again
    ");
    insta::assert_snapshot!(run(&rack("updating failed failed"), "rack wait -q"), @r"
    exit 5
    --- stdout
    Waiting for rack... 
    --- stderr
    ERROR: the rack has failed, and does not get out of that by itself
    hint: look at its stack in CloudFormation
    ");
    insta::assert_snapshot!(run(&rack("updating"), "rack wait -q --timeout 30s"), @r"
    exit 6
    --- stdout
    Waiting for rack... 
    detached
    --- stderr
    hint: `convox rack wait --timeout 6h` waits longer
    ");
    insta::assert_snapshot!(run(&rack("401"), "rack wait -q"), @r"
    exit 1
    --- stdout
    Waiting for rack... 
    --- stderr
    ERROR: invalid authentication
    hint: `convox login HOST` stores another password, if this one is outdated
    ");
    // What is usual while the API's own processes are replaced is no end.
    let server = rack("updating 401 401 401 converging running running");
    insta::assert_snapshot!(run(&server, "rack wait --output json -q"), @r#"
    exit 0
    --- stdout
    {"data":{"line":"2026-11-22T03:00:01Z system/cloudformation aws/cfm prod UPDATE_IN_PROGRESS Instances"},"type":"log","v":1}
    {"data":{"rack":"prod","status":"updating"},"type":"status","v":1}
    {"data":{"rack":"prod","status":"converging"},"type":"status","v":1}
    {"data":{"rack":"prod","status":"running"},"type":"status","v":1}
    {"data":{"exit_code":0,"first_failure":null,"hints":[],"holdouts":[],"message":"the rack is running","new_key":null,"old_key":null,"outcome":"done"},"type":"finished","v":1}
    --- stderr
    "#);
}

#[test]
fn a_rack_that_rolls_its_own_key_is_watched_to_the_end() {
    // The first word is heard before anything is asked for; `running` comes twice after it.
    let server = rack(
        "running running running updating=new 401 401 running=new 401 running=new running=new",
    );
    let seen = run(&server, "instances keyroll");
    insta::assert_snapshot!(seen, @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    WARNING: prod rolls the key itself: it replaces the private key that it has stored before anything else, and does not bring it back if its update fails
    hint: `--via aws` keeps both keys until the new one is proven
    2026-11-22T03:00:01Z system/cloudformation aws/cfm prod UPDATE_IN_PROGRESS Instances
    prod is running
    prod is updating
    The rack does not answer as it should, which is usual while its own processes are replaced: invalid authentication
    The rack answers again, after SPAN
    prod is running
    The rack does not answer as it should, which is usual while its own processes are replaced: invalid authentication
    The rack answers again, after SPAN
    prod is running, with the new key
    ");
    assert_eq!(asked_for_keyrolls(&server), 1);
}

#[test]
fn a_rollback_of_the_racks_own_roll_is_told() {
    let server = rack("running updating=new rollback=old running=old running=old");
    let told = run(&server, "instances keyroll -q");
    insta::assert_snapshot!(told, @r"
    exit 3
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    ERROR: the update of prod was rolled back: its instances carry the old key, and it has stored the new one
    hint: until a roll succeeds, `convox instances ssh` is refused: mend what failed first, then roll again
    ");
    // The whole way back while nobody could ask.
    let server = rack("running updating=new 401 running=old running=old");
    assert_eq!(run(&server, "instances keyroll -q"), told);
    insta::assert_snapshot!(run(&rack("running updating=new failed failed"), "instances keyroll -q"), @r"
    exit 5
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    ERROR: prod has failed, and does not get out of that by itself
    hint: look at its stack in CloudFormation, or use `convox rolls list --via aws`
    ");
}

#[test]
fn a_rack_that_is_busy_is_not_asked_to_roll() {
    let server = rack("updating");
    insta::assert_snapshot!(run(&server, "instances keyroll -q --wait-busy 0s"), @r"
    exit 7
    --- stdout
    --- stderr
    ERROR: prod is updating, nothing is changed
    hint: a rack that rolls its key while it is not running loses the one that it has stored
    ");
    assert_eq!(asked_for_keyrolls(&server), 0);
    // It is waited for first, if it comes to rest.
    let server =
        rack("updating updating running running running updating=new running=new running=new");
    assert!(run(&server, "instances keyroll -q").starts_with("exit 0\n"));
    assert_eq!(asked_for_keyrolls(&server), 1);
}

#[test]
fn a_keyroll_that_is_refused_or_not_answered_is_no_success() {
    let refuses = Answer::status(
        500,
        "ValidationError: Stack is in UPDATE_IN_PROGRESS state\n\tstatus code: 400\n",
    );
    let server = rack_that_answers("running", refuses);
    insta::assert_snapshot!(run(&server, "instances keyroll -q"), @r"
    exit 5
    --- stdout
    Rolling instance key... <no line break>
    --- stderr
    ERROR: prod has refused, and may have replaced its stored private key by then: ValidationError: Stack is in UPDATE_IN_PROGRESS state status code: 400
    hint: until a roll succeeds, `convox instances ssh` is refused: mend what failed first, then roll again
    ");
    // An answer that is lost is looked for in what the rack does.
    let server = rack_that_answers("running updating=new running=new running=new", Answer::Hang);
    let seen = run(&server, "instances keyroll -q");
    assert!(seen.starts_with("exit 0\n"), "{seen}");
    assert_eq!(
        asked_for_keyrolls(&server),
        1,
        "it is never asked for twice"
    );

    let server = rack("running");
    insta::assert_snapshot!(run(&server, "instances keyroll -q --detach"), @r"
    exit 6
    --- stdout
    Rolling instance key... detached
    --- stderr
    hint: `convox rack wait` tells how it ends
    ");
}

#[test]
fn what_the_api_cannot_do_is_said_before_anything_is_changed() {
    let server = rack("running");
    insta::assert_snapshot!(run(&server, "instances keyroll --plan"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: a rack that is reached over its API makes its own plan
    hint: `--via aws --plan` shows the one that this program would follow
    ");
    insta::assert_snapshot!(run(&server, "instances keyroll --save-key key.pem"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: this rack keeps its new private key to itself
    hint: leave --save-key out, or use `--via aws`
    ");
    assert_eq!(asked_for_keyrolls(&server), 0);
}

#[test]
fn a_rack_of_the_third_generation_hands_its_key_over() {
    let server = Server::start(|request| match request.what() {
        "GET /system?" => Answer::ok(r#"{"name":"prod","status":"running","version":"3.12.1"}"#),
        _ => Answer::ok(r#"{"name":"prod-keypair-17","private-key":"-----BEGIN\nPEM\n"}"#),
    });
    insta::assert_snapshot!(run(&server, "instances keyroll"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: this rack hands its new private key over and keeps none
    hint: name a file for it with --save-key
    ");
    assert_eq!(asked_for_keyrolls(&server), 0);
    let env = at(&server);
    insta::assert_snapshot!(env.run("instances keyroll --save-key key.pem"), @r"
    exit 0
    --- stdout
    Rolling instance key... OK
    --- stderr
    prod has made the key pair prod-keypair-17
    hint: no instance carries it before the rack's key_pair_name is set to prod-keypair-17
    ");
    assert_eq!(
        fs::read_to_string(env.path("key.pem")).unwrap(),
        "-----BEGIN\nPEM\n"
    );
    assert_eq!(env.mode("key.pem"), 0o600);
}
