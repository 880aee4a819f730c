//! Signing in and out, and how long that lasts.

use convox::clock::Clock;
use convox::keys::Grace;
use convox::store::Role;
use reqwest::Method;
use reqwest::header::ORIGIN;

use super::browser::{Browser, filled};
use crate::environment::on_both;

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_key_signs_in_and_signing_out_ends_it() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::new(console);
        let page = browser.get("/rolls/1?a=b").await;
        assert_eq!(page.leads_to(), "/sign-in?to=%2Frolls%2F1%3Fa%3Db");
        let page = browser.get(page.leads_to()).await;
        page.has("name=\"to\" value=\"/rolls/1?a=b\"");

        let form = [("key", ada.key.as_str()), ("to", "/account")];
        let page = browser.post("/sign-in", &form).await;
        assert_eq!(page.leads_to(), "/account");
        let cookie = page.cookies.concat();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "it came without TLS");
        browser.get("/").await.has("acme/prod");

        let page = browser.post("/sign-out", &[]).await;
        assert_eq!(page.leads_to(), "/sign-in");
        assert!(page.cookies.iter().all(|it| it.contains("Max-Age=0")));
        // The browser still has it, and it opens nothing.
        let page = browser.get("/").await;
        assert_eq!(page.leads_to(), "/sign-in");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_is_for_this_host_alone() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let host = console.address.strip_prefix("http://").unwrap();
        let browser = Browser::new(console);
        let request = browser.request(Method::POST, "/sign-in");
        // What stands before the server has spoken TLS with the browser.
        let request = request.header(ORIGIN, format!("https://{host}"));
        let page = browser.send(filled(request, &[("key", &ada.key)])).await;
        let cookie = page.cookies.concat();
        assert!(cookie.starts_with("__Host-convox="), "{cookie}");
        assert!(cookie.contains("; Secure;"), "{cookie}");
        browser.get("/").await.has("acme/prod");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_else_chose_is_not_taken() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::new(console);
        browser.set_cookie("convox=chosen-by-somebody-else");
        assert_eq!(browser.get("/").await.status, 303);
        browser
            .post("/sign-in", &[("key", &ada.key)])
            .await
            .leads_to();
        let first = browser.cookie();
        assert_ne!(first, "convox=chosen-by-somebody-else");

        // Whoever signs in again has another session, and the first opens nothing.
        browser
            .post("/sign-in", &[("key", &ada.key)])
            .await
            .leads_to();
        assert_ne!(browser.cookie(), first);
        browser.get("/").await.has("acme/prod");
        browser.set_cookie(&first);
        assert_eq!(browser.get("/").await.status, 303);
        browser.set_cookie("convox=chosen-by-somebody-else");
        assert_eq!(browser.get("/").await.status, 303);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_host() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        for to in [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
        ] {
            let browser = Browser::new(console);
            let form = [("key", ada.key.as_str()), ("to", to)];
            let page = browser.post("/sign-in", &form).await;
            assert_eq!(page.leads_to(), "/", "{to:?}");
            // Nor is who is signed in already.
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("to", to);
            let page = browser.get(&format!("/sign-in?{}", query.finish())).await;
            assert_eq!(page.leads_to(), "/", "{to:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_key_and_with_its_person() {
    on_both("success", async |console| {
        let acme = console.acme.clone();
        console.person("eva", Role::Admin, &acme).await;
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        browser.get("/").await.has("acme/prod");
        // Somebody else cuts the key, which is out in the open.
        let home = console.store.console_home(1).await.unwrap();
        let mine = console.account_key(&ada).await;
        let reroll = console.reroll(&mine, Grace::For(0), "convox");
        let now = Clock::system().now().as_millisecond();
        let by = console.by(&home.workspace, now);
        console.store.reroll_key(reroll, by).await.unwrap();
        assert_eq!(browser.get("/").await.leads_to(), "/sign-in");
        // What loads parts of a live page goes there too, and not into the page.
        let live = browser
            .request(Method::GET, "/")
            .header("hx-request", "true");
        let live = browser.send(live).await;
        assert_eq!(live.headers["hx-redirect"], "/sign-in");
        assert_eq!(live.body, "");

        let bob = console.person("bob", Role::Read, &acme).await;
        let browser = Browser::of(&bob).await;
        browser.get("/").await.has("acme/prod");
        let by = console.by(&acme, now);
        console.store.remove_person(&bob.id, by).await.unwrap();
        assert_eq!(browser.get("/").await.leads_to(), "/sign-in");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_key_opens_no_page() {
    on_both("success", async |console| {
        let acme = console.acme.clone();
        let ci = console.person("ci", Role::Deploy, &acme).await;
        let browser = Browser::new(console);
        let page = browser.post("/sign-in", &[("key", &ci.key)]).await;
        assert_eq!(page.status, 403);
        assert!(page.cookies.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_signs_in_and_changing_it_signs_out_elsewhere() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let set = async |old: &str, new: &str, again: &str| {
            let form = [("old", old), ("new", new), ("again", again)];
            browser.post("/account/password", &form).await
        };
        assert_eq!(set(&ada.key, PASSWORD, "something else").await.status, 400);
        assert_eq!(set(&ada.key, "short", "short").await.status, 400);
        // A browser that was left open is not enough, nor is somebody else's key.
        assert_eq!(set("", PASSWORD, PASSWORD).await.status, 400);
        let acme = console.acme.clone();
        let bob = console.person("bob", Role::Admin, &acme).await;
        assert_eq!(set(&bob.key, PASSWORD, PASSWORD).await.status, 400);
        let page = set(&ada.key, PASSWORD, PASSWORD).await;
        assert_eq!(page.leads_to(), "/account");

        let other = Browser::new(console);
        let form = [("name", "ada"), ("password", PASSWORD)];
        assert_eq!(other.post("/sign-in", &form).await.leads_to(), "/");
        other.get("/").await.has("acme/prod");

        // Whoever has only the browser cannot set another one.
        let new = "another horse battery";
        let form = [("old", "a guess at it"), ("new", new), ("again", new)];
        assert_eq!(browser.post("/account/password", &form).await.status, 400);
        let form = [("old", PASSWORD), ("new", new), ("again", new)];
        let page = browser.post("/account/password", &form).await;
        assert_eq!(page.leads_to(), "/account");
        browser.get("/").await.has("acme/prod");
        assert_eq!(other.get("/").await.status, 303);
        let form = [("name", "ada"), ("password", PASSWORD)];
        assert_eq!(other.post("/sign-in", &form).await.status, 403);
        // Who has forgotten it has an account key.
        let form = [
            ("old", ada.key.as_str()),
            ("new", PASSWORD),
            ("again", PASSWORD),
        ];
        let page = browser.post("/account/password", &form).await;
        assert_eq!(page.leads_to(), "/account");
        let form = [("name", "ada"), ("password", PASSWORD)];
        assert_eq!(other.post("/sign-in", &form).await.leads_to(), "/");

        // A key that is out in the open goes at once, and with it whoever came by it.
        let mine = console.account_key(&ada).await;
        let form = [("id", mine.as_str()), ("grace", "0")];
        browser
            .post("/account/roll", &form)
            .await
            .has("shown this once");
        browser.get("/").await.has("acme/prod");
        assert_eq!(other.get("/").await.status, 303);

        // Somebody on the server's machine takes the password away.
        let by = console.by(&acme, Clock::system().now().as_millisecond());
        assert!(console.store.remove_password(&ada.id, by).await.unwrap());
        assert_eq!(browser.get("/").await.status, 303);
        let form = [("name", "ada"), ("password", PASSWORD)];
        assert_eq!(other.post("/sign-in", &form).await.status, 403);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_tried_ten_times_and_a_key_signs_in_all_the_same() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let form = [
            ("old", ada.key.as_str()),
            ("new", PASSWORD),
            ("again", PASSWORD),
        ];
        browser.post("/account/password", &form).await.leads_to();

        let guess = Browser::new(console);
        let mut statuses = Vec::new();
        for n in 0..12 {
            let wrong = format!("guess number {n:02}");
            let form = [("name", "Ada"), ("password", wrong.as_str())];
            statuses.push(guess.post("/sign-in", &form).await.status);
        }
        assert_eq!(statuses[..10], [403; 10]);
        assert_eq!(statuses[10..], [429; 2]);
        // Not with the right one either, else it would be found by trying on.
        let form = [("name", "ada"), ("password", PASSWORD)];
        assert_eq!(guess.post("/sign-in", &form).await.status, 429);
        // Nobody is locked out by others' tries.
        let page = guess.post("/sign-in", &[("key", &ada.key)]).await;
        assert_eq!(page.leads_to(), "/");
        // Who is not there cannot be told from who has another password.
        let form = [("name", "nobody"), ("password", "a guess at it")];
        let nobody = Browser::new(console).post("/sign-in", &form).await;
        let form = [("name", "ci"), ("password", "a guess at it")];
        let acme = console.acme.clone();
        console.person("ci", Role::Read, &acme).await;
        let somebody = Browser::new(console).post("/sign-in", &form).await;
        assert_eq!(nobody.status, somebody.status);
        assert_eq!(nobody.body.replace("nobody", "ci"), somebody.body);
    })
    .await;
}
