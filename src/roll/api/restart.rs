//! The API's processes read the key only when they start, so they are all started anew.

use std::time::Duration;

use jiff::Timestamp;

use super::plan::ApiService;
use crate::rack::{PortError, ServiceDeployment, ServiceState, ServiceTask};
use crate::roll::event::EventKind;
use crate::roll::journal::{Effect, Entry};
use crate::roll::plan::Step;
use crate::roll::run::{Run, Trouble};

/// How long the processes may take to be replaced before the roll is left unproven.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// Between two looks once it has taken a while.
const BETWEEN_LATE_LOOKS: Duration = Duration::from_secs(15);

/// How the restart ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Restarted {
    /// So many processes run, all started since.
    Fresh(u32),
    /// There is no service to restart.
    NoService,
    /// The processes do not come up.
    Never(String),
    /// Somebody asked to stop.
    Stopped,
}

impl Run<'_> {
    /// Replaces every process of the API that may have started before the stack was at rest.
    ///
    /// # Errors
    /// When ECS refuses, or does not answer for long.
    pub(super) async fn restart(&mut self) -> Result<Restarted, Trouble> {
        let service = self.plan.api().and_then(|api| api.service.clone());
        let Some(service) = service else {
            return Ok(Restarted::NoService);
        };
        self.begin(Step::Restart);
        let state = self.look_at(&service).await?;
        let since = self.since(&service, &state);
        let fresh = |deployment: &ServiceDeployment| {
            !deployment.failed
                && since.is_some_and(|since| deployment.created_at.is_some_and(|at| at >= since))
        };
        let is_under_way = state.primary().is_some_and(fresh);
        let since = if is_under_way {
            since
        } else {
            self.redeploy(&service, since).await?
        };
        self.wait_until_fresh(&service, since).await
    }

    /// Returns the instant from which on a deployment's processes have the stack's key.
    fn since(&self, service: &ApiService, state: &ServiceState) -> Option<Timestamp> {
        let carries_it = state
            .primary()
            .is_some_and(|primary| primary.definition != service.definition);
        if service.in_definition && carries_it {
            // The key is part of what the processes are started from.
            return self.tracker.began_at();
        }
        self.tracker.ended_at()
    }

    /// Asks ECS for a new deployment, and returns the instant from which on one counts.
    async fn redeploy(
        &mut self,
        service: &ApiService,
        since: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Trouble> {
        self.note(Entry::Started(Effect::RestartService)).await;
        let (cluster, arn) = (service.cluster.clone(), service.arn.clone());
        let state = self
            .patiently(async |rack| rack.services.redeploy(&cluster, &arn).await)
            .await?;
        self.note(Entry::Finished(Effect::RestartService)).await;
        let made_at = state.primary().and_then(|primary| primary.created_at);
        // The two services' clocks may differ by a little.
        Ok(match (since, made_at) {
            (Some(since), Some(made_at)) => Some(since.min(made_at)),
            (since, made_at) => made_at.or(since),
        })
    }

    async fn look_at(&mut self, service: &ApiService) -> Result<ServiceState, PortError> {
        let (cluster, arn) = (service.cluster.clone(), service.arn.clone());
        self.patiently(async |rack| rack.services.service(&cluster, &arn).await)
            .await
    }

    async fn tasks_of(&mut self, service: &ApiService) -> Result<Vec<ServiceTask>, PortError> {
        let (cluster, arn) = (service.cluster.clone(), service.arn.clone());
        self.patiently(async |rack| rack.services.tasks(&cluster, &arn).await)
            .await
    }

    async fn wait_until_fresh(
        &mut self,
        service: &ApiService,
        since: Option<Timestamp>,
    ) -> Result<Restarted, Trouble> {
        let began = self.clock.now();
        let mut told = None;
        loop {
            let state = self.look_at(service).await?;
            let tasks = self.tasks_of(service).await?;
            let primary = state.primary();
            let counts = |deployment: &ServiceDeployment| {
                since.is_none_or(|since| deployment.created_at.is_some_and(|at| at >= since))
            };
            let id = primary
                .filter(|primary| counts(primary))
                .map(|primary| primary.id.clone());
            let is_fresh = |task: &&ServiceTask| task.deployment == id && id.is_some();
            let fresh = tasks.iter().filter(is_fresh);
            let fresh = count(fresh.filter(|task| task.status == "RUNNING").count());
            let stale = count(tasks.iter().filter(|task| !is_fresh(task)).count());
            if told != Some((fresh, stale)) {
                told = Some((fresh, stale));
                self.emit(EventKind::Restarting {
                    desired: state.desired,
                    fresh,
                    stale,
                });
            }
            let is_alone = state.deployments.len() == 1 && count(tasks.len()) == fresh;
            if is_alone && fresh == state.desired && fresh > 0 {
                self.done(
                    Step::Restart,
                    format!("{} have started since", processes(fresh)),
                );
                return Ok(Restarted::Fresh(fresh));
            }
            let passed = self.clock.now().duration_since(began);
            let passed = Duration::try_from(passed).unwrap_or_default();
            let failed = primary.is_some_and(|primary| primary.failed);
            if failed || passed > PATIENCE {
                let wanted = state.desired;
                let why = if wanted == 0 {
                    "the rack API's service is scaled to 0".to_owned()
                } else if failed {
                    format!("ECS has given up the deployment: {fresh} of {wanted} came up")
                } else {
                    let minutes = PATIENCE.as_secs() / 60;
                    format!(
                        "{fresh} of {wanted} processes of the rack API came up in {minutes} min"
                    )
                };
                return Ok(Restarted::Never(why));
            }
            let late = passed > Duration::from_secs(180);
            let wait = if late {
                BETWEEN_LATE_LOOKS
            } else {
                BETWEEN_LOOKS
            };
            if !self.pause(wait).await {
                return Ok(Restarted::Stopped);
            }
        }
    }

    /// After a rollback: tells whether some process may have started with the new key.
    ///
    /// # Errors
    /// When ECS does not answer.
    pub(super) async fn may_hold_the_new_key(&mut self) -> Result<bool, PortError> {
        let service = self.plan.api().and_then(|api| api.service.clone());
        // Where the definition holds the key, CloudFormation went back to the old definition.
        let Some(service) = service.filter(|service| !service.in_definition) else {
            return Ok(false);
        };
        let (began, ended) = (self.tracker.began_at(), self.tracker.ended_at());
        let tasks = self.tasks_of(&service).await?;
        Ok(tasks.iter().any(|task| {
            let Some(at) = task.created_at else {
                return true;
            };
            began.is_none_or(|began| at >= began) && ended.is_none_or(|ended| at <= ended)
        }))
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// Words a number of processes.
pub(super) fn processes(count: u32) -> String {
    if count == 1 {
        "1 process".to_owned()
    } else {
        format!("{count} processes")
    }
}
