//! Instance refreshes, and the alarms that a rehearsal does not have.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Direct, items, maybe, text};
use crate::rack::{
    Alarm, Alarms, InstanceRefresh, LaunchTemplateRef, PortError, RefreshStatus, RefreshWish,
    Refreshes,
};
use crate::sandbox::autoscaling;

#[async_trait]
impl Refreshes for Direct {
    async fn list(&self, group: &str) -> Result<Vec<InstanceRefresh>, PortError> {
        let input = json!({ "AutoScalingGroupName": group });
        let answer = self.call("DescribeInstanceRefreshes", autoscaling::handle, input)?;
        Ok(items(&answer, "InstanceRefreshes")
            .map(refresh_of)
            .collect())
    }

    async fn start(&self, group: &str, wish: &RefreshWish) -> Result<String, PortError> {
        let template = wish.launch_template.as_ref().map(|template| {
            json!({ "LaunchTemplate": {
                "LaunchTemplateId": template.id, "Version": template.version,
            } })
        });
        let input = json!({
            "AutoScalingGroupName": group,
            "Preferences": {
                "MinHealthyPercentage": wish.min_healthy_percent,
                "MaxHealthyPercentage": wish.max_healthy_percent,
                "InstanceWarmup": wish.warmup_secs,
                "BakeTime": wish.bake_secs,
                "CheckpointPercentages": wish.until_percent.map(|percent| vec![percent]),
                "SkipMatching": true,
                "ScaleInProtectedInstances": "Refresh",
            },
            "DesiredConfiguration": template,
        });
        let answer = self.call("StartInstanceRefresh", autoscaling::handle, input)?;
        Ok(text(&answer, "InstanceRefreshId"))
    }

    async fn cancel(&self, group: &str) -> Result<(), PortError> {
        let input = json!({ "AutoScalingGroupName": group });
        self.call("CancelInstanceRefresh", autoscaling::handle, input)?;
        Ok(())
    }
}

fn refresh_of(row: &Value) -> InstanceRefresh {
    let number = |name: &str| row[name].as_u64().and_then(|it| u32::try_from(it).ok());
    let template = &row["DesiredConfiguration"]["LaunchTemplate"];
    InstanceRefresh {
        id: text(row, "InstanceRefreshId"),
        status: RefreshStatus(text(row, "Status")),
        reason: maybe(row, "StatusReason"),
        started_at: maybe(row, "StartTime").and_then(|at| at.parse().ok()),
        percent: number("PercentageComplete").unwrap_or(0),
        to_update: number("InstancesToUpdate"),
        checkpoints: Vec::new(),
        launch_template: maybe(template, "LaunchTemplateId").map(|id| LaunchTemplateRef {
            id,
            version: text(template, "Version"),
        }),
    }
}

#[async_trait]
impl Alarms for Direct {
    async fn alarms(&self, _: &[String]) -> Result<Vec<Alarm>, PortError> {
        Ok(Vec::new())
    }
}
