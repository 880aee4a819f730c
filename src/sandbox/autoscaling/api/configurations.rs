//! Calls about launch configurations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::super::api::{Answer, Input};
use super::super::super::world::World;
use super::super::configurations::LaunchConfiguration;
use super::{instant, page_of};

/// `DescribeLaunchConfigurations`: those that do not exist are left out.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let names = input.texts("LaunchConfigurationNames");
    let found = world
        .autoscaling
        .launch_configurations()
        .filter(|configuration| names.is_empty() || names.contains(&configuration.name));
    let page = page_of(input, found, |it| it.name.clone(), (50, 100))?;
    let shown: Vec<Value> = page.items.into_iter().map(|it| shown(world, it)).collect();
    Ok(json!({ "LaunchConfigurations": shown, "NextToken": page.next }))
}

fn shown(world: &World, configuration: &LaunchConfiguration) -> Value {
    let LaunchConfiguration {
        name,
        uuid,
        data,
        created,
    } = configuration;
    json!({
        "LaunchConfigurationName": name,
        "LaunchConfigurationARN": world.arn(
            "autoscaling",
            &format!("launchConfiguration:{uuid}:launchConfigurationName/{name}"),
        ),
        "ImageId": data.image_id,
        "KeyName": data.key_name.as_deref().unwrap_or_default(),
        "SecurityGroups": [],
        "UserData": STANDARD.encode(data.user_data.as_deref().unwrap_or_default()),
        "InstanceType": data.instance_type,
        "BlockDeviceMappings": [],
        "InstanceMonitoring": { "Enabled": true },
        "CreatedTime": instant(*created),
        "EbsOptimized": false,
    })
}
