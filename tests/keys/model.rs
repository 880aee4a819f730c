//! Random sequences of operations, against the server and against a small model of it.
//!
//! After each operation its answer, and what `keys.verifyKey` then says of every key that was ever
//! made, must be what the model says. Besides: what is left of a balance is what was given less
//! what VALID verifications used, a secret that was cut off is never VALID again, and a secret is
//! in one answer only.
//!
//! `CONVOX_TEST_CASES=5000 .ci/postgres cargo test --locked --test keys model` runs many, on both
//! databases; a sequence that fails is made as short as can be, and written down step by step.

mod credits;
mod operations;
mod requests;
mod rotation;
mod steps;
mod verification;
mod world;

use std::cell::RefCell;

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

use crate::environment::Server;
use operations::{Op, sequence};
use steps::Steps;

/// How many sequences there are, unless somebody says otherwise.
const CASES: u32 = 24;
/// How long they are at most.
const LONGEST: usize = 24;
/// How many sequences one server has: each takes years of its clock's time.
const A_SERVER: usize = 40;

#[test]
fn the_server_does_what_the_model_does_on_sqlite() {
    run(None);
}

#[test]
fn the_server_does_what_the_model_does_on_postgres() {
    match std::env::var("CONVOX_TEST_DATABASE_URL") {
        Ok(url) => run(Some(&url)),
        Err(_) => eprintln!("skipped: `.ci/postgres cargo test --test keys` runs it"),
    }
}

fn run(url: Option<&str>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases = std::env::var("CONVOX_TEST_CASES").ok();
    let cases = cases.map_or(CASES, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    });
    let server = RefCell::new((0, None));
    let done = runner.run(&sequence(LONGEST), |ops| {
        let (case, server) = &mut *server.borrow_mut();
        if *case % A_SERVER == 0 {
            *server = Some(runtime.block_on(Server::standing_still(url)));
        }
        *case += 1;
        let server = server.as_ref().unwrap();
        runtime
            .block_on(compare(server, *case, &ops))
            .map_err(TestCaseError::fail)
    });
    match done {
        Ok(()) => {}
        // The steps tell more than what they were made from.
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        Err(error) => panic!("{error}"),
    }
}

/// Takes all the steps; an error tells of each up to the one that went wrong.
async fn compare(server: &Server, case: usize, ops: &[Op]) -> Result<(), String> {
    let mut steps = Steps::new(server, case).await;
    for op in ops {
        steps.take(op).await?;
    }
    steps.end().await
}
