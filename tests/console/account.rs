//! The account key: rolled with a grace period, finished, taken back.

use reqwest::Method;
use serde_json::json;

use crate::environment::{Answer, Console, Person, on_both};

async fn post(person: &Person<'_>, path: &str, form: Option<&str>) -> Answer {
    person.ask(Method::POST, path, form).await
}

/// Rolls somebody's key, and returns them with the new one.
async fn rolled<'c>(person: &Person<'c>, grace: u64) -> Person<'c> {
    let form = format!("grace={grace}");
    let answer = post(person, "/account/keyroll", Some(&form)).await.json();
    let mut new = person.clone();
    new.key = answer["key"].as_str().unwrap().to_owned();
    assert!(new.key.starts_with("convox_") && new.key != person.key);
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_work_until_the_old_one_is_let_go() {
    on_both("success", async |console: &Console| {
        let old = console.operator().await;
        let new = rolled(&old, 3600).await;
        for key in [&old, &new] {
            assert_eq!(key.get("/auth").await.json()["id"], json!(old.id));
            assert_eq!(key.get("/system").await.status, 200);
        }
        let again = post(&old, "/account/keyroll", Some("grace=60")).await;
        assert_eq!(again.status, 409, "{}", again.body);
        let finished = post(&new, "/account/keyroll/finish", None).await;
        assert_eq!(finished.told(), (200, "ok\n"));
        assert_eq!(old.get("/auth").await.status, 401);
        assert_eq!(new.get("/auth").await.status, 200);
        let nothing = post(&new, "/account/keyroll/cancel", None).await;
        assert_eq!(nothing.status, 409, "{}", nothing.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_grace_the_old_key_goes_at_once() {
    on_both("success", async |console: &Console| {
        let old = console.operator().await;
        let new = rolled(&old, 0).await;
        assert_eq!(old.get("/auth").await.status, 401);
        assert_eq!(new.get("/auth").await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_whose_new_key_was_lost_is_taken_back() {
    on_both("success", async |console: &Console| {
        let old = console.operator().await;
        let lost = rolled(&old, 3600).await;
        let back = post(&old, "/account/keyroll/cancel", None).await;
        assert_eq!(back.told(), (200, "ok\n"));
        assert_eq!(lost.get("/auth").await.status, 401);
        assert_eq!(old.get("/auth").await.status, 200);
        let new = rolled(&old, 60).await;
        assert_eq!(new.get("/auth").await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_that_is_none_changes_nothing() {
    on_both("success", async |console: &Console| {
        let old = console.operator().await;
        for wrong in ["grace=soon", "grace=-1", "grace=2592001"] {
            let refused = post(&old, "/account/keyroll", Some(wrong)).await;
            assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
        }
        assert_eq!(old.get("/account/keyroll").await.told(), (404, ""));
        let new = rolled(&old, 1).await;
        assert_eq!(new.get("/auth").await.status, 200);
    })
    .await;
}
