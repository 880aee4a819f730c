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
mod creating;
mod credits;
mod crossing;
mod database;
#[path = "../common/databases.rs"]
mod databases;
mod deleting;
mod documentation;
mod environment;
mod failures;
mod idempotency;
mod identities;
mod isolation;
mod limits;
mod listing;
mod master_key;
#[cfg(unix)]
mod master_key_killed;
mod memory;
mod model;
mod operator;
mod operator_databases;
mod outcomes;
mod peers;
mod peers_changes;
mod permissions;
mod program;
mod refills;
mod refusals;
mod reroll;
mod reroll_copies;
mod reroll_together;
mod rights;
mod rights_of_keys;
mod root_keys;
mod root_rerolls;
mod rotations;
mod slow;
mod traces;
mod updating;
mod verify_limits;
