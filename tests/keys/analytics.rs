//! What was verified is counted, and people can ask.

use std::collections::BTreeMap;
use std::time::Duration;

use convox::keys::analytics::Grain;
use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both, text};

const DAY: Duration = Duration::from_hours(24);
/// As long as it takes to add up whatever was counted.
pub const ALL: Duration = Duration::from_mins(10);

impl Server {
    /// Asks about verifications, all that were made before included.
    pub async fn ask(&self, query: &str) -> Answer {
        self.service.write_counts(ALL).await.unwrap();
        self.post("analytics.getVerifications", json!({ "query": query }))
            .await
    }

    /// Asks, and returns the rows of the answer.
    pub async fn rows(&self, query: &str) -> Value {
        self.ask(query).await.data()
    }

    /// Verifies a key with further demands.
    async fn verify_with(&self, key: &str, mut with: Value) -> String {
        with["key"] = json!(key);
        text(&self.post("keys.verifyKey", with).await.data()["code"])
    }

    /// Waits until an hour has just begun, so that what follows is in one hour.
    fn wait_for_a_whole_hour(&self) -> i64 {
        let hour = Duration::from_hours(1).as_millis();
        let hour = i64::try_from(hour).unwrap();
        let left = hour - self.now().rem_euclid(hour);
        self.wait(Duration::from_millis(u64::try_from(left).unwrap()));
        Grain::Hour.start(self.now())
    }
}

#[tokio::test]
async fn verifications_are_counted_by_all_that_is_known_of_them() {
    on_both(async |server: &Server| {
        server.wait_for_a_whole_hour();
        let api = server.api().await;
        let (alice, key) = server
            .key(
                &api,
                json!({ "externalId": "alice", "credits": { "remaining": 5 } }),
            )
            .await;
        let (bob, other) = server.key(&api, json!({})).await;
        let tagged = |tags: &[&str]| json!({ "tags": tags });
        assert_eq!(
            server.verify_with(&key, tagged(&["web", "paid"])).await,
            "VALID"
        );
        assert_eq!(
            server.verify_with(&key, tagged(&["paid", "web"])).await,
            "VALID"
        );
        let costly = json!({ "tags": ["web"], "credits": { "cost": 3 } });
        assert_eq!(server.verify_with(&key, costly).await, "VALID");
        assert_eq!(server.verify(&key).await, "USAGE_EXCEEDED");
        assert_eq!(server.verify(&other).await, "VALID");
        assert_eq!(server.verify("nobody").await, "NOT_FOUND");
        for view in [
            "v1",
            "per_minute_v1",
            "per_hour_v1",
            "per_day_v1",
            "per_month_v1",
        ] {
            let count = if view == "v1" {
                "COUNT(*)"
            } else {
                "SUM(count)"
            };
            let ask = async |select: &str, rest: &str| {
                let query = format!("SELECT {select} FROM key_verifications_{view} {rest}");
                server.rows(&query.replace("USES", count)).await
            };
            assert_eq!(
                ask(
                    "external_id, key_id, outcome, tags, USES AS uses, SUM(spent_credits) AS spent",
                    "GROUP BY external_id, key_id, outcome, tags ORDER BY external_id DESC, \
                     outcome DESC, uses DESC",
                )
                .await,
                json!([
                    { "external_id": "alice", "key_id": alice, "outcome": "VALID",
                      "tags": ["paid", "web"], "uses": 2, "spent": 2 },
                    { "external_id": "alice", "key_id": alice, "outcome": "VALID",
                      "tags": ["web"], "uses": 1, "spent": 3 },
                    { "external_id": "alice", "key_id": alice, "outcome": "USAGE_EXCEEDED",
                      "tags": [], "uses": 1, "spent": 0 },
                    { "key_id": bob, "outcome": "VALID", "tags": [], "uses": 1, "spent": 0 },
                ]),
                "{view}"
            );
            let uses = async |filter: &str| ask("USES AS uses", filter).await[0]["uses"].clone();
            assert_eq!(uses("WHERE has(tags, 'web')").await, 3, "{view}");
            assert_eq!(
                uses("WHERE has(tags, 'we') OR has(tags, '%')").await,
                without(view)
            );
            assert_eq!(uses("WHERE identity_id IS NULL").await, 1, "{view}");
            assert_eq!(uses("WHERE NOT (outcome = 'VALID')").await, 1, "{view}");
            assert_eq!(
                uses("WHERE outcome IN ('VALID', 'DISABLED')").await,
                4,
                "{view}"
            );
            let between = format!("WHERE key_id BETWEEN '{alice}' AND '{alice}'");
            assert_eq!(uses(&between).await, 4, "{view}");
        }
        let hours = "SELECT time FROM key_verifications_per_hour_v1 GROUP BY time";
        let hour = server.rows(hours).await[0]["time"].as_i64().unwrap();
        assert_eq!(hour, Grain::Hour.start(server.now()));
    })
    .await;
}

/// What a sum of nothing is: 0 where rows are counted, and left out where numbers are added.
fn without(view: &str) -> Value {
    if view == "v1" { json!(0) } else { Value::Null }
}

#[tokio::test]
async fn a_reroll_does_not_break_a_series() {
    on_both(async |server: &Server| {
        server.wait_for_a_whole_hour();
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({ "externalId": "alice" })).await;
        assert_eq!(server.verify(&old_key).await, "VALID");
        let (new, new_key) = server.reroll(&old, json!(3_600_000)).await;
        for key in [&old_key, &new_key, &new_key] {
            assert_eq!(server.verify(key).await, "VALID");
        }
        let day = "FROM key_verifications_per_day_v1 WHERE external_id = 'alice'";
        let one = format!("SELECT identity_id, SUM(count) AS n {day} GROUP BY identity_id");
        let one = server.rows(&one).await;
        assert_eq!(
            (one.as_array().unwrap().len(), &one[0]["n"]),
            (1, &json!(4))
        );
        let both = format!("SELECT key_id, SUM(count) AS n {day} GROUP BY key_id");
        let both: BTreeMap<_, _> = server
            .rows(&both)
            .await
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (text(&row["key_id"]), row["n"].as_i64().unwrap()))
            .collect();
        assert_eq!(both, BTreeMap::from([(old, 2), (new, 2)]));
    })
    .await;
}

#[tokio::test]
async fn a_rotation_tells_who_still_uses_the_old_key() {
    on_both(async |server: &Server| {
        let hour = server.wait_for_a_whole_hour();
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({})).await;
        let which = json!({ "keyId": old });
        let rotation = async |body: &Value| {
            server.service.write_counts(ALL).await.unwrap();
            server.post("keys.getRotation", body.clone()).await.data()
        };
        // Before the reroll, in the same hour: that is not what anybody asks.
        assert_eq!(server.verify(&old_key).await, "VALID");
        assert!(rotation(&which).await.get("uses").is_none());
        let (new, new_key) = server.reroll(&old, json!(3_600_000)).await;
        let unused = rotation(&which).await["uses"].clone();
        assert_eq!(
            unused["old"],
            json!({
                "keyId": old, "verifications": 0, "outcomes": {}, "callers": [],
            })
        );
        assert_eq!(unused["series"], json!([]));
        let tagged = json!({ "tags": ["billing"] });
        assert_eq!(server.verify_with(&old_key, tagged).await, "VALID");
        assert_eq!(server.verify(&new_key).await, "VALID");
        let used = server.now();
        server.wait(Duration::from_hours(2));
        assert_eq!(server.verify(&old_key).await, "EXPIRED");
        assert_eq!(server.verify(&new_key).await, "VALID");
        let uses = rotation(&which).await["uses"].clone();
        let later = hour + 2 * 3_600_000;
        assert_eq!(uses["old"]["outcomes"], json!({ "VALID": 1, "EXPIRED": 1 }));
        assert_eq!(uses["old"]["verifications"], 2);
        assert!(uses["old"]["lastUsedAt"].as_i64().unwrap() > used);
        assert_eq!(
            uses["old"]["callers"],
            json!([
                { "tags": [], "verifications": 1, "lastHour": later },
                { "tags": ["billing"], "verifications": 1, "lastHour": hour },
            ])
        );
        assert_eq!(uses["new"]["outcomes"], json!({ "VALID": 2 }));
        assert_eq!(uses["interval"], "hour");
        assert_eq!(
            uses["series"],
            json!([
                { "time": hour, "old": 1, "new": 1 },
                { "time": later, "old": 1, "new": 1 },
            ])
        );
        // The new key is a side of the same rotation.
        let from_new = rotation(&json!({ "keyId": new })).await;
        assert_eq!(from_new["uses"], uses);
        let daily = rotation(&json!({ "keyId": old, "interval": "day" })).await["uses"].clone();
        let days = daily["series"].as_array().unwrap();
        assert_eq!(
            days.iter()
                .map(|day| day["old"].as_i64().unwrap())
                .sum::<i64>(),
            2
        );
        assert_eq!(days[0]["time"], Grain::Day.start(hour));
        server.wait(3 * DAY);
        assert_eq!(rotation(&which).await["uses"]["interval"], "day");
    })
    .await;
}

#[tokio::test]
async fn a_key_says_when_it_was_last_used() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, key) = server.key(&api, json!({})).await;
        server.service.write_counts(ALL).await.unwrap();
        assert!(server.get(&id).await.get("lastUsedAt").is_none());
        let before = server.now();
        assert_eq!(server.verify(&key).await, "VALID");
        server.wait(DAY);
        assert_eq!(
            server
                .verify_with(&key, json!({ "permissions": "admin" }))
                .await,
            "INSUFFICIENT_PERMISSIONS"
        );
        let after = server.now();
        server.service.write_counts(ALL).await.unwrap();
        let last = server.get(&id).await["lastUsedAt"].as_i64().unwrap();
        assert!(
            (before + 86_400_000..=after).contains(&last),
            "{before} {last} {after}"
        );
        let root = server.service.store();
        let hash = convox::keys::Hash::of(&server.root);
        let (root, _) = root.root_key_by_hash(hash).await.unwrap().unwrap();
        let used = root.last_used_at.unwrap();
        assert!(
            (before + 86_400_000..=server.now()).contains(&used),
            "{used}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_last_use_is_told_within_a_second_of_the_servers_clock() {
    /// A second of that clock takes ten: what the machine needs besides weighs a tenth.
    const SPEED: f64 = 0.1;
    let url = std::env::var("CONVOX_TEST_DATABASE_URL").ok();
    let databases = [None, url.as_deref()];
    let databases = if url.is_some() {
        &databases[..]
    } else {
        &databases[..1]
    };
    for url in databases {
        let server = Server::at_speed(SPEED, *url).await;
        let api = server.api().await;
        let (id, key) = server.key(&api, json!({})).await;
        assert_eq!(server.verify(&key).await, "VALID");
        let verified = server.now();
        // However long it takes: the test runner ends what never comes.
        while server.get(&id).await.get("lastUsedAt").is_none() {
            server.clock.sleep(Duration::from_millis(5)).await;
        }
        let took = server.now() - verified;
        assert!(took <= 1000, "{took} ms");
    }
}
