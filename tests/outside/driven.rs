//! Clients that others wrote drive the sandbox: boto3, with its paginators and waiters.

use std::process::Command;

use convox::clock::{Clock, system_now};
use convox::sandbox::{Sandbox, Scenario, bind, serve};

use crate::emulator::outside;

/// Fast enough that a roll takes seconds, slow enough that a poll a second sees it go on.
const SPEED: f64 = 150.0;

async fn drive(scenario: &str, options: &[&'static str]) {
    let Some(python) = outside("CONVOX_TEST_PYTHON") else {
        return;
    };
    let scenario = Scenario::parse(scenario, "scenario").unwrap();
    let sandbox = Sandbox::new(&scenario, Clock::starting_at(system_now(), SPEED)).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, sandbox, async {
        let _ = stopped.await;
    }));
    let mut command = Command::new(python);
    command
        .arg("tests/outside/boto3_drive.py")
        .arg(endpoint)
        .args(options);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_makes_a_rack_and_rolls_its_key() {
    drive("{ name: success, about: nothing goes wrong }", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_sees_an_update_rolled_back() {
    let scenario = "{ name: x, about: y, faults: [{ signals: { key: new, fate: never, from: 5, times: 1 } }] }";
    drive(scenario, &["--rollback"]).await;
}
