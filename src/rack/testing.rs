//! An account that answers nothing, for tests of what must work from data alone.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    Alarm, Alarms, Balancers, Cluster, Commands, EventPage, Fleet, Group, Hook, HostLoad, Instance,
    InstanceRefresh, Invoked, KeyPair, KeyPairs, KeyStore, KeyType, Launch, LaunchTemplateRef,
    MintedKeyPair, PortError, PrivateKey, Quotas, RefreshWish, Refreshes, ResourceChange,
    RunningInstance, ServiceState, ServiceTask, Services, Stack, StackResource, Stacks, System,
    SystemDescription, SystemInstance, TargetGroups, TemplateBody, UpdateAccepted, UpdateRequest,
    VcpuQuota,
};

/// Every call fails. A test that reaches it asked for more than it said.
#[derive(Debug)]
pub(crate) struct Unreachable;

fn refuse<T>(api: &'static str) -> Result<T, PortError> {
    Err(PortError::Unanswered {
        api,
        message: "there is no account in this test".to_owned(),
    })
}

#[async_trait]
impl Stacks for Unreachable {
    async fn describe(&self, _: &str) -> Result<Stack, PortError> {
        refuse("DescribeStacks")
    }
    async fn racks(&self) -> Result<Vec<String>, PortError> {
        refuse("DescribeStacks")
    }
    async fn resources(&self, _: &str) -> Result<Vec<StackResource>, PortError> {
        refuse("ListStackResources")
    }
    async fn template(&self, _: &str) -> Result<TemplateBody, PortError> {
        refuse("GetTemplate")
    }
    async fn events(&self, _: &str, _: Option<String>) -> Result<EventPage, PortError> {
        refuse("DescribeStackEvents")
    }
    async fn update(&self, _: &UpdateRequest) -> Result<UpdateAccepted, PortError> {
        refuse("UpdateStack")
    }
    async fn preview(&self, _: &UpdateRequest) -> Result<Option<Vec<ResourceChange>>, PortError> {
        refuse("CreateChangeSet")
    }
    async fn cancel_update(&self, _: &str, _: &str) -> Result<(), PortError> {
        refuse("CancelUpdateStack")
    }
    async fn continue_rollback(&self, _: &str, _: &[String], _: &str) -> Result<(), PortError> {
        refuse("ContinueUpdateRollback")
    }
    async fn rollback(&self, _: &str, _: &str) -> Result<(), PortError> {
        refuse("RollbackStack")
    }
}

#[async_trait]
impl KeyPairs for Unreachable {
    async fn create(
        &self,
        _: &str,
        _: KeyType,
        _: &BTreeMap<String, String>,
    ) -> Result<MintedKeyPair, PortError> {
        refuse("CreateKeyPair")
    }
    async fn delete(&self, _: &str) -> Result<(), PortError> {
        refuse("DeleteKeyPair")
    }
    async fn find(&self, _: &str) -> Result<Option<KeyPair>, PortError> {
        refuse("DescribeKeyPairs")
    }
    async fn tagged(&self, _: &BTreeMap<String, String>) -> Result<Vec<KeyPair>, PortError> {
        refuse("DescribeKeyPairs")
    }
    async fn public_line(&self, _: &str) -> Result<Option<String>, PortError> {
        refuse("DescribeKeyPairs")
    }
    async fn tag(&self, _: &KeyPair, _: &str, _: &str) -> Result<(), PortError> {
        refuse("CreateTags")
    }
    async fn check_permissions(&self) -> Result<(), PortError> {
        refuse("CreateKeyPair")
    }
}

#[async_trait]
impl Fleet for Unreachable {
    async fn groups(&self, _: &[String]) -> Result<Vec<Group>, PortError> {
        refuse("DescribeAutoScalingGroups")
    }
    async fn instances(&self, _: &[String], _: &[String]) -> Result<Vec<Instance>, PortError> {
        refuse("DescribeInstances")
    }
    async fn instances_with_key(&self, _: &str) -> Result<Vec<Instance>, PortError> {
        refuse("DescribeInstances")
    }
    async fn instances_opened_by(&self, _: &str) -> Result<Vec<Instance>, PortError> {
        refuse("DescribeInstances")
    }
    async fn set_key(&self, _: &[String], _: &str) -> Result<(), PortError> {
        refuse("CreateTags")
    }
    async fn console_output(&self, _: &str, _: bool) -> Result<Option<String>, PortError> {
        refuse("GetConsoleOutput")
    }
    async fn launch_template_keys(
        &self,
        _: &[LaunchTemplateRef],
    ) -> Result<BTreeMap<LaunchTemplateRef, Option<String>>, PortError> {
        refuse("DescribeLaunchTemplateVersions")
    }
    async fn launch_configuration_keys(
        &self,
        _: &[String],
    ) -> Result<BTreeMap<String, Option<String>>, PortError> {
        refuse("DescribeLaunchConfigurations")
    }
    async fn hooks(&self, _: &str) -> Result<Vec<Hook>, PortError> {
        refuse("DescribeLifecycleHooks")
    }
    async fn put_hook(&self, _: &str, _: &Hook) -> Result<(), PortError> {
        refuse("PutLifecycleHook")
    }
    async fn delete_hook(&self, _: &str, _: &str) -> Result<(), PortError> {
        refuse("DeleteLifecycleHook")
    }
    async fn hold(&self, _: &str, _: &str, _: &str) -> Result<bool, PortError> {
        refuse("RecordLifecycleActionHeartbeat")
    }
    async fn let_go(&self, _: &str, _: &str, _: &str) -> Result<bool, PortError> {
        refuse("CompleteLifecycleAction")
    }
    async fn protect_new(&self, _: &str, _: bool) -> Result<(), PortError> {
        refuse("UpdateAutoScalingGroup")
    }
    async fn protect(&self, _: &str, _: &[String], _: bool) -> Result<(), PortError> {
        refuse("SetInstanceProtection")
    }
    async fn launches(&self, _: &str) -> Result<Vec<Launch>, PortError> {
        refuse("DescribeScalingActivities")
    }
}

#[async_trait]
impl Commands for Unreachable {
    async fn agents(&self, _: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        refuse("DescribeInstanceInformation")
    }
    async fn run(&self, _: &[String], _: &str) -> Result<String, PortError> {
        refuse("SendCommand")
    }
    async fn invoked(&self, _: &str) -> Result<Vec<Invoked>, PortError> {
        refuse("ListCommandInvocations")
    }
}

#[async_trait]
impl Services for Unreachable {
    async fn cluster(&self, _: &str) -> Result<Cluster, PortError> {
        refuse("ListServices")
    }
    async fn loads(&self, _: &str) -> Result<Vec<HostLoad>, PortError> {
        refuse("ListContainerInstances")
    }
    async fn drain(&self, _: &str, _: &[String], _: bool) -> Result<(), PortError> {
        refuse("UpdateContainerInstancesState")
    }
    async fn service(&self, _: &str, _: &str) -> Result<ServiceState, PortError> {
        refuse("DescribeServices")
    }
    async fn tasks(&self, _: &str, _: &str) -> Result<Vec<ServiceTask>, PortError> {
        refuse("ListTasks")
    }
    async fn redeploy(&self, _: &str, _: &str) -> Result<ServiceState, PortError> {
        refuse("UpdateService")
    }
}

#[async_trait]
impl KeyStore for Unreachable {
    fn describe(&self) -> String {
        "nowhere".to_owned()
    }
    async fn check(&self) -> Result<(), PortError> {
        refuse("GetObject")
    }
    async fn put(&self, _: &str, _: &PrivateKey) -> Result<(), PortError> {
        refuse("PutObject")
    }
    async fn get(&self, _: &str) -> Result<Option<PrivateKey>, PortError> {
        refuse("GetObject")
    }
    async fn delete(&self, _: &str) -> Result<(), PortError> {
        refuse("DeleteObject")
    }
    async fn list(&self, _: &str) -> Result<Vec<String>, PortError> {
        refuse("ListObjectsV2")
    }
    async fn current(&self) -> Result<Option<PrivateKey>, PortError> {
        refuse("GetObject")
    }
    async fn promote(&self, _: &str) -> Result<(), PortError> {
        refuse("PutObject")
    }
}

#[async_trait]
impl System for Unreachable {
    async fn describe(&self) -> Result<SystemDescription, PortError> {
        refuse("DescribeStacks")
    }
    async fn instances(&self) -> Result<Vec<SystemInstance>, PortError> {
        refuse("DescribeInstances")
    }
    async fn set_parameters(&self, _: &BTreeMap<String, String>) -> Result<(), PortError> {
        refuse("UpdateStack")
    }
    async fn terminate(&self, _: &str) -> Result<(), PortError> {
        refuse("TerminateInstanceInAutoScalingGroup")
    }
}

#[async_trait]
impl Refreshes for Unreachable {
    async fn list(&self, _: &str) -> Result<Vec<InstanceRefresh>, PortError> {
        refuse("DescribeInstanceRefreshes")
    }
    async fn start(&self, _: &str, _: &RefreshWish) -> Result<String, PortError> {
        refuse("StartInstanceRefresh")
    }
    async fn cancel(&self, _: &str) -> Result<(), PortError> {
        refuse("CancelInstanceRefresh")
    }
}

#[async_trait]
impl Quotas for Unreachable {
    async fn running(&self) -> Result<Vec<RunningInstance>, PortError> {
        refuse("DescribeInstances")
    }
    async fn vcpus(&self, _: &[String]) -> Result<BTreeMap<String, u32>, PortError> {
        refuse("DescribeInstanceTypes")
    }
    async fn quota(&self, _: VcpuQuota) -> Result<f64, PortError> {
        refuse("GetServiceQuota")
    }
}

#[async_trait]
impl Balancers for Unreachable {
    async fn target_groups(&self, _: &[String]) -> Result<TargetGroups, PortError> {
        refuse("DescribeTargetGroups")
    }
}

#[async_trait]
impl Alarms for Unreachable {
    async fn alarms(&self, _: &[String]) -> Result<Vec<Alarm>, PortError> {
        refuse("DescribeAlarms")
    }
}
