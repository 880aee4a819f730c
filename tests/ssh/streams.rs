//! What goes in and comes out: streams, exit codes, terminals and signals.

use std::process::{Command as Plain, Stdio};

use tokio::io::AsyncWriteExt as _;

use crate::rack::{Rehearsal, first_line, standing_still};

#[tokio::test(start_paused = true)]
async fn streams_and_exit_codes_pass_through() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let id = rehearsal.running().remove(0).id;
    let told = rehearsal
        .run(&[&id, "--", "echo out; echo err >&2; exit 7"])
        .await;
    assert_eq!((told.code, told.stdout.as_str()), (7, "out\n"));
    assert_eq!(told.stderr, "err\n");
    // Words are joined as ssh joins them, and a flag after the dashes is the command's.
    let told = rehearsal
        .run(&[&id, "echo", "two", "--", "-n", "words"])
        .await;
    assert_eq!((told.code, told.stdout.as_str()), (0, "two -n words\n"));
    // 255 may be the command's own: then nothing is explained.
    let told = rehearsal.run(&[&id, "--", "exit 255"]).await;
    assert_eq!((told.code, told.stderr.as_str()), (255, ""));

    let mut command = rehearsal.command(&[&id, "--", "tr a-z A-Z"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = standing_still(async {
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"through the pipe\n").await.unwrap();
        drop(stdin);
        child.wait_with_output().await.unwrap()
    });
    assert_eq!(output.await.stdout, b"THROUGH THE PIPE\n");

    let told = rehearsal.run(&[&id, "--", "kill -9 $$"]).await;
    assert_eq!(told.code, 255, "sshd tells of no code: {told:?}");
    assert_eq!(rehearsal.left_behind(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_one_of_all_cannot_do_is_told() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let running = rehearsal.running();
    let command = format!(
        "test $CONVOX_INSTANCE != {} || {{ echo no >&2; exit 3; }}; uname",
        running[1].id
    );
    let told = rehearsal.run(&["--all", "--", &command]).await;
    assert_eq!(told.code, 1);
    let rows: Vec<Vec<&str>> = told
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["ID", "KEY", "EXIT", "SECONDS", "OUTPUT"]);
    for (row, instance) in rows[1..].iter().zip(&running) {
        let failed = instance.id == running[1].id;
        let (exit, output) = if failed { ("3", "no") } else { ("0", "Linux") };
        assert_eq!(
            (row[0], row[2], row[4]),
            (instance.id.as_str(), exit, output)
        );
        assert_eq!(row[1], instance.key_name.as_deref().unwrap());
    }
    assert!(
        told.stderr
            .contains("ERROR: 1 of 3 instances did not do it"),
        "{told:?}"
    );

    let told = rehearsal
        .run(&["--all", "--timeout", "500ms", "--", "sleep 20"])
        .await;
    assert_eq!(told.code, 1);
    assert_eq!(told.stdout.matches("  timeout  ").count(), 3, "{told:?}");
    assert_eq!(rehearsal.left_behind(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_when_it_is_told_to_end() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let id = rehearsal.running().remove(0).id;
    for signal in ["TERM", "HUP"] {
        let mut command = rehearsal.command(&[&id, "--", "echo begun; cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let code = standing_still(async {
            let mut child = command.spawn().unwrap();
            // Waiting closes it, and then `cat` would end by itself.
            let held = child.stdin.take();
            assert_eq!(first_line(&mut child).await, "begun\n");
            assert_eq!(rehearsal.left_behind().len(), 1, "the agent's directory");
            let process = child.id().unwrap().to_string();
            Plain::new("kill")
                .args(["-s", signal, &process])
                .status()
                .unwrap();
            let code = child.wait().await.unwrap().code();
            drop(held);
            code
        });
        assert_eq!(code.await, Some(130), "{signal}");
        assert_eq!(rehearsal.left_behind(), Vec::<String>::new(), "{signal}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_terminal_is_made_where_it_is_asked_for() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let id = rehearsal.running().remove(0).id;
    for (words, expected) in [
        (vec![id.as_str(), "--", "test -t 0 || echo none"], "none"),
        (
            vec![id.as_str(), "-t", "--", "test -t 0 && stty size"],
            "33 77",
        ),
    ] {
        // `script` gives a terminal to whatever it runs.
        let inner = rehearsal.command(&words);
        let inner = inner.as_std();
        let words: Vec<_> = std::iter::once(inner.get_program())
            .chain(inner.get_args())
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let line = format!("stty rows 33 cols 77; {}", words.join(" "));
        let mut outer = tokio::process::Command::new("script");
        outer
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .stdin(Stdio::null());
        for (name, value) in inner.get_envs() {
            outer.env(name, value.unwrap());
        }
        let output = standing_still(outer.output()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
