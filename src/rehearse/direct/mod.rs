//! The ports of a rack straight over the account in memory: no SDK, no wire.
//!
//! The engine is the real one, and the account answers as it does over the wire; only what
//! carries the words between them is left out, which is most of what a rehearsal would cost.

mod balancers;
mod fleet;
mod key_pairs;
mod quotas;
mod refreshes;
mod services;
mod stacks;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::memory::MemoryKeys;
use crate::rack::{Commands, Invoked, PortError, Rack, System, SystemDescription, SystemInstance};
use crate::sandbox::Sandbox;
use crate::sandbox::api::{Answer, Input};
use crate::sandbox::world::World;

/// Puts the ports of the rack `name` together, whose key pair `parameter` names.
pub(super) fn rack(sandbox: &Sandbox, name: &str, parameter: &str) -> Rack {
    let direct = Arc::new(Direct {
        sandbox: sandbox.clone(),
        stack: name.to_owned(),
    });
    Rack {
        name: name.to_owned(),
        stack: name.to_owned(),
        key_parameter: parameter.to_owned(),
        stacks: direct.clone(),
        key_pairs: direct.clone(),
        fleet: direct.clone(),
        refreshes: direct.clone(),
        alarms: direct.clone(),
        quotas: direct.clone(),
        balancers: direct.clone(),
        services: direct.clone(),
        commands: direct.clone(),
        keys: Arc::new(MemoryKeys::default()),
        ssh_user: "ec2-user".to_owned(),
        system: direct,
        probe: None,
    }
}

struct Direct {
    sandbox: Sandbox,
    stack: String,
}

impl Direct {
    /// Makes a call of an API of the account.
    fn call(
        &self,
        api: &'static str,
        handle: fn(&mut World, &str, &Input) -> Option<Answer>,
        input: Value,
    ) -> Result<Value, PortError> {
        let answer = self.sandbox.with(|world| handle(world, api, &Input(input)));
        match answer {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(PortError::Rejected {
                api,
                code: error.code,
                message: error.message,
            }),
            None => Err(not_rehearsed(api)),
        }
    }
}

/// What a roll of an SSH key never asks for.
fn not_rehearsed(api: &'static str) -> PortError {
    PortError::Rejected {
        api,
        code: "NotRehearsed".to_owned(),
        message: "a rehearsal has no answer to this".to_owned(),
    }
}

fn text(value: &Value, name: &str) -> String {
    maybe(value, name).unwrap_or_default()
}

fn maybe(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

#[async_trait]
impl Commands for Direct {
    async fn agents(&self, _: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        Err(not_rehearsed("DescribeInstanceInformation"))
    }
    async fn run(&self, _: &[String], _: &str) -> Result<String, PortError> {
        Err(not_rehearsed("SendCommand"))
    }
    async fn invoked(&self, _: &str) -> Result<Vec<Invoked>, PortError> {
        Err(not_rehearsed("ListCommandInvocations"))
    }
}

#[async_trait]
impl System for Direct {
    async fn describe(&self) -> Result<SystemDescription, PortError> {
        Err(not_rehearsed("DescribeStacks"))
    }
    async fn instances(&self) -> Result<Vec<SystemInstance>, PortError> {
        Err(not_rehearsed("DescribeInstances"))
    }
    async fn set_parameters(&self, _: &BTreeMap<String, String>) -> Result<(), PortError> {
        Err(not_rehearsed("UpdateStack"))
    }
    async fn terminate(&self, _: &str) -> Result<(), PortError> {
        Err(not_rehearsed("TerminateInstanceInAutoScalingGroup"))
    }
}
