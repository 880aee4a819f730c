//! A real SQLite with the program's own schema, and nobody's verifications but other people's.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ToSql};

use crate::keys::analytics::{Argument, Planned, Scope};
use crate::statement::TABLES;

/// Verifications that no scope of the target may see.
pub struct Database(Connection);

impl Database {
    /// Makes it, with verifications at `time`.
    ///
    /// # Panics
    /// When the schema is not one.
    #[must_use]
    pub fn new(time: i64) -> Self {
        let schema = include_str!("../../migrations/sqlite/0001_key_service.sql");
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch(schema).expect("the schema");
        for (id, outcome) in [
            (1_u8, "VALID"),
            (2, "EXPIRED"),
            (3, "VALID"),
            (4, "DISABLED"),
        ] {
            let series = "INSERT INTO verification_series (id, workspace_id, api_id, key_space_id, \
                          key_id, outcome, tags) VALUES ($1, 'ws_other', 'api', 'ks_other', 'key', \
                          $2, '[]')";
            let id = [id];
            connection
                .execute(series, (&id[..], outcome))
                .expect("a series");
            for table in TABLES {
                let (column, value) = match table {
                    "verifications" => ("", ""),
                    _ => (", uses", ", 7"),
                };
                let row = format!(
                    "INSERT INTO {table} (time, series_id, spent_credits{column}) \
                     VALUES ($1, $2, 1{value})"
                );
                connection.execute(&row, (time, &id[..])).expect("a row");
            }
        }
        Self(connection)
    }

    /// Makes sure that SQLite takes a statement, and that its answer shows nothing.
    ///
    /// # Panics
    /// When it does not, or does.
    pub fn check(&self, planned: &Planned, scope: &Scope, most: i64) {
        let statement = planned.statement.as_str();
        let mut prepared = match self.0.prepare(statement) {
            Ok(prepared) => prepared,
            Err(error) => panic!("{error}: {statement}"),
        };
        assert!(prepared.readonly(), "{statement}");
        assert_eq!(
            prepared.column_count(),
            planned.columns.len(),
            "{statement}"
        );
        let arguments: Vec<&dyn ToSql> = planned.arguments.iter().map(value).collect();
        let mut rows = prepared
            .query(arguments.as_slice())
            .expect("as many arguments");
        let mut count = 0;
        while let Some(row) = rows.next().expect("an answer") {
            count += 1;
            for column in 0..planned.columns.len() {
                // A sum of no rows is one row of nothing.
                let is_nothing = matches!(
                    row.get_ref(column).expect("a value"),
                    ValueRef::Null | ValueRef::Integer(0)
                );
                assert!(is_nothing, "{scope:?}: {statement}");
            }
        }
        assert!(count <= most.min(1), "{scope:?}: {statement}");
    }
}

fn value(argument: &Argument) -> &dyn ToSql {
    match argument {
        Argument::Number(number) => number,
        Argument::Text(text) => text,
    }
}
