//! What the flags of `convox keys` and `convox apis` do.

use serde_json::{Value, json};

use super::{Person, Served};

/// Returns how many random bytes a secret has.
fn bytes(secret: &str) -> usize {
    let chance = secret.rsplit('_').next().unwrap();
    bs58::decode(chance).into_vec().unwrap().len()
}

#[test]
fn a_key_is_made_as_the_flags_say() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let line = "apis create orders --prefix or_live --bytes 32 --recoverable";
    let api = me.run(line).line();
    let role = json!({ "name": "reader", "permissions": ["docs.read"] });
    me.post("permissions.createRole", &role);
    let (_, plain) = me.makes(&format!("keys create --api {api}"));
    assert!(plain.starts_with("or_live_"), "of the API");
    assert_eq!(bytes(&plain), 32);
    let (id, secret) = me.makes(&format!(
        "keys create --api {api} --role reader --bytes 20 --prefix sk --recoverable"
    ));
    assert!(secret.starts_with("sk_"));
    assert_eq!(bytes(&secret), 20);
    let shown = me.reads(&format!("keys show {id}"));
    assert_eq!(shown[0]["roles"], json!(["reader"]));
    assert_eq!(shown[0]["permissions"], json!(["docs.read"]));
    let kept = json!({ "keyId": id, "decrypt": true });
    let kept = me.post("keys.getKey", &kept);
    assert_eq!(kept["plaintext"], json!(secret));
    let (_, disabled) = me.makes(&format!("keys create --api {api} --disabled"));
    assert_eq!(me.verify(&disabled), ("DISABLED".to_owned(), 1));
}

#[test]
#[cfg(unix)]
fn a_new_key_goes_to_a_file() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let made = me.run(&format!("keys create --api {api} --out key"));
    assert_eq!(made.code, 0, "{}", made.stderr);
    let secret = me.env.read("key").trim().to_owned();
    assert_eq!(made.line(), made.id(), "its id, and not the secret");
    assert!(!made.stderr.contains(&secret));
    assert_eq!(me.env.mode("key"), 0o600);
    me.secrets.push(secret);
    assert_eq!(me.run("keys verify --key-file key").code, 0);
}

#[test]
fn a_verification_asks_for_what_the_flags_say() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (id, secret) = me.makes(&format!(
        "keys create --api {api} --permission docs.read --credits 10"
    ));
    let verify = |flags: &str| me.run_with(&format!("keys verify {flags}"), &secret);
    let lacks = verify("--permissions docs.write");
    assert_eq!(lacks.code, 1);
    assert!(
        lacks.stdout.contains("INSUFFICIENT_PERMISSIONS"),
        "{}",
        lacks.stdout
    );
    let spent = verify("--permissions docs.read --cost 4 --tag web --tag eu --output json");
    assert_eq!(spent.code, 0, "{}", spent.stderr);
    let spent: Value = serde_json::from_str(&spent.stdout).unwrap();
    assert_eq!(spent["credits"], 6);
    assert_eq!(
        me.reads(&format!("keys show {id}"))[0]["credits"]["remaining"],
        6
    );
    let query = "SELECT spent_credits FROM key_verifications_v1 \
                 WHERE has(tags, 'web') AND has(tags, 'eu')";
    // Counts are written down a moment later.
    let counted = (0..10_000).find_map(|_| {
        let rows = me.post("analytics.getVerifications", &json!({ "query": query }));
        rows.get(0).cloned()
    });
    assert_eq!(counted, Some(json!({ "spent_credits": 4 })));
}

#[test]
fn nothing_is_left_of_a_key_for_good() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (id, secret) = me.makes(&format!("keys create --api {api}"));
    let deleted = me.reads(&format!("keys delete {id} --permanent --yes"));
    assert_eq!(deleted, [json!({ "keyId": id })]);
    assert_eq!(me.verify(&secret), ("NOT_FOUND".to_owned(), 1));
    assert_eq!(
        me.run(&format!("keys delete {id} --permanent --yes")).code,
        1
    );
}

#[test]
fn a_grace_period_is_what_the_flag_says() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    for (grace, code) in [("0", "EXPIRED"), ("keep", "VALID"), ("1h", "VALID")] {
        let (old, secret) = me.makes(&format!("keys create --api {api}"));
        let (new, fresh) = me.makes(&format!("keys reroll {old} --grace {grace}"));
        assert_eq!(me.verify(&secret).0, code, "{grace}");
        assert_eq!(me.verify(&fresh).0, "VALID", "{grace}");
        let shown = me.reads(&format!("keys show {old}"));
        assert_eq!(shown[0]["successorId"], json!(new));
        assert_eq!(
            shown[0].get("expires").is_some(),
            grace != "keep",
            "{grace}"
        );
    }
}

#[test]
fn a_person_is_told_who_still_uses_the_old_key() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (old, secret) = me.makes(&format!("keys create --api {api}"));
    me.makes(&format!("keys reroll {old} --grace 1h"));
    for tag in ["billing", "billing", "web"] {
        let line = format!("keys verify --tag {tag}");
        assert_eq!(me.run_with(&line, &secret).code, 0);
    }
    // Uses are counted a little later.
    let told = (0..100).map(|_| me.run(&format!("keys rotation {old}")).stdout);
    let told = told.into_iter().find(|told| told.contains("3 times"));
    let told = told.unwrap();
    assert!(told.contains("old key verified 3 times, new key 0 times"));
    assert!(told.contains("Old key by   billing (2), web (1)"), "{told}");
}

#[test]
fn scripts_are_told_how_a_rotation_ended() {
    let served = Served::new();
    let (_server, address) = served.start();
    let mut me = Person::new(&address, &served.root);
    let api = me.api();
    let (cut, _) = me.makes(&format!("keys create --api {api}"));
    let (new, _) = me.makes(&format!("keys reroll {cut} --grace 1h"));
    let finished = me.reads(&format!("keys finish {cut}"));
    let told = (
        &finished[0]["keyId"],
        &finished[0]["successorId"],
        &finished[0]["active"],
    );
    assert_eq!(told, (&json!(cut), &json!(new), &json!(false)));
    let (whole, secret) = me.makes(&format!("keys create --api {api}"));
    me.makes(&format!("keys reroll {whole} --grace 1h"));
    let cancelled = me.reads(&format!("keys cancel {whole}"));
    let told = (&cancelled[0]["keyId"], &cancelled[0]["active"]);
    assert_eq!(told, (&json!(whole), &json!(true)));
    assert!(cancelled[0].get("successorId").is_none());
    assert_eq!(me.verify(&secret).0, "VALID");
}
