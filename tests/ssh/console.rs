//! Shells that a console opens: somebody with an account key and no key of the rack's.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::machines::user;
use crate::programs::{Programs, done};
use crate::rack::{Rehearsal, Told, first_line, standing_still};

/// A console whose rack is the rehearsal's, and two people.
struct Console {
    programs: Programs,
    operator: String,
    reader: String,
    host: String,
}

impl Console {
    fn new(rehearsal: &Rehearsal) -> Self {
        let path = std::env::var("PATH").unwrap();
        let mut programs = Programs::new()
            .with("PATH", path)
            .with("AWS_ACCESS_KEY_ID", "test")
            .with("AWS_SECRET_ACCESS_KEY", "test")
            .with("AWS_REGION", "us-east-1");
        std::fs::write(
            programs.server.path().join("settings.yaml"),
            format!("ssh_user: {}\n", user()),
        )
        .unwrap();
        done(programs.of_console(&["init", "--workspace", "acme"]));
        let person =
            |name, role| done(programs.of_console(&["people", "add", name, "--role", role]));
        let (operator, reader) = (person("ada", "operator"), person("bob", "read"));
        done(programs.of_console(&["racks", "add", "prod", "--settings", "settings.yaml"]));
        let config = rehearsal.machines.ssh_config();
        let more = ["--endpoint-url", rehearsal.endpoint(), "--ssh-config"];
        let host = programs.serve_with(&[&more[..], &[config.to_str().unwrap()]].concat());
        Self {
            programs,
            operator,
            reader,
            host,
        }
    }

    /// Makes a command of somebody with this key.
    fn of(&self, key: &str, words: &[&str]) -> Command {
        let mut command = self.programs.of_person(&[]);
        command
            .args(words)
            .env("CONVOX_RACK", "acme/prod")
            .env("CONVOX_HOST", &self.host)
            .env("CONVOX_PASSWORD", key.trim());
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn run(&self, key: &str, instance: &str, command: &str) -> Told {
        let words = ["instances", "ssh", instance, "--", command];
        let output = self.of(key, &words).output();
        standing_still(output).await.unwrap().into()
    }
}

#[tokio::test(start_paused = true)]
async fn a_console_logs_in_for_people_who_may() {
    let Some(mut rehearsal) = Rehearsal::new().await else {
        return;
    };
    let console = Console::new(&rehearsal);
    let instance = rehearsal.running().remove(0).id;
    let told = console
        .run(
            &console.operator,
            &instance,
            "echo $CONVOX_INSTANCE $TERM; stty size; exit 7",
        )
        .await;
    assert_eq!(told.code, 7, "{told:?}");
    let printed = told.stdout.replace("\r\n", "\n");
    let said = format!("{instance} xterm\n");
    assert!(printed.starts_with(&said), "{told:?}");

    // What is typed goes there, whatever bytes it is made of, and comes back as it is.
    let raw = "stty raw -echo; echo ready; head -c 5 | od -An -tx1";
    let mut command = console.of(
        &console.operator,
        &["instances", "ssh", &instance, "--", raw],
    );
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = standing_still(async {
        let mut child = command.spawn().unwrap();
        assert!(first_line(&mut child).await.starts_with("ready"));
        let mut stdin = child.stdin.take().unwrap();
        // `~.` would end an ssh that listens to whoever types.
        stdin.write_all(b"\n~.\xff\xe2").await.unwrap();
        stdin.flush().await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        drop(stdin);
        output
    })
    .await;
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("0a 7e 2e ff e2"), "{printed:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let told = console
        .run(&console.operator, "i-0123456789abcdef0", "true")
        .await;
    assert_eq!(told.code, 1, "{told:?}");
    assert!(
        told.stderr
            .contains("instance not found: i-0123456789abcdef0"),
        "{told:?}"
    );
    let told = console.run(&console.reader, &instance, "true").await;
    assert_eq!(told.code, 1, "{told:?}");
    let refused = "you are unauthorized to access this";
    assert!(told.stderr.contains(refused), "{told:?}");

    // Half-way through a roll each instance is opened by the key that it has.
    let half = rehearsal.roll_half(convox::rack::KeyType::Ed25519).await;
    for name in [&half.old, &half.new] {
        let mut running = rehearsal.running().into_iter();
        let named = running.find(|it| it.booted && it.key_name.as_ref() == Some(name));
        let id = named.unwrap().id;
        let told = console
            .run(&console.operator, &id, "echo $CONVOX_INSTANCE")
            .await;
        assert_eq!(told.stdout.trim_end(), id, "{told:?}");
    }
    let audited = done(console.programs.of_console(&["audit"]));
    let opened = audited.matches("\"Open a shell on instance i-").count();
    assert_eq!(opened, 5, "{audited}");
    assert!(
        !audited.contains("CONVOX_INSTANCE"),
        "a command may hold a secret"
    );
}
