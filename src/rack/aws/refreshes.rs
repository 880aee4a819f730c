//! Instance refreshes of Auto Scaling groups.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_autoscaling::error::ProvideErrorMetadata;
use aws_sdk_autoscaling::types::{
    AlarmSpecification, DesiredConfiguration, InstanceRefresh as SdkRefresh,
    LaunchTemplateSpecification, RefreshPreferences, RefreshStrategy, ScaleInProtectedInstances,
    StandbyInstances,
};

use super::account::Clients;
use super::error::Call;
use super::fleet::template_of;
use super::services::count_of;
use super::stacks::timestamp_of;
use crate::rack::{InstanceRefresh, PortError, RefreshStatus, RefreshWish, Refreshes};

/// Auto Scaling's instance refreshes, as a port.
pub(super) struct AwsRefreshes {
    clients: Arc<Clients>,
}

impl AwsRefreshes {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }
}

#[async_trait]
impl Refreshes for AwsRefreshes {
    async fn list(&self, group: &str) -> Result<Vec<InstanceRefresh>, PortError> {
        let what = format!("group {group}");
        let call = Call::new("autoscaling", "DescribeInstanceRefreshes", &what);
        // Newest first, and a roll needs none but its own: one page is enough.
        let answer = self.clients.autoscaling().describe_instance_refreshes();
        let answer = answer.auto_scaling_group_name(group).max_records(50);
        let answer = answer.send().await.map_err(|error| call.failed(error))?;
        let found = answer.instance_refreshes.unwrap_or_default();
        Ok(found.into_iter().map(refresh_of).collect())
    }

    async fn start(&self, group: &str, wish: &RefreshWish) -> Result<String, PortError> {
        let what = format!("group {group}");
        let call = Call::new("autoscaling", "StartInstanceRefresh", &what);
        let template = wish.launch_template.as_ref().map(|template| {
            LaunchTemplateSpecification::builder()
                .launch_template_id(&template.id)
                .version(&template.version)
                .build()
        });
        let desired = template.map(|template| {
            let desired = DesiredConfiguration::builder();
            desired.launch_template(template).build()
        });
        let answer = self.clients.autoscaling().start_instance_refresh();
        let answer = answer
            .auto_scaling_group_name(group)
            .strategy(RefreshStrategy::Rolling)
            .preferences(preferences_of(wish))
            .set_desired_configuration(desired);
        match answer.send().await {
            Ok(answer) => Ok(answer.instance_refresh_id.unwrap_or_default()),
            Err(error) if error.code() == Some("InstanceRefreshInProgress") => {
                let status = "in an instance refresh already".to_owned();
                Err(PortError::Busy { what, status })
            }
            Err(error) => Err(call.failed(error)),
        }
    }

    async fn cancel(&self, group: &str) -> Result<(), PortError> {
        let what = format!("group {group}");
        let call = Call::new("autoscaling", "CancelInstanceRefresh", &what);
        let answer = self.clients.autoscaling().cancel_instance_refresh();
        match answer.auto_scaling_group_name(group).send().await {
            Err(error) if error.code() != Some("ActiveInstanceRefreshNotFound") => {
                Err(call.failed(error))
            }
            _ => Ok(()),
        }
    }
}

fn preferences_of(wish: &RefreshWish) -> RefreshPreferences {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let alarms = (!wish.alarms.is_empty()).then(|| {
        let alarms = AlarmSpecification::builder();
        alarms.set_alarms(Some(wish.alarms.clone())).build()
    });
    RefreshPreferences::builder()
        .min_healthy_percentage(number(wish.min_healthy_percent))
        .max_healthy_percentage(number(wish.max_healthy_percent))
        .set_instance_warmup(wish.warmup_secs.map(number))
        .set_bake_time((wish.bake_secs > 0).then(|| number(wish.bake_secs)))
        .set_checkpoint_percentages(wish.until_percent.map(|percent| vec![number(percent)]))
        .skip_matching(true)
        // A member that is protected would keep the old key; a rolling update takes it as well.
        .scale_in_protected_instances(ScaleInProtectedInstances::Refresh)
        .standby_instances(StandbyInstances::Wait)
        .set_alarm_specification(alarms)
        .build()
}

fn refresh_of(refresh: SdkRefresh) -> InstanceRefresh {
    let preferences = refresh.preferences;
    let checkpoints = preferences.and_then(|it| it.checkpoint_percentages);
    let status = refresh.status.map(|status| status.as_str().to_owned());
    let desired = refresh.desired_configuration;
    let template = desired.and_then(|it| it.launch_template);
    InstanceRefresh {
        id: refresh.instance_refresh_id.unwrap_or_default(),
        status: RefreshStatus(status.unwrap_or_default()),
        reason: refresh.status_reason.filter(|reason| !reason.is_empty()),
        started_at: refresh.start_time.as_ref().and_then(timestamp_of),
        percent: count_of(refresh.percentage_complete.unwrap_or(0)),
        to_update: refresh.instances_to_update.map(count_of),
        checkpoints: checkpoints
            .unwrap_or_default()
            .into_iter()
            .map(count_of)
            .collect(),
        launch_template: template.and_then(template_of),
    }
}
