//! Groups driven directly, as CloudFormation drives them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::ec2::{InstanceState, KeyKind, LaunchTemplateData};
use super::super::world::World;
use super::{
    GroupChange, GroupSpec, HookSpec, RefreshWishes, Stance, TemplateVersion, WantedVersion, hooks,
};

fn world() -> World {
    World::new("2026-01-01T00:00:00Z".parse().unwrap(), 7)
}

fn pass(world: &mut World, secs: u64) {
    let until = world.now + Duration::from_secs(secs);
    world.advance_to(until);
}

fn with_key(key: &str) -> LaunchTemplateData {
    LaunchTemplateData {
        key_name: Some(key.to_owned()),
        ..LaunchTemplateData::default()
    }
}

fn template(world: &mut World, key: &str) -> TemplateVersion {
    world
        .create_key_pair(key, KeyKind::Ed25519, BTreeMap::new())
        .unwrap();
    let id = world.create_launch_template("web", with_key(key)).unwrap();
    TemplateVersion { id, version: 1 }
}

fn group(world: &mut World, size: u32) -> TemplateVersion {
    let version = template(world, "k1");
    let spec = GroupSpec {
        name: "web".to_owned(),
        min: size,
        max: size * 2 + 1,
        launch_template: Some(version.clone()),
        ..GroupSpec::default()
    };
    world.create_group(spec).unwrap();
    version
}

fn states(world: &World) -> Vec<String> {
    world
        .group("web")
        .unwrap()
        .members
        .into_iter()
        .map(|member| member.lifecycle)
        .collect()
}

fn ids(world: &World) -> Vec<String> {
    world
        .group("web")
        .unwrap()
        .members
        .into_iter()
        .map(|member| member.instance)
        .collect()
}

fn terminating_hook(has_handler: bool) -> HookSpec {
    HookSpec {
        name: "out".to_owned(),
        terminating: true,
        heartbeat_secs: 300,
        default_result: "CONTINUE".to_owned(),
        has_handler,
        metadata: None,
    }
}

#[test]
fn a_group_starts_what_it_wants_with_its_key() {
    let mut world = world();
    group(&mut world, 3);
    assert_eq!(states(&world), ["Pending"; 3]);
    pass(&mut world, 20);
    assert_eq!(states(&world), ["InService"; 3]);
    let keys: Vec<_> = world
        .live_instances()
        .map(|one| one.key_name.clone())
        .collect();
    assert_eq!(
        keys,
        [
            Some("k1".to_owned()),
            Some("k1".to_owned()),
            Some("k1".to_owned())
        ]
    );
}

#[test]
fn an_instance_keeps_its_authorized_key_when_the_key_pair_is_deleted() {
    let mut world = world();
    group(&mut world, 1);
    let public = world.ec2.public_key("k1").unwrap().to_owned();
    world.delete_key_pair("k1");
    let instance = world.live_instances().next().unwrap();
    assert_eq!(instance.authorized_key.as_deref(), Some(public.as_str()));
    assert_eq!(instance.key_name.as_deref(), Some("k1"));
}

#[test]
fn a_terminated_member_is_replaced_by_one_of_the_new_version() {
    let mut world = world();
    let version = group(&mut world, 2);
    pass(&mut world, 120);
    world
        .create_key_pair("k2", KeyKind::Ed25519, BTreeMap::new())
        .unwrap();
    let number = world
        .create_launch_template_version(&version.id, with_key("k2"))
        .unwrap();
    let new = TemplateVersion {
        version: number,
        ..version
    };
    let change = GroupChange {
        launch_template: Some(new.clone()),
        ..GroupChange::default()
    };
    world.update_group("web", change).unwrap();
    let old = ids(&world)[0].clone();
    world.terminate_member(&old, false).unwrap();
    assert_eq!(states(&world), ["Terminating", "InService", "Pending"]);
    pass(&mut world, 120);
    let view = world.group("web").unwrap();
    assert_eq!(view.members.len(), 2);
    assert_eq!(view.members[1].launch_template, Some(new));
    let newest = view.members[1].instance.clone();
    assert_eq!(
        world.ec2.instance(&newest).unwrap().key_name.as_deref(),
        Some("k2")
    );
    assert_eq!(
        world.ec2.instance(&old).unwrap().state,
        InstanceState::Terminated
    );
}

#[test]
fn shrinking_does_not_replace() {
    let mut world = world();
    group(&mut world, 3);
    pass(&mut world, 60);
    let old = ids(&world)[0].clone();
    world.terminate_member(&old, true).unwrap();
    pass(&mut world, 120);
    assert_eq!(world.group("web").unwrap().desired, 2);
    assert_eq!(states(&world), ["InService"; 2]);
}

#[test]
fn a_template_with_a_missing_key_pair_is_refused_in_awss_words() {
    let mut world = world();
    let version = group(&mut world, 1);
    let number = world
        .create_launch_template_version(&version.id, with_key("ghost"))
        .unwrap();
    let new = TemplateVersion {
        version: number,
        ..version.clone()
    };
    let change = GroupChange {
        launch_template: Some(new),
        ..GroupChange::default()
    };
    let refusal = world.update_group("web", change).unwrap_err();
    assert_eq!(
        refusal.message,
        "You must use a valid fully-formed launch template. The key pair 'ghost' does not exist"
    );
    assert_eq!(world.group("web").unwrap().launch_template, Some(version));
}

#[test]
fn a_launch_whose_key_pair_has_gone_fails_and_is_tried_again() {
    let mut world = world();
    group(&mut world, 1);
    pass(&mut world, 120);
    let pair = world.delete_key_pair("k1").unwrap();
    let old = ids(&world)[0].clone();
    world.terminate_member(&old, false).unwrap();
    pass(&mut world, 100);
    let view = world.group("web").unwrap();
    assert!(view.members.is_empty());
    assert_eq!(
        view.launch_failure.as_deref(),
        Some("The key pair 'k1' does not exist. Launching EC2 instance failed.")
    );
    let activities = &world.autoscaling.group("web").unwrap().activities;
    assert_eq!(activities.newest_first().next().unwrap().status, "Failed");
    world
        .import_key_pair("k1", &pair.public_key, BTreeMap::new())
        .unwrap();
    pass(&mut world, 60);
    assert_eq!(states(&world), ["InService"]);
}

#[test]
fn a_hook_without_handler_holds_until_its_time_is_up() {
    let mut world = world();
    group(&mut world, 1);
    pass(&mut world, 120);
    world.put_lifecycle_hook("web", terminating_hook(false));
    let old = ids(&world)[0].clone();
    world.terminate_member(&old, false).unwrap();
    pass(&mut world, 299);
    assert_eq!(states(&world), ["Terminating:Wait", "InService"]);
    assert_eq!(
        world.ec2.instance(&old).unwrap().state,
        InstanceState::Running
    );
    pass(&mut world, 2);
    assert_eq!(states(&world)[0], "Terminating:Proceed");
    pass(&mut world, 60);
    assert_eq!(states(&world), ["InService"]);
}

#[test]
fn a_hook_with_handler_lets_go_soon() {
    let mut world = world();
    group(&mut world, 1);
    pass(&mut world, 120);
    world.put_lifecycle_hook("web", terminating_hook(true));
    let old = ids(&world)[0].clone();
    world.terminate_member(&old, false).unwrap();
    pass(&mut world, 120);
    assert_eq!(states(&world), ["InService"]);
}

#[test]
fn scale_in_follows_the_termination_policy_and_spares_the_protected() {
    let mut world = world();
    group(&mut world, 3);
    pass(&mut world, 60);
    let before = ids(&world);
    let change = GroupChange {
        termination_policies: Some(vec!["NewestInstance".to_owned()]),
        min: Some(1),
        desired: Some(2),
        ..GroupChange::default()
    };
    world.update_group("web", change).unwrap();
    pass(&mut world, 60);
    assert_eq!(ids(&world), before[..2]);
    let protect = world.autoscaling.groups.get_mut("web").unwrap();
    protect.members.get_mut(&1).unwrap().protected = true;
    let change = GroupChange {
        desired: Some(1),
        ..GroupChange::default()
    };
    world.update_group("web", change).unwrap();
    pass(&mut world, 60);
    assert_eq!(ids(&world), before[1..2]);
}

#[test]
fn a_suspended_launch_waits_for_its_resumption() {
    let mut world = world();
    group(&mut world, 1);
    pass(&mut world, 60);
    world.suspend_processes("web", &["Launch".to_owned()]);
    let old = ids(&world)[0].clone();
    world.terminate_member(&old, false).unwrap();
    pass(&mut world, 120);
    assert!(ids(&world).is_empty());
    world.resume_processes("web", &["Launch".to_owned()]);
    assert_eq!(ids(&world).len(), 1);
}

#[test]
fn an_instance_terminated_by_hand_is_replaced() {
    let mut world = world();
    group(&mut world, 2);
    pass(&mut world, 60);
    let old = ids(&world)[0].clone();
    world.terminate_instance(&old, "User initiated");
    pass(&mut world, 120);
    assert_eq!(states(&world), ["InService"; 2]);
    assert!(!ids(&world).contains(&old));
}

#[test]
fn a_deleted_group_goes_when_its_instances_have_gone() {
    let mut world = world();
    group(&mut world, 2);
    world.put_lifecycle_hook("web", terminating_hook(false));
    pass(&mut world, 60);
    world.delete_group("web");
    assert!(world.group("web").is_some());
    pass(&mut world, 60);
    assert!(world.group("web").is_none());
    assert_eq!(world.live_instances().count(), 0);
}

#[test]
fn a_refresh_replaces_every_member_within_its_bounds() {
    let mut world = world();
    let version = group(&mut world, 4);
    pass(&mut world, 60);
    let before = ids(&world);
    world
        .create_key_pair("k2", KeyKind::Ed25519, BTreeMap::new())
        .unwrap();
    let number = world
        .create_launch_template_version(&version.id, with_key("k2"))
        .unwrap();
    let new = TemplateVersion {
        version: number,
        ..version
    };
    let change = GroupChange {
        launch_template: Some(new),
        ..GroupChange::default()
    };
    world.update_group("web", change).unwrap();
    let id = world.start_instance_refresh("web", 50).unwrap();
    assert!(world.start_instance_refresh("web", 50).is_err());
    for _ in 0..600 {
        pass(&mut world, 1);
        assert!(
            states(&world)
                .iter()
                .filter(|state| *state == "InService")
                .count()
                >= 2
        );
    }
    assert_eq!(
        world.instance_refresh(&id),
        Some(("Successful".to_owned(), 100))
    );
    assert!(ids(&world).iter().all(|id| !before.contains(id)));
    assert!(
        world
            .live_instances()
            .all(|one| one.key_name.as_deref() == Some("k2"))
    );
}

#[test]
fn the_same_seed_gives_the_same_account_and_it_survives_being_stored() {
    let run = || {
        let mut world = world();
        group(&mut world, 3);
        pass(&mut world, 30);
        world
    };
    let stored = serde_json::to_string(&run()).unwrap();
    assert_eq!(stored, serde_json::to_string(&run()).unwrap());
    let mut read: World = serde_json::from_str(&stored).unwrap();
    let mut kept = run();
    let old = ids(&read)[0].clone();
    for world in [&mut read, &mut kept] {
        world.terminate_member(&old, false).unwrap();
        pass(world, 300);
    }
    assert_eq!(
        serde_json::to_string(&read).unwrap(),
        serde_json::to_string(&kept).unwrap()
    );
}

/// Starts the refresh of a group of four to a new template version, and returns its id.
fn refresh(world: &mut World, wishes: RefreshWishes) -> String {
    let version = group(world, 4);
    pass(world, 60);
    world
        .create_key_pair("k2", KeyKind::Ed25519, BTreeMap::new())
        .unwrap();
    let number = world
        .create_launch_template_version(&version.id, with_key("k2"))
        .unwrap();
    let launch_template = Some(WantedVersion {
        id: version.id,
        version: number.to_string(),
    });
    let wishes = RefreshWishes {
        launch_template,
        ..wishes
    };
    world.start_refresh("web", wishes).unwrap()
}

fn new_ones(world: &World) -> usize {
    let live = world.live_instances();
    live.filter(|one| one.key_name.as_deref() == Some("k2"))
        .count()
}

#[test]
fn a_refresh_ends_at_its_last_checkpoint_and_the_next_skips_what_matches() {
    let mut world = world();
    let wishes = RefreshWishes {
        checkpoints: vec![50],
        skip_matching: true,
        ..RefreshWishes::default()
    };
    let id = refresh(&mut world, wishes.clone());
    pass(&mut world, 3600);
    let (status, percent) = world.instance_refresh(&id).unwrap();
    assert_eq!((status.as_str(), percent), ("Successful", 50));
    assert_eq!(new_ones(&world), 2);
    let all = RefreshWishes {
        checkpoints: Vec::new(),
        ..wishes
    };
    let id = world.start_refresh("web", all).unwrap();
    pass(&mut world, 3600);
    assert_eq!(
        world.instance_refresh(&id),
        Some(("Successful".to_owned(), 100))
    );
    assert_eq!(new_ones(&world), 4);
}

#[test]
fn a_desired_configuration_becomes_the_groups_own_when_its_refresh_is_successful() {
    for (cancelled, expected) in [(false, "2"), (true, "1")] {
        let mut world = world();
        let wishes = RefreshWishes {
            checkpoints: vec![50, 100],
            checkpoint_delay_secs: 7200,
            ..RefreshWishes::default()
        };
        let id = refresh(&mut world, wishes);
        let version = |world: &World| {
            let group = world.autoscaling.group("web").unwrap();
            group.launch_template.as_ref().unwrap().version.clone()
        };
        pass(&mut world, 3600);
        assert_eq!(world.instance_refresh(&id).unwrap().0, "InProgress");
        assert_eq!(new_ones(&world), 2);
        assert_eq!(version(&world), "1");
        if cancelled {
            world.cancel_refresh("web").unwrap();
        }
        pass(&mut world, 7200);
        assert_eq!(version(&world), expected);
        // Whatever is started from here on is started from the group's own.
        let before = new_ones(&world);
        let mut live = world.live_instances();
        let one = live.find(|one| one.key_name.as_deref() == Some("k2"));
        let one = one.unwrap().id.clone();
        drop(live);
        world.terminate_member(&one, false).unwrap();
        pass(&mut world, 600);
        assert_eq!(new_ones(&world), before - usize::from(cancelled));
    }
}

#[test]
fn a_refresh_pauses_at_a_checkpoint_and_bakes_at_the_end() {
    let mut world = world();
    let wishes = RefreshWishes {
        checkpoints: vec![25, 100],
        checkpoint_delay_secs: 7200,
        bake_secs: 600,
        ..RefreshWishes::default()
    };
    let id = refresh(&mut world, wishes);
    pass(&mut world, 7000);
    assert_eq!(new_ones(&world), 1);
    assert_eq!(world.instance_refresh(&id).unwrap().0, "InProgress");
    let mut seen = Vec::new();
    for _ in 0..600 {
        pass(&mut world, 5);
        seen.push(world.instance_refresh(&id).unwrap().0);
    }
    seen.dedup();
    assert_eq!(seen, ["InProgress", "Baking", "Successful"]);
    assert_eq!(new_ones(&world), 4);
}

#[test]
fn where_more_are_allowed_new_members_come_before_old_ones_go() {
    let mut world = world();
    let wishes = RefreshWishes {
        min_healthy_percent: 100,
        max_healthy_percent: 110,
        ..RefreshWishes::default()
    };
    let id = refresh(&mut world, wishes);
    let mut most = 0;
    for _ in 0..1200 {
        pass(&mut world, 1);
        let states = states(&world);
        let serving = states.iter().filter(|state| *state == "InService").count();
        assert!(serving >= 4, "{states:?}");
        most = most.max(serving);
    }
    assert_eq!(most, 5);
    assert_eq!(world.instance_refresh(&id).unwrap().0, "Successful");
    assert_eq!(states(&world), vec!["InService"; 4]);
}

#[test]
fn members_that_are_set_apart_are_replaced_left_alone_or_waited_for() {
    for (stance, status, new) in [
        (Stance::Replace, "Successful", 4),
        (Stance::Ignore, "Successful", 3),
        (Stance::Wait, "Failed", 3),
    ] {
        let mut world = world();
        let wishes = RefreshWishes {
            protected: stance,
            ..RefreshWishes::default()
        };
        let id = refresh(&mut world, wishes);
        let first = ids(&world)[0].clone();
        let (group, number) = world.autoscaling.places.get(&first).cloned().unwrap();
        let group = world.autoscaling.groups.get_mut(&group).unwrap();
        group.members.get_mut(&number).unwrap().protected = true;
        if stance == Stance::Ignore {
            // Who is left alone is decided at the start.
            let first = world.autoscaling.refreshes.get(&id).unwrap();
            let launch_template = first.wishes.launch_template.clone();
            world.cancel_refresh("web").unwrap();
            pass(&mut world, 300);
            let wishes = RefreshWishes {
                protected: stance,
                skip_matching: true,
                launch_template,
                ..RefreshWishes::default()
            };
            let id = world.start_refresh("web", wishes).unwrap();
            pass(&mut world, 10_000);
            assert_eq!(world.instance_refresh(&id).unwrap().0, status);
            assert_eq!(new_ones(&world), new);
            continue;
        }
        pass(&mut world, 10_000);
        assert_eq!(world.instance_refresh(&id).unwrap().0, status, "{stance:?}");
        assert_eq!(new_ones(&world), new, "{stance:?}");
    }
}

#[test]
fn heartbeats_hold_a_member_up_to_a_hundred_times_its_hooks_timeout() {
    let mut world = world();
    group(&mut world, 1);
    world.put_lifecycle_hook("web", terminating_hook(false));
    pass(&mut world, 60);
    let old = ids(&world)[0].clone();
    world.terminate_member(&old, false).unwrap();
    pass(&mut world, 1);
    for beat in 1..=119 {
        pass(&mut world, 250);
        assert!(hooks::heartbeat(&mut world, &old, "out"), "{beat}");
    }
    // 100 times 300 s, which the last heartbeat does not put off.
    pass(&mut world, 240);
    assert!(ids(&world).contains(&old));
    pass(&mut world, 20);
    assert!(!hooks::heartbeat(&mut world, &old, "out"));
    pass(&mut world, 120);
    assert!(!ids(&world).contains(&old));
}
