//! Which key opens which instance, before, during and after a roll.

use std::fs;
use std::process::Stdio;

use convox::private;
use convox::rack::{KeyType, PrivateKey};
use tokio::process::Command;

use crate::machines::user;
use crate::rack::{Rehearsal, Told, standing_still};

pub const WHO: &str = "echo $CONVOX_INSTANCE";

/// Logs in with a key as a file, as anybody could who has it.
pub async fn by_hand(rehearsal: &Rehearsal, address: &str, key: &PrivateKey) -> Told {
    let file = rehearsal.home.path().join("key-by-hand");
    let _ = fs::remove_file(&file);
    let mut opened = private::open_options()
        .create_new(true)
        .write(true)
        .open(&file)
        .unwrap();
    std::io::Write::write_all(&mut opened, key.expose().as_bytes()).unwrap();
    let mut command = Command::new("ssh");
    command
        .arg("-F")
        .arg(rehearsal.machines.ssh_config())
        .arg("-i")
        .arg(&file)
        .args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
        .args(["-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-l", &user()])
        .args([address, WHO])
        .stdin(Stdio::null());
    let told = standing_still(command.output()).await.unwrap().into();
    fs::remove_file(&file).unwrap();
    told
}

async fn roll_opens_the_right_doors(kind: KeyType) {
    let Some(mut rehearsal) = Rehearsal::new().await else {
        return;
    };
    let before = rehearsal.running();
    assert_eq!(before.len(), 3);
    for instance in &before {
        let said = rehearsal.said(&instance.id, WHO).await;
        assert_eq!(said.trim(), instance.id);
    }
    let rack = rehearsal.rack().await;
    let old_key = rack.keys.current().await.unwrap().unwrap();

    // Half-way, an instance of either kind is open.
    let half = rehearsal.roll_half(kind).await;
    let running = rehearsal.running();
    for name in [&half.old, &half.new] {
        let mut named = running
            .iter()
            .filter(|it| it.booted && it.key_name.as_ref() == Some(name));
        let instance = named.next().unwrap();
        assert_eq!(
            rehearsal.said(&instance.id, WHO).await.trim(),
            instance.id,
            "{name}"
        );
    }
    let all = rehearsal
        .run(&["--all", "--output", "json", "--", WHO])
        .await;
    assert_eq!(all.code, 0, "{all:?}");
    let mut keys = std::collections::BTreeSet::new();
    for line in all.stdout.lines() {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            answer["stdout"],
            format!("{}\n", answer["id"].as_str().unwrap())
        );
        assert_eq!(answer["key_used"], true, "{answer}");
        keys.insert(answer["key_name"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys, [half.old.clone(), half.new.clone()].into());

    rehearsal.finish(&half).await;
    let after = rehearsal.running();
    let new_key = rack.keys.get(&half.new).await.unwrap().unwrap();
    assert!(
        rack.keys.get(&half.old).await.unwrap().is_none(),
        "forgotten"
    );
    for instance in &after {
        assert!(before.iter().all(|old| old.id != instance.id));
        assert_eq!(rehearsal.said(&instance.id, WHO).await.trim(), instance.id);
        let opened = by_hand(&rehearsal, &instance.private_ip, &new_key).await;
        assert_eq!(
            (opened.code, opened.stdout.trim()),
            (0, instance.id.as_str())
        );
        let refused = by_hand(&rehearsal, &instance.private_ip, &old_key).await;
        assert_eq!(refused.code, 255);
        assert!(
            refused.stderr.contains("Permission denied (publickey)"),
            "{refused:?}"
        );
    }
    // Whoever was let in before is told that there is no such instance any more.
    let gone = rehearsal.run(&[&before[0].id, "--", "true"]).await;
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("instance not found: i-"), "{gone:?}");

    // A key store that holds the old key under the new name opens nothing, and says so.
    rack.keys.put(&half.new, &old_key).await.unwrap();
    let refused = rehearsal.run(&[&after[0].id, "--", WHO]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (255, ""));
    let expected = format!("with the private key that is kept for {}", half.new);
    assert!(refused.stderr.contains(&expected), "{refused:?}");
    let all = rehearsal.run(&["--all", "--", WHO]).await;
    assert_eq!(all.code, 1);
    assert_eq!(all.stdout.matches("  refused  ").count(), 3, "{all:?}");
    assert!(
        all.stderr.contains("3 of 3 instances did not do it"),
        "{all:?}"
    );
    assert_eq!(rehearsal.left_behind(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_key_of_each_instance_opens_it_all_through_a_roll() {
    roll_opens_the_right_doors(KeyType::Ed25519).await;
}

#[tokio::test(start_paused = true)]
async fn so_does_an_rsa_key() {
    roll_opens_the_right_doors(KeyType::Rsa).await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_meant_by_address_or_the_beginning_of_its_id() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let instance = rehearsal.running().remove(0);
    for wanted in [
        &instance.private_ip[..],
        &instance.id[..9],
        &instance.id[2..9],
    ] {
        assert_eq!(
            rehearsal.said(wanted, WHO).await.trim(),
            instance.id,
            "{wanted}"
        );
    }
    let by_id = rehearsal.run(&["--by-id", &instance.id, "--", WHO]).await;
    assert_eq!(by_id.stdout.trim(), instance.id, "{by_id:?}");
    let several = rehearsal.run(&["i-0", "--", "true"]).await;
    assert_eq!(several.code, 1);
    assert!(
        several.stderr.contains("`i-0` may be any of 3 instances"),
        "{several:?}"
    );
    let mistyped = format!("{}0", instance.private_ip);
    let none = rehearsal.run(&[&mistyped, "--", "true"]).await;
    assert_eq!(none.code, 1);
    let expected = format!(
        "instance not found: {mistyped}\nhint: did you mean {}",
        instance.private_ip
    );
    assert!(none.stderr.contains(&expected), "{none:?}");
}

#[tokio::test(start_paused = true)]
async fn a_machine_in_between_is_found_out() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let running = rehearsal.running();
    // The first time already: its console has told the instance's own key.
    rehearsal
        .machines
        .impersonate(&running[0].id, &running[1].host_key().private_key);
    let told = rehearsal.run(&[&running[0].id, "--", WHO]).await;
    assert_eq!((told.code, told.stdout.as_str()), (255, ""));
    assert!(
        told.stderr.contains("Host key verification failed"),
        "{told:?}"
    );
    assert!(told.stderr.contains("ssh did not get in touch"), "{told:?}");
    let known = rehearsal
        .home
        .path()
        .join(".local/state/convox/known_hosts/prod");
    let known = fs::read_to_string(known).unwrap();
    let expected = format!(
        "{} {} console\n",
        running[0].id,
        running[0].host_key().public_key
    );
    assert_eq!(known, expected);
}
