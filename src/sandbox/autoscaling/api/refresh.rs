//! Calls about instance refreshes.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::refresh::Refresh;
use super::super::wishes::{RefreshWishes, Stance};
use super::{asked_group, instant, page_of, shown_template, size, wanted_template};

/// `StartInstanceRefresh`.
pub(super) fn start(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    let strategy = input
        .text("Strategy")
        .unwrap_or_else(|| "Rolling".to_owned());
    if strategy != "Rolling" {
        return Err(AwsError::validation(format!(
            "Strategy {strategy} is not supported here"
        )));
    }
    let wanted = input.inner("DesiredConfiguration").inner("LaunchTemplate");
    let wishes = RefreshWishes {
        launch_template: wanted_template(world, &wanted)?,
        ..wishes(&input.inner("Preferences"))?
    };
    if wishes.auto_rollback && wishes.launch_template.is_none() {
        return Err(AwsError::validation(
            "AutoRollback cannot be used without a desired configuration.",
        ));
    }
    let id = world.start_refresh(&group, wishes)?;
    Ok(json!({ "InstanceRefreshId": id }))
}

/// Reads preferences, and refuses those that contradict each other.
fn wishes(preferences: &Input) -> Result<RefreshWishes, AwsError> {
    let usual = RefreshWishes::default();
    let number = |name| size(preferences, name);
    let stance = |name: &str, usual| match preferences.text(name) {
        None => Ok(usual),
        Some(word) => Stance::read(&word)
            .ok_or_else(|| AwsError::validation(format!("{word} is not a valid value of {name}"))),
    };
    let mut checkpoints = Vec::new();
    for percent in preferences.texts("CheckpointPercentages") {
        let percent = percent.parse().ok().filter(|it| (1..=100).contains(it));
        let ascends = percent.is_some_and(|it| checkpoints.last().is_none_or(|last| *last < it));
        checkpoints.extend(percent.filter(|_| ascends));
        if !ascends {
            return Err(AwsError::validation(
                "CheckpointPercentages must be unique numbers from 1 to 100, in ascending order.",
            ));
        }
    }
    let seconds = |name, usual| Ok::<_, AwsError>(number(name)?.map_or(usual, u64::from));
    let wishes = RefreshWishes {
        min_healthy_percent: number("MinHealthyPercentage")?.unwrap_or(usual.min_healthy_percent),
        max_healthy_percent: number("MaxHealthyPercentage")?.unwrap_or(usual.max_healthy_percent),
        warmup_secs: seconds("InstanceWarmup", usual.warmup_secs)?,
        checkpoints,
        checkpoint_delay_secs: seconds("CheckpointDelay", usual.checkpoint_delay_secs)?,
        bake_secs: seconds("BakeTime", usual.bake_secs)?,
        skip_matching: preferences.truth("SkipMatching").unwrap_or(false),
        auto_rollback: preferences.truth("AutoRollback").unwrap_or(false),
        protected: stance("ScaleInProtectedInstances", usual.protected)?,
        standby: stance("StandbyInstances", usual.standby)?,
        alarms: preferences.inner("AlarmSpecification").texts("Alarms"),
        launch_template: None,
    };
    let (least, most) = (wishes.min_healthy_percent, wishes.max_healthy_percent);
    if least > 100 || !(100..=200).contains(&most) || most - least > 100 {
        return Err(AwsError::validation(
            "MinHealthyPercentage must be 0 to 100, MaxHealthyPercentage 100 to 200, and their \
             difference at most 100.",
        ));
    }
    if wishes.checkpoint_delay_secs > 172_800 || wishes.bake_secs > 172_800 {
        return Err(AwsError::validation(
            "CheckpointDelay and BakeTime must be at most 172800 seconds.",
        ));
    }
    Ok(wishes)
}

/// `DescribeInstanceRefreshes`, newest first.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    let ids = input.texts("InstanceRefreshIds");
    let key = |refresh: &&Refresh| {
        let newest_first = i64::MAX - refresh.started.as_millisecond();
        format!("{newest_first:020} {}", refresh.id)
    };
    let mut found: Vec<&Refresh> = world
        .autoscaling
        .refreshes_of(&group)
        .filter(|refresh| ids.is_empty() || ids.contains(&refresh.id))
        .collect();
    found.sort_by_key(key);
    let page = page_of(input, found, key, (50, 100))?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .map(|refresh| shown(world, refresh))
        .collect();
    Ok(json!({ "InstanceRefreshes": set, "NextToken": page.next }))
}

/// `CancelInstanceRefresh`.
pub(super) fn cancel(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    Ok(json!({ "InstanceRefreshId": world.cancel_refresh(&group)? }))
}

/// `RollbackInstanceRefresh`.
pub(super) fn roll_back(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    Ok(json!({ "InstanceRefreshId": world.roll_back_refresh(&group)? }))
}

fn shown(world: &World, refresh: &Refresh) -> Value {
    let wishes = &refresh.wishes;
    let wanted = wishes.launch_template.as_ref().map(|template| {
        json!({ "LaunchTemplate": shown_template(world, &template.id, &template.version) })
    });
    json!({
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": refresh.group,
        "Status": refresh.status,
        "StatusReason": refresh.reason,
        "StartTime": instant(refresh.started),
        "EndTime": refresh.ended.map(instant),
        "PercentageComplete": refresh.percent,
        "InstancesToUpdate": refresh.instances_to_update(),
        "Preferences": {
            "MinHealthyPercentage": wishes.min_healthy_percent,
            "MaxHealthyPercentage": wishes.max_healthy_percent,
            "InstanceWarmup": wishes.warmup_secs,
            "CheckpointPercentages": wishes.checkpoints,
            "CheckpointDelay": (!wishes.checkpoints.is_empty()).then_some(wishes.checkpoint_delay_secs),
            "BakeTime": wishes.bake_secs,
            "SkipMatching": wishes.skip_matching,
            "AutoRollback": wishes.auto_rollback,
        },
        "DesiredConfiguration": wanted,
    })
}
