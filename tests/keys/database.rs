//! Looks into the database of a server, and changes what no operation changes.

use std::path::Path;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};

use crate::environment::{Server, execute};

impl Server {
    /// Runs a statement on the server's database, beside the server.
    pub async fn execute(&self, statement: &str) {
        if let Some(url) = &self.url {
            return execute(url, statement).await;
        }
        let mut connection = self.file().connect().await.unwrap();
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Changes what no operation changes, and has the server look everything up anew.
    pub async fn change(&self, statement: &str) {
        let api = self.api().await;
        self.execute(statement).await;
        // Whatever is remembered is forgotten when an API is deleted. Somebody whose root key
        // was changed is refused, and was looked up anew.
        let which = json!({ "apiId": api });
        self.post("apis.deleteApi", which).await;
    }

    /// Runs a query and returns the text in the first column of each row.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let path = self.directory.path().join("console.db");
        texts_of(self.url.as_deref(), &path, query).await
    }

    /// Counts the rows of a table that satisfy a condition.
    pub async fn count(&self, table: &str, condition: &str) -> u64 {
        let query = format!("SELECT CAST(count(*) AS TEXT) FROM {table} WHERE {condition}");
        self.texts(&query).await[0].parse().unwrap()
    }

    /// Tells whether a text is anywhere in the database.
    pub async fn holds(&self, text: &str) -> bool {
        let Some(url) = &self.url else {
            let name = |end: &str| self.directory.path().join(format!("console.db{end}"));
            let read = |end| std::fs::read(name(end)).unwrap_or_default();
            let has = |bytes: Vec<u8>| {
                bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
            };
            return has(read("")) || has(read("-wal"));
        };
        let columns = "SELECT table_name || ' ' || column_name || ' ' || data_type \
                       FROM information_schema.columns WHERE table_schema = 'public'";
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        for column in self.texts(columns).await {
            let mut words = column.splitn(3, ' ');
            let (table, name) = (words.next().unwrap(), words.next().unwrap());
            let query = match words.next().unwrap() {
                "bytea" => format!(
                    "SELECT count(*) FROM {table} WHERE position(convert_to($1, 'UTF8') in {name}) > 0"
                ),
                _ => format!(
                    "SELECT count(*) FROM {table} WHERE position($1 in CAST({name} AS TEXT)) > 0"
                ),
            };
            let found = sqlx::query(AssertSqlSafe(query)).bind(text);
            let found = found.fetch_one(&mut connection).await.unwrap();
            if found.get::<i64, _>(0) > 0 {
                return true;
            }
        }
        connection.close().await.unwrap();
        false
    }

    fn file(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.directory.path().join("console.db"))
    }
}

/// Runs a query on the PostgreSQL database at `url`, or else on the SQLite file `path`, and returns
/// the text in the first column of each row.
pub async fn texts_of(url: Option<&str>, path: &Path, query: &str) -> Vec<String> {
    if let Some(url) = url {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut connection);
        let rows = rows.await.unwrap();
        connection.close().await.unwrap();
        return rows.iter().map(|row| row.get(0)).collect();
    }
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut connection);
    let rows = rows.await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
