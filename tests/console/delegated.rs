//! Rolls that this command line has a console do: the real programs, and how they end.

use std::path::Path;
use std::process::Output;

use convox::clock::{Clock, system_now};
use convox::sandbox::{self, Sandbox, Scenario};

use crate::programs::{Programs, done, text};
use crate::sandbox_api::accepts;

/// How much faster than the machine's everybody's time goes.
const SPEED: f64 = 40.0;

/// A console whose rack is in an account on this machine, and somebody who is logged in to it.
struct Place {
    programs: Programs,
    sandbox: Sandbox,
}

impl Place {
    async fn new(scenario: &str) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
        let scenario = Scenario::load(&dir.join(format!("{scenario}.yaml"))).unwrap();
        let epoch = system_now();
        let sandbox = Sandbox::new(&scenario, Clock::since(epoch, SPEED)).unwrap();
        let listener = sandbox::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let account = format!("http://{}", listener.local_addr().unwrap());
        let serving = sandbox::serve(listener, sandbox.clone(), std::future::pending());
        tokio::spawn(serving);
        let mut programs = Programs::new()
            .with("AWS_ACCESS_KEY_ID", "test")
            .with("AWS_SECRET_ACCESS_KEY", "test")
            .with("AWS_REGION", "us-east-1")
            .with("CONVOX_TEST_SPEED", SPEED.to_string())
            .with("CONVOX_TEST_EPOCH", epoch.to_string());
        done(programs.of_console(&["init", "--workspace", "acme"]));
        let key = done(programs.of_console(&["people", "add", "ada"]));
        done(programs.of_console(&["racks", "add", "prod", "--rack-region", "us-east-1"]));
        let host = programs.serve_with(&["--endpoint-url", &account]);
        let mut login = programs.of_person(&["login", &host]);
        login.env("CONVOX_PASSWORD", key.trim());
        done(login);
        done(programs.of_person(&["switch", "prod"]));
        Self { programs, sandbox }
    }

    fn run(&self, words: &[&str]) -> Output {
        self.programs.of_person(words).output().unwrap()
    }

    /// Runs a command that ends with `code`; returns what it says on stdout and stderr.
    fn ends(&self, code: i32, words: &[&str]) -> (String, String) {
        let output = self.run(words);
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{words:?}: {out}{said}");
        (out, said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_rolled_by_the_console_and_written_down_here() {
    let place = Place::new("success").await;
    let set = ["rack", "params", "set"];
    let words = |more: &[&'static str]| [&set, more].concat();
    let (_, said) = place.ends(2, &words(&["Password=", "--plan"]));
    assert!(said.contains("a console makes its own plan"), "{said}");
    let (_, said) = place.ends(1, &words(&["Password=****"]));
    assert!(
        said.contains("stands for") || said.contains("masked"),
        "{said}"
    );
    let roll = words(&["Password=", "--wait", "--password-out", "new"]);
    let (out, said) = place.ends(0, &roll);
    assert_eq!(out, "Updating parameters... OK\n", "{said}");
    assert!(said.contains("prod is updating\n"), "{said}");
    assert!(
        said.contains(" system/cloudformation aws/cfm prod "),
        "{said}"
    );
    let file = place.programs.person.path().join("new");
    let new = std::fs::read_to_string(&file).unwrap();
    let new = new.trim_end();
    assert!(new.len() >= 40);
    assert!(!said.contains(new));
    assert!(accepts(&place.sandbox, new).await.unwrap());
    assert!(!accepts(&place.sandbox, "sandbox-password").await.unwrap());
    // Whoever leaves is told so, and the next one waits for what is under way.
    let left = words(&["Password=", "--detach", "--password-out", "left"]);
    let (out, said) = place.ends(6, &left);
    assert_eq!(out, "Updating parameters... detached\n");
    assert!(said.contains("goes on in the console"), "{said}");
    let busy = words(&["Password=", "--wait-busy", "0s"]);
    let (_, said) = place.ends(7, &busy);
    assert!(said.contains("is under way"), "{said}");
    place.ends(0, &words(&["Password=@left", "--wait-busy", "1h"]));
    let left = std::fs::read_to_string(place.programs.person.path().join("left"));
    assert!(
        accepts(&place.sandbox, left.unwrap().trim_end())
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_goes_back_in_the_console_ends_with_three_here() {
    let password = [
        "rack",
        "params",
        "set",
        "InstanceType=t3.large",
        "Password=",
    ];
    let with_file = [&password[..], &["--password-out", "new"]].concat();
    let keyroll = vec!["instances", "keyroll", "--wait"];
    for (scenario, words, task) in [
        ("password/rollback", with_file, "Updating parameters... \n"),
        ("failure-signal", keyroll, "Rolling instance key... \n"),
    ] {
        let place = Place::new(scenario).await;
        let (out, said) = place.ends(3, &words);
        assert_eq!(out.trim_end(), task.trim_end(), "{said}");
        assert!(said.contains("prod is rollback\n"), "{said}");
        assert!(said.contains("first failure: "), "{said}");
        assert!(accepts(&place.sandbox, "sandbox-password").await.unwrap());
        assert!(!place.programs.person.path().join("new").exists());
        // The rack may be asked again at once.
        let (_, said) = place.ends(0, &["rack", "params", "set", "Password=", "--yes"]);
        assert!(!said.contains("replaces the private key"), "{said}");
    }
}
