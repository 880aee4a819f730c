//! Auto Scaling groups and EC2 instances.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Direct, items, maybe, not_rehearsed, text};
use crate::rack::{
    Fleet, Group, Hook, Instance, KEY_TAG, Launch, LaunchTemplateRef, Member, PortError,
};
use crate::sandbox::autoscaling;
use crate::sandbox::ec2::{self, Owner};
use crate::sandbox::world::World;

#[async_trait]
impl Fleet for Direct {
    async fn groups(&self, names: &[String]) -> Result<Vec<Group>, PortError> {
        Ok(self.sandbox.with(|world| {
            let groups = names.iter().filter_map(|name| group_of(world, name));
            groups.collect()
        }))
    }

    async fn instances(&self, groups: &[String], _: &[String]) -> Result<Vec<Instance>, PortError> {
        let own = |instance: &&ec2::Instance| match &instance.owner {
            Owner::Group(name) => groups.contains(name),
            Owner::Nobody | Owner::Fleet(_) => false,
        };
        Ok(self.sandbox.with(|world| {
            let own = world.live_instances().filter(own);
            own.map(|instance| instance_of(world, instance)).collect()
        }))
    }

    async fn instances_with_key(&self, name: &str) -> Result<Vec<Instance>, PortError> {
        Ok(self.sandbox.with(|world| {
            let all = world.live_instances();
            let with_key = all.filter(|instance| instance.key_name.as_deref() == Some(name));
            with_key
                .map(|instance| instance_of(world, instance))
                .collect()
        }))
    }

    async fn instances_opened_by(&self, name: &str) -> Result<Vec<Instance>, PortError> {
        Ok(self.sandbox.with(|world| {
            let all = world.live_instances();
            let tagged = all.filter(|instance| opened_by(instance) == Some(name));
            tagged
                .map(|instance| instance_of(world, instance))
                .collect()
        }))
    }

    async fn set_key(&self, _: &[String], _: &str) -> Result<(), PortError> {
        Err(not_rehearsed("CreateTags"))
    }

    async fn console_output(&self, _: &str, _: bool) -> Result<Option<String>, PortError> {
        Ok(None)
    }

    async fn launch_template_keys(
        &self,
        templates: &[LaunchTemplateRef],
    ) -> Result<BTreeMap<LaunchTemplateRef, Option<String>>, PortError> {
        let key = |world: &World, wanted: &LaunchTemplateRef| {
            let template = world.launch_template(&wanted.id)?;
            let version = template.versions.get(&template.resolve(&wanted.version)?)?;
            Some(version.data.key_name.clone().filter(|key| !key.is_empty()))
        };
        Ok(self.sandbox.with(|world| {
            let keys = templates.iter();
            keys.filter_map(|wanted| Some((wanted.clone(), key(world, wanted)?)))
                .collect()
        }))
    }

    async fn launch_configuration_keys(
        &self,
        _: &[String],
    ) -> Result<BTreeMap<String, Option<String>>, PortError> {
        Ok(BTreeMap::new())
    }

    async fn hooks(&self, group: &str) -> Result<Vec<Hook>, PortError> {
        let input = json!({ "AutoScalingGroupName": group });
        let answer = self.call("DescribeLifecycleHooks", autoscaling::handle, input)?;
        Ok(items(&answer, "LifecycleHooks").map(hook_of).collect())
    }

    async fn put_hook(&self, group: &str, hook: &Hook) -> Result<(), PortError> {
        let transition = if hook.is_terminating {
            "autoscaling:EC2_INSTANCE_TERMINATING"
        } else {
            "autoscaling:EC2_INSTANCE_LAUNCHING"
        };
        let input = json!({
            "AutoScalingGroupName": group,
            "LifecycleHookName": hook.name,
            "LifecycleTransition": transition,
            "HeartbeatTimeout": hook.heartbeat_secs,
            "DefaultResult": hook.default_result,
            "NotificationTargetARN": hook.target,
            "RoleARN": hook.role,
            "NotificationMetadata": hook.metadata,
        });
        self.call("PutLifecycleHook", autoscaling::handle, input)
            .map(drop)
    }

    async fn delete_hook(&self, group: &str, name: &str) -> Result<(), PortError> {
        self.sandbox
            .with(|world| world.delete_lifecycle_hook(group, name));
        Ok(())
    }

    async fn hold(&self, group: &str, hook: &str, instance: &str) -> Result<bool, PortError> {
        let input = json!({
            "AutoScalingGroupName": group,
            "LifecycleHookName": hook,
            "InstanceId": instance,
        });
        let api = "RecordLifecycleActionHeartbeat";
        Ok(self.call(api, autoscaling::handle, input).is_ok())
    }

    async fn let_go(&self, group: &str, hook: &str, instance: &str) -> Result<bool, PortError> {
        let input = json!({
            "AutoScalingGroupName": group,
            "LifecycleHookName": hook,
            "InstanceId": instance,
            "LifecycleActionResult": "CONTINUE",
        });
        let api = "CompleteLifecycleAction";
        Ok(self.call(api, autoscaling::handle, input).is_ok())
    }

    async fn protect_new(&self, group: &str, protected: bool) -> Result<(), PortError> {
        let input = json!({
            "AutoScalingGroupName": group,
            "NewInstancesProtectedFromScaleIn": protected,
        });
        self.call("UpdateAutoScalingGroup", autoscaling::handle, input)
            .map(drop)
    }

    async fn protect(
        &self,
        group: &str,
        instances: &[String],
        protected: bool,
    ) -> Result<(), PortError> {
        let input = json!({
            "AutoScalingGroupName": group,
            "InstanceIds": instances,
            "ProtectedFromScaleIn": protected,
        });
        self.call("SetInstanceProtection", autoscaling::handle, input)
            .map(drop)
    }

    async fn launches(&self, _: &str) -> Result<Vec<Launch>, PortError> {
        Ok(Vec::new())
    }
}

fn group_of(world: &World, name: &str) -> Option<Group> {
    let group = world.autoscaling.group(name)?;
    let members = group.members().map(|member| Member {
        instance: member.instance.clone(),
        lifecycle: member.lifecycle.as_str().to_owned(),
        protected: member.protected,
    });
    Some(Group {
        name: group.name.clone(),
        min: group.min,
        max: group.max,
        desired: group.desired,
        members: members.collect(),
        suspended: group.suspended.iter().cloned().collect(),
        protects_new: group.protects_new,
        termination_policies: group.termination_policies.clone(),
        launch_template: group
            .launch_template
            .as_ref()
            .map(|wanted| LaunchTemplateRef {
                id: wanted.id.clone(),
                version: wanted.version.clone(),
            }),
        launch_configuration: group.launch_configuration.clone(),
    })
}

fn hook_of(hook: &Value) -> Hook {
    let target = maybe(hook, "NotificationTargetARN");
    let secs = hook.get("HeartbeatTimeout").and_then(Value::as_u64);
    Hook {
        name: text(hook, "LifecycleHookName"),
        is_terminating: text(hook, "LifecycleTransition").ends_with("TERMINATING"),
        heartbeat_secs: secs.map_or(0, |secs| u32::try_from(secs).unwrap_or(u32::MAX)),
        default_result: text(hook, "DefaultResult"),
        is_handled: target.is_some(),
        target,
        role: maybe(hook, "RoleARN"),
        metadata: maybe(hook, "NotificationMetadata"),
    }
}

fn opened_by(instance: &ec2::Instance) -> Option<&str> {
    instance.tags.get(KEY_TAG).map(String::as_str)
}

fn instance_of(world: &World, instance: &ec2::Instance) -> Instance {
    let member = world.autoscaling.member(&instance.id);
    Instance {
        id: instance.id.clone(),
        name: instance.tags.get("Name").cloned(),
        state: instance.state.as_str().to_owned(),
        key_name: instance.key_name.clone(),
        opened_by: opened_by(instance).map(str::to_owned),
        owner: match &instance.owner {
            Owner::Group(name) | Owner::Fleet(name) => Some(name.clone()),
            Owner::Nobody => None,
        },
        lifecycle: member.map(|(_, member)| member.lifecycle.as_str().to_owned()),
        private_ip: Some(instance.private_ip.clone()),
        public_ip: None,
        launched_at: Some(instance.launched),
    }
}
