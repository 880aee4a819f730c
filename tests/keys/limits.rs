//! Limits: of `ratelimit.limit`, of a workspace, and of a request.

use std::time::Duration;

use convox::console::ServiceOptions;
use serde_json::{Value, json};

use crate::environment::{Server, on_both};

#[tokio::test]
async fn anything_is_counted_against_a_limit() {
    on_both(async |server: &Server| {
        let asks = async |identifier: &str, cost: i64| {
            let body = json!({
                "namespace": "mails", "identifier": identifier,
                "limit": 2, "duration": 60_000, "cost": cost,
            });
            server.post("ratelimit.limit", body).await.data()
        };
        let told = |data: &Value| (data["success"].clone(), data["remaining"].clone());
        let ok = |left: i64| (json!(true), json!(left));
        assert_eq!(told(&asks("a", 1).await), ok(1));
        assert_eq!(told(&asks("a", 0).await), ok(1), "0 only asks");
        assert_eq!(told(&asks("a", 1).await), ok(0));
        assert_eq!(told(&asks("a", 1).await), (json!(false), json!(0)));
        assert_eq!(told(&asks("b", 2).await), ok(0), "somebody else");
        server.wait(Duration::from_mins(2));
        assert_eq!(told(&asks("a", 2).await), ok(0));
        let small = json!({ "namespace": "m", "identifier": "a", "limit": 1, "duration": 999 });
        assert_eq!(server.post("ratelimit.limit", small).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_namespace_is_made_by_whoever_may() {
    on_both(async |server: &Server| {
        let only = server.root_with(&["ratelimit.*.limit"]).await;
        let both = server
            .root_with(&["ratelimit.*.limit", "ratelimit.*.create_namespace"])
            .await;
        let body = json!({ "namespace": "n", "identifier": "a", "limit": 9, "duration": 60_000 });
        let asks = async |root: &str| {
            server
                .post_as(root, "ratelimit.limit", body.clone(), &[])
                .await
        };
        let refused = asks(&only).await;
        assert_eq!(refused.status, 403);
        assert!(
            refused.detail().contains("create_namespace"),
            "{}",
            refused.detail()
        );
        assert_eq!(asks(&both).await.status, 200);
        assert_eq!(asks(&only).await.status, 200);
        let none = server.root_with(&["api.*.read_key"]).await;
        assert_eq!(asks(&none).await.status, 403);
    })
    .await;
}

#[tokio::test]
async fn a_workspace_is_held_to_its_limit() {
    let options = ServiceOptions {
        requests: Some((2, 60_000)),
        ..ServiceOptions::default()
    };
    let server = Server::with(options).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asks = async || {
        let request = client
            .post(format!("{}/v2/keys.verifyKey", server.address))
            .bearer_auth(&server.root)
            .header("accept", "application/json")
            .body(json!({ "key": "nobody" }).to_string());
        request.send().await.unwrap()
    };
    let number = |answer: &reqwest::Response, name: &str| {
        let value = answer.headers().get(name)?;
        value.to_str().unwrap().parse::<i64>().ok()
    };
    for left in [1, 0] {
        let answer = asks().await;
        assert_eq!(answer.status(), 200);
        assert_eq!(number(&answer, "ratelimit-limit"), Some(2));
        assert_eq!(number(&answer, "ratelimit-remaining"), Some(left));
        assert!(answer.headers().get("retry-after").is_none());
    }
    let denied = asks().await;
    assert_eq!(denied.status(), 429);
    assert_eq!(denied.headers()["content-type"], "application/problem+json");
    let reset = number(&denied, "ratelimit-reset").unwrap();
    assert!((1..=60).contains(&reset));
    assert_eq!(number(&denied, "retry-after"), Some(reset));
    let body: Value = serde_json::from_slice(&denied.bytes().await.unwrap()).unwrap();
    assert_eq!(body["error"]["title"], "Too Many Requests");
    server.wait(Duration::from_mins(2));
    assert_eq!(asks().await.status(), 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let options = ServiceOptions {
        largest_body: 1000,
        ..ServiceOptions::default()
    };
    let server = Server::with(options).await;
    let body = |size: usize| json!({ "key": "x".repeat(size) }).to_string();
    let refused = server.send("keys.verifyKey", body(1000), &[]).await;
    assert_eq!(
        (refused.status, refused.kind()),
        (413, "request_body_too_large")
    );
    let fits = server.send("keys.verifyKey", body(500), &[]).await;
    assert_eq!(fits.status, 400, "{}", fits.detail());
}
