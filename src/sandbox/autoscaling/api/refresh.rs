//! Calls about instance refreshes.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::refresh::{Refresh, RefreshWishes};
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
    let preferences = input.inner("Preferences");
    let usual = RefreshWishes::default();
    let wanted = input.inner("DesiredConfiguration").inner("LaunchTemplate");
    let wishes = RefreshWishes {
        min_healthy_percent: size(&preferences, "MinHealthyPercentage")?
            .unwrap_or(usual.min_healthy_percent),
        warmup_secs: size(&preferences, "InstanceWarmup")?.map_or(usual.warmup_secs, u64::from),
        skip_matching: preferences.truth("SkipMatching").unwrap_or(false),
        auto_rollback: preferences.truth("AutoRollback").unwrap_or(false),
        launch_template: wanted_template(world, &wanted)?,
    };
    if wishes.auto_rollback && wishes.launch_template.is_none() {
        return Err(AwsError::validation(
            "AutoRollback cannot be used without a desired configuration.",
        ));
    }
    let id = world.start_refresh(&group, wishes)?;
    Ok(json!({ "InstanceRefreshId": id }))
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
            "InstanceWarmup": wishes.warmup_secs,
            "SkipMatching": wishes.skip_matching,
            "AutoRollback": wishes.auto_rollback,
        },
        "DesiredConfiguration": wanted,
    })
}
