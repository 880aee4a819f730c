//! What a server says when it cannot do what it is asked, and an init that fails.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use convox::clock::Clock;
use convox::console::{KeySource, initialize};
use convox::ids::Entropy;
use convox::store::Store;
use serde_json::{Value, json};

use crate::environment::{Server, execute, execute_on_file, new_database, on_both, text};
use crate::program::Program;

/// Breaks whatever reads an API, and nothing else.
const BREAK: &str = "ALTER TABLE apis RENAME COLUMN default_prefix TO gone";
const MEND: &str = "ALTER TABLE apis RENAME COLUMN gone TO default_prefix";

#[tokio::test]
async fn a_database_that_fails_is_no_thing_that_is_not_there() {
    on_both(async |server: &Server| {
        let log = &server.log;
        let api = server.api().await;
        let (id, key) = server.key(&api, json!({})).await;
        server.execute(BREAK).await;
        for (operation, body) in [
            ("keys.getKey", json!({ "keyId": id })),
            ("keys.whoami", json!({ "key": key })),
            ("keys.rerollKey", json!({ "keyId": id, "expiration": 0 })),
            ("apis.getApi", json!({ "apiId": api })),
        ] {
            let failed = server.post(operation, body).await;
            let told = (failed.status, failed.kind(), failed.detail());
            let detail = "The server could not do it. Its log says why.";
            assert_eq!(told, (500, "unexpected_error", detail), "{operation}");
            let said = log.lock().unwrap().pop().unwrap();
            let request = text(&failed.body["meta"]["requestId"]);
            let begins = format!("{request} {operation}: the database failed: ");
            assert!(said.starts_with(&begins), "{said}");
            assert!(!said.contains(&key) && !said.contains('\n'), "{said}");
        }
        server.execute(MEND).await;
        assert_eq!(server.get(&id).await["keyId"], json!(id));
        let unknown = json!({ "keyId": "key_unknown" });
        assert_eq!(server.post("keys.getKey", unknown).await.status, 404);
        let said = log.lock().unwrap();
        assert_eq!(*said, Vec::<String>::new(), "what is refused is not logged");
    })
    .await;
}

/// What breaks something and mends it, and what that something is.
struct Break {
    breaks: &'static str,
    mends: &'static str,
    what: &'static str,
}

#[tokio::test]
async fn counts_that_cannot_be_written_down_or_added_up_are_told_and_so_is_the_end_of_it() {
    on_both(async |server: &Server| {
        let log = &server.log;
        let (_, key) = server.key(&server.api().await, json!({})).await;
        let until_said = async |begins: &str| {
            for _ in 0..6_000 {
                let is_it = |line: &String| line.starts_with(begins);
                if log.lock().unwrap().iter().any(is_it) {
                    return;
                }
                server.clock.sleep(Duration::from_millis(10)).await;
            }
            panic!("{begins}: not in {:?}", log.lock().unwrap());
        };
        for Break {
            breaks,
            mends,
            what,
        } in [
            Break {
                breaks: "ALTER TABLE verifications_per_minute RENAME TO gone",
                mends: "ALTER TABLE gone RENAME TO verifications_per_minute",
                what: "verifications cannot be added up",
            },
            Break {
                breaks: "ALTER TABLE counted_verifications RENAME TO gone",
                mends: "ALTER TABLE gone RENAME TO counted_verifications",
                what: "verifications cannot be written down",
            },
        ] {
            server.execute(breaks).await;
            let verified = server.verify(&key).await;
            assert_eq!(verified, "VALID", "nobody waits for counts");
            until_said(&format!(
                "{what}, and this is tried again: the database failed: "
            ))
            .await;
            server.execute(mends).await;
            until_said(&format!("{what}: that is over")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_on_stderr_why_it_failed() {
    let program = Program::new();
    let root = program.done("data", &["init"]);
    let (mut running, line) = program.serve(&["--listen", "127.0.0.1:0"]);
    let address = line.strip_prefix("Serving on ").unwrap();
    execute_on_file(&program.database(), BREAK).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{address}/v2/apis.getApi"))
        .bearer_auth(root.trim())
        .body(json!({ "apiId": "api_unknown" }).to_string());
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 500);
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let request = text(&body["meta"]["requestId"]);
    let said = running.lines.next().unwrap().unwrap();
    let begins = format!("{request} apis.getApi: the database failed: ");
    assert!(said.starts_with(&begins), "{said}");
}

/// Opens databases that are prepared and hold nothing yet: each kind that there is, and as many
/// ways to each as are asked for.
async fn empty(ways: usize) -> Vec<(Vec<Store>, Place)> {
    let directory = tempfile::tempdir().unwrap();
    let mut places = vec![Place::File(directory)];
    if let Ok(url) = std::env::var("CONVOX_TEST_DATABASE_URL") {
        places.push(Place::Url(new_database(&url).await));
    }
    let mut opened = Vec::new();
    for place in places {
        let mut stores = Vec::new();
        for _ in 0..ways {
            stores.push(place.open().await);
        }
        stores[0].migrate().await.unwrap();
        opened.push((stores, place));
    }
    opened
}

enum Place {
    File(tempfile::TempDir),
    Url(String),
}

impl Place {
    async fn open(&self) -> Store {
        let entropy = Entropy::system().unwrap();
        let store = match self {
            Self::File(directory) => {
                Store::sqlite(&directory.path().join("console.db"), entropy).await
            }
            Self::Url(url) => Store::postgres(url, Clock::system(), entropy).await,
        };
        store.unwrap()
    }

    async fn execute(&self, statement: &'static str) {
        match self {
            Self::File(directory) => {
                execute_on_file(&directory.path().join("console.db"), statement).await;
            }
            Self::Url(url) => execute(url, statement).await,
        }
    }
}

#[tokio::test]
async fn an_init_that_fails_makes_nothing_and_can_be_done_again() {
    let entropy = Entropy::system().unwrap();
    for (stores, place) in empty(1).await {
        let keys = tempfile::tempdir().unwrap();
        let source = KeySource::file(keys.path().join("master.key"));
        let init = async || initialize(&stores[0], "main", 1, &entropy, &source).await;
        place.execute("ALTER TABLE root_keys RENAME TO gone").await;
        assert!(init().await.is_err());
        assert_eq!(stores[0].workspaces().await.unwrap(), []);
        place.execute("ALTER TABLE gone RENAME TO root_keys").await;
        assert!(init().await.unwrap().is_some());
        assert!(init().await.unwrap().is_none(), "there is one already");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_inits_at_once_one_makes_a_workspace() {
    for _ in 0..5 {
        for (stores, _place) in empty(4).await {
            let entropy = Entropy::system().unwrap();
            let keys = tempfile::tempdir().unwrap();
            let source = KeySource::file(keys.path().join("master.key"));
            let init = |store| initialize(store, "main", 1, &entropy, &source);
            let made = tokio::join!(
                init(&stores[0]),
                init(&stores[1]),
                init(&stores[2]),
                init(&stores[3]),
            );
            let made = [made.0, made.1, made.2, made.3];
            let made = made.into_iter().filter_map(Result::unwrap);
            assert_eq!(made.count(), 1);
            assert_eq!(stores[0].workspaces().await.unwrap().len(), 1);
            for store in stores {
                store.close().await;
            }
        }
    }
}

#[tokio::test]
async fn whoever_goes_away_in_the_middle_leaves_the_next_a_clean_connection() {
    on_both(async |server: &Server| {
        let (id, _) = server.key(&server.api().await, json!({})).await;
        let store = server.service.store();
        let workspace = store.workspaces().await.unwrap().remove(0).id;
        for polls in 0..400 {
            for_so_many_polls(store.key(&workspace, &id), polls % 20).await;
            store.health().await.unwrap();
            let stayed = store.key(&workspace, &id).await;
            assert_eq!(stayed.unwrap().0.id, id, "gone after {} polls", polls % 20);
        }
    })
    .await;
}

/// Waits for something until it was polled so often, and then no longer.
async fn for_so_many_polls<T>(work: impl Future<Output = T>, most: usize) {
    let mut work = pin!(work);
    let mut polls = 0;
    poll_fn(|context| {
        polls += 1;
        match polls > most || work.as_mut().poll(context).is_ready() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}
