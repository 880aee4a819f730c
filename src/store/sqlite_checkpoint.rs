//! Copies what was committed from SQLite's log (WAL) into the database, beside the writer.
//!
//! Left to itself SQLite does so in a commit, which takes some ten times as long then. Only what
//! came last is left to it here: the log begins anew once all of it is copied.
//! Source: <https://sqlite.org/wal.html>, "Checkpointing".

use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::watch;

use crate::clock::Clock;

/// After how many commits the log is copied.
const COMMITS: u64 = 32;
/// When it is copied if there are fewer.
const PAUSE: Duration = Duration::from_secs(10);
/// How many pages of 4 KiB the log has before the writer copies the rest, and begins it anew.
pub(super) const LOG_PAGES: &str = "16000";

/// Copies now and then, until nobody counts commits any more.
pub(super) async fn copy_for_ever(
    mut connection: SqliteConnection,
    mut commits: watch::Receiver<u64>,
) {
    let (clock, mut copied) = (Clock::system(), 0);
    loop {
        tokio::select! {
            many = commits.wait_for(|commits| *commits >= copied + COMMITS) => {
                if many.is_err() {
                    break;
                }
            }
            () = clock.sleep(PAUSE) => {}
        }
        let committed = *commits.borrow();
        if committed > copied {
            copied = committed;
            // What cannot be copied now stays in the log, and the writer will hit on it.
            let copy = "PRAGMA wal_checkpoint(PASSIVE)";
            let _ = sqlx::query(copy).execute(&mut connection).await;
        }
    }
    let _ = connection.close().await;
}
