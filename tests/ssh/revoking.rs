//! A leaked key that is shut out over ssh: who is let in before and after, and who stays.

use std::fs;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;

use crate::rack::{Rehearsal, Told, first_line, standing_still};
use crate::rolling::{WHO, by_hand};

async fn revoke(rehearsal: &Rehearsal) -> Told {
    let words = ["--through", "ssh", "--yes", "--output", "json"];
    let mut command = rehearsal.instances("revoke-key", &words);
    standing_still(command.output()).await.unwrap().into()
}

/// Returns what each instance's last event said: its id, the proof, and the error.
fn told_of(told: &Told) -> Vec<(String, Option<String>, Option<String>)> {
    let lines = told.stdout.lines();
    let events = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let news = events.filter(|event| event["type"] == "instance");
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let mut told: Vec<_> = news
        .map(|event| {
            let data = &event["data"];
            let id = text(&data["instance"]).unwrap();
            (id, text(&data["proof"]), text(&data["error"]))
        })
        .collect();
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn the_old_key_is_refused_and_whoever_is_logged_in_stays() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let running = rehearsal.running();
    let old_key = rehearsal.rack().await.keys.current().await.unwrap();
    let old_key = old_key.unwrap();
    let mut session = rehearsal.command(&[&running[0].id, "--", "echo begun; cat"]);
    session.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut session = session.spawn().unwrap();
    let mut typed = session.stdin.take().unwrap();
    assert_eq!(standing_still(first_line(&mut session)).await, "begun\n");
    // Somebody has let another key in, restricted, and has left the last line open.
    let file = rehearsal.machines.home(&running[1].id);
    let file = file.join(".ssh/authorized_keys");
    let lines = fs::read_to_string(&file).unwrap();
    let other = "restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther ada";
    fs::write(&file, format!("{lines}{other}")).unwrap();

    let told = revoke(&rehearsal).await;
    assert_eq!(told.code, 0, "{told:?}");
    let expected: Vec<_> = running
        .iter()
        .map(|it| (it.id.clone(), Some("login".to_owned()), None))
        .collect();
    let mut expected = expected;
    expected.sort();
    assert_eq!(told_of(&told), expected);

    let rack = rehearsal.rack().await;
    let new_key = rack.keys.current().await.unwrap().unwrap();
    assert!(!new_key.is_same_as(&old_key));
    for instance in &running {
        let opened = by_hand(&rehearsal, &instance.private_ip, &new_key).await;
        assert_eq!((opened.code, opened.stdout.trim()), (0, &*instance.id));
        let refused = by_hand(&rehearsal, &instance.private_ip, &old_key).await;
        assert_eq!(refused.code, 255);
        let denied = "Permission denied (publickey)";
        assert!(refused.stderr.contains(denied), "{refused:?}");
        // By the key that its tag names, although it was started with the other.
        assert_eq!(rehearsal.said(&instance.id, WHO).await.trim(), instance.id);
    }
    let lines = fs::read_to_string(&file).unwrap();
    assert!(lines.contains(other), "{lines}");
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let all = rehearsal
        .run(&["--all", "--output", "json", "--", WHO])
        .await;
    assert_eq!(
        all.stdout.matches("\"key_used\":true").count(),
        3,
        "{all:?}"
    );

    let line = standing_still(async {
        typed.write_all(b"still here\n").await.unwrap();
        typed.flush().await.unwrap();
        first_line(&mut session).await
    });
    assert_eq!(line.await, "still here\n");
    drop(typed);
    assert!(standing_still(session.wait()).await.unwrap().success());

    // Once more, with the new key: nothing is left to do, and it says so.
    let again = revoke(&rehearsal).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(told_of(&again), expected);
    assert_eq!(rehearsal.left_behind(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_may_be_another_machine_is_named_and_left_alone() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let running = rehearsal.running();
    let (one, other) = (&running[0], &running[1]);
    let impostor = other.host_key().private_key;
    rehearsal.machines.impersonate(&one.id, &impostor);
    let told = revoke(&rehearsal).await;
    assert_eq!(told.code, 4, "{told:?}");
    let failed: Vec<_> = told_of(&told)
        .into_iter()
        .filter_map(|(id, _, error)| Some((id, error?)))
        .collect();
    let why = "ssh did not get in touch: Host key verification failed.";
    assert_eq!(failed, [(one.id.clone(), why.to_owned())]);
    let file = rehearsal.machines.home(&one.id);
    let lines = fs::read_to_string(file.join(".ssh/authorized_keys")).unwrap();
    let started_with = one.authorized_key.clone().unwrap();
    assert_eq!(lines.trim(), started_with.trim());

    // Its own host key again: the second time it is the only one that is changed.
    rehearsal
        .machines
        .impersonate(&one.id, &one.host_key().private_key);
    let again = revoke(&rehearsal).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(told_of(&again).len(), 3);
    let said = rehearsal.said(&one.id, WHO).await;
    assert_eq!(said.trim(), one.id);
}
