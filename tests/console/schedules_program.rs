//! The commands of schedules, freezes and policies.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;

use crate::programs::{Programs, done, text};

/// A console of three racks, and nobody who serves it.
fn console() -> Programs {
    let programs = Programs::new();
    done(programs.of_console(&["init", "--workspace", "acme"]));
    for rack in ["prod-eu", "prod-us", "staging"] {
        done(programs.of_console(&["racks", "add", rack, "--kind", "sandbox"]));
    }
    programs
}

impl Programs {
    fn fails(&self, words: &[&str]) -> (Option<i32>, String) {
        let Output { status, stderr, .. } = self.of_console(words).output().unwrap();
        (status.code(), text(&stderr))
    }
}

#[test]
fn a_schedule_is_set_listed_and_removed() {
    let programs = console();
    let sentence = "every 2 weeks, tue 3:00-5:00 europe/paris";
    let set = programs
        .of_console(&["schedules", "set", "prod-eu", sentence])
        .output();
    let said = text(&set.unwrap().stderr);
    let expected = "The ssh key of prod-eu is rolled every 14 days, Tue 03:00-05:00 Europe/Paris, \
                    not in a freeze; next: 20";
    assert!(said.starts_with(expected), "{said}");
    assert!(
        said.trim_end().ends_with("CET") || said.trim_end().ends_with("CEST"),
        "{said}"
    );
    done(programs.of_console(&["schedules", "set", "staging", "--key", "api", "every day"]));
    let listed = done(programs.of_console(&["schedules", "list"]));
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let lines: Vec<_> = listed.lines().map(words).collect();
    assert_eq!(lines[0], ["RACK", "KEY", "NEXT", "SCHEDULE"], "{listed}");
    assert_eq!(lines[1][..2], ["prod-eu", "ssh"], "{listed}");
    assert!(listed.contains("every 14 days, Tue 03:00-05:00 Europe/Paris, not in a freeze"));
    assert_eq!(lines[2][..2], ["staging", "api"], "{listed}");
    done(programs.of_console(&["schedules", "remove", "prod-eu"]));
    let (code, said) = programs.fails(&["schedules", "remove", "prod-eu"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("the ssh key of prod-eu has no schedule"),
        "{said}"
    );
    for (words, told) in [
        (["set", "prod-eu", "sometimes"], "does not say how often"),
        (
            ["set", "prod-eu", "every day, Tue 3:00-5:00 Mars"],
            "there is no time zone `Mars`",
        ),
    ] {
        let words = ["schedules", words[0], words[1], words[2]];
        let (code, said) = programs.fails(&words);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(told) && said.contains("hint: "), "{said}");
    }
    let (code, said) = programs.fails(&["schedules", "set", "dev", "every day"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("the console knows no rack dev"), "{said}");
}

#[test]
fn a_freeze_is_added_listed_and_removed() {
    let programs = console();
    let add = [
        "freezes",
        "add",
        "--from",
        "2096-12-20",
        "--to",
        "2097-01-04",
    ];
    let more = ["--zone", "Europe/Paris", "--reason", "the end of the year"];
    done(programs.of_console(&[add.as_slice(), &more].concat()));
    let listed = done(programs.of_console(&["freezes", "list"]));
    let line = listed.lines().nth(1).unwrap();
    let (id, rest) = line.split_once(' ').unwrap();
    let expected = "2096-12-19T23:00:00Z  2097-01-04T23:00:00Z  the end of the year";
    assert_eq!(rest.trim(), expected);
    done(programs.of_console(&["freezes", "remove", id]));
    assert_eq!(
        done(programs.of_console(&["freezes", "list"]))
            .lines()
            .count(),
        1
    );
    let (code, said) = programs.fails(&["freezes", "remove", id]);
    assert_eq!(code, Some(1), "{said}");
    let backwards = [
        "freezes",
        "add",
        "--from",
        "2096-12-20",
        "--to",
        "2096-12-19",
    ];
    let (code, said) = programs.fails(&[backwards.as_slice(), &["--reason", "none"]].concat());
    assert_eq!(code, Some(2));
    assert!(said.contains("over before it begins"), "{said}");
}

#[test]
fn a_policy_is_the_truth_for_the_racks_that_it_names() {
    let programs = console();
    let set = |rack, key, sentence: &str| {
        done(programs.of_console(&["schedules", "set", rack, "--key", key, sentence]));
    };
    set("prod-us", "ssh", "every 30 days");
    set("prod-us", "api", "every 30 days");
    set("staging", "ssh", "every 5 days");
    let policy = "schedules:\n\
                  - {racks: prod-eu, schedule: 'every 90 days, Tue 03:00-05:00 Europe/Paris'}\n\
                  - {racks: ['prod-*', nowhere], every: 60 days}\n";
    std::fs::write(programs.server.path().join("policy.yaml"), policy).unwrap();
    let apply = ["policy", "apply", "policy.yaml"];
    let plan = "+ prod-eu ssh: every 90 days, Tue 03:00-05:00 Europe/Paris, not in a freeze\n\
                ~ prod-us ssh: every 60 days, not in a freeze (was: every 30 days, not in a freeze)\n\
                - prod-us api: every 30 days, not in a freeze\n";
    let dry = [apply.as_slice(), &["--dry-run"]].concat();
    assert_eq!(done(programs.of_console(&dry)), plan);
    let applied = programs.of_console(&apply).output().unwrap();
    assert_eq!(text(&applied.stdout), plan);
    let said = text(&applied.stderr);
    assert!(said.contains("no rack is called nowhere"), "{said}");
    assert!(said.contains("3 schedules are changed"), "{said}");
    let again = programs.of_console(&apply).output().unwrap();
    assert_eq!(text(&again.stdout), "");
    assert!(text(&again.stderr).contains("Nothing changes"));
    let listed = done(programs.of_console(&["schedules", "list"]));
    let kept = listed.lines().any(|line| line.starts_with("staging  ssh"));
    assert!(kept && listed.lines().count() == 4, "{listed}");
    let waves = "waves:\n\
                 - {name: prod, racks: ['prod-*'], canary: staging, concurrency: 2, every: 60 days}\n";
    let policy_of_waves = |text: &str| {
        std::fs::write(programs.server.path().join("policy.yaml"), text).unwrap();
        done(programs.of_console(&apply))
    };
    let told = policy_of_waves(&format!("{policy}{waves}"));
    // The canary is named as well.
    let expected = "- staging ssh: every 5 days, not in a freeze\n\
                    + wave prod ssh: prod-* after staging, 2 at once, every 60 days, not in a freeze\n";
    assert_eq!(told, expected);
    assert_eq!(policy_of_waves(policy), "", "nothing is said of waves");
    let told = policy_of_waves(&format!("{policy}waves: []\n"));
    assert!(
        told.starts_with("- wave prod ssh: ") && told.lines().count() == 1,
        "{told}"
    );
    std::fs::write(programs.server.path().join("policy.yaml"), "rules: []").unwrap();
    let (code, said) = programs.fails(&apply);
    assert_eq!(code, Some(2));
    assert!(said.contains("policy.yaml: "), "{said}");
}

#[test]
fn a_wave_is_started_shown_and_stopped() {
    let programs = console();
    let start = [
        "waves", "start", "--racks", "prod-*", "staging", "--canary", "prod-us",
    ];
    let wave = done(programs.of_console(&start));
    let wave = wave.trim();
    assert!(wave.starts_with("wave_"), "{wave}");
    let show = || done(programs.of_console(&["waves", "show", wave]));
    let expected = "RACK              ROLL  STATE\n\
                    prod-us (canary)        waiting\n\
                    prod-eu                 waiting\n\
                    staging                 waiting\n";
    assert_eq!(show(), expected);
    let list = || done(programs.of_console(&["waves", "list"]));
    assert!(list().contains("  0/3   under way\n"), "{}", list());
    done(programs.of_console(&["waves", "stop", wave]));
    assert!(
        list().contains("  0/3   stopping: by the operator\n"),
        "{}",
        list()
    );
    for (words, told) in [
        (&["waves", "stop", wave][..], "there is no wave "),
        (&["waves", "show", "wave_1"], "there is no wave wave_1"),
        (
            &["waves", "start", "--racks", "lab-*"],
            "no rack is called lab-*",
        ),
        (
            &["waves", "start", "--racks", "*", "--canary", "lab"],
            "no rack is called lab",
        ),
    ] {
        let (code, said) = programs.fails(words);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn a_webhook_is_added_tested_listed_and_removed() {
    let programs = console();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/hooks/a-secret-path",
        listener.local_addr().unwrap()
    );
    let host = listener.local_addr().unwrap().to_string();
    let heard = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for status in ["204 No Content", "500 Oh", "302 Found\r\nlocation: /other"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\"}") {
                let mut part = [0; 1024];
                let read = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            asked.push(text(&request));
        }
        asked
    });
    let secret = done(programs.of_console(&["webhooks", "add", &url, "--events", "roll.failed"]));
    assert!(secret.starts_with("whsec_"), "{secret}");
    let listed = done(programs.of_console(&["webhooks", "list"]));
    let line: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    let [id, rest @ ..] = line.as_slice() else {
        panic!("{listed}");
    };
    assert_eq!(rest, ["json", host.as_str(), "0", "roll.failed"]);
    assert!(!listed.contains("a-secret-path"), "{listed}");
    done(programs.of_console(&["webhooks", "test", id]));
    for answer in ["the answer was 500", "the answer was 302"] {
        let (code, said) = programs.fails(&["webhooks", "test", id]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(answer), "{said}");
    }
    let asked = heard.join().unwrap();
    assert!(
        asked[0].starts_with("POST /hooks/a-secret-path HTTP/1.1\r\n"),
        "{}",
        asked[0]
    );
    for header in [
        "webhook-id: test_",
        "webhook-timestamp: ",
        "webhook-signature: v1,",
    ] {
        assert!(asked[0].contains(header), "{}", asked[0]);
    }
    assert!(
        asked[0].contains("\"type\":\"webhook.test\""),
        "{}",
        asked[0]
    );
    done(programs.of_console(&["webhooks", "remove", id]));
    assert_eq!(
        done(programs.of_console(&["webhooks", "list"]))
            .lines()
            .count(),
        1
    );
    for (words, code, told) in [
        (&["webhooks", "remove", id][..], 1, "there is no webhook "),
        (
            &["webhooks", "test", "hook_1"],
            1,
            "there is no webhook hook_1",
        ),
        (
            &["webhooks", "add", "http://example.com/"],
            2,
            "by https only",
        ),
        (
            &["webhooks", "add", "https://a.example", "--events", "all"],
            2,
            "is no event",
        ),
    ] {
        let (exit, said) = programs.fails(words);
        assert_eq!(exit, Some(code), "{said}");
        assert!(said.contains(told), "{said}");
    }
    let audited = done(programs.of_console(&["audit"]));
    assert!(audited.contains("\"webhook.create\"") && audited.contains("\"webhook.delete\""));
    assert!(!audited.contains("whsec_") && !audited.contains("a-secret-path"));
}
