//! SSM Run Command.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ssm::types::{
    CommandInvocation, CommandInvocationStatus, InstanceInformationStringFilter,
};
use futures_util::future::try_join_all;

use super::account::Clients;
use super::error::Call;
use crate::rack::{CommandState, Commands, Invoked, PortError};

/// How many instances one command goes to by their ids (SSM API reference, `SendCommand`).
const INSTANCES_AT_ONCE: usize = 50;
/// How many rows one page has at the most.
const PAGE: i32 = 50;
/// The document that runs a shell script.
const DOCUMENT: &str = "AWS-RunShellScript";
/// How long a command waits for an agent, in seconds; the least that SSM takes.
const DELIVERY: i32 = 30;
/// How long the script may run, in seconds.
const EXECUTION: &str = "60";

type Result<T> = std::result::Result<T, PortError>;

/// SSM, as a port.
pub(super) struct RunCommand {
    clients: Arc<Clients>,
}

impl RunCommand {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }
}

#[async_trait]
impl Commands for RunCommand {
    async fn agents(&self, instances: &[String]) -> Result<BTreeMap<String, String>> {
        let call = Call::new("ssm", "DescribeInstanceInformation", "instances");
        let each = instances.chunks(INSTANCES_AT_ONCE).map(async |ids| {
            let mut agents = BTreeMap::new();
            let filter = InstanceInformationStringFilter::builder().key("InstanceIds");
            let filter = filter.set_values(Some(ids.to_vec())).build();
            let filter = filter.map_err(|error| PortError::Rejected {
                api: "DescribeInstanceInformation",
                code: "InvalidRequest".to_owned(),
                message: error.to_string(),
            })?;
            let mut token = None;
            loop {
                let page = self.clients.ssm().describe_instance_information();
                let page = page.filters(filter.clone()).max_results(PAGE);
                let page = page.set_next_token(token).send().await;
                let page = page.map_err(|error| call.failed(error))?;
                for found in page.instance_information_list.unwrap_or_default() {
                    let status = found.ping_status.map(|status| status.as_str().to_owned());
                    agents.extend(found.instance_id.map(|id| (id, status.unwrap_or_default())));
                }
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    return Ok::<_, PortError>(agents);
                }
            }
        });
        let all: Vec<BTreeMap<String, String>> = try_join_all(each).await?;
        Ok(all.into_iter().flatten().collect())
    }

    async fn run(&self, instances: &[String], script: &str) -> Result<String> {
        let call = Call::new("ssm", "SendCommand", "instances");
        let lines = script.lines().map(str::to_owned).collect();
        let command = self.clients.ssm().send_command().document_name(DOCUMENT);
        let command = command
            .set_instance_ids(Some(instances.to_vec()))
            .parameters("commands", lines)
            .parameters("executionTimeout", vec![EXECUTION.to_owned()])
            .timeout_seconds(DELIVERY)
            .max_concurrency("100%")
            // The default is none: then one instance that fails keeps the others from being asked.
            .max_errors("100%")
            .comment("convox instances revoke-key");
        let sent = command.send().await.map_err(|error| call.failed(error))?;
        let id = sent.command.and_then(|command| command.command_id);
        Ok(id.unwrap_or_default())
    }

    async fn invoked(&self, command: &str) -> Result<Vec<Invoked>> {
        let call = Call::new("ssm", "ListCommandInvocations", "command");
        let mut invoked = Vec::new();
        let mut token = None;
        loop {
            let page = self.clients.ssm().list_command_invocations();
            let page = page.command_id(command).details(true).max_results(PAGE);
            let page = page.set_next_token(token).send().await;
            let page = page.map_err(|error| call.failed(error))?;
            let found = page.command_invocations.unwrap_or_default().into_iter();
            invoked.extend(found.map(invoked_of));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(invoked);
            }
        }
    }
}

fn invoked_of(invocation: CommandInvocation) -> Invoked {
    let state = match &invocation.status {
        Some(CommandInvocationStatus::Success) => CommandState::Succeeded,
        Some(
            CommandInvocationStatus::Cancelled
            | CommandInvocationStatus::Failed
            | CommandInvocationStatus::TimedOut,
        ) => CommandState::Failed,
        _ => CommandState::UnderWay,
    };
    let plugins = invocation.command_plugins.unwrap_or_default().into_iter();
    Invoked {
        instance: invocation.instance_id.unwrap_or_default(),
        state,
        status: invocation.status_details.unwrap_or_default(),
        output: plugins.filter_map(|plugin| plugin.output).collect(),
    }
}
