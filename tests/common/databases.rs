//! Databases of tests: made when they are needed, and changed behind the store's back.

use std::path::Path;

use convox::clock::system_now;
use convox::ids::Entropy;

/// Makes a PostgreSQL database and returns where it is.
pub async fn new_database(url: &str) -> String {
    let entropy = Entropy::system().unwrap();
    let name = format!(
        "convox_{}_{}",
        system_now().as_millisecond(),
        entropy.next_u64()
    );
    let make = format!("CREATE DATABASE {name}");
    execute(url, &make).await;
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// Runs a statement on a PostgreSQL database.
pub async fn execute(url: &str, statement: &str) {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
    connection.close().await.unwrap();
}

/// Runs statements on a SQLite file that nobody serves.
pub async fn execute_on_file(path: &Path, statements: &'static str) {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    connection.execute(statements).await.unwrap();
    connection.close().await.unwrap();
}
