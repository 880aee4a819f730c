//! The pages in a real browser: Chromium, driven by the scripts beside this file.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use convox::sandbox::Scenario;
use convox::store::Role;
use tempfile::TempDir;

use crate::environment::{Console, on_sqlite_with};

/// Returns a command that runs one of the scripts; none where there is no browser.
fn script(name: &str) -> Option<Command> {
    let found = |variable: &str| std::env::var(variable).ok();
    let (Some(chromium), Some(modules)) = (
        found("CONVOX_TEST_CHROMIUM"),
        found("CONVOX_TEST_PLAYWRIGHT"),
    ) else {
        eprintln!("skipped: `.ci/browser cargo test --test console chromium` runs it");
        return None;
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/chromium");
    let shots = found("CONVOX_TEST_SCREENSHOTS");
    let mut command = Command::new("node");
    command
        .arg(directory.join(name))
        .env("CHROMIUM", chromium)
        .env("MODULES", modules)
        .env("SHOTS", shots.unwrap_or_default());
    Some(command)
}

/// Runs a script to its end.
async fn run(mut command: Command) {
    let running = tokio::task::spawn_blocking(move || command.status());
    let status = running.await.unwrap().unwrap();
    assert!(status.success(), "the script says what went wrong");
}

/// The program as `convox console serve --demo` starts it, and where it leaves its files when it is
/// killed.
struct Demo {
    child: Child,
    _files: TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_works_in_a_browser() {
    let Some(mut command) = script("flows.mjs") else {
        return;
    };
    let mut serving = Command::new(env!("CARGO_BIN_EXE_convox"));
    serving.args(["console", "serve", "--demo", "--listen", "127.0.0.1:0"]);
    let files = tempfile::tempdir().unwrap();
    serving.env("TMPDIR", files.path());
    let mut serving = serving.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(serving.stderr.take().unwrap()).lines();
    let _demo = Demo {
        child: serving,
        _files: files,
    };
    let mut said = || lines.next().unwrap().unwrap();
    let address = said();
    let address = address.strip_prefix("Serving on ").unwrap().to_owned();
    let key = said();
    let (_, key) = key.rsplit_once(' ').unwrap();
    command.env("ADDRESS", address).env("KEY", key);
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            eprintln!("console: {line}");
        }
    });
    run(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pages_open_within_a_second() {
    let Some(mut command) = script("large.mjs") else {
        return;
    };
    let mut large = Scenario::default();
    large.rack.instances = 1000;
    on_sqlite_with(&Scenario::default(), async |racks: &Console| {
        let acme = racks.acme.clone();
        for n in 1..200 {
            racks.add_rack(&acme, &format!("rack-{n:03}")).await;
        }
        let ada = racks.person("ada", Role::Admin, &acme).await;
        command.env("ADDRESS", &racks.address).env("KEY", &ada.key);
        on_sqlite_with(&large, async |instances: &Console| {
            let acme = instances.acme.clone();
            let bob = instances.person("bob", Role::Admin, &acme).await;
            command.env("ADDRESS_2", &instances.address);
            command.env("KEY_2", &bob.key);
            run(command).await;
        })
        .await;
    })
    .await;
}
