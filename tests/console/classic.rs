//! What the classic command line asks, in the order in which it asks, and what it is answered.

use convox::store::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::environment::{Console, on_both};

#[tokio::test(flavor = "multi_thread")]
async fn login_racks_rack_and_instances_are_in_the_classics_shapes() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        // convox login
        let auth = ada.get("/auth").await;
        assert_eq!(auth.json()["id"], json!(ada.id));
        assert_eq!(auth.request_id.len(), 12);
        // convox racks
        let racks = ada.get("/racks").await.json();
        assert_eq!(racks.as_array().unwrap().len(), 1);
        let one = json!({
            "name": "prod",
            "organization": { "name": "acme" },
            "status": "running",
            "provider": "aws",
            "deletable": false,
            "state": "",
        });
        let shown = |rack: &Value| {
            let mut rack = rack.clone();
            let rest = rack.as_object_mut().unwrap();
            assert_eq!(
                rest.remove("parameters").unwrap()["Password"],
                json!("****")
            );
            assert!(rest.remove("version").is_some());
            rack
        };
        assert_eq!(shown(&racks[0]), one);
        let rack = ada.get("/racks/acme/prod").await.json();
        assert_eq!(shown(&rack), one);
        // convox rack
        let system = ada.get("/system").await;
        let names: Vec<_> = system.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            names,
            [
                "count",
                "domain",
                "name",
                "outputs",
                "parameters",
                "provider",
                "rack-domain",
                "region",
                "status",
                "type",
                "version"
            ]
        );
        assert!(
            system.body.starts_with("{\n  \"count\": 3,\n"),
            "{}",
            system.body
        );
        assert!(system.body.ends_with("\n}\n"), "{}", system.body);
        assert_eq!(system.json()["parameters"]["Password"], json!("****"));
        // convox instances
        let instances = ada.get("/instances").await.json();
        let instances = instances.as_array().unwrap();
        assert_eq!(instances.len(), 3);
        let names: Vec<_> = instances[0].as_object().unwrap().keys().collect();
        let expected = [
            "agent",
            "cpu",
            "id",
            "memory",
            "private-ip",
            "processes",
            "public-ip",
            "started",
            "status",
        ];
        assert_eq!(names, expected);
        let started: jiff::Timestamp = instances[0]["started"].as_str().unwrap().parse().unwrap();
        assert!(started.as_second() > 0);
        // A rack of the only name of its kind needs no organization before it.
        let bare = ada.clone().of("prod").get("/system").await.json();
        assert_eq!(bare["name"], json!("prod"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_in_the_classics_words() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let mut nobody = ada.clone();
        nobody.key = "convox_wrong".to_owned();
        let refused = nobody.get("/auth").await;
        assert_eq!(refused.told(), (401, "invalid authentication\n"));
        assert_eq!(refused.content_type, "text/plain; charset=utf-8");
        let unknown = ada.clone().of("acme/staging").get("/system").await;
        assert_eq!(unknown.told(), (404, "no such rack: acme/staging\n"));
        for (method, path) in [
            (Method::GET, "/nothing"),
            (Method::POST, "/system"),
            (Method::PUT, "/instances/keyroll"),
        ] {
            let nothing = ada.ask(method, path, None).await;
            assert_eq!(nothing.told(), (404, ""), "{path}");
        }
        // Nothing is told of what is there to whoever names no rack, and is nobody.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for path in ["/nothing", "/v1/keys.verifyKey", "/instances"] {
            let answer = client.get(format!("{}{path}", console.address));
            let answer = answer.send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
            assert_eq!(answer.text().await.unwrap(), "", "{path}");
        }
        let system = client.get(format!("{}/system", console.address));
        let answer = system.basic_auth("", Some(&ada.key)).send().await.unwrap();
        assert_eq!(answer.status(), 404);
        let told = answer.text().await.unwrap();
        assert!(told.starts_with("which rack?"), "{told}");
        let gone = ada.ask(Method::DELETE, "/instances/i-0", None).await;
        assert_eq!(gone.told(), (404, "instance not found: i-0\n"));
        let same = "parameters=InstanceCount%3D3";
        let unchanged = ada.ask(Method::PUT, "/system", Some(same)).await;
        assert_eq!(unchanged.status, 500);
        let begins = "ValidationError: No updates are to be performed.";
        assert!(unchanged.body.starts_with(begins), "{}", unchanged.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_set_and_instances_terminated_and_both_are_in_the_audit_log() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let instances = ada.get("/instances").await.json();
        let first = instances[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/instances/{first}");
        let terminated = ada.ask(Method::DELETE, &path, None).await;
        assert_eq!(terminated.told(), (200, "ok\n"));
        let changes = "parameters=InstanceType%3Dt3.large";
        let set = ada.ask(Method::PUT, "/system", Some(changes)).await;
        assert_eq!(set.told(), (200, "ok\n"));
        let system = ada.get("/system").await.json();
        assert_eq!(system["status"], json!("updating"));
        assert_eq!(system["parameters"]["InstanceType"], json!("t3.large"));
        let busy = ada.ask(Method::PUT, "/system", Some(changes)).await;
        assert_eq!(busy.status, 500, "{}", busy.body);
        let audited = console.audited().await;
        let by_ada: Vec<_> = audited
            .iter()
            .filter(|(actor, _)| actor.starts_with(&format!("person:{}:key_", ada.id)))
            .map(|(_, told)| told.as_str())
            .collect();
        let terminated = format!("Terminate instance {first} of acme/prod");
        let set = "Set parameters InstanceType of acme/prod";
        assert_eq!(by_ada[..3], [terminated.as_str(), set, set]);
        assert!(by_ada[3].starts_with(&format!("{set} failed: ")));
        assert_eq!(by_ada.len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_can_use_no_key_any_more() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let acme = console.acme.clone();
        let _boss = console.person("boss", Role::Admin, &acme).await;
        assert_eq!(ada.get("/system").await.status, 200);
        let store = &console.store;
        store
            .set_role(&ada.id, Role::Read, console.by(&acme, 2))
            .await
            .unwrap();
        let roll = ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(roll.told(), (401, "you are unauthorized to access this\n"));
        store
            .remove_person(&ada.id, console.by(&acme, 3))
            .await
            .unwrap();
        let refused = ada.get("/system").await;
        assert_eq!(refused.told(), (401, "invalid authentication\n"));
    })
    .await;
}
