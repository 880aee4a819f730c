//! Notices to webhooks, which a real server receives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convox::clock::Clock;
use convox::console::{Receiver, ServiceOptions, add_webhook, rotate};
use convox::keys::{IdKind, SecretFormat, new_id};
use convox::store::{NewKey, Notice, NoticeEvent, Role, WebhookKind};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::environment::{Books, Console, on_both, on_stores};
use crate::schedules::from_monday;

/// One request, as it came.
#[derive(Debug, Clone)]
struct Heard {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Makes sure that whoever has the secret has sent it just now.
    fn verify(&self, secret: &SecretString) {
        let key = secret.expose_secret().strip_prefix("whsec_").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
        let mut signed = format!(
            "{}.{}.",
            self.header("webhook-id"),
            self.header("webhook-timestamp")
        )
        .into_bytes();
        signed.extend_from_slice(&self.body);
        let tag = self
            .header("webhook-signature")
            .strip_prefix("v1,")
            .unwrap();
        hmac::verify(&key, &signed, &STANDARD.decode(tag).unwrap()).unwrap();
    }
}

/// Somebody who listens.
#[derive(Clone)]
struct Listener {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// What is answered, the next last; else success.
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Listener {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let new = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            heard: Arc::default(),
            answers: Arc::default(),
        };
        let listening = new.clone();
        let routes = Router::new().fallback(async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            listening.take(head.uri.path(), head.headers, body)
        });
        tokio::spawn(async move { axum::serve(listener, routes).await });
        new
    }

    fn take(&self, path: &str, headers: HeaderMap, body: Bytes) -> Response {
        let path = path.to_owned();
        self.heard.lock().unwrap().push(Heard {
            path,
            headers,
            body,
        });
        let answer = self.answers.lock().unwrap().pop().unwrap_or(204);
        let status = StatusCode::from_u16(answer).unwrap();
        (status, [("location", "/elsewhere")], "a secret answer").into_response()
    }

    /// Answers so from now on, one after the other.
    fn answer(&self, answers: &[u16]) {
        *self.answers.lock().unwrap() = answers.iter().rev().copied().collect();
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until so many requests came.
    async fn wait_for(&self, count: usize) -> Vec<Heard> {
        let clock = Clock::system();
        for _ in 0..1200 {
            if self.heard().len() >= count {
                break;
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
        let heard = self.heard();
        assert_eq!(heard.len(), count, "{heard:#?}");
        heard
    }
}

/// Has a listener told of events of `acme`.
async fn listen(
    books: &Books,
    listener: &Listener,
    kind: WebhookKind,
    events: &[NoticeEvent],
) -> SecretString {
    let receiver = Receiver {
        url: listener.url.clone(),
        kind,
        events: events.to_vec(),
    };
    let (vault, by) = (books.vault().await, books.by(&books.acme, 1));
    let added = add_webhook(&books.store, &vault, receiver, by, &books.entropy).await;
    added.unwrap().1
}

/// Tells of something.
async fn tell(books: &Books, what: &str, clock: &Clock) -> bool {
    let notice = Notice::of_rack(NoticeEvent::Failed, what.to_owned(), "prod", "ssh");
    let by = books.by(&books.acme, clock.now().as_millisecond());
    books.store.tell_once(what, notice, by).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_is_told_from_beginning_to_end() {
    on_both("success", async |console: &Console| {
        let (json, slack) = (Listener::new().await, Listener::new().await);
        json.answer(&[500]);
        let secret = listen(console.books(), &json, WebhookKind::Json, &NoticeEvent::ALL).await;
        let done = [NoticeEvent::Done];
        listen(console.books(), &slack, WebhookKind::Slack, &done).await;
        let ada = console.operator().await;
        let asked = ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let roll = console
            .store
            .rolls(&console.rack, 1)
            .await
            .unwrap()
            .remove(0);
        let heard = json.wait_for(3).await;
        for one in &heard {
            one.verify(&secret);
            assert_eq!(one.header("content-type"), "application/json");
            assert_eq!(one.path, "/hook");
            let at: i64 = one.header("webhook-timestamp").parse().unwrap();
            assert!((console.clock.now().as_second() - at).abs() < 60);
            let told = one.json();
            assert_eq!(told["data"]["rack"], "prod");
            assert_eq!(told["data"]["key"], "ssh");
            assert_eq!(told["data"]["roll"], roll.id.as_str());
            assert!(
                told["timestamp"]
                    .as_str()
                    .unwrap()
                    .parse::<Timestamp>()
                    .is_ok()
            );
        }
        // What was answered with a failure came again, with the same id; the other did not.
        let of = |event: &str| {
            let of = heard.iter().filter(|it| it.json()["type"] == event);
            of.map(|it| it.header("webhook-id").to_owned())
                .collect::<Vec<_>>()
        };
        let (started, done) = (of("roll.started"), of("roll.done"));
        // They may be on their way together.
        let (twice, once) = match started.len() {
            2 => (started, done),
            _ => (done, started),
        };
        assert_eq!((twice.len(), once.len()), (2, 1), "{heard:#?}");
        assert_eq!(twice[0], twice[1]);
        assert_ne!(twice[0], once[0]);
        let told = slack.wait_for(1).await[0].json();
        let text = told["text"].as_str().unwrap();
        assert!(
            text.starts_with("The ssh key of prod is rolled: "),
            "{told}"
        );
        assert_eq!(told["blocks"][0]["text"]["text"], text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_told_and_only_to_who_wants_to_know() {
    on_both("failure-signal", async |console: &Console| {
        let (one, other) = (Listener::new().await, Listener::new().await);
        let back = [NoticeEvent::RolledBack];
        listen(console.books(), &one, WebhookKind::Json, &back).await;
        listen(
            console.books(),
            &other,
            WebhookKind::Json,
            &[NoticeEvent::Done],
        )
        .await;
        let ada = console.operator().await;
        ada.ask(Method::POST, "/instances/keyroll", None).await;
        let told = one.wait_for(1).await[0].json();
        assert_eq!(told["type"], "roll.rolled_back");
        assert!(other.heard().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_notice_is_delivered_once_by_several_servers() {
    on_stores(async |books: &Books| {
        let listener = Listener::new().await;
        let secret = listen(books, &listener, WebhookKind::Json, &NoticeEvent::ALL).await;
        let clock = Clock::system();
        let options = ServiceOptions {
            loopback_webhooks: true,
            ..ServiceOptions::default()
        };
        let mut servers = vec![books.service_of(&clock, options).await];
        while servers.len() < 3
            && let Some(books) = books.for_another().await
        {
            servers.push(books.service_of(&clock, options).await);
        }
        for number in 0..30 {
            assert!(tell(books, &number.to_string(), &clock).await);
            assert!(!tell(books, &number.to_string(), &clock).await);
        }
        let delivering = servers.iter().map(|server| server.deliver_notices());
        for delivered in futures_util::future::join_all(delivering).await {
            delivered.unwrap();
        }
        let heard = listener.wait_for(30).await;
        let mut ids: Vec<_> = heard.iter().map(|it| it.header("webhook-id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 30);
        // What seals its secret is replaced, and it goes on.
        let source = books.key_source();
        let rotated = rotate(
            &books.store,
            &source,
            &clock,
            10,
            &books.entropy,
            |_| Ok(()),
        );
        assert_eq!(rotated.await.unwrap().sealed, 1);
        tell(books, "after", &clock).await;
        servers[0].deliver_notices().await.unwrap();
        listener.wait_for(31).await[30].verify(&secret);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_nobody_takes_is_given_up_after_a_day() {
    on_stores(async |books: &Books| {
        let listener = Listener::new().await;
        listener.answer(&[302; 100]);
        listen(books, &listener, WebhookKind::Json, &NoticeEvent::ALL).await;
        let clock = Clock::system();
        let options = ServiceOptions {
            loopback_webhooks: true,
            ..ServiceOptions::default()
        };
        let server = books.service_of(&clock, options).await;
        tell(books, "it", &clock).await;
        let waiting = async || {
            let webhooks = books.store.webhooks(&books.acme).await.unwrap();
            webhooks[0].waiting.clone()
        };
        server.deliver_notices().await.unwrap();
        listener.wait_for(1).await;
        let mut tries = 1;
        for _ in 0..1000 {
            let (count, why) = waiting().await;
            if count == 0 {
                break;
            }
            if let Some(why) = why {
                assert_eq!(why, "the answer was 302");
            }
            clock.set_forward(Duration::from_secs(1800));
            server.deliver_notices().await.unwrap();
            tries = tries.max(listener.heard().len());
        }
        assert_eq!(waiting().await.0, 0);
        // Six times in two hours, and every four hours then.
        assert!((9..=13).contains(&tries), "{tries}");
        clock.set_forward(Duration::from_hours(48));
        server.deliver_notices().await.unwrap();
        let heard = listener.heard();
        assert_eq!(heard.len(), tries);
        assert!(
            heard.iter().all(|it| it.path == "/hook"),
            "no redirect is followed"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_the_machine_itself_unless_it_may() {
    on_stores(async |books: &Books| {
        let listener = Listener::new().await;
        listen(books, &listener, WebhookKind::Json, &NoticeEvent::ALL).await;
        let clock = Clock::system();
        let server = books.service_of(&clock, ServiceOptions::default()).await;
        tell(books, "it", &clock).await;
        // Whoever else delivers it just now has the same flag.
        for _ in 0..200 {
            server.deliver_notices().await.unwrap();
            let webhooks = books.store.webhooks(&books.acme).await.unwrap();
            if let (1, Some(why)) = &webhooks[0].waiting {
                assert_eq!(why, "no notices go to the machine itself");
                assert!(listener.heard().is_empty());
                return;
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
        panic!("it was not tried");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planned_and_what_is_overdue_is_told_once() {
    from_monday("success", async |console: &Console| {
        let listener = Listener::new().await;
        let events = [NoticeEvent::Planned, NoticeEvent::Expiring];
        listen(console.books(), &listener, WebhookKind::Json, &events).await;
        console.schedule("every 9 days, Wed 03:00-05:00 UTC").await;
        console.at("2026-11-24T02:00:00Z").await;
        for time in ["2026-11-24T04:00:00Z", "2026-11-24T05:00:00Z"] {
            console.at(time).await;
        }
        let told = told(&listener, 1).await;
        assert_eq!(told[0]["type"], "roll.planned");
        let next = "The ssh key of prod is going to be rolled at 2026-11-25T03:00:00Z";
        assert_eq!(told[0]["data"]["message"], next);
        // Nothing is rolled in a freeze, however old the key.
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let (from, to) = (at("2026-11-25T00:00:00Z"), at("2026-12-25T00:00:00Z"));
        let by = console.by(&console.acme, 1);
        let frozen = console.store.add_freeze(from, to, "sales", by).await;
        frozen.unwrap();
        for time in ["2026-12-05T00:00:00Z", "2026-12-06T00:00:00Z"] {
            console.at(time).await;
        }
        let told = self::told(&listener, 2).await;
        assert_eq!(told[1]["type"], "key.expiring");
        let message = told[1]["data"]["message"].as_str().unwrap();
        assert!(message.ends_with(", and its roll is overdue"), "{message}");
        assert_eq!(console.store.rolls(&console.rack, 1).await.unwrap(), []);
    })
    .await;
}

/// Waits for so many notices, and returns what they say.
async fn told(listener: &Listener, count: usize) -> Vec<Value> {
    let heard = listener.wait_for(count).await;
    heard.iter().map(Heard::json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_key_that_is_about_to_expire_is_told_once() {
    on_both("success", async |console: &Console| {
        let listener = Listener::new().await;
        let events = [NoticeEvent::Expiring];
        listen(console.books(), &listener, WebhookKind::Json, &events).await;
        let acme = console.acme.clone();
        let ada = console.person("ada", Role::Operator, &acme).await;
        let now = console.clock.now().as_millisecond();
        let day = 24 * 3_600_000;
        // One that is long expired, one that soon will be, and one that goes on.
        let mut soon = String::new();
        for expires in [now - day, now + 6 * day, now + 8 * day] {
            let id = issue(console, &ada.id, expires).await;
            if expires == now + 6 * day {
                soon = id;
            }
        }
        for _ in 0..2 {
            console.service.tell_of_expiring_keys().await.unwrap();
        }
        let told = told(&listener, 1).await;
        assert_eq!(told[0]["type"], "key.expiring");
        assert_eq!(told[0]["data"]["account_key"], json!(soon));
        assert_eq!(told[0]["data"]["person"], "ada");
        console.clock.set_forward(Duration::from_hours(48));
        console.service.tell_of_expiring_keys().await.unwrap();
        let told = self::told(&listener, 2).await;
        assert_ne!(told[1]["data"]["account_key"], json!(soon));
    })
    .await;
}

/// Issues an account key that expires, and returns its id.
async fn issue(console: &Console, person: &str, expires: i64) -> String {
    let home = console.store.console_home(1).await.unwrap();
    let format = SecretFormat::new(Some("convox"), 32).unwrap();
    let id = new_id(IdKind::Key, 1, &console.entropy);
    let new = NewKey {
        id: id.clone(),
        api: home.api,
        secret: format.mint(&console.entropy),
        format,
        name: None,
        external_id: Some(person.to_owned()),
        meta: None,
        roles: Vec::new(),
        permissions: Vec::new(),
        expires: Some(expires),
        credits: None,
        ratelimits: Vec::new(),
        enabled: true,
        sealed: None,
    };
    let by = console.by(&home.workspace, 1);
    console.store.create_key(new, by, None).await.unwrap();
    id
}
