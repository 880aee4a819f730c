//! Who may do what, and that nobody sees what is another organization's.

use convox::store::{Role, StoreError};
use reqwest::Method;
use serde_json::json;

use crate::environment::{Console, on_both};

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_it_says() {
    on_both("success", async |console: &Console| {
        let acme = console.acme.clone();
        for role in Role::ALL {
            let name = format!("{role}@example.com");
            let person = console.person(&name, role, &acme).await.of("acme/prod");
            assert_eq!(person.get("/auth").await.status, 200, "{role}");
            assert_eq!(person.get("/system").await.status, 200, "{role}");
            let unknown = person.ask(Method::DELETE, "/instances/i-0", None).await;
            let may = matches!(role, Role::Operator | Role::Admin);
            let expected = if may { 404 } else { 401 };
            assert_eq!(unknown.status, expected, "{role}: {}", unknown.body);
            let promote = "/apps/web/releases/R1/promote";
            let deploys = person.ask(Method::POST, promote, None).await;
            let expected = if role == Role::Read { 401 } else { 404 };
            assert_eq!(deploys.status, expected, "{role}: {}", deploys.body);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_of_another_organization_is_not_there() {
    on_both("success", async |console: &Console| {
        let other = console.organization("globex").await;
        console.add_rack(&other, "prod").await;
        let eve = console.person("eve", Role::Admin, &other).await;
        let listed = eve.get("/racks").await.json();
        let names: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["organization"]["name"])
            .collect();
        assert_eq!(names, [&json!("globex")]);
        // What is not hers is told no differently from what is not there.
        for (theirs, nowhere) in [("acme/prod", "acme/none"), ("acme/prod", "nowhere/prod")] {
            let theirs = eve.clone().of(theirs);
            let nowhere = eve.clone().of(nowhere);
            for (method, path) in [
                (Method::GET, "/system"),
                (Method::GET, "/instances"),
                (Method::POST, "/instances/keyroll"),
                (Method::PUT, "/system"),
            ] {
                let one = theirs.ask(method.clone(), path, None).await;
                let other = nowhere.ask(method, path, None).await;
                assert_eq!(one.status, 404, "{}", one.body);
                assert_eq!(other.status, 404, "{}", other.body);
                let rest = |body: &str| body.split(": ").next().unwrap().to_owned();
                assert_eq!(rest(&one.body), rest(&other.body));
            }
        }
        assert_eq!(eve.get("/racks/acme/prod").await.status, 404);
        assert_eq!(eve.clone().of("prod").get("/system").await.status, 200);
        // Of two racks of one name the organization must be said.
        let both = console.operator().await;
        let joins = console
            .store
            .set_role(&both.id, Role::Read, console.by(&other, 2));
        joins.await.unwrap();
        let ambiguous = both.clone().of("prod").get("/system").await;
        assert_eq!(ambiguous.status, 400);
        let told =
            "prod is the name of several racks: put the organization before it, as in acme/prod\n";
        assert_eq!(ambiguous.body, told);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_key_service_is_no_account_key() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let mut other = ada.clone();
        // The same kind of key, issued to her id, in a workspace that somebody else controls.
        other.key = console.key_issued_to(&ada.id).await;
        let refused = other.get("/system").await;
        assert_eq!(refused.told(), (401, "invalid authentication\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_keeps_an_admin() {
    on_both("success", async |console: &Console| {
        let acme = console.acme.clone();
        let boss = console.person("boss", Role::Admin, &acme).await;
        let by = || console.by(&acme, 2);
        let store = &console.store;
        let demoted = store.set_role(&boss.id, Role::Read, by()).await;
        assert!(matches!(demoted, Err(StoreError::Unfit(_))), "{demoted:?}");
        let _ada = console.person("ada", Role::Read, &acme).await;
        let removed = store.remove_person(&boss.id, by()).await;
        assert!(matches!(removed, Err(StoreError::Unfit(_))), "{removed:?}");
        let people = store.people(&acme).await.unwrap();
        let roles: Vec<_> = people
            .iter()
            .map(|(person, role)| (person.name.as_str(), *role))
            .collect();
        assert_eq!(roles, [("ada", Role::Read), ("boss", Role::Admin)]);
    })
    .await;
}
