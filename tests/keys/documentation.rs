//! The OpenAPI document: whatever it refers to is in it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

/// Gathers what a document refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.push(reference.clone());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn what_it_refers_to_is_there() {
    let document = serde_json::to_value(convox::console::openapi()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(
        found.iter().any(|it| it.ends_with("/UpdateKeyRequest")),
        "{found:?}"
    );
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_document_is_the_one_that_is_published_and_the_one_that_is_served() {
    let published = include_str!("../../docs/openapi.json");
    let published: Value = serde_json::from_str(published).unwrap();
    let document = serde_json::to_value(convox::console::openapi()).unwrap();
    assert!(
        document == published,
        "`.ci/generate` makes docs/openapi.json anew"
    );
    on_both(async |server: &Server| {
        let (status, served) = fetch(server, "/openapi.json").await;
        assert!(status == 200 && served == document);
    })
    .await;
}

#[test]
fn what_may_be_repeated_is_documented() {
    let document = serde_json::to_value(convox::console::openapi()).unwrap();
    let mut repeatable = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(parameters) = item["post"]["parameters"].as_array() else {
            continue;
        };
        assert_eq!(parameters.len(), 1, "{path}");
        let header = (&parameters[0]["name"], &parameters[0]["in"]);
        assert_eq!(header, (&json!("Idempotency-Key"), &json!("header")));
        assert_eq!(parameters[0]["required"], false);
        repeatable.insert(path.as_str());
    }
    let expected = [
        "/v2/keys.createKey",
        "/v2/keys.rerollKey",
        "/v2/rootKeys.createKey",
        "/v2/rootKeys.rerollKey",
    ];
    assert_eq!(repeatable, BTreeSet::from(expected));
    assert!(document["paths"]["/v2/liveness"]["get"]["responses"]["200"].is_object());
}

async fn fetch(server: &Server, path: &str) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{}{path}", server.address)).send().await;
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    (status, body)
}

#[tokio::test]
async fn every_answer_is_in_the_envelope_and_has_an_id_of_its_own() {
    on_both(async |server: &Server| {
        let mut ids = BTreeSet::new();
        let mut id = |answer: &Value| {
            let id = text(&answer["meta"]["requestId"]);
            assert!(id.starts_with("req_"), "{id}");
            assert!(ids.insert(id), "an id was given twice");
        };
        let (status, alive) = fetch(server, "/v2/liveness").await;
        assert_eq!(
            (status, &alive["data"]),
            (200, &json!({ "message": "alive" }))
        );
        assert_eq!(alive.as_object().unwrap().len(), 2);
        id(&alive);
        for path in ["/v2/keys.nothing", "/v2/", "/v2/v1/keys.verifyKey"] {
            let (status, unknown) = fetch(server, path).await;
            assert_eq!(status, 404);
            let error = json!({
                "title": "Not Found",
                "detail": format!("There is no operation GET {path}."),
                "status": 404,
                "type": "https://unkey.com/docs/errors/user/bad_request/path_not_found",
            });
            assert_eq!(unknown["error"], error);
            id(&unknown);
        }
        let (status, other) = fetch(server, "/v2/keys.getKey").await;
        assert_eq!(
            (status, &other["error"]["title"]),
            (405, &json!("Method Not Allowed"))
        );
        id(&other);
        let made = server
            .post("apis.createApi", json!({ "name": "orders" }))
            .await;
        id(&made.body);
        let refused = server.post("apis.createApi", json!({})).await;
        id(&refused.body);
        let mut fields: Vec<_> = refused.body["error"].as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["detail", "errors", "status", "title", "type"]);
    })
    .await;
}
