//! Logging in through a machine in between.

use std::fs;

use crate::machines::fingerprint;
use crate::rack::Rehearsal;

const WHO: &str = "echo $CONVOX_INSTANCE ${SSH_AUTH_SOCK:-no agent}";

#[tokio::test(start_paused = true)]
async fn another_machine_is_gone_through_and_gets_no_agent() {
    let Some(mut rehearsal) = Rehearsal::new().await else {
        return;
    };
    let (log, own_key) = rehearsal.machines.add_bastion("bastion", "");
    rehearsal.machines.follow(&rehearsal.sandbox);
    let instance = rehearsal.running().remove(0);
    let told = rehearsal
        .run(&["--jump", "bastion", &instance.id, "--", WHO])
        .await;
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(told.stdout, format!("{} no agent\n", instance.id));

    let log = fs::read_to_string(log).unwrap();
    let port = rehearsal.machines.port(&instance.id);
    assert!(
        log.contains(&format!("target 127.0.0.1 port {port}")),
        "{log}"
    );
    // It lets in the person, and never hears of the key that opens the instance.
    assert!(log.contains(&own_key), "{log}");
    let instances_key = fingerprint(&instance.authorized_key.unwrap());
    assert!(!log.contains(&instances_key), "{log}");
    assert!(!log.contains("auth-agent-req"), "{log}");
    assert_eq!(rehearsal.left_behind(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn two_machines_are_gone_through_one_after_the_other() {
    let Some(mut rehearsal) = Rehearsal::new().await else {
        return;
    };
    let (outer, _) = rehearsal.machines.add_bastion("outer", "");
    let (inner, _) = rehearsal.machines.add_bastion("inner", "");
    rehearsal.machines.follow(&rehearsal.sandbox);
    let instance = rehearsal.running().remove(0);
    let told = rehearsal
        .run(&["--jump", "outer,inner", &instance.id, "--", WHO])
        .await;
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(told.stdout, format!("{} no agent\n", instance.id));
    for (log, next) in [(outer, "inner"), (inner, instance.id.as_str())] {
        let log = fs::read_to_string(log).unwrap();
        let port = rehearsal.machines.port(next);
        assert!(
            log.contains(&format!("target 127.0.0.1 port {port}")),
            "{log}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_lets_nobody_through_is_what_is_told() {
    let Some(mut rehearsal) = Rehearsal::new().await else {
        return;
    };
    let settings = "AllowTcpForwarding no\n";
    rehearsal.machines.add_bastion("bastion", settings);
    rehearsal.machines.follow(&rehearsal.sandbox);
    let instance = rehearsal.running().remove(0);
    let told = rehearsal
        .run(&["--jump", "bastion", &instance.id, "--", WHO])
        .await;
    assert_eq!((told.code, told.stdout.as_str()), (255, ""), "{told:?}");
    let hint = "hint: see whether `ssh` reaches the machine in between";
    assert!(told.stderr.contains(hint), "{told:?}");
    assert_eq!(rehearsal.left_behind(), Vec::<String>::new());
}
