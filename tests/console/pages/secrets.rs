//! A secret is shown once, and is nowhere afterwards.

use super::browser::Browser;
use crate::environment::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_shown_once_and_is_nowhere_else() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let mine = console.account_key(&ada).await;
        let form = [("id", mine.as_str()), ("grace", "1h")];
        let page = browser.post("/account/roll", &form).await;
        page.has("shown this once");
        assert!(page.location.is_none());
        let rolled = page.between("readonly value=\"", "\"").to_owned();
        assert!(rolled.starts_with("convox_"), "{rolled}");
        // The session goes on, now with the new key; both keys work.
        browser
            .get("/account")
            .await
            .has("you are signed in with it");
        let mut secrets = vec![ada.key.clone(), rolled.clone()];
        let new = Browser::new(console);
        new.post("/sign-in", &[("key", &rolled)]).await.leads_to();
        new.post("/sign-in", &[("key", &ada.key)]).await.leads_to();

        let api = browser.post("/keys/acme", &[("name", "orders")]).await;
        let api = api.leads_to().to_owned();
        let page = browser.post(&api, &[("name", "first")]).await;
        secrets.push(page.between("readonly value=\"", "\"").to_owned());
        let key = page.between("<a class=\"button\" href=\"", "\"").to_owned();
        let form = [("grace", "24h")];
        let page = browser.post(&format!("{key}/reroll"), &form).await;
        secrets.push(page.between("readonly value=\"", "\"").to_owned());
        let password = "correct horse battery";
        let form = [
            ("old", rolled.as_str()),
            ("new", password),
            ("again", password),
        ];
        browser.post("/account/password", &form).await.leads_to();
        secrets.push(password.to_owned());
        secrets.push(browser.cookie().split_once('=').unwrap().1.to_owned());

        let mut seen = Vec::new();
        for path in [
            "/",
            "/account",
            "/keys",
            &api,
            &key,
            "/audit",
            "/audit/export",
        ] {
            let page = browser.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            seen.push((path.to_owned(), page.body));
        }
        seen.push(("the log".to_owned(), console.logged()));
        seen.push((
            "the audit log".to_owned(),
            format!("{:?}", console.audited().await),
        ));
        for secret in &secrets {
            for (place, text) in &seen {
                assert!(!text.contains(secret.as_str()), "{secret} in {place}");
            }
        }
        // Nor is any in a file of the database.
        for entry in std::fs::read_dir(console.directory()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "in {}", path.display());
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cutting_and_taking_back_a_key_of_ones_own() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let mine = console.account_key(&ada).await;
        let roll = async || {
            let form = [("id", mine.as_str()), ("grace", "24h")];
            let page = browser.post("/account/roll", &form).await;
            page.between("readonly value=\"", "\"").to_owned()
        };
        let works = async |key: &str| {
            let page = Browser::new(console)
                .post("/sign-in", &[("key", key)])
                .await;
            page.status == 303
        };
        let first = roll().await;
        // One that is signed in with another key stays so whatever becomes of this one.
        let with_first = Browser::new(console);
        with_first
            .post("/sign-in", &[("key", &first)])
            .await
            .leads_to();
        let form = [("id", mine.as_str())];
        browser.post("/account/cancel", &form).await.leads_to();
        assert!(works(&ada.key).await);
        assert!(!works(&first).await);
        assert_eq!(with_first.get("/").await.status, 303);
        browser.get("/").await.has("acme/prod");
        let second = roll().await;
        browser.post("/account/finish", &form).await.leads_to();
        assert!(!works(&ada.key).await);
        assert!(works(&second).await);
        browser.get("/").await.has("acme/prod");
    })
    .await;
}
