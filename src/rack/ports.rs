//! What the roll engine needs of an account: narrow traits in our own types.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::api_key::ApiProbe;
use super::balancer::Balancers;
use super::cluster::{Cluster, Hook, HostLoad, Launch};
use super::command::Commands;
use super::error::PortError;
use super::fleet::{Group, Instance, LaunchTemplateRef, ServiceState, ServiceTask};
use super::key::{KeyPair, KeyType, MintedKeyPair, PrivateKey};
use super::quota::Quotas;
use super::refresh::{Alarms, Refreshes};
use super::stack::{
    EventPage, ResourceChange, Stack, StackResource, TemplateBody, UpdateAccepted, UpdateRequest,
};
use super::system::System;

type Result<T> = std::result::Result<T, PortError>;

/// Stacks: what they are, what happens to them, and updates of their parameters.
///
/// Every `stack` argument is a name or an ARN; only the ARN finds a deleted stack.
#[async_trait]
pub trait Stacks: Send + Sync {
    /// Describes one stack. It may be a few seconds behind what is true.
    async fn describe(&self, stack: &str) -> Result<Stack>;
    /// Lists the stacks that are racks (tags `System=convox`, `Type=rack`), by name.
    async fn racks(&self) -> Result<Vec<String>>;
    /// Lists the resources of the stack and of all stacks nested in it.
    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>>;
    /// Reads the template that the stack was last updated with.
    async fn template(&self, stack: &str) -> Result<TemplateBody>;
    /// Reads one page of events, newest first; `page` is the `next` of the page before it.
    async fn events(&self, stack: &str, page: Option<String>) -> Result<EventPage>;
    /// Starts an update. With a token seen before it starts nothing and reports success.
    async fn update(&self, request: &UpdateRequest) -> Result<UpdateAccepted>;
    /// Asks a change set what the update would do, and deletes the change set again.
    ///
    /// `Ok(None)` where the account does not allow it or the service does not know how.
    async fn preview(&self, request: &UpdateRequest) -> Result<Option<Vec<ResourceChange>>>;
    /// Cancels the update that is under way, which rolls it back.
    async fn cancel_update(&self, stack: &str, token: &str) -> Result<()>;
    /// Goes on with a rollback that failed, leaving `skip` as they are.
    async fn continue_rollback(&self, stack: &str, skip: &[String], token: &str) -> Result<()>;
    /// Rolls back an update that failed with rollback disabled.
    async fn rollback(&self, stack: &str, token: &str) -> Result<()>;
}

/// EC2 key pairs.
#[async_trait]
pub trait KeyPairs: Send + Sync {
    /// Makes a key pair. The answer is the only time that the private half is seen.
    async fn create(
        &self,
        name: &str,
        kind: KeyType,
        tags: &BTreeMap<String, String>,
    ) -> Result<MintedKeyPair>;
    /// Deletes a key pair; one that does not exist counts as deleted.
    async fn delete(&self, name: &str) -> Result<()>;
    /// Finds one by name.
    async fn find(&self, name: &str) -> Result<Option<KeyPair>>;
    /// Lists those that carry every one of `tags`.
    async fn tagged(&self, tags: &BTreeMap<String, String>) -> Result<Vec<KeyPair>>;
    /// Returns the public half as a line of `authorized_keys`; none where EC2 has no such key pair,
    /// or does not tell.
    async fn public_line(&self, name: &str) -> Result<Option<String>>;
    /// Sets a tag of a key pair.
    async fn tag(&self, pair: &KeyPair, key: &str, value: &str) -> Result<()>;
    /// Asks, without doing it, whether creating and deleting would be allowed.
    async fn check_permissions(&self) -> Result<()>;
}

/// Instances, and the groups and fleets that keep them.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// Describes Auto Scaling groups; those that do not exist are left out.
    async fn groups(&self, names: &[String]) -> Result<Vec<Group>>;
    /// Lists every instance of the groups and spot fleets that is not `terminated`,
    /// members that wait to be terminated included.
    async fn instances(&self, groups: &[String], spot_fleets: &[String]) -> Result<Vec<Instance>>;
    /// Lists every instance of the account and region, in a rack or not, that was started
    /// with key pair `name` and is not `terminated`.
    async fn instances_with_key(&self, name: &str) -> Result<Vec<Instance>>;
    /// Lists every instance of the account and region that is tagged as opened by key pair `name`
    /// and is not `terminated`.
    async fn instances_opened_by(&self, name: &str) -> Result<Vec<Instance>>;
    /// Tags instances as opened by key pair `name`, whatever they were started with.
    ///
    /// One that is gone is an error ([`PortError::NotFound`]), and then none may be tagged.
    async fn set_key(&self, instances: &[String], name: &str) -> Result<()>;
    /// Reads what an instance has written to its console: as it was soon after it started, or
    /// the `latest`, which only newer kinds of instances tell. `None` when there is nothing yet.
    async fn console_output(&self, instance: &str, latest: bool) -> Result<Option<String>>;
    /// Says which key pair each launch template version names.
    async fn launch_template_keys(
        &self,
        templates: &[LaunchTemplateRef],
    ) -> Result<BTreeMap<LaunchTemplateRef, Option<String>>>;
    /// Lists the lifecycle hooks of a group.
    async fn hooks(&self, group: &str) -> Result<Vec<Hook>>;
    /// Puts a lifecycle hook on a group, in place of one of the same name.
    async fn put_hook(&self, group: &str, hook: &Hook) -> Result<()>;
    /// Takes a lifecycle hook off a group, which lets go whatever it holds; one that is not there
    /// counts as taken off.
    async fn delete_hook(&self, group: &str, name: &str) -> Result<()>;
    /// Has a hook hold an instance for another heartbeat; `false` when it does not hold it.
    async fn hold(&self, group: &str, hook: &str, instance: &str) -> Result<bool>;
    /// Has a hook let an instance go on (`CONTINUE`); `false` when it does not hold it.
    async fn let_go(&self, group: &str, hook: &str, instance: &str) -> Result<bool>;
    /// Says whether new members of a group are protected from scale-in.
    async fn protect_new(&self, group: &str, protected: bool) -> Result<()>;
    /// Protects members of a group from scale-in, or no longer.
    async fn protect(&self, group: &str, instances: &[String], protected: bool) -> Result<()>;
    /// Lists the last launches of a group that succeeded, newest first.
    async fn launches(&self, group: &str) -> Result<Vec<Launch>>;
    /// Says which key pair each launch configuration names.
    async fn launch_configuration_keys(
        &self,
        names: &[String],
    ) -> Result<BTreeMap<String, Option<String>>>;
}

/// ECS services.
#[async_trait]
pub trait Services: Send + Sync {
    /// Reads what a cluster runs and where.
    async fn cluster(&self, cluster: &str) -> Result<Cluster>;
    /// Says what is left on every instance of a cluster. What cannot be read is an error: an instance
    /// that is not listed is in the cluster no more.
    async fn loads(&self, cluster: &str) -> Result<Vec<HostLoad>>;
    /// Has a cluster give no more tasks to these EC2 instances and move those of services away
    /// (`DRAINING`), or give them tasks again. Those that it does not know are left out.
    async fn drain(&self, cluster: &str, instances: &[String], draining: bool) -> Result<()>;
    /// Describes one service, by name or ARN.
    async fn service(&self, cluster: &str, service: &str) -> Result<ServiceState>;
    /// Lists the tasks of a service that are meant to run.
    async fn tasks(&self, cluster: &str, service: &str) -> Result<Vec<ServiceTask>>;
    /// Replaces every task of a service although nothing of it has changed
    /// (`UpdateService` with `forceNewDeployment`).
    async fn redeploy(&self, cluster: &str, service: &str) -> Result<ServiceState>;
}

/// Holds private keys by the name of their key pair, so that none is ever overwritten by another.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Names the store for a person, such as `s3://bucket/keys/`.
    fn describe(&self) -> String;
    /// Makes sure that the store can be read and written, and changes nothing that stays.
    async fn check(&self) -> Result<()>;
    /// Stores a private key under the name of its key pair.
    async fn put(&self, name: &str, key: &PrivateKey) -> Result<()>;
    /// Reads the private key of a key pair.
    async fn get(&self, name: &str) -> Result<Option<PrivateKey>>;
    /// Forgets a private key; one that is not there counts as forgotten.
    async fn delete(&self, name: &str) -> Result<()>;
    /// Lists the names that begin with `prefix`, in order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>>;
    /// Reads the key that everybody uses by default: a classic rack's `instance-key`.
    async fn current(&self) -> Result<Option<PrivateKey>>;
    /// Makes the stored key of `name` the one that everybody uses by default.
    async fn promote(&self, name: &str) -> Result<()>;
    /// Returns the same store found by its stack's ARN, which outlives the stack's name.
    ///
    /// `None` from a store that is found without a stack.
    fn of_stack(&self, _arn: &str) -> Option<Arc<dyn KeyStore>> {
        None
    }
}

/// Everything that the engine needs to roll a rack's SSH key.
#[derive(Clone)]
pub struct Rack {
    /// The rack's name.
    pub name: String,
    /// The stack's name.
    pub stack: String,
    /// The template parameter that names the key pair, `Key` on a Convox rack.
    pub key_parameter: String,
    /// Stacks.
    pub stacks: Arc<dyn Stacks>,
    /// Key pairs.
    pub key_pairs: Arc<dyn KeyPairs>,
    /// Groups and instances.
    pub fleet: Arc<dyn Fleet>,
    /// Instance refreshes of the groups.
    pub refreshes: Arc<dyn Refreshes>,
    /// Alarms.
    pub alarms: Arc<dyn Alarms>,
    /// What the account may run, and runs.
    pub quotas: Arc<dyn Quotas>,
    /// Load balancers.
    pub balancers: Arc<dyn Balancers>,
    /// Commands on instances without a login.
    pub commands: Arc<dyn Commands>,
    /// Services.
    pub services: Arc<dyn Services>,
    /// Where private keys are kept.
    pub keys: Arc<dyn KeyStore>,
    /// The user to log in to instances as.
    pub ssh_user: String,
    /// The rack as an operator sees it.
    pub system: Arc<dyn System>,
    /// The rack's own HTTP API, where it can be asked without a login.
    pub probe: Option<Arc<dyn ApiProbe>>,
}
