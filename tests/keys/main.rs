//! The key service over HTTP: the real router on a real database, SQLite and PostgreSQL.
//!
//! Each test runs on both. PostgreSQL is found by `CONVOX_TEST_DATABASE_URL`, which `.ci/postgres`
//! sets; without it the tests run on SQLite only, and say so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod analytics;
mod analytics_limits;
mod basics;
#[cfg(unix)]
mod crashes;
mod credits;
mod documentation;
mod environment;
mod idempotency;
mod identities;
mod limits;
mod listing;
mod master_key;
#[cfg(unix)]
mod master_key_killed;
mod operator;
mod peers;
mod permissions;
mod refusals;
mod reroll;
mod rights;
mod root_keys;
mod slow;
mod updating;
