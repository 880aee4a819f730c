//! `convox identities`.

use std::collections::BTreeMap;

use super::{Person, Served};

#[test]
fn an_identity_is_made_shown_listed_and_deleted() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let line = "identities create acme-1 --meta {\"plan\":\"pro\"} --ratelimit calls=5/1m";
    let id = me.run(line).line();
    assert!(id.starts_with("id_"), "{id}");
    let names = BTreeMap::from([(id.as_str(), "ACME")]);
    let again = me.shows("identities create acme-1", &names);
    assert!(again.contains("exit 1"), "{again}");
    assert!(again.contains("This identity exists already"), "{again}");
    let by_name = me.shows("identities show acme-1", &names);
    insta::assert_snapshot!(by_name, @r#"
    exit 0
    --- stdout
    Identity     ACME
    External id  acme-1
    Rate limits  calls: 5 in 1m
    Metadata     {"plan":"pro"}
    --- stderr
    "#);
    assert_eq!(me.shows(&format!("identities show {id}"), &names), by_name);
    me.run("identities create other").line();
    let listed = me.reads("identities list");
    assert_eq!(listed.len(), 2);
    let found = me.reads("identities list --search acme");
    assert_eq!((found.len(), &found[0]["id"]), (1, &id.as_str().into()));
    assert_eq!(found[0]["meta"], serde_json::json!({ "plan": "pro" }));
    insta::assert_snapshot!(me.shows("identities list --search acme", &names), @r"
    exit 0
    --- stdout
    ID                   EXTERNAL ID  LIMITS
    ACME  acme-1       1
    --- stderr
    ");
    // Its keys stay when it goes.
    let api = me.api();
    let (_, key) = me.makes(&format!("keys create --api {api} --external-id acme-1"));
    insta::assert_snapshot!(me.shows("identities delete acme-1", &names), @r"
    exit 0
    --- stdout
    --- stderr
    Deleted the identity acme-1
    ");
    assert_eq!(me.verify(&key), ("VALID".to_owned(), 0));
    let gone = me.shows("identities show acme-1", &names);
    assert!(
        gone.contains("The specified identity was not found"),
        "{gone}"
    );
}

#[test]
fn scripts_are_told_of_identities_in_json() {
    let served = Served::new();
    let (_server, address) = served.start();
    let me = Person::new(&address, &served.root);
    let made = me.reads("identities create acme-1 --ratelimit calls=5/1m");
    let id = made[0]["identityId"].as_str().unwrap();
    let shown = me.reads("identities show acme-1");
    assert_eq!(
        (&shown[0]["id"], &shown[0]["externalId"]),
        (&id.into(), &"acme-1".into())
    );
    let limit = &shown[0]["ratelimits"][0];
    assert_eq!(
        (&limit["limit"], &limit["duration"]),
        (&5.into(), &60_000.into())
    );
    let deleted = me.reads(&format!("identities delete {id}"));
    assert_eq!(deleted, [serde_json::json!({ "identity": id })]);
    assert_eq!(me.reads("identities list"), Vec::<serde_json::Value>::new());
}
