//! The key service over HTTP: the real router on a real database, SQLite and PostgreSQL.
//!
//! Each test runs on both. PostgreSQL is found by `CONVOX_TEST_DATABASE_URL`, which `.ci/postgres`
//! sets; without it the tests run on SQLite only, and say so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod analytics;
mod analytics_limits;
mod basics;
mod credits;
mod documentation;
mod environment;
mod idempotency;
mod identities;
mod listing;
mod permissions;
mod reroll;
mod refusals;
mod rights;
mod updating;
