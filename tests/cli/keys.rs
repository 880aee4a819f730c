//! `convox keys`, `apis` and `identities` against `convox console serve`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use regex::Regex;

use super::environment::{Running, TestEnvironment};
use super::lossy::Lossy;

/// What may be seen of a command.
struct Seen {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Seen {
    /// Returns the only line of stdout.
    fn line(&self) -> String {
        let line = self.stdout.strip_suffix('\n');
        let line = line.unwrap_or_else(|| panic!("no line: {}{}", self.stdout, self.stderr));
        assert!(!line.contains('\n'), "{line}");
        line.to_owned()
    }

    /// Returns the id of a key that was told on stderr.
    fn id(&self) -> String {
        let id = Regex::new("key_[0-9A-Za-z]+").unwrap();
        id.find(&self.stderr).unwrap().as_str().to_owned()
    }
}

/// A machine that serves keys, and its root key.
struct Served {
    env: TestEnvironment,
    root: String,
}

impl Served {
    fn new() -> Self {
        let env = TestEnvironment::in_real_time();
        let made = env.command("console init").output().unwrap();
        assert!(made.status.success());
        let root = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(root.starts_with("root_"), "{root}");
        Self { env, root }
    }

    fn start(&self) -> (Running<'_>, String) {
        let mut server = self.env.start("console serve --listen 127.0.0.1:0");
        let line = server.until("Serving on ");
        let (_, address) = line.split_once("Serving on ").unwrap();
        let address = address.to_owned();
        (server, address)
    }
}

/// Somebody on another machine.
struct Person {
    env: TestEnvironment,
    address: String,
    secrets: Vec<String>,
}

impl Person {
    fn new(address: &str, root: &str) -> Self {
        Self {
            env: TestEnvironment::in_real_time()
                .env("UNKEY_ROOT_KEY", root)
                .env("CONVOX_KEYS_HOST", address)
                .env("CONVOX_TEST_SPEED", "50"),
            address: address.to_owned(),
            secrets: vec![root.to_owned()],
        }
    }

    /// Runs a command, and makes sure that it tells no secret that is known already.
    fn run(&self, line: &str) -> Seen {
        self.run_with(line, "")
    }

    fn run_with(&self, line: &str, input: &str) -> Seen {
        let mut command = self.env.command(line);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let seen = Seen {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for secret in &self.secrets {
            assert!(!seen.stdout.contains(secret), "{line}: {}", seen.stdout);
            assert!(!seen.stderr.contains(secret), "{line}: {}", seen.stderr);
        }
        seen
    }

    /// Runs a command that prints a new secret and nothing else, and returns its id and it.
    fn makes(&mut self, line: &str) -> (String, String) {
        let seen = self.run(line);
        assert_eq!(seen.code, 0, "{}", seen.stderr);
        let secret = seen.line();
        assert!(!seen.stderr.contains(&secret), "{}", seen.stderr);
        self.secrets.push(secret.clone());
        (seen.id(), secret)
    }

    fn api(&self) -> String {
        self.run("apis create orders").line()
    }

    /// Returns the word for how a verification ends, and the exit code.
    fn verify(&self, secret: &str) -> (String, i32) {
        let seen = self.run_with("keys verify", &format!("{secret}\n"));
        let first = seen.stdout.lines().next().unwrap_or_default();
        (
            first.trim_start_matches("Code").trim().to_owned(),
            seen.code,
        )
    }

    /// Shows all that is seen of a command, with words in the place of names and times.
    fn shows(&self, line: &str, names: &BTreeMap<&str, &str>) -> String {
        let seen = self.run(line);
        let text = format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            seen.code, seen.stdout, seen.stderr
        );
        let text = text.replace(&self.address, "ADDRESS");
        let host = self.address.trim_start_matches("http://");
        let text = text.replace(host, "HOST");
        let text = names
            .iter()
            .fold(text, |text, (name, word)| text.replace(name, word));
        // Uses are counted a little later.
        let text = text.replace("Last used    never", "Last used    TIME");
        let text = text.replace("Last used  never", "Last used  TIME");
        let time = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC").unwrap();
        time.replace_all(&text, "TIME").into_owned()
    }
}

#[test]
fn a_key_lives_its_life_on_the_command_line() {
    let served = Served::new();
    let (mut server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let line = format!(
        "keys create --api {api} --prefix sk_live --name acme --external-id acme-1 \
         --meta {{\"plan\":\"pro\"}} --permission orders.read --credits 10 \
         --ratelimit requests=100/1m --expires 90d"
    );
    let (old, secret) = me.makes(&line);
    assert!(secret.starts_with("sk_live_"), "{secret}");
    let begins = &secret[..12];
    let names = BTreeMap::from([(old.as_str(), "OLD"), (begins, "BEGINS")]);
    insta::assert_snapshot!(me.shows(&format!("keys show {old}"), &names), @r#"
    exit 0
    --- stdout
    Key          OLD
    Name         acme
    Begins       BEGINS
    State        active
    Created      TIME
    Expires      TIME
    Identity     acme-1
    Permissions  orders.read
    Credits      10 left
    Rate limits  requests: 100 in 1m
    Metadata     {"plan":"pro"}
    --- stderr
    "#);
    assert_eq!(me.verify(&secret), ("VALID".to_owned(), 0));

    let (new, fresh) = me.makes(&format!("keys reroll {old} --grace 1h"));
    let names = BTreeMap::from([(old.as_str(), "OLD"), (new.as_str(), "NEW")]);
    assert_eq!(me.verify(&fresh), ("VALID".to_owned(), 0));
    assert_eq!(me.verify(&secret), ("VALID".to_owned(), 0));
    insta::assert_snapshot!(me.shows(&format!("keys rotation {old}"), &names), @r"
    exit 0
    --- stdout
    Key          OLD
    Works        yes
    Replaced by  NEW
    Rerolled     TIME
    Grace ends   TIME
    Last used    TIME
    --- stderr
    hint: `convox keys finish OLD` ends it now, `convox keys cancel OLD` takes it back
    ");
    insta::assert_snapshot!(me.shows(&format!("keys reroll {old} --grace 0"), &names), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: The key was rerolled already, to 'NEW'. Reroll that one
    hint: `convox keys rotation ID` shows what became of a key
    ");
    insta::assert_snapshot!(me.shows(&format!("keys finish {old}"), &names), @r"
    exit 0
    --- stdout
    Key          OLD
    Works        no
    Replaced by  NEW
    Rerolled     TIME
    Grace ends   TIME
    Last used    TIME
    --- stderr
    OLD opens nothing any more
    ");
    assert_eq!(me.verify(&secret), ("EXPIRED".to_owned(), 1));
    insta::assert_snapshot!(me.shows(&format!("keys cancel {old}"), &names), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: The key's grace period is over. It cannot be made whole again
    hint: `convox keys rotation ID` shows what became of a key
    ");

    let (newest, freshest) = me.makes(&format!("keys reroll {new} --grace keep"));
    insta::assert_snapshot!(me.shows(&format!("keys cancel {new}"), &names).replace(&newest, "NEWEST"), @r"
    exit 0
    --- stdout
    Key        NEW
    Works      yes
    Replaces   OLD
    Last used  TIME
    --- stderr
    NEW is whole again, and what replaced it opens nothing
    ");
    assert_eq!(me.verify(&fresh), ("VALID".to_owned(), 0));
    assert_eq!(me.verify(&freshest), ("EXPIRED".to_owned(), 1));
    assert_eq!(me.run(&format!("keys delete {new}")).code, 0);
    assert_eq!(me.verify(&fresh), ("NOT_FOUND".to_owned(), 1));
    insta::assert_snapshot!(me.shows(&format!("keys show {new}"), &names), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: The specified key was not found
    hint: a key is named by its id, which begins with key_
    ");
    assert_eq!(me.run(&format!("apis delete {api}")).code, 0);
    assert_eq!(me.run(&format!("apis show {api}")).code, 1);
    #[cfg(unix)]
    {
        server.signal("TERM");
        let said = server.end();
        assert!(
            me.secrets.iter().all(|secret| !said.contains(secret)),
            "{said}"
        );
    }
    drop(server);
}

#[test]
fn scripts_get_one_object_a_line() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let made = me.run("apis create orders --output json").line();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let api = made["apiId"].as_str().unwrap();
    let made = me
        .run(&format!("keys create --api {api} --output json"))
        .line();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (
        made["keyId"].as_str().unwrap(),
        made["key"].as_str().unwrap(),
    );
    me.secrets.push(secret.to_owned());
    let verified = me.run_with("keys verify --output json", secret).line();
    let verified: serde_json::Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(
        (&verified["valid"], &verified["keyId"]),
        (&true.into(), &id.into())
    );
    for (line, field) in [
        (format!("keys show {id} --output json"), "keyId"),
        (format!("keys rotation {id} --output json"), "keyId"),
        (format!("apis show {api} --output json"), "id"),
        (format!("keys delete {id} --output json"), "keyId"),
    ] {
        let shown: serde_json::Value = serde_json::from_str(&me.run(&line).line()).unwrap();
        assert!(
            [id, api].contains(&shown[field].as_str().unwrap()),
            "{line}: {shown}"
        );
    }
    let missing = me.run("keys show key_nobody --output json");
    let said: serde_json::Value = serde_json::from_str(&missing.stdout).unwrap();
    assert_eq!((missing.code, &said["type"]), (1, &"error".into()));
}

#[test]
#[cfg(unix)]
fn a_secret_goes_to_a_file_and_nowhere_else() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (old, _) = me.makes(&format!("keys create --api {api}"));
    let there = "precious\n";
    me.env.write("taken", there);
    for line in ["--out taken", "--out missing/key"] {
        let refused = me.run(&format!("keys reroll {old} {line}"));
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (2, ""),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(me.env.read("taken"), there);
    // Nothing was asked of the service: the key can still be rerolled.
    let made = me.run(&format!("keys reroll {old} --out new-key --output json"));
    assert_eq!(made.code, 0, "{}", made.stderr);
    let secret = me.env.read("new-key").trim().to_owned();
    assert_eq!(me.env.mode("new-key"), 0o600);
    assert!(!made.stdout.contains(&secret) && !made.stderr.contains(&secret));
    let said: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!(said["out"], "new-key");
    let seen = me.run("keys verify --key-file new-key");
    assert_eq!(seen.code, 0, "{}", seen.stdout);
    // A refusal leaves no file behind.
    let refused = me.run(&format!("keys reroll {old} --out another"));
    assert_eq!(refused.code, 1);
    assert!(!me.env.path("another").exists());
}

#[test]
fn an_answer_that_is_lost_loses_no_key() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (old, _) = me.makes(&format!("keys create --api {api}"));
    // The answer to the first request is lost on the way.
    let lossy = Lossy::before(&address, 1);
    let seen = me.run(&format!("keys reroll {old} --host {}", lossy.address));
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    let (new, secret) = (seen.id(), seen.line());
    assert_eq!(me.verify(&secret), ("VALID".to_owned(), 0));
    let rotation = me.run(&format!("keys rotation {old}"));
    assert!(rotation.stdout.contains(&new), "{}", rotation.stdout);
    let sent = lossy.idempotency_keys();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(sent[0], sent[1]);
    assert!(seen.stderr.contains("got no answer"), "{}", seen.stderr);
}

#[test]
fn a_key_whose_every_answer_is_lost_is_asked_for_again() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (old, _) = me.makes(&format!("keys create --api {api}"));
    let lossy = Lossy::before(&address, usize::MAX);
    let lost = me.run(&format!(
        "keys reroll {old} --host {} --out key",
        lossy.address
    ));
    assert_eq!(
        (lost.code, lost.stdout.as_str()),
        (1, ""),
        "{}",
        lost.stderr
    );
    assert!(!me.env.path("key").exists());
    let said = Regex::new(r"--idempotency-key (\S+)").unwrap();
    let said = said
        .captures(&lost.stderr)
        .unwrap_or_else(|| panic!("{}", lost.stderr));
    let (again, secret) = me.makes(&format!("keys reroll {old} {}", &said[0]));
    assert_eq!(me.verify(&secret), ("VALID".to_owned(), 0));
    let rotation = me.run(&format!("keys rotation {old}"));
    assert!(rotation.stdout.contains(&again), "{}", rotation.stdout);
    // What uses something up is sent once.
    let before = lossy.requests();
    let seen = me.run_with(&format!("keys verify --host {}", lossy.address), &secret);
    assert_eq!(
        (seen.code, lossy.requests() - before),
        (1, 1),
        "{}",
        seen.stderr
    );
}

#[test]
fn what_goes_wrong_is_said_with_the_way_out() {
    let served = Served::new();
    let (_server, address) = served.start();
    let me = Person::new(&address, &served.root);
    let names = BTreeMap::new();
    insta::assert_snapshot!(me.shows("keys create --api api_nobody", &names), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: The specified API was not found
    ");
    insta::assert_snapshot!(me.shows("keys show no-key", &names), @r#"
    exit 1
    --- stdout
    --- stderr
    ERROR: POST request body for '/v2/keys.getKey' failed to validate schema; /keyId: the value does not match "^[a-zA-Z0-9_]+$"
    "#);
    insta::assert_snapshot!(me.shows("keys show key_1 --host http://example.com", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: example.com would be reached over plain HTTP, and every key with it
    hint: use https, or set X_DEV_ALLOW_HTTP=true where that network may see it
    ");
    insta::assert_snapshot!(me.shows("keys show key_1 --host http://me:pw@127.0.0.1", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: the key service's address is wrong: there is a user in it; the root key is given by itself
    hint: --host takes https://HOST, or http://127.0.0.1:PORT on this machine
    ");
    insta::assert_snapshot!(me.shows("keys show key_1 --root-key-file missing", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: cannot read missing: No such file or directory (os error 2)
    hint: --root-key-file names a file that holds a root key
    ");
    insta::assert_snapshot!(me.shows("keys reroll key_1 --grace soon", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `soon` is not a value of `--grace <SPAN>`: it is none of `keep`, `0` and a span, such as 24h
    hint: `convox --help` tells what it takes
    ");
    let stranger = Person::new(&address, "root_of_nobody");
    insta::assert_snapshot!(stranger.shows("keys show key_1", &names), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: The provided root key is invalid. We could not find the requested key
    hint: UNKEY_ROOT_KEY, or the file of --root-key-file, must hold a root key of that service
    ");
    let nobody = TestEnvironment::in_real_time();
    let seen = nobody.run("keys show key_1");
    insta::assert_snapshot!(seen, @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: there is no root key
    hint: set UNKEY_ROOT_KEY, or give --root-key-file; `convox console init` makes the first
    ");
    let nowhere = Person::new("http://127.0.0.1:1", &served.root);
    let seen = nowhere.run("keys show key_1");
    assert_eq!(seen.code, 1);
    assert!(
        seen.stderr
            .starts_with("ERROR: cannot connect to 127.0.0.1:1: "),
        "{}",
        seen.stderr
    );
    assert!(
        seen.stderr
            .contains("`convox console serve` starts one here"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_root_key_may_be_in_a_file() {
    let served = Served::new();
    let (_server, address) = served.start();
    let me = Person::new(&address, "root_of_nobody");
    me.env.write("root", &format!("{}\n", served.root));
    let made = me.run("apis create orders --root-key-file root");
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.line().starts_with("api_"));
}
