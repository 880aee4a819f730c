//! A rack in a sandbox whose time stands still, served to the command as AWS would be.

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::{KeyType, Rack};
use convox::roll::{Engine, Journals, RollOptions, Stop};
use convox::sandbox::ec2::{Instance, InstanceState};
use convox::sandbox::{Sandbox, Scenario, bind, serve};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::machines::{Machines, server, user};
use crate::rehearsing::{self, Tape};

/// The rack, its machines, and the home of somebody who logs in to them.
pub struct Rehearsal {
    pub sandbox: Sandbox,
    pub machines: Machines,
    pub home: TempDir,
    clock: Clock,
    endpoint: String,
}

/// What a command left: its exit code and what it wrote.
#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

impl Rehearsal {
    /// Makes one; none where there is no SSH server. Needs a runtime whose clock is paused.
    pub async fn new() -> Option<Self> {
        let server = server()?;
        // A socket's path is short, so the directory of temporary files is not asked for.
        let home = tempfile::tempdir_in("/tmp").unwrap();
        let clock = rehearsing::clock();
        let sandbox = Sandbox::new(&Scenario::default(), clock.clone()).unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, sandbox.clone(), std::future::pending()));
        let machines = Machines::new(&home.path().join("machines"), server);
        let config = home.path().join(".config/convox");
        fs::create_dir_all(&config).unwrap();
        let settings = format!("rack: prod\ndefaults: {{ ssh_user: {} }}\n", user());
        fs::write(config.join("config.yaml"), settings).unwrap();
        fs::create_dir(home.path().join("run")).unwrap();
        let mut rehearsal = Self {
            sandbox,
            machines,
            home,
            clock,
            endpoint,
        };
        rehearsal.pass(Duration::from_secs(600)).await;
        Some(rehearsal)
    }

    /// Lets time pass, in which instances come up or go.
    pub async fn pass(&mut self, span: Duration) {
        self.clock.sleep(span).await;
        self.machines.follow(&self.sandbox);
    }

    pub fn running(&self) -> Vec<Instance> {
        self.sandbox.peek(|world| {
            let live = world.live_instances();
            live.filter(|instance| instance.state == InstanceState::Running)
                .cloned()
                .collect()
        })
    }

    pub async fn rack(&self) -> Rack {
        rehearsing::rack(&self.sandbox, &self.clock, &Entropy::seeded(9)).await
    }

    async fn engine(&self) -> Engine {
        Engine::new(
            self.rack().await,
            self.clock.clone(),
            Entropy::seeded(5),
            Journals::new(self.home.path().join("rolls")),
            Box::new(Tape::default()),
            Stop::new(),
        )
    }

    /// Rolls the key until an instance with the new one is up while one with the old one still
    /// is, and then lets the roll go as a crash would. Returns the roll's id and both keys' names.
    pub async fn roll_half(&mut self, kind: KeyType) -> HalfRoll {
        let mut engine = self.engine().await;
        let options = RollOptions {
            key_type: kind,
            ..RollOptions::DEFAULT
        };
        let plan = engine
            .plan(options, Duration::from_secs(600))
            .await
            .unwrap();
        let roll = plan.roll.clone();
        let (old, new) = (plan.old_key.clone().unwrap(), plan.new_key.clone());
        let half_done = async {
            loop {
                self.clock.sleep(Duration::from_secs(1)).await;
                let running = self.running();
                let has = |key: &String| {
                    let mut booted = running.iter().filter(|instance| instance.booted);
                    booted.any(|instance| instance.key_name.as_ref() == Some(key))
                };
                if has(&old) && has(&new) {
                    return;
                }
            }
        };
        tokio::select! {
            report = engine.run(plan, false) => panic!("over too soon: {report:?}"),
            () = half_done => {}
        }
        self.machines.follow(&self.sandbox);
        HalfRoll { roll, old, new }
    }

    /// Goes on with a roll, to its end.
    pub async fn finish(&mut self, half: &HalfRoll) {
        let report = self.engine().await.resume(&half.roll).await.unwrap();
        assert_eq!(report.outcome, convox::roll::Outcome::Done, "{report:?}");
        self.machines.follow(&self.sandbox);
    }

    /// Where the account is served.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn runtime_dir(&self) -> PathBuf {
        self.home.path().join("run")
    }

    /// Lists what is in the directory of sockets.
    pub fn left_behind(&self) -> Vec<String> {
        let entries = fs::read_dir(self.runtime_dir()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Makes `convox instances ssh` with the words of `line`, which end with the command.
    pub fn command(&self, words: &[&str]) -> Command {
        self.instances("ssh", words)
    }

    /// Makes a command of `convox instances`, with the words of `line` at its end.
    pub fn instances(&self, command: &str, words: &[&str]) -> Command {
        let what = command;
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.runtime_dir())
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "of-nobody")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .args(["--region", "us-east-1", "--endpoint-url", &self.endpoint])
            .args(["instances", what, "-F"])
            .arg(self.machines.ssh_config())
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end.
    pub async fn run(&self, words: &[&str]) -> Told {
        standing_still(self.command(words).output())
            .await
            .unwrap()
            .into()
    }

    /// Runs a command on an instance and returns what it wrote there.
    pub async fn said(&self, instance: &str, command: &str) -> String {
        let told = self.run(&[instance, "--", command]).await;
        assert_eq!(told.code, 0, "{told:?}");
        told.stdout
    }
}

/// A roll that was let go half-way.
pub struct HalfRoll {
    pub roll: convox::ids::RollId,
    pub old: String,
    pub new: String,
}

/// Waits for something outside of this process while the paused clock stays where it is.
///
/// It leaps whenever nothing is left to do here, unless a blocking task is under way.
pub async fn standing_still<T>(work: impl Future<Output = T>) -> T {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let held = tokio::task::spawn_blocking(move || wait.recv());
    let result = work.await;
    drop(done);
    let _ = held.await;
    result
}

/// Reads what a child writes until there is a whole line.
pub async fn first_line(child: &mut Child) -> String {
    let stdout = child.stdout.as_mut().unwrap();
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.push(stdout.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap()
}
