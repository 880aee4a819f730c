//! Every reason to refuse a roll, and every warning, from plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::care::{Care, not_detachable};
use super::forward::{TAG_PROTECTED, TAG_ROLL};
use super::gate::Gates;
use super::lint::lint;
use super::observe::{Observed, ObservedGroup, Own};
use super::outcome::Outcome;
use super::plan::{Advice, RollOptions, Step};
use super::preflight::{Refusal, cluster_plans, no_such_stack, plan};
use super::reached::{Declared, ObservedPolicy};
use super::refresh::RefreshSettings;
use super::strategy::{self, Room, Strategy};
use crate::ids::{Entropy, RollId};
use crate::rack::testing::Unreachable;
use crate::rack::{
    Cluster, ClusterDefinition, ClusterHost, ClusterService, ClusterTask, Group, HealthChecks,
    Hook, Instance, KeyPair, Member, PortError, Rack, Stack, StackParameter, StackStatus,
    TargetCounts, TargetGroup,
};

const OPTIONS: RollOptions = RollOptions::DEFAULT;

fn rack() -> Rack {
    let nothing = Arc::new(Unreachable);
    Rack {
        name: "prod".to_owned(),
        stack: "prod".to_owned(),
        key_parameter: "Key".to_owned(),
        stacks: nothing.clone(),
        key_pairs: nothing.clone(),
        fleet: nothing.clone(),
        refreshes: nothing.clone(),
        alarms: nothing.clone(),
        quotas: nothing.clone(),
        balancers: nothing.clone(),
        commands: nothing.clone(),
        services: nothing.clone(),
        keys: nothing.clone(),
        ssh_user: "ec2-user".to_owned(),
        system: nothing,
        probe: None,
    }
}

fn roll() -> RollId {
    RollId::generate(
        jiff::Timestamp::from_millisecond(1_795_000_000_000).unwrap(),
        &Entropy::seeded(3),
    )
}

fn rolling(min_in_service: u32) -> ObservedPolicy {
    ObservedPolicy::Rolling {
        batch: 1,
        min_in_service,
        pause_secs: 300,
        wait_on_signals: true,
    }
}

fn hook(heartbeat_secs: u32) -> Hook {
    Hook {
        name: "drain".to_owned(),
        is_terminating: true,
        heartbeat_secs,
        default_result: "CONTINUE".to_owned(),
        is_handled: true,
        target: None,
        role: None,
        metadata: None,
    }
}

/// A cluster with one service, whose `processes` are on the first instance.
fn cluster(processes: u32) -> Cluster {
    let task = |n: u32| ClusterTask {
        id: format!("arn:aws:ecs:us-east-1:1:task/c/{n}"),
        service: Some("web".to_owned()),
        definition: "web:1".to_owned(),
        instance: Some("i-0".to_owned()),
        is_running: true,
        created_at: None,
        started_at: None,
    };
    Cluster {
        name: "c".to_owned(),
        services: vec![ClusterService {
            name: "web".to_owned(),
            desired: processes,
            running: processes,
            minimum_healthy_percent: Some(50),
            maximum_percent: Some(200),
            is_daemon: false,
            is_fargate: false,
            health_check_grace_secs: Some(60),
            target_groups: Vec::new(),
            classic_balancers: Vec::new(),
            definition: "web:1".to_owned(),
        }],
        tasks: (0..processes).map(task).collect(),
        definitions: vec![ClusterDefinition {
            arn: "web:1".to_owned(),
            host_ports: vec![4000],
            stop_timeout_secs: None,
            cpu: 64,
            memory: 128,
        }],
        hosts: vec![ClusterHost {
            instance: "i-0".to_owned(),
            is_draining: false,
            registered_at: None,
            cpu: 2048,
            memory: 4096,
            tasks: 0,
        }],
        ..Cluster::default()
    }
}

/// Puts the service behind a target group with two healthy targets, which keeps for so many seconds
/// what leaves.
fn put_behind(cluster: &mut Cluster, deregistration_delay_secs: u32) {
    cluster.services[0].target_groups = vec!["web".to_owned()];
    cluster.target_groups = vec![TargetGroup {
        arn: "web".to_owned(),
        name: "web".to_owned(),
        checks: HealthChecks {
            interval_secs: 10,
            timeout_secs: 5,
            healthy_threshold: 3,
            unhealthy_threshold: 2,
        },
        deregistration_delay_secs: Some(deregistration_delay_secs),
        targets: Some(TargetCounts { healthy: 2, all: 2 }),
    }];
}

/// A rack with three instances that nothing speaks against.
fn healthy() -> Observed {
    let member = |n: u32| Member {
        instance: format!("i-{n}"),
        lifecycle: "InService".to_owned(),
        protected: false,
    };
    let instance = |n: u32| Instance {
        id: format!("i-{n}"),
        name: None,
        state: "running".to_owned(),
        key_name: Some("old".to_owned()),
        opened_by: None,
        owner: Some("prod-Instances".to_owned()),
        lifecycle: Some("InService".to_owned()),
        private_ip: None,
        public_ip: None,
        launched_at: None,
    };
    let parameter = |key: &str, value: &str| StackParameter {
        key: key.to_owned(),
        value: value.to_owned(),
        resolved: None,
    };
    let declared = |kind: &str, from_ssm| Declared {
        from_ssm,
        kind: kind.to_owned(),
    };
    Observed {
        stack: Stack {
            id: "arn:aws:cloudformation:us-east-1:1:stack/prod/1".to_owned(),
            name: "prod".to_owned(),
            status: StackStatus("UPDATE_COMPLETE".to_owned()),
            status_reason: None,
            parameters: vec![parameter("Key", "old"), parameter("Password", "****")],
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
            notification_arns: Vec::new(),
            tags: BTreeMap::new(),
            role_arn: None,
            disable_rollback: false,
            deployment_mode: None,
            updated_at: None,
            outputs: BTreeMap::new(),
        },
        declared: BTreeMap::from([
            ("Key".to_owned(), declared("String", false)),
            ("Password".to_owned(), declared("String", false)),
        ]),
        groups: vec![ObservedGroup {
            logical_id: "Instances".to_owned(),
            name: "prod-Instances".to_owned(),
            group: Some(Group {
                name: "prod-Instances".to_owned(),
                min: 3,
                max: 1000,
                desired: 3,
                members: (0..3).map(member).collect(),
                suspended: Vec::new(),
                protects_new: false,
                termination_policies: Vec::new(),
                launch_template: None,
                launch_configuration: None,
            }),
            policy: rolling(3),
        }],
        spot_fleets: Vec::new(),
        instances: (0..3).map(instance).collect(),
        clusters: Vec::new(),
        hooks: BTreeMap::new(),
        own: Own::default(),
        listeners: Vec::new(),
        unread: Vec::new(),
        room: None,
        changes: None,
        current_pair: Some(KeyPair {
            id: "key-1".to_owned(),
            name: "old".to_owned(),
            fingerprint: String::new(),
            tags: BTreeMap::new(),
            created_at: None,
        }),
        permissions: Ok(()),
        key_store: Ok(()),
    }
}

fn codes(advice: &[Advice]) -> Vec<&str> {
    advice.iter().map(|advice| advice.code.as_str()).collect()
}

fn refused(change: impl FnOnce(&mut Observed)) -> Refusal {
    let mut observed = healthy();
    change(&mut observed);
    plan(&rack(), roll(), OPTIONS, &Care::default(), &observed).unwrap_err()
}

fn warned(change: impl FnOnce(&mut Observed)) -> Vec<String> {
    let mut observed = healthy();
    change(&mut observed);
    let plan = plan(&rack(), roll(), OPTIONS, &Care::default(), &observed).unwrap();
    plan.warnings
        .into_iter()
        .map(|advice| advice.code)
        .collect()
}

#[test]
fn what_a_strategy_cannot_heed_is_refused_whoever_asks() {
    let gated = Care {
        gates: Gates {
            command: Some("true".to_owned()),
            ..Gates::default()
        },
        ..Care::default()
    };
    let paused = Care {
        refresh: RefreshSettings {
            checkpoints: vec![50],
            ..RefreshSettings::default()
        },
        ..Care::default()
    };
    let refused = |strategy, care: &Care| {
        let options = RollOptions {
            strategy,
            ..OPTIONS
        };
        let refusal = plan(&rack(), roll(), options, care, &healthy()).unwrap_err();
        codes(&refusal.reasons)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert!(refused(Strategy::Surge, &gated).contains(&"surge-gates".to_owned()));
    assert_eq!(
        refused(Strategy::CloudFormation, &paused),
        ["refresh-settings"]
    );
    assert!(plan(&rack(), roll(), OPTIONS, &gated, &healthy()).is_ok());
    assert!(not_detachable(Strategy::Surge).is_some());
    assert_eq!(not_detachable(Strategy::CloudFormation), None);
}

#[test]
fn a_healthy_rack_has_a_plan_without_warnings() {
    let plan = plan(&rack(), roll(), OPTIONS, &Care::default(), &healthy()).unwrap();
    assert_eq!(plan.warnings, []);
    assert_eq!(plan.old_key.as_deref(), Some("old"));
    assert_eq!(plan.new_key, format!("prod-keypair-{}", roll()));
    let steps: Vec<Step> = plan.steps.iter().map(|planned| planned.step).collect();
    assert_eq!(
        steps,
        [
            Step::Preserve,
            Step::Mint,
            Step::Install,
            Step::Watch,
            Step::Verify,
            Step::Promote,
            Step::Retire
        ]
    );
    assert_eq!(lint(&plan), Vec::<String>::new());
}

#[test]
fn every_reason_to_refuse_is_found() {
    type Change = fn(&mut Observed);
    let table: [(&str, Change); 13] = [
        ("rollback-failed", |o| {
            o.stack.status.0 = "UPDATE_ROLLBACK_FAILED".to_owned();
        }),
        ("update-failed", |o| {
            o.stack.status.0 = "UPDATE_FAILED".to_owned();
        }),
        ("stack-unusable", |o| {
            o.stack.status.0 = "ROLLBACK_COMPLETE".to_owned();
        }),
        ("no-key-parameter", |o| {
            o.declared.remove("Key");
        }),
        ("express-mode", |o| {
            o.stack.deployment_mode = Some("EXPRESS".to_owned());
        }),
        ("no-groups", |o| o.groups.clear()),
        ("no-update-policy", |o| {
            o.groups[0].policy = ObservedPolicy::None;
        }),
        ("replace-root-volume", |o| {
            o.groups[0].policy = ObservedPolicy::Refresh {
                strategy: "ReplaceRootVolume".to_owned(),
                min_healthy_percent: 90,
                preferences: serde_json::Value::Null,
            };
        }),
        ("min-not-below-max", |o| {
            o.groups[0].group.as_mut().unwrap().max = 3;
        }),
        ("suspended-process", |o| {
            o.groups[0].group.as_mut().unwrap().suspended = vec!["Launch".to_owned()];
        }),
        ("permission", |o| {
            o.permissions = Err(PortError::Denied {
                action: "ec2:CreateKeyPair".to_owned(),
                message: "no".to_owned(),
            });
        }),
        ("aws", |o| {
            o.permissions = Err(PortError::LimitExceeded {
                message: "5000".to_owned(),
            });
        }),
        ("key-store", |o| {
            o.key_store = Err(PortError::KeyStore {
                store: "s3://bucket".to_owned(),
                message: "no such bucket".to_owned(),
            });
        }),
    ];
    for (code, change) in table {
        let refusal = refused(change);
        assert_eq!(codes(&refusal.reasons), [code]);
        assert_eq!(refusal.outcome, Outcome::NothingChanged);
        assert!(!refusal.reasons[0].hint.is_empty());
    }
}

#[test]
fn a_busy_stack_is_another_exit_code() {
    let refusal = refused(|o| o.stack.status.0 = "UPDATE_IN_PROGRESS".to_owned());
    assert_eq!(refusal.outcome, Outcome::Busy);
}

#[test]
fn a_rolled_back_stack_may_be_rolled() {
    let codes = warned(|o| o.stack.status.0 = "UPDATE_ROLLBACK_COMPLETE".to_owned());
    assert_eq!(codes, Vec::<String>::new());
}

#[test]
fn every_warning_is_given() {
    type Change = fn(&mut Observed);
    let table: [(&str, Change); 14] = [
        ("ssm-image", |o| {
            let kind = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>".to_owned();
            o.declared.insert(
                "DefaultAmi".to_owned(),
                Declared {
                    from_ssm: true,
                    kind,
                },
            );
        }),
        ("spot-fleet", |o| o.spot_fleets.push("SpotFleet".to_owned())),
        ("nested-group", |o| {
            o.groups[0].policy = ObservedPolicy::Nested;
        }),
        ("instance-refresh", |o| {
            o.groups[0].policy = ObservedPolicy::Refresh {
                strategy: "Rolling".to_owned(),
                min_healthy_percent: 90,
                preferences: serde_json::Value::Null,
            };
        }),
        ("few-processes", |o| {
            o.clusters.push(cluster(1));
        }),
        ("stop-timeout", |o| {
            let mut cluster = cluster(3);
            cluster.definitions[0].stop_timeout_secs = Some(301);
            o.clusters.push(cluster);
            o.hooks = BTreeMap::from([("prod-Instances".to_owned(), vec![hook(900)])]);
        }),
        ("stop-timeout", |o| {
            let mut cluster = cluster(3);
            // It stops in time, but only once its target group has let it go.
            cluster.definitions[0].stop_timeout_secs = Some(200);
            put_behind(&mut cluster, 150);
            o.clusters.push(cluster);
            o.hooks = BTreeMap::from([("prod-Instances".to_owned(), vec![hook(900)])]);
        }),
        ("health-unread", |o| {
            let mut cluster = cluster(3);
            cluster
                .health_unread
                .push("the target groups: not allowed".to_owned());
            o.clusters.push(cluster);
        }),
        ("classic-balancer", |o| {
            let mut cluster = cluster(3);
            let names = &mut cluster.services[0].classic_balancers;
            names.push("prod-classic".to_owned());
            o.clusters.push(cluster);
        }),
        ("services-unread", |o| {
            o.clusters.push(cluster(3));
            o.unread
                .push("cluster c: its tasks: not allowed".to_owned());
        }),
        ("one-off-tasks", |o| {
            let mut cluster = cluster(3);
            cluster.tasks[0].service = None;
            o.clusters.push(cluster);
        }),
        ("old-key-missing", |o| o.current_pair = None),
        ("other-keys", |o| {
            o.instances[0].key_name = Some("older".to_owned());
        }),
        ("left-over-protection", |o| {
            let group = &mut o.groups[0];
            group.group.as_mut().unwrap().protects_new = true;
            let tags = &mut o.current_pair.as_mut().unwrap().tags;
            tags.insert(TAG_ROLL.to_owned(), "20260101T000000-abc".to_owned());
            tags.insert(TAG_PROTECTED.to_owned(), group.logical_id.clone());
        }),
    ];
    for (code, change) in table {
        assert_eq!(warned(change), [code]);
    }
}

/// Refuses a surge of a rack after a change.
fn surge_refused(change: fn(&mut Observed)) -> Vec<String> {
    let mut observed = healthy();
    observed.clusters.push(cluster(3));
    change(&mut observed);
    let options = RollOptions {
        strategy: Strategy::Surge,
        ..RollOptions::DEFAULT
    };
    let reasons = strategy::refusals(options, &observed);
    reasons.into_iter().map(|reason| reason.code).collect()
}

#[test]
fn a_surge_is_refused_where_nobody_could_hold_instances() {
    assert!(
        !surge_refused(|_| {})
            .iter()
            .any(|code| code == "surge-hook")
    );
    let refused = surge_refused(|o| {
        let mut own = hook(300);
        own.is_handled = false;
        own.default_result = "ABANDON".to_owned();
        o.hooks = BTreeMap::from([("prod-Instances".to_owned(), vec![own])]);
    });
    assert!(refused.contains(&"surge-hook".to_owned()), "{refused:?}");
    let refused = surge_refused(|o| {
        o.unread
            .push("cluster c: its instances: not allowed".to_owned());
    });
    assert!(refused.contains(&"surge-unread".to_owned()), "{refused:?}");
}

#[test]
fn a_quota_that_nobody_tells_is_a_warning_of_a_surge_only() {
    let warned = |strategy, room| {
        let options = RollOptions {
            strategy,
            ..OPTIONS
        };
        let mut observed = healthy();
        observed.room = room;
        let reasons = strategy::refusals(options, &observed);
        assert!(!codes(&reasons).contains(&"surge-quota"), "{reasons:?}");
        strategy::warnings(options, &observed)
    };
    let unknown = || PortError::Rejected {
        api: "GetServiceQuota",
        code: "UnknownOperationException".to_owned(),
        message: "no such call".to_owned(),
    };
    let denied = PortError::Denied {
        action: "servicequotas:GetServiceQuota".to_owned(),
        message: "no".to_owned(),
    };
    for (room, said) in [
        (Err(unknown()), "no such call"),
        (Err(denied), "servicequotas:GetServiceQuota is not allowed"),
        (Ok(Room::default()), "no instance of group Instances runs"),
    ] {
        let warnings = warned(Strategy::Surge, Some(room));
        assert_eq!(codes(&warnings), ["surge-quota-unread"]);
        let message = &warnings[0].message;
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(warned(Strategy::CloudFormation, Some(Err(unknown()))), []);
    assert_eq!(warned(Strategy::Surge, None), []);
}

#[test]
fn a_hook_of_another_clusters_group_gives_this_one_no_time() {
    let mut observed = healthy();
    observed.clusters.push(cluster(3));
    let own = ("prod-Instances".to_owned(), vec![hook(200)]);
    let other = ("prod-Build".to_owned(), vec![hook(30)]);
    observed.hooks = BTreeMap::from([own, other]);
    let limit = |observed: &Observed| cluster_plans(observed)[0].drain_limit_secs;
    assert_eq!(limit(&observed), Some(200));
    observed.clusters[0].hosts.clear();
    assert_eq!(limit(&observed), None, "nobody drains what is in no group");
}

#[test]
fn services_that_no_single_instance_matters_to_are_not_warned_of() {
    let is_few = |change: fn(&mut ClusterService)| {
        let mut observed = healthy();
        let mut cluster = cluster(1);
        change(&mut cluster.services[0]);
        observed.clusters.push(cluster);
        let warnings = cluster_plans(&observed)[0].warnings();
        warnings.iter().any(|it| it.code == "few-processes")
    };
    assert!(is_few(|_| {}));
    assert!(!is_few(|service| service.is_daemon = true));
    assert!(!is_few(|service| service.is_fargate = true));
}

#[test]
fn a_service_is_said_to_stay_up_where_it_is_healthy_and_left_in_time() {
    let topic = "arn:aws:sns:us-east-1:1:prod-Lifecycle";
    let stays_up = |change: fn(&mut Observed)| {
        let mut observed = healthy();
        let mut cluster = cluster(2);
        cluster.definitions[0].host_ports.clear();
        let created: jiff::Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
        for task in &mut cluster.tasks {
            task.created_at = Some(created);
            task.started_at = created
                .checked_add(jiff::SignedDuration::from_secs(20))
                .ok();
        }
        put_behind(&mut cluster, 30);
        observed.clusters.push(cluster);
        let mut own = hook(300);
        own.target = Some(topic.to_owned());
        observed.hooks = BTreeMap::from([("prod-Instances".to_owned(), vec![own])]);
        observed.listeners = vec!["prod-Function".to_owned(), topic.to_owned()];
        change(&mut observed);
        let cluster = &observed.clusters[0];
        strategy::stays_up(OPTIONS, &observed, cluster, &cluster.services[0])
    };
    assert!(stays_up(|_| {}));
    assert!(stays_up(|o| {
        let own = o.hooks.values_mut().flatten();
        own.for_each(|it| it.target = Some("arn:aws:lambda:x:1:function:prod-Function".to_owned()));
    }));
    for (why, change) in [
        (
            "somebody else is notified",
            (|o| o.listeners.clear()) as fn(&mut Observed),
        ),
        ("it is healthy too late", |o| {
            o.clusters[0].target_groups[0].checks.interval_secs = 50;
        }),
        ("it is kept too long", |o| {
            o.clusters[0].target_groups[0].deregistration_delay_secs = Some(140);
        }),
        ("it is not healthy now", |o| {
            o.clusters[0].target_groups[0].targets = Some(TargetCounts { healthy: 0, all: 2 });
        }),
        ("its health is not read", |o| {
            o.clusters[0].target_groups[0].targets = None;
        }),
        ("its group is not read", |o| {
            o.clusters[0].target_groups.clear();
        }),
        ("a classic balancer is not read", |o| {
            o.clusters[0].services[0].classic_balancers = vec!["old".to_owned()];
        }),
    ] {
        assert!(!stays_up(change), "{why}");
    }
}

#[test]
fn a_rack_without_a_key_has_nothing_to_preserve_or_retire() {
    let mut observed = healthy();
    observed.stack.parameters[0].value = String::new();
    observed.instances.clear();
    let plan = plan(&rack(), roll(), OPTIONS, &Care::default(), &observed).unwrap();
    assert_eq!(plan.old_key, None);
    assert!(
        !plan
            .steps
            .iter()
            .any(|s| matches!(s.step, Step::Preserve | Step::Retire))
    );
}

#[test]
fn the_nearest_names_are_suggested() {
    let known = ["prod".to_owned(), "staging".to_owned()];
    assert_eq!(
        no_such_stack("prd", &known).reasons[0].hint,
        "did you mean prod?"
    );
    assert!(
        no_such_stack("zzz", &known).reasons[0]
            .hint
            .contains("prod, staging")
    );
    assert!(no_such_stack("zzz", &[]).reasons[0].hint.contains("region"));
}

#[test]
fn unsafe_orders_are_told_apart_from_safe_ones() {
    let plan = plan(&rack(), roll(), OPTIONS, &Care::default(), &healthy()).unwrap();
    for (one, other) in [(1, 2), (3, 4), (4, 5), (4, 6), (5, 6)] {
        let mut unsafe_plan = plan.clone();
        unsafe_plan.steps.swap(one, other);
        assert_ne!(
            lint(&unsafe_plan),
            Vec::<String>::new(),
            "{one} and {other} swapped"
        );
    }
    let mut same = plan.clone();
    same.old_key = Some(same.new_key.clone());
    assert_eq!(lint(&same).len(), 1);
    let mut no_way_back = plan;
    no_way_back.steps[2].undo = None;
    assert_eq!(lint(&no_way_back), ["install has no way back"]);
}
