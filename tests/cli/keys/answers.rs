//! What makes a secret: where it goes, and what becomes of an answer that is lost.

use regex::Regex;

use super::{Person, Served};
use crate::lossy::Lossy;

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
