//! Passwords of racks that are reached over their own API: rolled by the server, for which the
//! rack's record is the only place to keep what only it knows.

use std::path::PathBuf;

use convox::sandbox::{self, Sandbox, Scenario};
use convox::store::Role;
use reqwest::Method;
use serde_json::json;

use crate::environment::{Console, Person, on_both};
use crate::sandbox_api::accepts;

/// The password that the sandbox's rack begins with.
const OLD: &str = "sandbox-password";

/// Writes the template of a rack whose API restarts when its password changes, as those before
/// 2023 did.
pub fn template_of_before_2023(directory: &std::path::Path) -> PathBuf {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rack.yaml");
    let text = std::fs::read_to_string(fixture).unwrap();
    let secrets = text.find("          Secrets:\n").unwrap();
    let end = text.find("  ServiceWebApi:\n").unwrap();
    let variable = "          Environment: [{ Name: PASSWORD, Value: { Ref: Password } }]\n";
    let path = directory.join("rack.yaml");
    std::fs::write(
        &path,
        format!("{}{variable}{}", &text[..secrets], &text[end..]),
    )
    .unwrap();
    path
}

/// A rack of the sandbox behind its API, which the console knows as `far`.
struct Far<'c> {
    sandbox: Sandbox,
    id: String,
    ada: Person<'c>,
}

impl<'c> Far<'c> {
    async fn new(console: &'c Console, scenario: &str) -> Self {
        let template = template_of_before_2023(console.directory());
        Self::of(console, scenario, Some(template)).await
    }

    /// A rack of this template, or the sandbox's own.
    async fn of(console: &'c Console, scenario: &str, template: Option<PathBuf>) -> Self {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
        let mut scenario = Scenario::load(&dir.join(format!("{scenario}.yaml"))).unwrap();
        scenario.template = template;
        let sandbox = Sandbox::new(&scenario, console.racks.clock.clone()).unwrap();
        let listener = sandbox::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let serving = sandbox::serve(listener, sandbox.clone(), std::future::pending());
        tokio::spawn(serving);
        let id = console.add_api_rack("far", &host, OLD).await;
        let ada = console
            .person("bob", Role::Operator, &console.acme.clone())
            .await;
        let ada = ada.of("acme/far");
        Self { sandbox, id, ada }
    }

    /// Hears the rack's word again and again until its roll has ended, and once more.
    async fn words_until_ended(&self, console: &Console) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut again = true;
        while again {
            let rolls = console.store.rolls(&self.id, 1).await.unwrap();
            again = rolls.iter().any(|roll| roll.ended_at.is_none());
            let system = self.ada.get("/system").await;
            let word = system.json()["status"].as_str().unwrap().to_owned();
            if words.last() != Some(&word) {
                words.push(word);
            }
            console
                .racks
                .clock
                .sleep(std::time::Duration::from_secs(2))
                .await;
        }
        words
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_rolled_over_the_racks_api_and_only_the_record_has_it() {
    on_both("success", async |console: &Console| {
        let far = Far::new(console, "success").await;
        let untouched = far.ada.get("/system").await;
        assert_eq!(untouched.json()["roll"], json!(null));
        assert!(!untouched.body.contains(OLD));
        let new = "a=b&c d/+%";
        let form = "parameters=Password%3Da%253Db%2526c%2Bd%252F%252B%2525";
        let asked = far.ada.ask(Method::PUT, "/system", Some(form)).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        // The stack takes one update at a time, and its stored key would be lost.
        let other = Some("parameters=InstanceCount%3D4");
        let busy = far.ada.ask(Method::PUT, "/system", other).await;
        assert!(busy.body.contains("UPDATE_IN_PROGRESS"), "{}", busy.body);
        let busy = far.ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert!(busy.body.contains("UPDATE_IN_PROGRESS"), "{}", busy.body);
        assert_eq!(
            far.words_until_ended(console).await,
            ["updating", "running"]
        );
        let report = console.ended_of(&far.id).await;
        assert_eq!(report["outcome"], json!("done"), "{report:#}");
        assert!(accepts(&far.sandbox, new).await.unwrap());
        assert!(!accepts(&far.sandbox, OLD).await.unwrap());
        let record = console.store.rack(&far.id).await.unwrap();
        assert!(record.password.is_some() && record.next.is_none());
        let system = far.ada.get("/system").await.json();
        assert_eq!(system["roll"]["report"]["outcome"], json!("done"));
        assert_eq!(system["parameters"]["Password"], json!("****"));
        let again = far.ada.ask(Method::PUT, "/system", Some(form)).await;
        let nothing = "ValidationError: No updates are to be performed.";
        assert!(again.body.starts_with(nothing), "{}", again.body);
        let audited = format!("{:?}", console.audited().await);
        assert!(
            !audited.contains(new) && !audited.contains(OLD),
            "{audited}"
        );
        assert!(
            audited.contains("Began to roll the api key of far"),
            "{audited}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_goes_back_leaves_the_password_that_works() {
    on_both("success", async |console: &Console| {
        let far = Far::new(console, "password/rollback").await;
        let before = console.store.rack(&far.id).await.unwrap();
        let form = "parameters=InstanceType%3Dt3.large%26Password%3Danother-password";
        let asked = far.ada.ask(Method::PUT, "/system", Some(form)).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let words = far.words_until_ended(console).await;
        assert_eq!(words.last().unwrap(), "rollback", "{words:?}");
        let report = console.ended_of(&far.id).await;
        assert_eq!(report["outcome"], json!("rolled_back"), "{report:#}");
        assert_eq!(console.store.rack(&far.id).await.unwrap(), before);
        assert!(accepts(&far.sandbox, OLD).await.unwrap());
        assert_eq!(far.ada.get("/system").await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_passwords_are_kept_until_somebody_restarts_the_racks_api() {
    on_both("success", async |console: &Console| {
        let far = Far::of(console, "success", None).await;
        let form = Some("parameters=Password%3Danother-password");
        let asked = far.ada.ask(Method::PUT, "/system", form).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let report = console.ended_of(&far.id).await;
        assert_eq!(report["outcome"], json!("unproven"), "{report:#}");
        let record = console.store.rack(&far.id).await.unwrap();
        assert!(record.password.is_some() && record.next.is_some());
        // It is tried again later, and everybody can work meanwhile.
        let system = far.ada.get("/system").await.json();
        assert_eq!(system["status"], json!("failed"));
        assert_eq!(system["roll"]["ended"], json!(false));
        let hints = system["roll"]["report"]["hints"].to_string();
        assert!(hints.contains("tries again by itself"), "{hints}");
        assert!(!hints.contains("convox rolls "), "{hints}");
        // The record is the only one that has the new one, so that the roll is not given up.
        let roll = console.store.rolls(&far.id, 1).await.unwrap().remove(0);
        let by = console.by(&console.acme, 1);
        let given_up = console.store.give_up_roll(&roll.id, by).await;
        let refused = given_up.unwrap_err().to_string();
        assert!(refused.contains("nobody else keeps it"), "{refused}");
        assert_eq!(console.store.rack(&far.id).await.unwrap(), record);
        // What restarts the API is asked of the rack, which has no such path here.
        let keyroll = far.ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(keyroll.told(), (404, ""));
        assert!(accepts(&far.sandbox, OLD).await.unwrap());
    })
    .await;
}
