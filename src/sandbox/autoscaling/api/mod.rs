//! Auto Scaling's calls: what they take and how they answer.

mod configurations;
mod groups;
mod hooks;
mod instances;
mod refresh;
mod tags;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::super::api::{Answer, AwsError, Input};
use super::super::paging::{Page, page};
use super::super::world::World;
use super::spec::{TemplateVersion, WantedVersion};

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    let call = match action {
        "CreateAutoScalingGroup" => groups::create,
        "UpdateAutoScalingGroup" => groups::update,
        "DeleteAutoScalingGroup" => groups::delete,
        "DescribeAutoScalingGroups" => groups::describe,
        "SetDesiredCapacity" => groups::set_desired,
        "SuspendProcesses" => groups::suspend,
        "ResumeProcesses" => groups::resume,
        "DescribeScalingActivities" => groups::activities,
        "DescribeLaunchConfigurations" => configurations::describe,
        "DescribeAutoScalingInstances" => instances::describe,
        "TerminateInstanceInAutoScalingGroup" => instances::terminate,
        "SetInstanceProtection" => instances::protect,
        "DetachInstances" => instances::detach,
        "PutLifecycleHook" => hooks::put,
        "DeleteLifecycleHook" => hooks::delete,
        "DescribeLifecycleHooks" => hooks::describe,
        "CompleteLifecycleAction" => hooks::complete,
        "RecordLifecycleActionHeartbeat" => hooks::heartbeat,
        "StartInstanceRefresh" => refresh::start,
        "DescribeInstanceRefreshes" => refresh::describe,
        "CancelInstanceRefresh" => refresh::cancel,
        "RollbackInstanceRefresh" => refresh::roll_back,
        "CreateOrUpdateTags" => tags::put,
        "DeleteTags" => tags::delete,
        "DescribeTags" => tags::describe,
        _ => return None,
    };
    Some(call(world, input))
}

/// The answer of calls that have nothing to say.
fn done() -> Value {
    json!({})
}

/// An instant as Auto Scaling writes it.
fn instant(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

/// Returns the name of the group that a call is about, if there is such a group.
fn asked_group(world: &World, input: &Input) -> Result<String, AwsError> {
    let name = input.required("AutoScalingGroupName")?;
    match world.autoscaling.group(&name) {
        Some(_) => Ok(name),
        None => Err(super::groups::no_such_group(&name)),
    }
}

/// Returns a size, or Auto Scaling's complaint about it.
fn size(input: &Input, name: &str) -> Result<Option<u32>, AwsError> {
    match input.integer(name) {
        None => Ok(None),
        Some(number) => u32::try_from(number).map(Some).map_err(|_| {
            AwsError::validation(format!("{name} must be greater than or equal to 0"))
        }),
    }
}

/// Cuts the page that the caller asks for out of a list sorted by `key`.
fn page_of<T>(
    input: &Input,
    list: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    (usual, most): (usize, usize),
) -> Result<Page<T>, AwsError> {
    let size = input
        .integer("MaxRecords")
        .and_then(|size| usize::try_from(size).ok());
    if size.is_some_and(|size| size > most) {
        return Err(AwsError::validation(format!(
            "The maximum number of records cannot exceed {most}"
        )));
    }
    page(
        list,
        key,
        size.unwrap_or(usual),
        input.text("NextToken").as_deref(),
    )
    .map_err(|_| AwsError::new(400, "InvalidNextToken", "The NextToken value is not valid."))
}

/// Reads a launch template as callers name it.
fn wanted_template(world: &World, wish: &Input) -> Result<Option<WantedVersion>, AwsError> {
    if wish.0.is_null() {
        return Ok(None);
    }
    let id = match (
        wish.text("LaunchTemplateId"),
        wish.text("LaunchTemplateName"),
    ) {
        (Some(id), _) => id,
        (None, Some(name)) => world
            .launch_template_id(&name)
            .ok_or_else(|| {
                AwsError::validation(format!(
                    "You must use a valid fully-formed launch template. The specified launch \
                     template, with template name {name}, does not exist."
                ))
            })?
            .to_owned(),
        (None, None) => {
            return Err(AwsError::validation(
                "Valid requests must contain either launchTemplateId or LaunchTemplateName",
            ));
        }
    };
    let version = wish
        .text("Version")
        .unwrap_or_else(|| "$Default".to_owned());
    Ok(Some(WantedVersion { id, version }))
}

/// A launch template as Auto Scaling shows it.
fn shown_template(world: &World, id: &str, version: &str) -> Value {
    json!({
        "LaunchTemplateId": id,
        "LaunchTemplateName": world.launch_template(id).map(|template| &template.name),
        "Version": version,
    })
}

fn shown_version(world: &World, version: Option<&TemplateVersion>) -> Option<Value> {
    version.map(|it| shown_template(world, &it.id, &it.version.to_string()))
}
