//! What may be asked about verifications, by whom, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use convox::keys::Code;
use convox::keys::analytics::{Event, Grain, Series, SeriesId, Tally};
use convox::store::{Batch, Counted};
use serde_json::json;

use crate::analytics::ALL;
use crate::environment::{Server, on_both};

const DAY: Duration = Duration::from_hours(24);

impl Server {
    async fn workspace(&self) -> String {
        self.service
            .store()
            .workspaces()
            .await
            .unwrap()
            .remove(0)
            .id
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_reason() {
    on_both(async |server: &Server| {
        let view = "FROM key_verifications_v1";
        let long_ago = server.now() - 31 * 86_400_000;
        for (query, kind, reason) in [
            ("".to_owned(), "invalid_analytics_query", "empty"),
            (
                "DELETE FROM keys".to_owned(),
                "invalid_analytics_query_type",
                "Only SELECT",
            ),
            (
                "SELECT hash FROM keys".to_owned(),
                "invalid_analytics_table",
                "no view 'keys'",
            ),
            (
                format!("SELECT version() {view}"),
                "invalid_analytics_function",
                "version",
            ),
            (
                format!("SELECT hash {view}"),
                "invalid_analytics_query",
                "no column 'hash'",
            ),
            (
                format!("SELECT time {view} WHERE time > {long_ago}"),
                "query_range_exceeds_retention",
                "30 days",
            ),
        ] {
            let refused = server.ask(&query).await;
            assert_eq!((refused.status, refused.kind()), (400, kind), "{query}");
            assert!(
                refused.detail().contains(reason),
                "{query}: {}",
                refused.detail()
            );
            let error = &refused.body["error"]["errors"][0];
            assert_eq!(
                (&error["location"], &error["message"]),
                (&json!("query"), &json!(refused.detail()))
            );
        }
        let open = json!({ "query": format!("SELECT time {view}"), "more": 1 });
        assert_eq!(
            server.post("analytics.getVerifications", open).await.data(),
            json!([])
        );
        let without = server.post("analytics.getVerifications", json!({})).await;
        assert_eq!((without.status, without.kind()), (400, "invalid_input"));
        let tags = json!({ "key": "nobody", "tags": ["x".repeat(513)] });
        assert_eq!(server.post("keys.verifyKey", tags).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn only_what_a_root_key_may_read_is_read() {
    on_both(async |server: &Server| {
        let (mine, other) = (server.api().await, server.api().await);
        for api in [&mine, &mine, &other] {
            let (_, key) = server.key(api, json!({})).await;
            assert_eq!(server.verify(&key).await, "VALID");
        }
        let spaces = server
            .service
            .store()
            .key_spaces(&server.workspace().await)
            .await
            .unwrap();
        let (_, space) = spaces.into_iter().find(|(api, _)| *api == mine).unwrap();
        let stranger = server
            .service
            .store()
            .create_workspace("stranger", i64::MAX)
            .await
            .unwrap();
        let event = series(&stranger.id, "key_stranger");
        server.keep(batch(&event, &[server.now()])).await;
        server.service.write_counts(ALL).await.unwrap();
        let count = async |permissions: &[&str], rest: &str| {
            let root = server.root_with(permissions).await;
            let query = format!("SELECT COUNT(*) AS n FROM key_verifications_v1 {rest}");
            let body = json!({ "query": query });
            server
                .post_as(&root, "analytics.getVerifications", body, &[])
                .await
        };
        let all = "api.*.read_analytics";
        assert_eq!(count(&[all], "").await.data()[0]["n"], 3);
        let strange = format!(
            "WHERE workspace_id = '{}' OR time > 0 OR key_id <> ''",
            stranger.id
        );
        let strange = strange.replace("time > 0", &format!("time <= {}", server.now()));
        assert_eq!(count(&[all], &strange).await.data()[0]["n"], 3);
        let one = format!("api.{mine}.read_analytics");
        assert_eq!(count(&[&one], "").await.data()[0]["n"], 2);
        assert_eq!(count(&[&one], &strange).await.data()[0]["n"], 2);
        let named = format!("unkey:v1:*:keyspaces/{space}#read_analytics");
        assert_eq!(count(&[&named], "").await.data()[0]["n"], 2);
        let none = count(&["api.*.read_key"], "").await;
        assert_eq!(
            (none.status, none.kind()),
            (403, "insufficient_permissions")
        );
        assert_eq!(none.detail(), "Missing permission: 'api.*.read_analytics'");
        // What was counted of an API outlives it.
        server
            .post("apis.deleteApi", json!({ "apiId": mine }))
            .await
            .data();
        assert_eq!(count(&[&one], "").await.data()[0]["n"], 2);
    })
    .await;
}

#[tokio::test]
async fn answers_have_an_end() {
    on_both(async |server: &Server| {
        let long = "x".repeat(500);
        let mut series = series(&server.workspace().await, "key_1");
        series.tags = json!([long]).to_string();
        let now = server.now();
        let times: Vec<_> = (0..10_001).map(|at| now - at).collect();
        server.keep(batch(&series, &times)).await;
        let view = "FROM key_verifications_v1";
        let most = server
            .rows(&format!("SELECT time {view} LIMIT 10000"))
            .await;
        assert_eq!(most.as_array().unwrap().len(), 10_000);
        for query in [
            format!("SELECT time {view}"),
            format!("SELECT time {view} LIMIT 20000"),
        ] {
            let many = server.ask(&query).await;
            assert_eq!(
                (many.status, many.kind()),
                (422, "query_rows_limit_exceeded")
            );
        }
        let large = server
            .ask(&format!("SELECT time, tags {view} LIMIT 10000"))
            .await;
        assert_eq!(
            (large.status, large.kind()),
            (422, "query_memory_limit_exceeded")
        );
        let few = server
            .rows(&format!("SELECT time {view} ORDER BY time DESC LIMIT 2"))
            .await;
        assert_eq!(few, json!([{ "time": now }, { "time": now - 1 }]));
    })
    .await;
}

#[tokio::test]
async fn single_verifications_are_kept_for_thirty_days_and_sums_longer() {
    on_both(async |server: &Server| {
        let series = series(&server.workspace().await, "key_1");
        let now = server.now();
        let times: Vec<_> = (0..2500).map(|at| now - at).collect();
        server.keep(batch(&series, &times)).await;
        let single = "SELECT COUNT(*) AS n FROM key_verifications_v1";
        let sums = "SELECT SUM(count) AS n FROM key_verifications_per_minute_v1";
        server.wait(29 * DAY);
        server.service.tidy().await.unwrap();
        assert_eq!(server.rows(single).await[0]["n"], 2500);
        server.wait(2 * DAY);
        // Gone for whoever asks, even before anybody has removed them.
        assert_eq!(server.rows(single).await[0]["n"], 0);
        server.service.tidy().await.unwrap();
        assert_eq!(server.rows(sums).await[0]["n"], 2500);
    })
    .await;
}

#[tokio::test]
async fn two_writers_add_to_the_same_sums() {
    on_both(async |server: &Server| {
        let (store, now) = (server.service.store(), server.now());
        let workspace = server.workspace().await;
        let all: Vec<_> = (0..50)
            .map(|key| series(&workspace, &format!("key_{key}")))
            .collect();
        let mut together = Batch::default();
        for series in &all {
            merge(&mut together, batch(series, &[now]));
        }
        let together = Arc::new(together);
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (store, batch) = (store.clone(), Arc::clone(&together));
                tokio::spawn(async move {
                    store.keep_counted(vec![counted(&batch)]).await?;
                    store.add_up(0).await
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        // What one was adding up the others have left to it.
        server.service.write_counts(ALL).await.unwrap();
        let query = "SELECT key_id, SUM(count) AS n FROM key_verifications_per_month_v1 \
                     GROUP BY key_id";
        let rows = server.rows(query).await;
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), 50);
        assert!(rows.iter().all(|row| row["n"] == 8), "{rows:?}");
    })
    .await;
}

#[tokio::test]
async fn a_sum_that_no_number_holds_is_refused_with_the_reason() {
    on_both(async |server: &Server| {
        let workspace = server.workspace().await;
        for key in ["key_1", "key_2"] {
            let mut batch = batch(&series(&workspace, key), &[server.now()]);
            for tally in batch.minutes.values_mut() {
                tally.spent = i64::MAX;
            }
            server.keep(batch).await;
        }
        let view = "FROM key_verifications_per_day_v1";
        let of_one = format!("SELECT SUM(spent_credits) AS spent {view} WHERE key_id = 'key_1'");
        assert_eq!(server.rows(&of_one).await, json!([{ "spent": i64::MAX }]));
        let query = format!("SELECT SUM(spent_credits) AS spent {view}");
        let refused = server.ask(&query).await;
        let kind = "invalid_analytics_query";
        assert_eq!((refused.status, refused.kind()), (400, kind));
        let detail = refused.detail();
        assert!(
            detail.contains("larger than 9223372036854775807"),
            "{detail}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_added_up_keeps_nothing_else_from_it() {
    on_both(async |server: &Server| {
        let series = series(&server.workspace().await, "key_1");
        let mut batch = batch(&series, &[server.now()]);
        for tally in batch.minutes.values_mut() {
            // More credits together than there are numbers.
            tally.spent = i64::MAX;
        }
        let batch = Arc::new(batch);
        let store = server.service.store();
        let broken = "INSERT INTO counted_verifications (id, at, batch) VALUES ('?', -1, '?')";
        server.execute(broken).await;
        for _ in 0..3 {
            store.keep_counted(vec![counted(&batch)]).await.unwrap();
        }
        let query = "SELECT SUM(count) AS n, MAX(spent_credits) AS spent \
                     FROM key_verifications_per_month_v1";
        let body = json!({ "query": query });
        let mut rows = json!([]);
        // The server's own task may be adding one up just now.
        for _ in 0..100 {
            server.service.write_counts(ALL).await.unwrap_err();
            let answer = server.post("analytics.getVerifications", body.clone());
            rows = answer.await.data();
            if rows[0]["n"] == 3 {
                break;
            }
        }
        assert_eq!(rows, json!([{ "n": 3, "spent": i64::MAX }]));
        // Who is to cut a key is told that something is not counted.
        let api = server.api().await;
        let (id, _) = server.key(&api, json!({})).await;
        server.reroll(&id, json!(60_000)).await;
        let waiting_since = async || {
            let asked = json!({ "keyId": id });
            let rotation = server.post("keys.getRotation", asked).await.data();
            rotation["uses"].get("waitingSince").cloned()
        };
        assert_eq!(waiting_since().await, Some(json!(-1)));
        let gone = "DELETE FROM counted_verifications WHERE at = -1";
        server.execute(gone).await;
        assert_eq!(waiting_since().await, None);
    })
    .await;
}

impl Server {
    /// Counts verifications that nobody made, and adds them to the views.
    async fn keep(&self, batch: Batch) {
        let store = self.service.store();
        store
            .keep_counted(vec![counted(&Arc::new(batch))])
            .await
            .unwrap();
        self.service.write_counts(ALL).await.unwrap();
    }
}

fn counted(batch: &Arc<Batch>) -> Counted {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    Counted {
        id: NUMBER.fetch_add(1, Ordering::Relaxed).to_string(),
        at: 0,
        batch: Arc::clone(batch),
    }
}

fn series(workspace: &str, key: &str) -> Series {
    Series {
        workspace: workspace.into(),
        api: "api_1".into(),
        key_space: "ks_1".into(),
        key: key.to_owned(),
        rerolled_at: None,
        identity: None,
        external_id: None,
        outcome: Code::Valid,
        tags: "[]".to_owned(),
    }
}

/// Makes verifications at the given times.
fn batch(series: &Series, times: &[i64]) -> Batch {
    let id = SeriesId::new(convox::keys::Hash::of(&series.key));
    let mut batch = Batch::default();
    for at in times {
        let tally = Tally {
            count: 1,
            spent: 0,
            last: *at,
        };
        let minute = (Grain::Minute.start(*at), id);
        batch.minutes.entry(minute).or_default().add(tally);
        batch.events.push(Event {
            at: *at,
            series: id,
            spent: 0,
        });
    }
    batch.series.insert(id, Box::new(series.clone()));
    batch
}

fn merge(into: &mut Batch, from: Batch) {
    into.series.extend(from.series);
    into.minutes.extend(from.minutes);
    into.events.extend(from.events);
}
