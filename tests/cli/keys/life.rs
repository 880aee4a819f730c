//! A key from its making to its end, for a person and for a script.

use std::collections::BTreeMap;

use super::{Person, Served};

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
    Since then   old key verified N times, new key N times
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
