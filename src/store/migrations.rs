//! The schema, version by version, and what is done about a version that is not this one.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::error::StoreError;

/// Returns the newest version that was applied; for a database where some were.
pub(super) const FOUND: &str =
    "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM _sqlx_migrations";

const SQLITE: &[(i64, &str, &str)] = &[
    (
        1,
        "key service",
        include_str!("../../migrations/sqlite/0001_key_service.sql"),
    ),
    (
        2,
        "people, racks and rolls",
        include_str!("../../migrations/sqlite/0002_people_racks_rolls.sql"),
    ),
    (
        3,
        "signing in",
        include_str!("../../migrations/sqlite/0003_signing_in.sql"),
    ),
    (
        4,
        "schedules",
        include_str!("../../migrations/sqlite/0004_schedules.sql"),
    ),
    (
        5,
        "waves",
        include_str!("../../migrations/sqlite/0005_waves.sql"),
    ),
    (
        6,
        "notices",
        include_str!("../../migrations/sqlite/0006_notices.sql"),
    ),
];

const POSTGRES: &[(i64, &str, &str)] = &[
    (
        1,
        "key service",
        include_str!("../../migrations/postgres/0001_key_service.sql"),
    ),
    (
        2,
        "people, racks and rolls",
        include_str!("../../migrations/postgres/0002_people_racks_rolls.sql"),
    ),
    (
        3,
        "signing in",
        include_str!("../../migrations/postgres/0003_signing_in.sql"),
    ),
    (
        4,
        "schedules",
        include_str!("../../migrations/postgres/0004_schedules.sql"),
    ),
    (
        5,
        "waves",
        include_str!("../../migrations/postgres/0005_waves.sql"),
    ),
    (
        6,
        "notices",
        include_str!("../../migrations/postgres/0006_notices.sql"),
    ),
    (
        7,
        "compression",
        include_str!("../../migrations/postgres/0007_compression.sql"),
    ),
];

/// The schema of SQLite.
pub(super) fn sqlite() -> Migrator {
    migrator(SQLITE)
}

/// The schema of PostgreSQL.
pub(super) fn postgres() -> Migrator {
    migrator(POSTGRES)
}

fn migrator(versions: &'static [(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = versions.iter().map(|(version, name, sql)| {
        Migration::new(
            *version,
            Cow::Borrowed(*name),
            MigrationType::Simple,
            sqlx::SqlSafeStr::into_sql_str(*sql),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

/// Returns the newest version.
pub(super) fn newest(migrator: &Migrator) -> i64 {
    let versions = migrator.iter().map(|migration| migration.version);
    versions.max().unwrap_or(0)
}

/// Refuses to touch a database that is newer than this program.
pub(super) fn check((found, known): (i64, i64)) -> Result<(), StoreError> {
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    Ok(())
}
