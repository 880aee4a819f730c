//! `convox keys list`: all pages of it, for a person and for a script.

use std::collections::BTreeMap;

use super::{Person, Served};

#[test]
fn keys_are_listed_with_what_is_worth_knowing() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (acme, secret) = me.makes(&format!(
        "keys create --api {api} --name first --prefix sk --external-id acme --expires 90d"
    ));
    let begins = &secret[..7];
    let (off, other) = me.makes(&format!(
        "keys create --api {api} --name second --prefix sk --disabled"
    ));
    let beginning = &other[..7];
    let names = BTreeMap::from([
        (acme.as_str(), "ACME"),
        (off.as_str(), "OFF"),
        (begins, "BEGINS"),
        (beginning, "BEGINNING"),
    ]);
    let shown = me.shows(&format!("keys list --api {api}"), &names);
    let mut rows: Vec<Vec<_>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    rows[3..5].sort();
    assert_eq!(rows[0], ["exit", "0"]);
    let head = ["ID", "NAME", "BEGINS", "STATE", "EXPIRES", "IDENTITY"];
    assert_eq!(rows[2], head);
    assert_eq!(
        rows[3],
        ["ACME", "first", "BEGINS", "active", "TIME", "acme"]
    );
    assert_eq!(rows[4][..4], ["OFF", "second", "BEGINNING", "disabled"]);
    let of_acme = me.shows(&format!("keys list --api {api} --external-id acme"), &names);
    assert!(
        of_acme.contains("ACME") && !of_acme.contains("OFF"),
        "{of_acme}"
    );
    let of_nobody = me.reads(&format!("keys list --api {api} --external-id nobody"));
    assert_eq!(of_nobody, Vec::<serde_json::Value>::new());
    let listed = me.reads(&format!("keys list --api {api}"));
    let first = listed.iter().find(|key| key["keyId"] == acme).unwrap();
    assert_eq!(
        (&first["name"], &first["enabled"]),
        (&"first".into(), &true.into())
    );
    assert_eq!(first["identity"]["externalId"], "acme");
    let unknown = me.run("keys list --api api_unknown");
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""));
}

#[test]
fn a_list_goes_on_to_its_last_page() {
    let served = Served::new();
    let (_server, address) = served.start();
    let me = Person::new(&address, &served.root);
    let api = me.api();
    // A page has a hundred.
    for number in 0..101 {
        let body = serde_json::json!({ "apiId": api, "name": format!("n{number}") });
        assert!(me.post("keys.createKey", &body)["key"].is_string());
    }
    let mut listed = me.reads(&format!("keys list --api {api}"));
    assert_eq!(listed.len(), 101);
    listed.sort_by_key(|key| key["name"].to_string());
    listed.dedup_by_key(|key| key["name"].to_string());
    assert_eq!(listed.len(), 101);
    let table = me.run(&format!("keys list --api {api}")).stdout;
    assert_eq!(table.lines().count(), 102);
}
