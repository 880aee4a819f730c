//! moto: real key pairs, instances with key names, updates that replace nothing.

use std::collections::BTreeMap;

use convox::rack::aws::KeyStoreChoice;
use convox::rack::{KeyType, PortError};

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
