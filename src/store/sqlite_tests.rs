use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Store;
use super::super::sqlite_writer::write_group;
use super::super::value::args;
use super::*;
use crate::ids::Entropy;

/// Asks the connection that writes for its settings.
async fn of_writer(store: &Store, pragma: &'static str) -> Row {
    let row = store.write(move |sql| Box::pin(async move { sql.row(pragma, args![]).await }));
    row.await.unwrap().unwrap()
}

#[tokio::test]
async fn what_is_committed_is_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("console.db");
    let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
    let full = of_writer(&store, "PRAGMA synchronous").await.int().unwrap();
    assert_eq!(full, 2, "synchronous is not FULL");
    let journal = of_writer(&store, "PRAGMA journal_mode")
        .await
        .text()
        .unwrap();
    assert_eq!(journal, "wal");
    let keys = of_writer(&store, "PRAGMA foreign_keys")
        .await
        .int()
        .unwrap();
    assert_eq!(keys, 1);
}

#[tokio::test]
async fn readers_do_not_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("console.db");
    let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
    store.migrate().await.unwrap();
    let wrote = store.read(|sql| {
        let insert = "INSERT INTO workspaces (id, name, created_at) VALUES ('ws_1', 'n', 0)";
        Box::pin(async move { sql.run(insert.into(), args![]).await })
    });
    assert!(wrote.await.is_err());
    assert_eq!(store.workspaces().await.unwrap(), []);
}

/// Adds a workspace, then fails if it is told to.
struct Add {
    id: &'static str,
    fails: bool,
    runs: Arc<AtomicUsize>,
}

fn add(id: &'static str, fails: bool, runs: &Arc<AtomicUsize>) -> Box<dyn Job> {
    let runs = Arc::clone(runs);
    Box::new(Add { id, fails, runs })
}

#[async_trait]
impl Job for Add {
    async fn run(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let insert = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'n', 0)";
        sql.run(insert.into(), args![self.id]).await?;
        if self.fails {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, _: Result<(), StoreError>) {}
}

/// Runs jobs as one group on an empty database, and returns how they went and what is there.
async fn write_and_list(mut group: Vec<Box<dyn Job>>) -> (Vec<bool>, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("console.db");
    let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
    store.migrate().await.unwrap();
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.unwrap();
    let (results, _) = write_group(&mut connection, &mut group).await;
    let went = results.iter().map(Result::is_ok).collect();
    let there = store.workspaces().await.unwrap();
    (went, there.into_iter().map(|it| it.id).collect())
}

#[tokio::test]
async fn jobs_of_a_group_that_all_succeed_run_once() {
    let runs = Arc::default();
    let group = vec![add("ws_1", false, &runs), add("ws_2", false, &runs)];
    let (went, there) = write_and_list(group).await;
    assert_eq!(
        (went, there),
        (vec![true, true], vec!["ws_1".into(), "ws_2".into()])
    );
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_job_that_fails_half_way_takes_back_its_own_changes_only() {
    let runs = Arc::default();
    let group = vec![
        add("ws_1", false, &runs),
        add("ws_2", true, &runs),
        // Refused by the database: it is there already.
        add("ws_1", false, &runs),
        add("ws_3", false, &runs),
    ];
    let (went, there) = write_and_list(group).await;
    assert_eq!(went, [true, false, false, true]);
    assert_eq!(there, ["ws_1", "ws_3"]);
    assert_eq!(
        runs.load(Ordering::SeqCst),
        2 + 4,
        "again from the first, all of them"
    );
}

#[test]
fn statements_that_are_sent_as_one_keep_their_arguments() {
    let (texts, all) = numbered_on(vec![
        ("UPDATE a SET b = $2 WHERE c = $1".into(), args!["c", "b"]),
        ("DELETE FROM d".into(), args![]),
        ("INSERT INTO e VALUES ($1, 7, $2)".into(), args!["e", 1_i64]),
    ]);
    let expected = [
        "UPDATE a SET b = $2 WHERE c = $1",
        "DELETE FROM d",
        "INSERT INTO e VALUES ($3, 7, $4)",
    ];
    assert_eq!(texts, expected);
    assert_eq!(all, args!["c", "b", "e", 1_i64]);
}

/// Adds a workspace whose name has `size` bytes.
async fn add_large(store: &Store, id: String, size: usize) {
    let insert = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, 0)";
    let name = "n".repeat(size);
    let added = store.write(move |sql| {
        let (id, name) = (id.clone(), name.clone());
        Box::pin(async move { sql.run(insert.into(), args![id, name]).await })
    });
    added.await.unwrap();
}

#[tokio::test]
async fn the_log_is_copied_beside_the_writer_and_has_an_end() {
    const MIB: usize = 1 << 20;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("console.db");
    let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
    store.migrate().await.unwrap();
    let size = |name: &str| std::fs::metadata(directory.path().join(name)).map_or(0, |it| it.len());
    let before = size("console.db");
    for number in 0..40 {
        add_large(&store, format!("ws_{number}"), 10_000).await;
    }
    // Far less than makes the writer itself do it.
    assert!(size("console.db-wal") < 4 * MIB as u64);
    let clock = Clock::system();
    while size("console.db") < before + 300_000 {
        clock.sleep(Duration::from_millis(10)).await;
    }
    for number in 0..200 {
        add_large(&store, format!("ws_large_{number}"), MIB).await;
    }
    // How soon it begins anew depends on the disk; without an end it would have all 200.
    let log = size("console.db-wal");
    assert!(log < 160 * MIB as u64, "the log has {log} bytes");
}
