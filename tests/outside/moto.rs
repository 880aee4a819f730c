//! moto: real key pairs, instances with key names, updates that replace nothing.

use std::collections::BTreeMap;

use convox::rack::aws::KeyStoreChoice;
use convox::rack::{Hook, KeyType, Market, PortError, TargetCounts, VcpuQuota};

use crate::emulator::{Emulator, PASSWORD, settled, update_of};
use crate::keeping::keeps_keys;

async fn moto() -> Option<Emulator> {
    Emulator::find("CONVOX_TEST_MOTO").await
}

#[tokio::test]
async fn a_key_pair_is_made_once_found_by_its_tags_and_deleted() {
    let Some(moto) = moto().await else { return };
    let rack = moto.rack("none", KeyStoreChoice::Settings).await;
    let pairs = rack.key_pairs;
    let tags = BTreeMap::from([("rack", "pairs"), ("roll", "0123456789abcdef")]);
    let tags = tags
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    pairs.check_permissions().await.unwrap();
    assert!(
        pairs
            .find("convox-permission-check")
            .await
            .unwrap()
            .is_none()
    );

    let minted = pairs
        .create("pairs-keypair-1", KeyType::Ed25519, &tags)
        .await
        .unwrap();
    assert!(minted.private.expose().contains("PRIVATE KEY"));
    assert_eq!(minted.pair.tags, tags);
    let error = pairs
        .create("pairs-keypair-1", KeyType::Rsa, &tags)
        .await
        .unwrap_err();
    assert!(matches!(&error, PortError::AlreadyExists { .. }), "{error}");
    let found = pairs.find("pairs-keypair-1").await.unwrap().unwrap();
    assert_eq!((&found.id, &found.tags), (&minted.pair.id, &tags));
    assert!(found.created_at.is_some());
    assert_eq!(pairs.tagged(&tags).await.unwrap(), [found]);

    let others = BTreeMap::from([("rack".to_owned(), "another".to_owned())]);
    assert!(pairs.tagged(&others).await.unwrap().is_empty());
    pairs.delete("pairs-keypair-1").await.unwrap();
    pairs.delete("pairs-keypair-1").await.unwrap();
    assert!(pairs.find("pairs-keypair-1").await.unwrap().is_none());
}

#[tokio::test]
async fn an_update_changes_the_key_and_nothing_else() {
    let Some(moto) = moto().await else { return };
    moto.create("moto-rack", "moto-k1", "no").await;
    let rack = moto.rack("moto-rack", KeyStoreChoice::Settings).await;
    let before = settled(&rack).await;
    assert!(
        rack.stacks
            .racks()
            .await
            .unwrap()
            .contains(&"moto-rack".to_owned())
    );
    let template = rack.stacks.template("moto-rack").await.unwrap();
    assert!(
        template
            .0
            .pointer("/Resources/Instances/UpdatePolicy")
            .is_some()
    );

    let tags = BTreeMap::new();
    rack.key_pairs
        .create("moto-k2", KeyType::Ed25519, &tags)
        .await
        .unwrap();
    let update = update_of(&before, &[("Key", "moto-k2")]);
    assert_eq!(
        rack.stacks.preview(&update).await.unwrap(),
        None,
        "moto has no such change set"
    );
    rack.stacks.update(&update).await.unwrap();
    let after = settled(&rack).await;
    assert_eq!(after.parameter("Key"), Some("moto-k2"));
    for parameter in before
        .parameters
        .iter()
        .filter(|parameter| parameter.key != "Key")
    {
        assert_eq!(
            after.parameter(&parameter.key),
            Some(parameter.value.as_str())
        );
    }
    assert_eq!(
        after.parameter("Password"),
        Some(PASSWORD),
        "moto masks nothing"
    );
    assert_eq!(after.tags, before.tags);

    // moto says that there is nothing to do by the same sentence as AWS.
    let error = rack
        .stacks
        .update(&update_of(&after, &[("Key", "moto-k2")]))
        .await
        .unwrap_err();
    assert!(matches!(error, PortError::NoChanges), "{error}");
    let page = rack.stacks.events("moto-rack", None).await.unwrap();
    assert!(page.events.iter().any(|event| event.is_about_the_stack()));

    let resources = rack.stacks.resources("moto-rack").await.unwrap();
    let named = |id: &str| {
        resources
            .iter()
            .find(|resource| resource.logical_id == id)
            .unwrap()
    };
    let group = named("Instances").physical_id.clone();
    let groups = rack
        .fleet
        .groups(&[group.clone(), "gone".to_owned()])
        .await
        .unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0].desired, groups[0].max), (3, 5));
    let instances = rack.fleet.instances(&[group], &[]).await.unwrap();
    assert_eq!(instances.len(), 3);
    for instance in &instances {
        assert_eq!(
            instance.key_name.as_deref(),
            Some("moto-k1"),
            "moto replaces no instance"
        );
        assert_eq!(instance.lifecycle.as_deref(), Some("InService"));
        assert!(instance.is_live() && instance.launched_at.is_some());
    }
    let template = groups[0].launch_template.clone().unwrap();
    let mut latest = template.clone();
    latest.version = "$Latest".to_owned();
    let keys = rack
        .fleet
        .launch_template_keys(&[template, latest.clone()])
        .await
        .unwrap();
    assert_eq!(keys[&latest].as_deref(), Some("moto-k2"));
}

#[tokio::test]
async fn instances_are_cordoned_held_and_protected_and_all_is_put_back() {
    let Some(moto) = moto().await else { return };
    moto.create("moto-drain", "moto-drain-k1", "no").await;
    let rack = moto.rack("moto-drain", KeyStoreChoice::Settings).await;
    settled(&rack).await;
    let resources = rack.stacks.resources("moto-drain").await.unwrap();
    let mut groups = resources.iter();
    let group = groups.find(|resource| resource.logical_id == "Instances");
    let group = group.unwrap().physical_id.clone();
    let before = rack.fleet.groups(std::slice::from_ref(&group)).await;
    let before = before.unwrap().remove(0);
    let ids: Vec<String> = before
        .members
        .iter()
        .map(|it| it.instance.clone())
        .collect();
    moto.create_cluster("moto-drain", &ids).await;

    let draining = async || {
        let cluster = rack.services.cluster("moto-drain").await.unwrap();
        assert_eq!(cluster.hosts.len(), 3);
        let hosts = cluster.hosts.into_iter().filter(|host| host.is_draining);
        let mut draining: Vec<String> = hosts.map(|host| host.instance).collect();
        draining.sort();
        draining
    };
    let mut two = ids[..2].to_vec();
    two.sort();
    rack.services.drain("moto-drain", &two, true).await.unwrap();
    assert_eq!(draining().await, two);
    rack.services
        .drain("moto-drain", &two, false)
        .await
        .unwrap();
    assert!(draining().await.is_empty());

    let hook = Hook {
        name: "convox-roll-drain".to_owned(),
        is_terminating: true,
        heartbeat_secs: 3600,
        default_result: "CONTINUE".to_owned(),
        is_handled: false,
        target: None,
        role: None,
        metadata: None,
    };
    rack.fleet.put_hook(&group, &hook).await.unwrap();
    let mut found = rack.fleet.hooks(&group).await.unwrap();
    for found in &mut found {
        // moto says of every hook that it notifies a queue of its own.
        (found.is_handled, found.target, found.role) = (false, None, None);
    }
    assert_eq!(found, [hook]);
    let put_back = rack.fleet.delete_hook(&group, "convox-roll-drain").await;
    put_back.unwrap();
    assert!(rack.fleet.hooks(&group).await.unwrap().is_empty());

    rack.fleet.protect_new(&group, true).await.unwrap();
    rack.fleet.protect(&group, &ids, true).await.unwrap();
    let during = rack.fleet.groups(std::slice::from_ref(&group)).await;
    let during = during.unwrap().remove(0);
    assert!(during.protects_new && during.members.iter().all(|it| it.protected));
    rack.fleet.protect(&group, &ids, false).await.unwrap();
    rack.fleet.protect_new(&group, false).await.unwrap();
    let after = rack.fleet.groups(&[group]).await.unwrap().remove(0);
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_is_missing_is_told_as_missing() {
    let Some(moto) = moto().await else { return };
    let rack = moto.rack("no-such-rack", KeyStoreChoice::Settings).await;
    assert!(
        rack.stacks
            .describe("no-such-rack")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        rack.stacks
            .events("no-such-rack", None)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(rack.services.cluster("no-such-cluster").await.is_err());
    assert!(rack.fleet.groups(&[]).await.unwrap().is_empty());
    assert!(rack.fleet.instances(&[], &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn alarms_are_read_with_their_states() {
    let Some(moto) = moto().await else { return };
    for name in ["moto-calm", "moto-loud"] {
        moto.cloudwatch(&[
            ("Action", "PutMetricAlarm"),
            ("Version", "2010-08-01"),
            ("AlarmName", name),
            ("Namespace", "shop"),
            ("MetricName", "5xx"),
            ("Statistic", "Sum"),
            ("Period", "60"),
            ("EvaluationPeriods", "1"),
            ("Threshold", "1"),
            ("ComparisonOperator", "GreaterThanThreshold"),
        ])
        .await;
    }
    moto.cloudwatch(&[
        ("Action", "SetAlarmState"),
        ("Version", "2010-08-01"),
        ("AlarmName", "moto-loud"),
        ("StateValue", "ALARM"),
        ("StateReason", "9 of 9"),
    ])
    .await;
    let rack = moto.rack("none", KeyStoreChoice::Settings).await;
    let names = ["moto-loud", "moto-gone", "moto-calm"].map(str::to_owned);
    let mut found = rack.alarms.alarms(&names).await.unwrap();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let told: Vec<_> = found
        .iter()
        .map(|it| (it.name.as_str(), it.is_on()))
        .collect();
    assert_eq!(told, [("moto-calm", false), ("moto-loud", true)]);
    assert_eq!(found[1].reason.as_deref(), Some("9 of 9"));
}

#[tokio::test]
async fn what_runs_is_counted_and_a_quota_that_is_not_there_is_told() {
    let Some(moto) = moto().await else { return };
    moto.create("moto-quota", "moto-quota-k1", "no").await;
    let rack = moto.rack("moto-quota", KeyStoreChoice::Settings).await;
    settled(&rack).await;
    let resources = rack.stacks.resources("moto-quota").await.unwrap();
    let mut groups = resources.iter();
    let group = groups.find(|resource| resource.logical_id == "Instances");
    let own = [group.unwrap().physical_id.clone()];
    let own = rack.fleet.instances(&own, &[]).await.unwrap();
    let running = rack.quotas.running().await.unwrap();
    let found = |id: &str| running.iter().find(|it| it.id == id).cloned();
    let own: Vec<_> = own.iter().map(|it| found(&it.id).unwrap()).collect();
    assert_eq!(own.len(), 3);
    assert!(own.iter().all(|it| it.market == Market::OnDemand));

    let types = ["t3.small", "m5.4xlarge"].map(str::to_owned);
    let vcpus = rack.quotas.vcpus(&types).await.unwrap();
    let expected = [("t3.small", 2), ("m5.4xlarge", 16)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(vcpus, BTreeMap::from(expected));

    // moto has the quotas of networks only.
    let standard = VcpuQuota::of("t3.small", Market::OnDemand).unwrap();
    let error = rack.quotas.quota(standard).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn a_target_group_is_read_with_its_attributes_and_one_that_is_gone_is_said() {
    let Some(moto) = moto().await else { return };
    let version = ("Version", "2015-12-01");
    let networks = [("Action", "DescribeVpcs"), ("Version", "2016-11-15")];
    let networks = moto.query("ec2", &networks).await;
    let (_, network) = networks.split_once("<vpcId>").unwrap();
    let (network, _) = network.split_once('<').unwrap();
    let made = moto
        .query(
            "elasticloadbalancing",
            &[
                ("Action", "CreateTargetGroup"),
                version,
                ("Name", "moto-site"),
                ("Protocol", "HTTP"),
                ("Port", "80"),
                ("VpcId", network),
                ("HealthCheckIntervalSeconds", "10"),
                ("HealthCheckTimeoutSeconds", "4"),
                ("HealthyThresholdCount", "3"),
            ],
        )
        .await;
    let (_, arn) = made.split_once("<TargetGroupArn>").unwrap();
    let (arn, _) = arn.split_once('<').unwrap();
    moto.query(
        "elasticloadbalancing",
        &[
            ("Action", "ModifyTargetGroupAttributes"),
            version,
            ("TargetGroupArn", arn),
            (
                "Attributes.member.1.Key",
                "deregistration_delay.timeout_seconds",
            ),
            ("Attributes.member.1.Value", "25"),
        ],
    )
    .await;
    let gone =
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gone/1234567890abcdef";
    let rack = moto.rack("none", KeyStoreChoice::Settings).await;
    let named = [gone, arn].map(str::to_owned);
    let read = rack.balancers.target_groups(&named).await.unwrap();
    let [group] = read.found.as_slice() else {
        panic!("{read:?}");
    };
    assert_eq!(
        (group.arn.as_str(), group.name.as_str()),
        (arn, "moto-site")
    );
    assert_eq!(group.checks.healthy_within_secs(), 34);
    assert_eq!(group.deregistration_delay_secs, Some(25));
    assert_eq!(group.targets, Some(TargetCounts { healthy: 0, all: 0 }));
    assert_eq!(read.unread, [format!("target group {gone} is not there")]);
}

#[tokio::test]
async fn every_store_keeps_keys() {
    let Some(moto) = moto().await else { return };
    moto.create("moto-stores", "moto-stores-k1", "no").await;
    let settings = moto.rack("moto-stores", KeyStoreChoice::Settings).await;
    settled(&settings).await;
    keeps_keys(settings.keys.as_ref()).await;
    let bucket = "moto-stores-settings".to_owned();
    let prefix = "/ssh/".to_owned();
    let s3 = KeyStoreChoice::S3 {
        bucket,
        prefix,
        kms_key: None,
    };
    keeps_keys(moto.rack("moto-stores", s3).await.keys.as_ref()).await;
    let ssm = KeyStoreChoice::Ssm {
        prefix: "/convox/moto".to_owned(),
        kms_key: None,
    };
    keeps_keys(moto.rack("moto-stores", ssm).await.keys.as_ref()).await;
}

#[tokio::test]
async fn a_store_without_its_bucket_says_so() {
    let Some(moto) = moto().await else { return };
    let bucket = "moto-no-such-bucket".to_owned();
    let s3 = KeyStoreChoice::S3 {
        bucket,
        prefix: String::new(),
        kms_key: None,
    };
    let error = moto.rack("none", s3).await.keys.check().await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn credentials_belong_to_somebody() {
    let Some(moto) = moto().await else { return };
    let identity = moto.account().await.identity().await.unwrap();
    assert_eq!(identity.account, "123456789012");
}
