//! What the pages keep others from: forms from elsewhere, what belongs to another organization,
//! and names that are more than names.

use convox::clock::Clock;
use convox::keys::Grace;
use convox::store::Role;
use reqwest::Method;
use reqwest::header::ORIGIN;

use super::browser::{Browser, filled};
use crate::environment::{Console, Person, on_both};

/// A name that would be a script where it is not escaped.
const NASTY: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

/// Every form that there is, for things that are there.
fn forms(key: &str, api: &str, roll: &str) -> Vec<String> {
    [
        "/sign-out",
        "/account/roll",
        "/account/finish",
        "/account/cancel",
        "/account/password",
        "/account/sign-out-elsewhere",
        "/rack/acme/prod/roll/ssh",
        "/rack/acme/prod/roll/api",
        "/rack/acme/prod/schedule/ssh",
        "/rolls/ROLL/cancel",
        "/rolls/ROLL/resume",
        "/rolls/ROLL/give-up",
        "/keys/acme",
        "/keys/acme/API",
        "/key/acme/KEY/reroll",
        "/key/acme/KEY/finish",
        "/key/acme/KEY/cancel",
    ]
    .map(|path| {
        path.replace("ROLL", roll)
            .replace("KEY", key)
            .replace("API", api)
    })
    .into()
}

/// Makes an API with a key, and a roll that is over; returns the ids of all three.
async fn things(console: &Console, ada: &Person<'_>) -> (String, String, String) {
    let answer = ada.ask(Method::POST, "/instances/keyroll", None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    console.ended().await;
    let roll = console.store.rolls(&console.rack, 1).await.unwrap();
    let (key, api) = console.key_called("orders").await;
    (key, api, roll[0].id.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_another_site_sends_does_nothing() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let (key, api, roll) = things(console, &ada).await;
        let browser = Browser::of(&ada).await;
        let before = console.audited().await;
        for path in forms(&key, &api, &roll) {
            let form = [("id", "key"), ("grace", "0"), ("name", "x"), ("new", "x")];
            for from in [
                Some((ORIGIN.as_str(), "https://evil.example")),
                Some((ORIGIN.as_str(), "null")),
                Some(("sec-fetch-site", "cross-site")),
                Some(("sec-fetch-site", "same-site")),
                None,
            ] {
                let mut request = browser.request(Method::POST, &path);
                if let Some((name, value)) = from {
                    request = request.header(name, value);
                }
                let page = browser.send(filled(request, &form)).await;
                assert_eq!(page.status, 403, "{path} from {from:?}: {}", page.body);
            }
        }
        assert_eq!(console.audited().await, before);
        browser.get("/").await.has("acme/prod");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_does_and_sees_nothing() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let (key, api, roll) = things(console, &ada).await;
        let browser = Browser::new(console);
        let before = console.audited().await;
        for path in forms(&key, &api, &roll).into_iter().skip(1) {
            let page = browser.post(&path, &[("grace", "0")]).await;
            assert_eq!(page.leads_to(), "/sign-in", "{path}");
        }
        for path in [
            "/",
            "/account",
            "/keys",
            "/audit",
            "/audit/export",
            "/rack/acme/prod",
            "/nothing-here",
        ] {
            let page = browser.get(path).await;
            assert!(
                page.status == 303 || page.status == 404,
                "{path}: {}",
                page.status
            );
            assert!(!page.body.contains("prod"), "{path}: {}", page.body);
        }
        assert_eq!(console.audited().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_organizations_is_not_there() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let (key, api, roll) = things(console, &ada).await;
        let globex = console.organization("globex").await;
        console.add_rack(&globex, "own").await;
        let mallory = console.person("mallory", Role::Admin, &globex).await;
        let browser = Browser::of(&mallory).await;
        browser.get("/").await.has("globex/own");
        let before = console.audited().await;
        for path in [
            "/rack/acme/prod".to_owned(),
            "/rack/acme/prod/roll/ssh".to_owned(),
            format!("/rolls/{roll}"),
            format!("/keys/acme/{api}"),
            format!("/key/acme/{key}"),
            "/audit?organization=acme".to_owned(),
            "/audit/export?organization=acme".to_owned(),
            // By their ids in an organization of one's own.
            format!("/keys/globex/{api}"),
            format!("/key/globex/{key}"),
            "/rack/globex/prod".to_owned(),
        ] {
            let page = browser.get(&path).await;
            assert_eq!(page.status, 404, "{path}: {}", page.body);
        }
        let own = forms(&key, &api, &roll);
        let of_others = own.iter().skip(6).cloned();
        let of_own = own
            .iter()
            .skip(12)
            .map(|path| path.replace("acme", "globex"));
        for path in of_others.chain(of_own) {
            if path == "/keys/globex" {
                continue;
            }
            let form = [("grace", "0"), ("name", "x")];
            let page = browser.post(&path, &form).await;
            assert_eq!(page.status, 404, "{path}: {}", page.body);
        }
        // Nor is somebody else's account key one's own.
        let adas = console.account_key(&ada).await;
        for what in ["roll", "finish", "cancel"] {
            let form = [("id", adas.as_str()), ("grace", "0")];
            let page = browser.post(&format!("/account/{what}"), &form).await;
            assert_eq!(page.status, 404, "{what}: {}", page.body);
        }
        assert_eq!(console.audited().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_changes_nothing() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let (key, api, roll) = things(console, &ada).await;
        let acme = console.acme.clone();
        let rita = console.person("rita", Role::Read, &acme).await;
        let browser = Browser::of(&rita).await;
        let before = console.audited().await;
        let page = browser.get("/rack/acme/prod").await;
        page.has("SSH key");
        assert!(!page.body.contains("Roll SSH key"), "{}", page.body);
        browser.get(&format!("/rolls/{roll}")).await.has("done");
        let page = browser.get(&format!("/key/acme/{key}")).await;
        page.has("orders");
        assert!(!page.body.contains("Reroll the key"));
        for path in forms(&key, &api, &roll).into_iter().skip(6) {
            let form = [("grace", "0"), ("name", "x")];
            let page = browser.post(&path, &form).await;
            assert_eq!(page.status, 403, "{path}: {}", page.body);
        }
        assert_eq!(browser.get("/rack/acme/prod/roll/ssh").await.status, 403);
        assert_eq!(browser.get("/audit").await.status, 403);
        assert_eq!(console.audited().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_shown_and_never_run() {
    on_both("success", async |console| {
        let acme = console.acme.clone();
        let eve = console.person(NASTY, Role::Admin, &acme).await;
        console.add_rack(&acme, NASTY).await;
        let browser = Browser::of(&eve).await;
        let form = [("name", NASTY)];
        let page = browser.post("/keys/acme", &form).await;
        let api = page.leads_to().to_owned();
        let form = [("name", NASTY), ("identity", "globex")];
        let page = browser.post(&api, &form).await;
        let key = page.between("<a class=\"button\" href=\"", "\"").to_owned();
        let rack = "/rack/acme/%3Cscript%3Ealert%281%29%3C%2Fscript%3E%22%27%3E%3Cimg%20src%3Dx%20onerror%3Dalert%282%29%3E";
        let search = "?search=%3Cscript%3Ealert%281%29%3C%2Fscript%3E";
        let reroll = format!("{key}/reroll");
        let mut pages = vec![browser.post(&reroll, &[("grace", "1h")]).await];
        for path in [
            "/", rack, "/account", "/keys", "/audit", &api, &key, &format!("{api}{search}"),
            &format!("/audit{}", search.replace("search", "what")),
            &format!("/sign-in{}", search.replace("search", "to")),
            &format!("{rack}/roll/ssh"),
        ] {
            pages.push(browser.get(path).await);
        }
        let form = [("name", NASTY), ("password", NASTY)];
        pages.push(Browser::new(console).post("/sign-in", &form).await);
        let mut shown = 0;
        for page in &pages {
            assert!(!page.body.contains("<script>alert"), "{}", page.body);
            assert!(!page.body.contains("<img"), "{}", page.body);
            shown += usize::from(page.body.contains("&#60;script&#62;alert"));
        }
        assert!(shown >= 9, "{shown} pages show it");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_what_a_browser_may_do_with_it() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let outside = Browser::new(console);
        for page in [
            browser.get("/").await,
            browser.get("/rack/acme/nothing").await,
            browser.post("/sign-out", &[]).await,
            outside.get("/").await,
            outside.get("/sign-in").await,
            browser.get("/audit/export").await,
        ] {
            let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
            let policy = header("content-security-policy");
            for part in [
                "default-src 'none'",
                "script-src 'self'",
                "frame-ancestors 'none'",
                "form-action 'self'",
            ] {
                assert!(policy.contains(part), "{policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(header("cache-control"), "no-store");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert!(!page.body.contains(" style=\"") && !page.body.contains("<style"));
            assert!(
                !page.body.contains(" onclick=") && !page.body.contains("://"),
                "{}",
                page.body
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_said_and_changes_nothing() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let (key, api, roll) = things(console, &ada).await;
        let browser = Browser::of(&ada).await;
        let request = console.reroll(&key, Grace::For(60_000), "ord");
        let acme = console.acme.clone();
        let now = Clock::system().now().as_millisecond();
        let by = console.by(&acme, now);
        console.store.reroll_key(request, by).await.unwrap();
        let before = console.audited().await;
        let (reroll, keys) = (
            format!("/key/acme/{key}/reroll"),
            format!("/keys/acme/{api}"),
        );
        let (cancel, resume) = (
            format!("/rolls/{roll}/cancel"),
            format!("/rolls/{roll}/resume"),
        );
        for (path, form, status) in [
            (reroll.as_str(), [("grace", "1h")], 409),
            (&reroll, [("grace", "forever")], 400),
            (&keys, [("days", "0")], 400),
            (&keys, [("days", "ten")], 400),
            (&keys, [("identity", "a b")], 400),
            (&keys, [("prefix", "a-b")], 400),
            ("/keys/acme", [("name", " ")], 400),
            (&resume, [("", "")], 400),
            ("/account/roll", [("grace", "1h")], 404),
            ("/account/nothing", [("", "")], 404),
            ("/rack/acme/prod/roll/dns", [("", "")], 404),
        ] {
            let page = browser.post(path, &form).await;
            assert_eq!(page.status, status, "{path} {form:?}: {}", page.body);
            assert!(page.body.contains("role=\"alert\""), "{path}");
        }
        assert_eq!(console.audited().await, before);
        assert_eq!(browser.post(&cancel, &[]).await.status, 409);
        let large = "x".repeat(100_000);
        assert_eq!(browser.post(&keys, &[("name", &large)]).await.status, 413);
    })
    .await;
}
