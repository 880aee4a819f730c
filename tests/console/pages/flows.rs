//! What people do on the pages, from beginning to end.

use std::time::Duration;

use super::browser::{Browser, Page};
use crate::environment::{Console, on_both, on_both_with, scenario};
use crate::sandbox_api::accepts;

/// Begins a roll as a person does: looks at the plan, and confirms it.
async fn begin(browser: &Browser<'_>, kind: &str) -> String {
    let path = format!("/rack/acme/prod/roll/{kind}");
    let page = browser.get(&path).await;
    page.has("Steps");
    let shown = page.between("name=\"shown\" value=\"", "\"").to_owned();
    let page = browser.post(&path, &[("shown", &shown)]).await;
    page.leads_to().to_owned()
}

/// Waits until a roll's page has one of these texts.
async fn until(console: &Console, browser: &Browser<'_>, roll: &str, texts: &[&str]) -> Page {
    for _ in 0..6000 {
        let page = browser.get(roll).await;
        assert_eq!(page.status, 200, "{}", page.body);
        if texts.iter().any(|text| page.body.contains(text)) {
            return page;
        }
        console.racks.clock.sleep(Duration::from_secs(3)).await;
    }
    panic!("{roll} never has {texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ssh_key_is_rolled_from_the_plan_to_the_end() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        browser.get("/").await.has("running");
        let plan = browser.get("/rack/acme/prod/roll/ssh").await;
        // Which services would lose availability is said before.
        plan.has("has 2 processes: it may be down");
        assert!(
            console
                .store
                .rolls(&console.rack, 1)
                .await
                .unwrap()
                .is_empty()
        );
        let roll = begin(&browser, "ssh").await;
        let live = browser.get(&roll).await;
        live.has("hx-trigger=\"every 2s\"");
        live.has("<noscript><meta http-equiv=\"refresh\"");
        let page = until(console, &browser, &roll, &["<strong>done</strong>"]).await;
        page.has("Proven");
        page.has("class=\"floor\"");
        page.has("3 instances carry prod-keypair-");
        assert!(!page.body.contains("cell old\" title"), "{}", page.body);
        let ended = until(console, &browser, &roll, &["<dt>Took</dt>"]).await;
        assert!(
            !ended.body.contains("hx-trigger"),
            "nothing more is to come"
        );
        browser.get("/rack/acme/prod").await.has(&roll);
        let told = console.audited().await;
        assert!(
            told.iter().any(|(who, what)| who.contains(&ada.id)
                && what.starts_with("Began to roll the ssh key")),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rolled_by_itself_when_the_page_says() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let path = "/rack/acme/prod/schedule/ssh";
        let form = [("sentence", "every 90 days, Tuu 03:00-05:00 Europe/Paris")];
        let page = browser.post(path, &form).await;
        assert_eq!(page.status, 400);
        assert!(page.body.contains("no day of the week"), "{}", page.body);
        // Of a rack behind its own API the console does not roll the SSH key.
        console.add_api_rack("far", "rack.example", "x").await;
        let far = "/rack/acme/far/schedule/ssh";
        let page = browser.post(far, &[("sentence", "every 90 days")]).await;
        assert_eq!(page.status, 400);
        assert!(page.body.contains("rolls its SSH key when it is asked to"));
        let sentence = "every 3650 days, Tue 03:00-05:00 Europe/Paris";
        let page = browser.post(path, &[("sentence", sentence)]).await;
        assert_eq!(page.leads_to(), "/rack/acme/prod");
        let page = browser.get("/rack/acme/prod").await;
        page.has(&format!("value=\"{sentence}, not in a freeze\""));
        page.has("Rolled by itself next");
        let next = |page: &Page| page.body.matches("<td><time datetime=").count();
        assert_eq!(next(&browser.get("/").await), 1);
        browser.post(path, &[("sentence", " ")]).await.leads_to();
        let page = browser.get("/rack/acme/prod").await;
        assert!(!page.body.contains("Rolled by itself next"));
        assert_eq!(next(&browser.get("/").await), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_not_the_one_that_was_shown_is_shown_first() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let path = "/rack/acme/prod/roll/ssh";
        let page = browser.post(path, &[("shown", "something else")]).await;
        page.has("Things have changed since you looked");
        assert!(
            console
                .store
                .rolls(&console.rack, 1)
                .await
                .unwrap()
                .is_empty()
        );
        let shown = page.between("name=\"shown\" value=\"", "\"").to_owned();
        browser.post(path, &[("shown", &shown)]).await.leads_to();
        // Another one is refused while that goes on, and says which.
        let page = browser.post(path, &[("shown", &shown)]).await;
        assert!(page.status == 409 || page.status == 200, "{}", page.status);
        assert_eq!(
            console.store.rolls(&console.rack, 9).await.unwrap().len(),
            1
        );
        console.ended().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_goes_back_says_what_failed_first() {
    on_both("signal-timeout", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let roll = begin(&browser, "ssh").await;
        let page = until(console, &browser, &roll, &["<strong>rolled back</strong>"]).await;
        page.has("What failed first");
        page.has("What to do next");
        let cause = page.between("<h2 id=\"cause\">", "</section>");
        assert!(cause.contains("SUCCESS signal(s)"), "{cause}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_is_cancelled_goes_back() {
    // One that takes a day, so that it cannot be over before somebody has pressed the button.
    let mut scenario = scenario("terminating-wait-stuck");
    scenario.rack.instances = 30;
    on_both_with(&scenario, async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let before = console.racks.keys_of_instances().await;
        let roll = begin(&browser, "ssh").await;
        until(console, &browser, &roll, &["Rolling update initiated"]).await;
        until(console, &browser, &roll, &["id=\"cancel\""]).await;
        let page = browser.post(&format!("{roll}/cancel"), &[]).await;
        assert_eq!(page.leads_to(), roll);
        until(console, &browser, &roll, &["<strong>rolled back</strong>"]).await;
        // The new one that was there already waits on its way out for an hour as well.
        for _ in 0..120 {
            if console.racks.keys_of_instances().await == before {
                break;
            }
            console.racks.clock.sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(console.racks.keys_of_instances().await, before);
        let page = browser.post(&format!("{roll}/cancel"), &[]).await;
        assert_eq!(page.status, 409);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_is_not_proven_is_gone_on_with_or_given_up() {
    on_both("replaces-nothing", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let roll = begin(&browser, "ssh").await;
        let id = roll.rsplit('/').next().unwrap();
        let not_proven = ["<strong>not proven</strong>"];
        let page = until(console, &browser, &roll, &not_proven).await;
        page.has("3 without the new key");
        until(console, &browser, &roll, &["Go on now"]).await;
        let term = async || console.store.roll(id).await.unwrap().term;
        assert_eq!(term().await, 1);
        let page = browser.post(&format!("{roll}/resume"), &[]).await;
        assert_eq!(page.leads_to(), roll);
        while term().await == 1 {
            console.racks.clock.sleep(Duration::from_secs(60)).await;
        }
        // It is no better, and left again.
        until(console, &browser, &roll, &["Go on now"]).await;
        let page = browser.post(&format!("{roll}/give-up"), &[]).await;
        assert_eq!(page.leads_to(), roll);
        let page = until(console, &browser, &roll, &["<div id=\"live\">"]).await;
        page.has("not proven");
        assert!(!page.body.contains("Go on now"));
        let page = browser.post(&format!("{roll}/resume"), &[]).await;
        assert_eq!(page.status, 400, "it is over: {}", page.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_key_is_rolled_and_shown_to_nobody() {
    on_both("password/success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let path = "/rack/acme/prod/roll/api";
        let page = browser.get(path).await;
        let shown = page.between("name=\"shown\" value=\"", "\"").to_owned();
        let new = "a-new-password-of-the-rack";
        let form = [("shown", shown.as_str()), ("password", new)];
        let roll = browser.post(path, &form).await.leads_to().to_owned();
        let page = until(console, &browser, &roll, &["<strong>done</strong>"]).await;
        assert!(!page.body.contains(new));
        let accepted = accepts(&console.racks.sandbox, new).await;
        assert!(accepted.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_found_rerolled_and_cut() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        let form = [("name", "Orders"), ("prefix", "ord")];
        let api = browser.post("/keys/acme", &form).await;
        let api = api.leads_to().to_owned();
        for (name, identity) in [("first", "globex"), ("100%_sure", "initech")] {
            let form = [("name", name), ("identity", identity), ("days", "90")];
            browser.post(&api, &form).await.has("value=\"ord_");
        }
        for (search, found, other) in [
            ("FIRST", "first", "100%"),
            ("glob", "first", "100%"),
            ("0%25_", "100%_sure", "first"),
            ("ord_", "first", "nothing"),
        ] {
            let page = browser.get(&format!("{api}?search={search}")).await;
            page.has(&format!("<td>{found}</td>"));
            assert!(
                !page.body.contains(&format!("<td>{other}")),
                "{}",
                page.body
            );
        }
        browser
            .get(&format!("{api}?search=x%25y"))
            .await
            .has("has “x%y” in it");

        let page = browser.get(&format!("{api}?search=globex")).await;
        let key = page
            .between("<th scope=\"row\"><a href=\"", "\"")
            .to_owned();
        browser.get(&key).await.has("in 89 days");
        let form = [("grace", "7d")];
        let page = browser.post(&format!("{key}/reroll"), &form).await;
        page.has("takes the place of");
        page.has("(in 7 days)");
        let page = browser.get(&key).await;
        page.has("in its grace period");
        page.has("Cut the old key now");
        assert!(!page.body.contains("Reroll the key"));
        assert_eq!(
            browser.post(&format!("{key}/finish"), &[]).await.leads_to(),
            key
        );
        let page = browser.get(&key).await;
        page.has("opens nothing any more");
        page.has("replaced");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_filtered_and_exported() {
    on_both("success", async |console| {
        let ada = console.operator().await;
        let browser = Browser::of(&ada).await;
        for n in 0..120 {
            let name = format!("api number {n}");
            browser
                .post("/keys/acme", &[("name", &name)])
                .await
                .leads_to();
        }
        let page = browser.get("/audit").await;
        page.has("Created API");
        assert_eq!(
            page.body.matches("<tr>").count(),
            101,
            "a head and a hundred lines"
        );
        let older = page.between("href=\"/audit?organization=acme&amp;before=", "\"");
        let page = browser.get(&format!("/audit?before={older}")).await;
        page.has("ada signed in");
        let page = browser.get("/audit?what=SIGNED").await;
        assert_eq!(page.body.matches("<tr>").count(), 2);
        let page = browser.get("/audit?who=root_key").await;
        page.has("Nothing was written down that fits");

        let page = browser.get("/audit/export?what=api.create").await;
        assert_eq!(
            page.headers["content-disposition"],
            "attachment; filename=\"audit.jsonl\""
        );
        let lines: Vec<serde_json::Value> = page
            .body
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 120);
        assert!(lines.iter().all(|line| line["event"] == "api.create"));
        let who = format!("person:{}", ada.id);
        assert!(lines[0]["actor"].as_str().unwrap().starts_with(&who));
        assert_eq!(lines[0]["meta"]["request"].as_str().unwrap().len(), 12);
    })
    .await;
}
