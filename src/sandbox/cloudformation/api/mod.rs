//! CloudFormation's actions (API version 2010-05-15).

mod control;
mod describe;
mod history;
mod request;
mod start;
mod templates;

use jiff::Timestamp;
use serde_json::Value;

use super::super::api::{Answer, AwsError, Input};
use super::super::world::World;
use super::change_set;
use super::stack::Stack;

pub(super) use describe::parameters as shown_parameters;
pub(super) use request::{Request, token};
pub(super) use start::{
    check_name, check_updatable, is_unchanged, new_id, start_create, start_delete, start_update,
};

/// How many events, stacks and resources go on one page.
const PAGE: usize = 100;

/// Answers one API call; `None` for an action that is not simulated.
pub(super) fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "CreateStack" => start::create_stack(world, input),
        "UpdateStack" => start::update_stack(world, input),
        "DeleteStack" => start::delete_stack(world, input),
        "CancelUpdateStack" => control::cancel_update_stack(world, input),
        "ContinueUpdateRollback" => control::continue_update_rollback(world, input),
        "RollbackStack" => control::rollback_stack(world, input),
        "SignalResource" => control::signal_resource(world, input),
        "DescribeStacks" => describe::describe_stacks(world, input),
        "ListStacks" => describe::list_stacks(world, input),
        "DescribeStackResource" => describe::describe_stack_resource(world, input),
        "DescribeStackResources" => describe::describe_stack_resources(world, input),
        "ListStackResources" => describe::list_stack_resources(world, input),
        "ListExports" => describe::list_exports(world, input),
        "DescribeStackEvents" => history::describe_stack_events(world, input),
        "DescribeEvents" => history::describe_events(world, input),
        "GetTemplate" => templates::get_template(world, input),
        "GetTemplateSummary" => templates::get_template_summary(world, input),
        "ValidateTemplate" => templates::validate_template(world, input),
        "CreateChangeSet" => change_set::create(world, input),
        "DescribeChangeSet" => change_set::describe(world, input),
        "ExecuteChangeSet" => change_set::execute(world, input),
        "DeleteChangeSet" => change_set::delete(world, input),
        "ListChangeSets" => change_set::list(world, input),
        _ => return None,
    })
}

/// Finds a stack for an action that refuses those that are not there.
pub(super) fn existing<'a>(world: &'a World, name: &str) -> Result<&'a Stack, AwsError> {
    let missing = || AwsError::validation(format!("Stack [{name}] does not exist"));
    world.cloudformation.stack(name).ok_or_else(missing)
}

/// Writes a time as the query protocol does.
pub(super) fn time(at: Timestamp) -> Value {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into()
}

/// Cuts a page out of a list and says what asks for the next one.
fn page<T>(items: Vec<T>, input: &Input) -> Result<(Vec<T>, Option<String>), AwsError> {
    let start = match input.text("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| AwsError::validation(format!("Invalid NextToken: {token}")))?,
    };
    let next = (items.len() > start + PAGE).then(|| format!("page-{}", start + PAGE));
    Ok((items.into_iter().skip(start).take(PAGE).collect(), next))
}
