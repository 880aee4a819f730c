//! `convox rack params set Password=` over a rack's API: the command against a server that
//! writes down what it is sent, and against the API of a sandbox's rack.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::environment::TestEnvironment;
use super::server::{Answer, Request, Server};

const AUTH: &str = ".config/convox2/auth";
const PENDING: &str = ".config/convox2/pending.json";

/// A rack that says one word after the other once it was asked for an update.
struct Rack {
    /// Its words from then on; the last one stays.
    words: Vec<&'static str>,
    /// How many of them it has said when its processes take the new password; none: never.
    flips_after: Option<usize>,
    version: &'static str,
    status: &'static str,
    /// What it answers to `GET /auth`; a console tells who asks.
    auth: &'static str,
    said: usize,
    new: Option<String>,
    is_restarted: bool,
}

impl Default for Rack {
    fn default() -> Self {
        Self {
            words: vec!["updating", "updating", "running"],
            flips_after: Some(1),
            version: "20220101000000",
            status: "running",
            auth: "ok\n",
            said: 0,
            new: None,
            is_restarted: false,
        }
    }
}

impl Rack {
    fn start(self) -> (Server, Arc<Mutex<Self>>) {
        let rack = Arc::new(Mutex::new(self));
        let shared = Arc::clone(&rack);
        let server = Server::start(move |request| shared.lock().unwrap().answer(request));
        (server, rack)
    }

    fn password(&self) -> &str {
        let flipped = self.flips_after.is_some_and(|after| self.said >= after);
        match &self.new {
            Some(new) if (flipped && !self.is_back()) || self.is_restarted => new,
            _ => "old",
        }
    }

    fn is_back(&self) -> bool {
        let said = self.words.iter().take(self.said);
        said.into_iter().any(|word| *word == "rollback")
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let basic = request.header("authorization").unwrap();
        let pair = STANDARD.decode(basic.trim_start_matches("Basic ")).unwrap();
        if pair != format!("convox:{}", self.password()).into_bytes() {
            return Answer::status(401, "invalid authentication\n");
        }
        match request.what() {
            "GET /auth?" => Answer::ok(self.auth),
            "GET /system?" => {
                let status = match &self.new {
                    None => self.status,
                    Some(_) => {
                        let word = self.words[self.said.min(self.words.len() - 1)];
                        self.said += 1;
                        word
                    }
                };
                Answer::ok(&format!(
                    r#"{{"name":"prod","status":"{status}","version":"{}","parameters":{{"ApiCount":"2","InstanceType":"t3.small","Password":"****"}}}}"#,
                    self.version
                ))
            }
            "PUT /system?" => {
                let outer = form_urlencoded::parse(request.body().as_bytes());
                let (_, inner) = outer.into_iter().next().unwrap();
                let mut inner = form_urlencoded::parse(inner.as_bytes());
                let password = inner.find(|(name, _)| name == "Password").unwrap().1;
                self.new = Some(password.into_owned());
                Answer::ok("ok\n")
            }
            _ => Answer::status(404, ""),
        }
    }
}

/// A machine with a login to `server`, on which minutes take milliseconds.
fn logged_in(server: &Server) -> TestEnvironment {
    let env = fast();
    env.write(".config/convox2/host", &server.url());
    env.write(AUTH, &format!("{{\"{}\":\"old\"}}", server.url()));
    close(&env, AUTH);
    env
}

fn fast() -> TestEnvironment {
    TestEnvironment::in_real_time().env("CONVOX_TEST_SPEED", "150")
}

/// A machine that is only told where the rack is, and its password.
fn told(server: &Server) -> TestEnvironment {
    let url = server.url().replace("http://", "http://convox:old@");
    fast().env("RACK_URL", &url)
}

/// Lets nobody but its owner read a file.
fn close(env: &TestEnvironment, name: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(env.path(name), mode).unwrap();
}

/// Runs a command, and takes out of what is seen the port, and how long nobody answered: that
/// is measured, and a machine that has much to do is slow.
fn run(env: &TestEnvironment, server: &Server, line: &str, input: &str) -> String {
    let seen = env.run_with_input(line, input);
    let seen = seen.replace(&server.address().to_string(), "HOST");
    let measured = regex::Regex::new("it answered (all the time|nobody for [0-9]+ s)").unwrap();
    measured
        .replace_all(&seen, "it answered SO LONG")
        .into_owned()
}

fn puts(server: &Server) -> Vec<String> {
    let requests = server.requests().into_iter();
    let puts = requests.filter(|request| request.what() == "PUT /system?");
    let host = server.address().to_string();
    puts.map(|put| put.text.replace("\r\n", "\n").replace(&host, "HOST"))
        .collect()
}

fn only_roll(env: &TestEnvironment) -> String {
    let files = env.files();
    let rolls = files
        .iter()
        .filter_map(|file| file.strip_prefix(".local/state/convox/rolls/"));
    let ids: Vec<_> = rolls
        .filter_map(|file| file.strip_suffix(".jsonl"))
        .filter(|file| !file.ends_with(".events"))
        .collect();
    assert_eq!(ids.len(), 1, "{files:?}");
    ids[0].to_owned()
}

/// Nothing but the login's files and the new password's own holds a password.
fn assert_no_secret(env: &TestEnvironment, secret: &str, except: &[&str]) {
    for file in env.files() {
        let is_excepted = except.iter().any(|it| file.starts_with(it));
        assert!(
            is_excepted || !env.read(&file).contains(secret),
            "{file} holds the password"
        );
    }
}

const NEW: &str = "p@ss w+rd%=";

#[test]
fn a_password_is_set_proven_and_kept_by_the_login() {
    let (server, _) = Rack::default().start();
    let env = logged_in(&server);
    let line = "rack params set Password=- InstanceType=t3.large";
    insta::assert_snapshot!(run(&env, &server, line, NEW), @r"
    exit 0
    --- stdout
    Updating parameters... OK
    --- stderr
    WARNING: the rack replaces the processes of its API by itself, and it cannot be made to from here; the rack API goes on answering
    hint: expect deploys and other commands to fail meanwhile: for a while some processes take the old password and others the new one
    HH:MM:SS plan      roll ROLL of prod: a new password for the rack API
    HH:MM:SS mint      the new key waits in the login at http://HOST
    HH:MM:SS stage     the new key is kept as prod-password-ROLL
    HH:MM:SS install   the rack is setting Password
    HH:MM:SS rack      the rack is updating
    HH:MM:SS rack      the rack is running
    HH:MM:SS watch     the rack is running
    HH:MM:SS verify    the rack API takes the new key, 8 times in a row, and refuses the old one
    HH:MM:SS promote   the login at http://HOST has the new key
    HH:MM:SS retire    prod-password-ROLL and the old key are forgotten
    the rack API takes the new key and refuses the old one; it answered SO LONG
    ");
    insta::assert_snapshot!(puts(&server).join("---\n"), @r"
    PUT /system? HTTP/1.1
    Host: HOST
    User-Agent: convox.go/dev
    Content-Length: 77
    Accept: */*
    Authorization: Basic Y29udm94Om9sZA==
    Content-Type: application/x-www-form-urlencoded
    Session: 
    Version: dev
    Accept-Encoding: gzip

    parameters=InstanceType%3Dt3.large%26Password%3Dp%2540ss%2Bw%252Brd%2525%253D
    ");
    let stored = env.read(AUTH).replace(&server.url(), "URL");
    assert_eq!(stored, format!("{{\n  \"URL\": \"{NEW}\"\n}}"));
    assert_no_secret(&env, NEW, &[AUTH]);
    assert_eq!(env.read(PENDING), "{}");
}

#[test]
fn a_rollback_leaves_the_old_password_and_exit_3() {
    let rack = Rack {
        words: vec!["updating", "rollback", "running"],
        ..Rack::default()
    };
    let (server, _) = rack.start();
    let env = logged_in(&server);
    let line = "rack params set Password=- --password-out new";
    insta::assert_snapshot!(run(&env, &server, line, NEW), @r"
    exit 3
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    WARNING: the rack replaces the processes of its API by itself, and it cannot be made to from here; the rack API goes on answering
    hint: expect deploys and other commands to fail meanwhile: for a while some processes take the old password and others the new one
    HH:MM:SS plan      roll ROLL of prod: a new password for the rack API
    HH:MM:SS mint      the new key waits in the login at http://HOST and file new
    HH:MM:SS stage     the new key is kept as prod-password-ROLL
    HH:MM:SS install   the rack is setting Password
    HH:MM:SS rack      the rack is updating
    HH:MM:SS rack      the rack is rollback
    HH:MM:SS rollback  CloudFormation is going back; what failed first is not known yet
    HH:MM:SS rack      the rack is running
    HH:MM:SS watch     the rack is running, and has gone back
    HH:MM:SS verify    the rack API takes the old key, 8 times in a row, and refuses the new one
    HH:MM:SS discard   prod-password-ROLL is forgotten
    ERROR: the update was rolled back; the old key still works
    hint: see what failed in the events of the rack's stack, or with `convox rolls show ROLL`; mend it, and roll again
    ");
    assert!(env.read(AUTH).contains("\"old\""));
    assert_no_secret(&env, NEW, &[]);
    assert!(!env.files().contains(&"new".to_owned()));
}

#[test]
fn a_rack_that_does_not_restart_its_api_is_unproven_until_somebody_does() {
    let rack = Rack {
        flips_after: None,
        version: "20230403123456",
        ..Rack::default()
    };
    let (server, rack) = rack.start();
    let env = logged_in(&server);
    let line = "rack params set Password=- --via api";
    insta::assert_snapshot!(run(&env, &server, line, NEW), @r"
    exit 4
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    WARNING: the API of a rack of 2023 or later (20230403123456) keeps the old password until its processes are restarted, which nobody can do from here: unless something else restarts them, the roll ends unproven (exit 4), with both passwords kept
    hint: `--via aws` restarts them as a part of the roll; or restart them afterwards with `convox instances keyroll`, and come back with `convox rolls resume`
    HH:MM:SS plan      roll ROLL of prod: a new password for the rack API
    HH:MM:SS mint      the new key waits in the login at http://HOST
    HH:MM:SS stage     the new key is kept as prod-password-ROLL
    HH:MM:SS install   the rack is setting Password
    HH:MM:SS rack      the rack is updating
    HH:MM:SS rack      the rack is running
    HH:MM:SS watch     the rack is running
    HH:MM:SS warning   the rack API refuses the new key; asking again
    ERROR: the rack has the new key, but it is not proven: the rack API refuses the new key
    hint: the API of many racks takes it only once its processes are restarted: `convox instances keyroll --via api` does that, and so does a new deployment of the service ServiceWebApi in ECS
    hint: then come back with `convox rolls resume ROLL --via api`; until then both keys are kept, and processes that start get the new one
    ");
    // Both are kept, and the rolls of this machine are told without asking anybody.
    assert!(env.read(AUTH).contains("\"old\"") && env.read(PENDING).contains(NEW));
    let asked = server.requests().len();
    insta::assert_snapshot!(run(&env, &server, "rolls list", ""), @r"
    exit 0
    --- stdout
    ID                RACK  STARTED   STATE     OLD KEY  NEW KEY                         JOURNAL
    ROLL  prod  just now  unproven  none     prod-password-ROLL  here
    --- stderr
    ");
    let roll = only_roll(&env);
    let shown = run(&env, &server, &format!("rolls show {roll}"), "");
    assert!(shown.contains("the rack is updating"), "{shown}");
    assert_eq!(server.requests().len(), asked);
    let refused = run(&env, &server, &format!("rolls continue {roll}"), "");
    assert!(
        refused.starts_with("exit 1\n") && refused.contains("continue a rollback"),
        "{refused}"
    );
    rack.lock().unwrap().is_restarted = true;
    let resumed = run(&env, &server, &format!("rolls resume {roll}"), "");
    insta::assert_snapshot!(resumed, @r"
    exit 0
    --- stdout
    Resuming roll ROLL... OK
    --- stderr
    http://HOST accepts the other password of its roll
    HH:MM:SS resume    going on with watch, as its journal tells
    HH:MM:SS rack      the rack is running
    HH:MM:SS watch     the rack is running
    HH:MM:SS verify    the rack API takes the new key, 8 times in a row, and refuses the old one
    HH:MM:SS promote   the login at http://HOST has the new key
    HH:MM:SS retire    prod-password-ROLL and the old key are forgotten
    the rack API takes the new key and refuses the old one; it answered SO LONG
    ");
    assert!(env.read(AUTH).contains(NEW));
    assert_no_secret(&env, NEW, &[AUTH]);
    assert_eq!(puts(&server).len(), 1);
}

#[test]
fn an_unproven_roll_is_taken_back_by_setting_the_old_password_again() {
    let rack = Rack {
        flips_after: None,
        ..Rack::default()
    };
    let (server, _) = rack.start();
    let env = logged_in(&server);
    let rolled = run(&env, &server, "rack params set Password=-", NEW);
    assert!(rolled.starts_with("exit 4\n"), "{rolled}");
    let roll = only_roll(&env);
    insta::assert_snapshot!(run(&env, &server, &format!("rolls cancel {roll}"), ""), @r"
    exit 0
    --- stdout
    Cancelling roll ROLL... OK
    --- stderr
    HH:MM:SS resume    going on with watch, as its journal tells
    HH:MM:SS rack      the rack is running
    HH:MM:SS watch     the rack is running, and has shown nothing of its update
    HH:MM:SS verify    the rack API takes the old key, 8 times in a row, and refuses the new one
    HH:MM:SS discard   prod-password-ROLL is forgotten
    the roll was taken back; the old key works
    ");
    let puts = puts(&server);
    assert_eq!(puts.len(), 2);
    assert!(
        puts[1].ends_with("parameters=Password%3Dold"),
        "{}",
        puts[1]
    );
    assert!(env.read(AUTH).contains("\"old\""));
    assert_no_secret(&env, NEW, &[]);
}

#[test]
fn the_plan_says_what_the_rack_cannot_be_made_to_do() {
    let rack = Rack {
        version: "20230403123456",
        ..Rack::default()
    };
    let (server, _) = rack.start();
    let env = logged_in(&server);
    let line = "rack params set Password= InstanceType=t3.large --plan";
    insta::assert_snapshot!(run(&env, &server, line, ""), @r"
    exit 0
    --- stdout
    Roll ROLL of rack prod, not started

    Keys
      old key    the password that works now
      new key    a password, kept as prod-password-ROLL meanwhile
      rack API   HOST
      parameter  Password
      key store  directory $HOME/.local/state/convox/staged

    Steps
      1. mint      keep the new key beside the one that works in the login at http://HOST
                   undone by: forget it there
      2. stage     keep the new key as prod-password-ROLL in directory $HOME/.local/state/convox/staged
                   undone by: forget prod-password-ROLL
      3. install   have the rack set parameter Password, and InstanceType
                   waits for: the rack to accept it
                   undone by: forget prod-password-ROLL
      4. watch     what the rack's stack makes of its parameters (the rack does it by itself)
                   waits for: the rack to say that it is running
                   undone by: CloudFormation rolls back to the old key by itself
      5. verify    nothing
                   waits for: the rack API to take the new key and refuse the old one
      6. promote   make the new key the one of the login at http://HOST
      7. retire    forget prod-password-ROLL in directory $HOME/.local/state/convox/staged and the old key

    Warnings
      WARNING: the API of a rack of 2023 or later (20230403123456) keeps the old password until its processes are restarted, which nobody can do from here: unless something else restarts them, the roll ends unproven (exit 4), with both passwords kept
      hint: `--via aws` restarts them as a part of the roll; or restart them afterwards with `convox instances keyroll`, and come back with `convox rolls resume`
    --- stderr
    ");
    let json = run(&env, &server, &format!("{line} --output json"), "");
    assert!(json.contains(r#""way":{"api":{"processes":2}}"#), "{json}");
    assert!(puts(&server).is_empty());
    assert_eq!(env.files(), [AUTH, ".config/convox2/host"]);
}

#[test]
fn a_password_that_no_login_keeps_goes_to_a_file_or_is_shown() {
    let (server, _) = Rack::default().start();
    let env = told(&server);
    insta::assert_snapshot!(run(&env, &server, "rack params set Password=", ""), @r"
    exit 1
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: a password would be made, and nobody would know it
    hint: name a file with --password-out FILE, or have it printed with --reveal, or store a login with `convox login HOST`
    ");
    assert!(puts(&server).is_empty());
    let shown = run(&env, &server, "rack params set Password= --reveal -q", "");
    let (_, stdout) = shown.split_once("Updating parameters... OK\n").unwrap();
    let (password, _) = stdout.split_once("\n--- stderr\n").unwrap();
    assert!((43..=44).contains(&password.len()), "{shown}");
    assert_no_secret(&env, password, &[]);

    let (server, _) = Rack::default().start();
    let env = told(&server);
    let shown = run(
        &env,
        &server,
        "rack params set Password= --password-out new",
        "",
    );
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let password = env.read("new");
    assert!(!shown.contains(password.trim_end()), "{shown}");
    assert_eq!(env.mode("new"), 0o600);
    assert_no_secret(&env, password.trim_end(), &["new"]);
}

#[test]
fn what_could_not_work_is_refused_before_anything_changes() {
    let refused = |rack: Rack, line: &str, input: &str| {
        let (server, _) = rack.start();
        let env = logged_in(&server);
        let seen = run(&env, &server, line, input);
        assert!(puts(&server).is_empty(), "{seen}");
        assert!(!env.files().iter().any(|file| file.contains("staged/keys")));
        seen
    };
    let line = "rack params set Password=- -q --wait-busy 0s";
    let console = Rack {
        auth: r#"{"id":"user-1"}"#,
        ..Rack::default()
    };
    insta::assert_snapshot!(refused(console, line, NEW), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: HOST is a console: it knows the rack's password and swaps it in by itself, so that nobody here can tell which one the rack takes
    hint: `--via aws` rolls it; so does RACK_URL=https://convox:PASSWORD@HOST with the rack's own host and password; then give the new one to the console
    ");
    let busy = Rack {
        status: "updating",
        ..Rack::default()
    };
    insta::assert_snapshot!(refused(busy, line, NEW), @r"
    exit 7
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: the stack is updating: another operation is under way
    hint: wait longer with `--wait-busy 30m`, or try again when it is over
    ");
    let failed = Rack {
        status: "failed",
        ..Rack::default()
    };
    insta::assert_snapshot!(refused(failed, line, NEW), @r"
    exit 1
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: prod is failed
    hint: look at its stack in CloudFormation first
    ");
    let unknown = "rack params set Password=- Instancetype=x -q";
    insta::assert_snapshot!(refused(Rack::default(), unknown, NEW), @r"
    exit 1
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: the rack has no parameter Instancetype
    hint: see the names and values with `convox rack params`; nothing is changed
    ");
    let same = "rack params set Password=-";
    insta::assert_snapshot!(refused(Rack::default(), same, "old"), @r"
    exit 0
    --- stdout
    --- stderr
    nothing to change: prod has that password already
    ");
    let changed = Rack {
        new: Some("other".to_owned()),
        is_restarted: true,
        ..Rack::default()
    };
    insta::assert_snapshot!(refused(changed, line, NEW), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: invalid authentication
    hint: `convox login HOST` stores another password, if this one is outdated
    ");
    let login = "rack params set Password=- --login HOST";
    insta::assert_snapshot!(refused(Rack::default(), login, NEW), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: --login is for a rack that is reached in AWS
    hint: over its API the login is the one that the rack is reached with
    ");

    let (server, _) = Rack::default().start();
    let url = server.url().replace("http://", "http://jwt:old@");
    let token = fast().env("RACK_URL", &url);
    insta::assert_snapshot!(run(&token, &server, line, NEW), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: RACK_URL holds a token (user jwt), and not the rack's password
    hint: set RACK_URL=https://convox:PASSWORD@HOST, or use `--via aws`
    ");
}

#[cfg(unix)]
#[test]
fn a_first_signal_lets_go_and_the_roll_is_finished_by_coming_back() {
    let rack = Rack {
        words: vec!["updating"],
        ..Rack::default()
    };
    let (server, rack) = rack.start();
    let env = logged_in(&server);
    let mut roll = env.start("rack params set Password= --yes");
    roll.until("the rack is updating");
    roll.signal("TERM");
    let left = roll.end();
    assert!(left.starts_with("exit 6\n"), "{left}");
    assert!(left.contains("convox rolls resume ROLL"), "{left}");
    assert!(env.read(AUTH).contains("\"old\""));
    rack.lock().unwrap().words = vec!["running"];
    let roll = only_roll(&env);
    let resumed = run(&env, &server, &format!("rolls resume {roll} -q"), "");
    assert!(resumed.starts_with("exit 0\n"), "{resumed}");
    assert!(!env.read(AUTH).contains("\"old\""));
    assert_eq!(env.read(PENDING), "{}");
}

/// A sandbox whose API restarts when its password changes, as racks before 2023 did.
#[test]
fn a_served_sandbox_is_rolled_over_its_racks_api() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rack.yaml");
    let text = std::fs::read_to_string(fixture).unwrap();
    let secrets = text.find("          Secrets:\n").unwrap();
    let end = text.find("  ServiceWebApi:\n").unwrap();
    let variable = "          Environment: [{ Name: PASSWORD, Value: { Ref: Password } }]\n";
    let served = TestEnvironment::in_real_time();
    let template = format!("{}{variable}{}", &text[..secrets], &text[end..]);
    served.write("rack.yaml", &template);
    let scenario = "name: before-2023\nabout: the API restarts by itself\ntemplate: rack.yaml\n";
    served.write("before.yaml", scenario);
    let mut serve = served.start("sandbox serve --port 0 --speed 100 --scenario before.yaml");
    let url = serve.first_data();
    let url = url.replace("http://", "http://convox:sandbox-password@");
    let env = TestEnvironment::in_real_time()
        .env("RACK_URL", &url)
        .env("CONVOX_TEST_SPEED", "100");
    let shown = env.run("rack params set Password= --password-out new");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("the rack is updating"), "{shown}");
    assert!(
        shown.contains("the rack API takes the new key and refuses the old one"),
        "{shown}"
    );
    let new = env.read("new");
    let url = url.replace("sandbox-password", new.trim_end());
    let env = TestEnvironment::in_real_time().env("RACK_URL", &url);
    let rack = env.run("rack");
    assert!(rack.contains("running"), "{rack}");
}
