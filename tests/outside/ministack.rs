//! MiniStack: updates that a test can hold, let go, fail and cancel.

use convox::rack::aws::KeyStoreChoice;
use convox::rack::{Rack, StackEvent, StatusClass, UpdateRequest};

use crate::emulator::{Emulator, settled, update_of};
use crate::keeping::keeps_keys;

async fn ministack() -> Option<Emulator> {
    Emulator::find("CONVOX_TEST_MINISTACK").await
}

/// Begins an update that waits at the gate.
async fn held(emulator: &Emulator, stack: &str, disable_rollback: bool) -> (Rack, UpdateRequest) {
    emulator.create(stack, &format!("{stack}-k1"), "yes").await;
    let rack = emulator.rack(stack, KeyStoreChoice::Settings).await;
    let before = settled(&rack).await;
    let key = format!("{stack}-k2");
    let mut update = update_of(&before, &[("Key", &key)]);
    update.disable_rollback = disable_rollback;
    rack.stacks.update(&update).await.unwrap();
    let stack = rack.stacks.describe(&rack.stack).await.unwrap();
    assert_eq!(stack.status.class(), StatusClass::InProgress);
    (rack, update)
}

/// Reads every page of events, and keeps those of one call.
async fn events_of(rack: &Rack, token: &str) -> Vec<StackEvent> {
    let mut events = Vec::new();
    let mut next = None;
    loop {
        let page = rack.stacks.events(&rack.stack, next).await.unwrap();
        events.extend(
            page.events
                .into_iter()
                .filter(|e| e.token.as_deref() == Some(token)),
        );
        next = page.next;
        if next.is_none() {
            return events;
        }
    }
}

#[tokio::test]
async fn a_held_update_completes_when_it_is_let_go() {
    let Some(ministack) = ministack().await else {
        return;
    };
    let (rack, update) = held(&ministack, "let-go", false).await;
    ministack.signal("let-go", "SUCCESS").await;
    let after = settled(&rack).await;
    assert_eq!(after.status.0, "UPDATE_COMPLETE");
    assert_eq!(after.parameter("Key"), Some("let-go-k2"));
    assert_eq!(after.parameter("Password"), Some("****"));
    let events = events_of(&rack, &update.token).await;
    assert!(
        events
            .iter()
            .any(|e| e.is_about_the_stack() && e.status == "UPDATE_COMPLETE")
    );
}

#[tokio::test]
async fn a_failure_rolls_back_and_tells_its_cause() {
    let Some(ministack) = ministack().await else {
        return;
    };
    let (rack, update) = held(&ministack, "fails", false).await;
    ministack.signal("fails", "FAILURE").await;
    let after = settled(&rack).await;
    assert_eq!(after.status.class(), StatusClass::RolledBack);
    assert_eq!(after.parameter("Key"), Some("fails-k1"));
    let events = events_of(&rack, &update.token).await;
    let failed = events
        .iter()
        .find(|e| e.logical_id == "Rolled" && e.status.ends_with("FAILED"));
    assert!(
        failed
            .unwrap()
            .reason
            .as_deref()
            .unwrap()
            .contains("failed"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_failure_without_rollback_stays_and_can_be_rolled_back() {
    let Some(ministack) = ministack().await else {
        return;
    };
    let (rack, update) = held(&ministack, "stays", true).await;
    ministack.signal("stays", "FAILURE").await;
    let after = settled(&rack).await;
    assert_eq!(after.status.class(), StatusClass::Failed);
    rack.stacks
        .rollback(&rack.stack, &format!("{}r", update.token))
        .await
        .unwrap();
    let after = settled(&rack).await;
    assert_eq!(after.status.class(), StatusClass::RolledBack);
    assert_eq!(after.parameter("Key"), Some("stays-k1"));
}

#[tokio::test]
async fn a_busy_stack_refuses_and_an_idle_one_cannot_be_cancelled() {
    let Some(ministack) = ministack().await else {
        return;
    };
    let (rack, update) = held(&ministack, "busy", false).await;
    let stack = rack.stacks.describe("busy").await.unwrap();
    let second = update_of(&stack, &[("Key", "busy-k3")]);
    let refused = rack.stacks.update(&second).await.unwrap_err().to_string();
    assert!(refused.contains("UPDATE_IN_PROGRESS"), "{refused}");
    rack.stacks
        .cancel_update("busy", &format!("{}c", update.token))
        .await
        .unwrap();
    ministack.signal("busy", "SUCCESS").await;
    settled(&rack).await;
    assert!(rack.stacks.cancel_update("busy", "late").await.is_err());
}

#[tokio::test]
async fn a_change_set_tells_what_would_change_and_is_gone_afterwards() {
    let Some(ministack) = ministack().await else {
        return;
    };
    ministack.create("preview", "preview-k1", "no").await;
    let rack = ministack.rack("preview", KeyStoreChoice::Settings).await;
    let before = settled(&rack).await;
    let update = update_of(&before, &[("Key", "preview-k2")]);
    let changes = rack
        .stacks
        .preview(&update)
        .await
        .unwrap()
        .expect("MiniStack has change sets");
    assert!(
        changes
            .iter()
            .any(|change| change.logical_id == "InstanceTemplate"),
        "{changes:?}"
    );
    // A second one of the same name would be refused if the first were still there.
    rack.stacks.preview(&update).await.unwrap();
    let after = rack.stacks.describe("preview").await.unwrap();
    assert_eq!(after.parameter("Key"), Some("preview-k1"));
}

#[tokio::test]
async fn pages_of_events_hang_together() {
    let Some(ministack) = ministack().await else {
        return;
    };
    ministack.create("pages", "pages-k1", "no").await;
    let rack = ministack.rack("pages", KeyStoreChoice::Settings).await;
    for n in 0..20 {
        let stack = settled(&rack).await;
        let key = format!("pages-k{}", n % 2 + 2);
        rack.stacks
            .update(&update_of(&stack, &[("Key", &key)]))
            .await
            .unwrap();
    }
    settled(&rack).await;
    let first = rack.stacks.events("pages", None).await.unwrap();
    assert!(
        first.next.is_some(),
        "{} events and no second page",
        first.events.len()
    );
    let second = rack.stacks.events("pages", first.next).await.unwrap();
    assert!(
        first
            .events
            .iter()
            .all(|event| !second.events.contains(event))
    );
    assert!(
        first.events.last().unwrap().at >= second.events[0].at,
        "newest first"
    );
}

#[tokio::test]
async fn a_dry_run_that_is_carried_out_leaves_nothing() {
    let Some(ministack) = ministack().await else {
        return;
    };
    let rack = ministack.rack("none", KeyStoreChoice::Settings).await;
    rack.key_pairs.check_permissions().await.unwrap();
    assert!(
        rack.key_pairs
            .find("convox-permission-check")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn the_settings_bucket_keeps_keys() {
    let Some(ministack) = ministack().await else {
        return;
    };
    ministack.create("stores", "stores-k1", "no").await;
    let rack = ministack.rack("stores", KeyStoreChoice::Settings).await;
    settled(&rack).await;
    keeps_keys(rack.keys.as_ref()).await;
    let ssm = KeyStoreChoice::Ssm {
        prefix: "convox/keys".to_owned(),
        kms_key: None,
    };
    keeps_keys(ministack.rack("stores", ssm).await.keys.as_ref()).await;
}
