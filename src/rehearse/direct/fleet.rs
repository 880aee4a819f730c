//! Auto Scaling groups and EC2 instances.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Direct, not_rehearsed};
use crate::rack::{
    Fleet, Group, Hook, Instance, KEY_TAG, Launch, LaunchTemplateRef, Member, PortError,
};
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

    async fn hooks(&self, _: &str) -> Result<Vec<Hook>, PortError> {
        Ok(Vec::new())
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
