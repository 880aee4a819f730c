//! Finding an emulator, and making in it what a test needs.

use std::collections::BTreeMap;
use std::io::Write as _;

use aws_sdk_cloudformation::types::{Parameter, Tag};
use convox::clock::Clock;
use convox::ids::{Entropy, RollId};
use convox::rack::aws::{Access, Account, KeyStoreChoice, Target, Transport};
use convox::rack::{Rack, Stack, UpdateRequest};

/// The rack of `fixtures/outside`.
const TEMPLATE: &str = include_str!("../../fixtures/outside/rack.yaml");

/// The password that no update may change or show.
pub const PASSWORD: &str = "keep-this-as-it-is";

/// Returns what `.ci/outside` says of other software; without it the suite is skipped, out loud:
/// what a test prints is kept from view while it passes, what is written to stderr is not.
pub fn outside(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok();
    if found.is_none() {
        let note = format!("skipped: {variable} is not set (see .ci/outside)\n");
        let _ = std::io::stderr().write_all(note.as_bytes());
    }
    found
}

/// An emulator that listens.
pub struct Emulator {
    pub url: String,
    sdk: aws_config::SdkConfig,
}

impl Emulator {
    /// Finds the emulator that `variable` names, or says that the test is skipped.
    pub async fn find(variable: &str) -> Option<Self> {
        let url = outside(variable)?;
        let sdk = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_sts::config::Credentials::new(
                "outside", "outside", None, None, "outside",
            ))
            .endpoint_url(&url)
            .load()
            .await;
        Some(Self { url, sdk })
    }

    /// Reaches the emulator as the product does.
    pub async fn account(&self) -> Account {
        let mut access = Access::new(Transport::Network, Clock::system());
        access.region = Some("us-east-1".to_owned());
        access.endpoint_url = Some(self.url.clone());
        Account::connect(&access).await.unwrap()
    }

    /// Has CloudWatch do what a form says.
    pub async fn cloudwatch(&self, form: &[(&str, &str)]) {
        self.query("monitoring", form).await;
    }

    /// Has a service, by its name in credential scopes, do what a form says; returns its answer.
    pub async fn query(&self, service: &str, form: &[(&str, &str)]) -> String {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .post(&self.url)
            .header("content-type", "application/x-www-form-urlencoded")
            // Nobody checks it; it tells the emulator which service is meant.
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential=outside/20260101/us-east-1/{service}/aws4_request, \
                     SignedHeaders=host, Signature=0"
                ),
            )
            .body(body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{form:?}: {answer:?}");
        answer.text().await.unwrap()
    }

    /// Makes a KMS key with an alias, unless there is one.
    pub async fn kms_key(&self, alias: &str) {
        let kms = aws_sdk_kms::Client::new(&self.sdk);
        if kms.describe_key().key_id(alias).send().await.is_ok() {
            return;
        }
        let made = kms.create_key().send().await.unwrap();
        let id = made.key_metadata.unwrap().key_id;
        let named = kms.create_alias().alias_name(alias).target_key_id(id);
        named.send().await.unwrap();
    }

    /// Reaches one rack as the product does.
    pub async fn rack(&self, stack: &str, key_store: KeyStoreChoice) -> Rack {
        let target = Target {
            key_store,
            ..Target::rack(stack)
        };
        self.account()
            .await
            .rack(&target, &Entropy::system().unwrap())
            .unwrap()
    }

    /// Makes a rack with every parameter given; moto fails over ones that are not.
    pub async fn create(&self, stack: &str, key: &str, gate: &str) {
        self.create_with(stack, key, gate, false).await;
    }

    /// Makes a rack whose failed updates stay as they are, if `disable_rollback` is set.
    pub async fn create_with(&self, stack: &str, key: &str, gate: &str, disable_rollback: bool) {
        let ec2 = aws_sdk_ec2::Client::new(&self.sdk);
        ec2.create_key_pair().key_name(key).send().await.unwrap();
        let give = |key: &str, value: &str| {
            Parameter::builder()
                .parameter_key(key)
                .parameter_value(value)
                .build()
        };
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        aws_sdk_cloudformation::Client::new(&self.sdk)
            .create_stack()
            .stack_name(stack)
            .template_body(TEMPLATE)
            .disable_rollback(disable_rollback)
            .parameters(give("Key", key))
            .parameters(give("Password", PASSWORD))
            .parameters(give("Size", "3"))
            .parameters(give("InstanceType", "t3.small"))
            .parameters(give("First", key))
            .parameters(give("Gate", gate))
            .tags(tag("System", "convox"))
            .tags(tag("Type", "rack"))
            .send()
            .await
            .unwrap();
    }

    /// Makes a stack without the tags of a rack.
    pub async fn create_no_rack(&self, stack: &str) {
        let template = r#"{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}"#;
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.sdk);
        let make = cloudformation.create_stack().stack_name(stack);
        make.template_body(template).send().await.unwrap();
    }

    /// Makes a cluster that EC2 instances have joined.
    pub async fn create_cluster(&self, cluster: &str, instances: &[String]) {
        let ecs = aws_sdk_ecs::Client::new(&self.sdk);
        let made = ecs.create_cluster().cluster_name(cluster).send().await;
        made.unwrap();
        for instance in instances {
            let document = format!(r#"{{"instanceId":"{instance}"}}"#);
            let joined = ecs.register_container_instance().cluster(cluster);
            let joined = joined.instance_identity_document(document).send().await;
            joined.unwrap();
        }
    }

    /// Signals the gate of a held update.
    pub async fn signal(&self, stack: &str, status: &str) {
        aws_sdk_cloudformation::Client::new(&self.sdk)
            .signal_resource()
            .stack_name(stack)
            .logical_resource_id("Rolled")
            .unique_id("i-1")
            .status(status.into())
            .send()
            .await
            .unwrap();
    }
}

/// Makes an update of `stack` that sets `set` and keeps everything else.
pub fn update_of(stack: &Stack, set: &[(&str, &str)]) -> UpdateRequest {
    let token = RollId::generate(Clock::system().now(), &Entropy::system().unwrap());
    let set: BTreeMap<String, String> = set
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let keep = stack
        .parameters
        .iter()
        .map(|parameter| parameter.key.clone());
    UpdateRequest {
        stack: stack.id.clone(),
        token: token.to_string(),
        keep: keep.filter(|key| !set.contains_key(key)).collect(),
        set,
        capabilities: stack.capabilities.clone(),
        notification_arns: stack.notification_arns.clone(),
        tags: stack.tags.clone(),
        role_arn: stack.role_arn.clone(),
        disable_rollback: stack.disable_rollback,
    }
}

/// Asks until the stack is at rest, and returns it.
pub async fn settled(rack: &Rack) -> Stack {
    let clock = Clock::system();
    for _ in 0..600 {
        let stack = rack.stacks.describe(&rack.stack).await.unwrap();
        if !stack.status.is_busy() {
            return stack;
        }
        clock.sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{} never came to rest", rack.stack);
}
