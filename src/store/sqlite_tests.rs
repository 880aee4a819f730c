use super::super::Store;
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
