//! EC2's calls: what they take and how they answer.

mod catalogue;
mod filters;
mod instances;
mod key_pairs;
mod launch_templates;
mod spot_fleets;
mod tags;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::super::api::{Answer, AwsError, Input};
use super::super::paging::{Page, page};
use super::super::world::World;

/// The most items of a page.
const PAGE: usize = 1_000;

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    let call = match action {
        "CreateKeyPair" => key_pairs::create,
        "ImportKeyPair" => key_pairs::import,
        "DeleteKeyPair" => key_pairs::delete,
        "DescribeKeyPairs" => key_pairs::describe,
        "RunInstances" => instances::run,
        "DescribeInstances" => instances::describe,
        "DescribeInstanceStatus" => instances::statuses,
        "TerminateInstances" => instances::terminate,
        "GetConsoleOutput" => instances::console_output,
        "CreateLaunchTemplate" => launch_templates::create,
        "CreateLaunchTemplateVersion" => launch_templates::create_version,
        "ModifyLaunchTemplate" => launch_templates::modify,
        "DeleteLaunchTemplate" => launch_templates::delete,
        "DeleteLaunchTemplateVersions" => launch_templates::delete_versions,
        "DescribeLaunchTemplates" => launch_templates::describe,
        "DescribeLaunchTemplateVersions" => launch_templates::describe_versions,
        "DescribeSpotFleetRequests" => spot_fleets::describe,
        "DescribeSpotFleetInstances" => spot_fleets::instances,
        "CancelSpotFleetRequests" => spot_fleets::cancel,
        "CreateTags" => tags::create,
        "DeleteTags" => tags::delete,
        "DescribeTags" => tags::describe,
        "DescribeImages" => catalogue::images,
        "DescribeInstanceTypes" => catalogue::instance_types,
        "DescribeAvailabilityZones" => catalogue::zones,
        "DescribeRegions" => catalogue::regions,
        "DescribeAccountAttributes" => catalogue::account_attributes,
        _ => return None,
    };
    Some(call(world, input))
}

/// Returns a parameter that must be there, or EC2's complaint.
fn required(input: &Input, name: &str) -> Result<String, AwsError> {
    input.text(name).ok_or_else(|| {
        AwsError::new(
            400,
            "MissingParameter",
            format!("The request must contain the parameter {name}"),
        )
    })
}

/// Stops here when the call is only to see whether it would work.
fn stop_if_dry(input: &Input) -> Result<(), AwsError> {
    if input.truth("DryRun") == Some(true) {
        return Err(AwsError::new(
            412,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        ));
    }
    Ok(())
}

/// Cuts the page that the caller asks for out of a list sorted by `key`.
fn page_of<T>(
    input: &Input,
    list: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
) -> Result<Page<T>, AwsError> {
    let size = match input.integer("MaxResults") {
        None => PAGE,
        Some(size) => usize::try_from(size).ok().filter(|size| (1..=PAGE).contains(size)).ok_or_else(
            || {
                AwsError::new(
                    400,
                    "InvalidParameterValue",
                    format!("Value ( {size} ) for parameter maxResults is invalid. Expecting a value between 5 and {PAGE}."),
                )
            },
        )?,
    };
    page(list, key, size, input.text("NextToken").as_deref()).map_err(|_| {
        AwsError::new(
            400,
            "InvalidPaginationToken",
            "The provided pagination token is invalid",
        )
    })
}

/// The answer of calls that have nothing to say.
fn done() -> Value {
    json!({ "return": true })
}

/// An instant as EC2 writes it.
fn instant(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}
