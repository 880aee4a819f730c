//! What new instances must have done before the next are replaced: join their cluster, and let every
//! service come back.

use std::time::Duration;

use crate::rack::{Cluster, PortError};
use crate::roll::run::Run;
use crate::roll::services::ClusterPlan;

/// How long new instances are waited for.
const JOINING: Duration = Duration::from_secs(15 * 60);
/// Between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(15);

/// What became of new instances.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// They work.
    All,
    /// They do not, and why.
    Not(String),
    /// Somebody asked to stop.
    Stopped,
}

impl Run<'_> {
    /// Waits until the new instances `new` have joined the cluster that the others, `old`, are in,
    /// and each service runs as many tasks as before.
    pub(super) async fn wait_until_joined(
        &mut self,
        new: &[String],
        old: &[String],
    ) -> Result<Joined, PortError> {
        let began = self.clock.now();
        loop {
            let Some(lack) = self.lack_of(new, old).await? else {
                return Ok(Joined::All);
            };
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if passed.unwrap_or_default() > JOINING {
                return Ok(Joined::Not(lack));
            }
            if !self.pause(BETWEEN_LOOKS).await {
                return Ok(Joined::Stopped);
            }
        }
    }

    async fn lack_of(
        &mut self,
        new: &[String],
        old: &[String],
    ) -> Result<Option<String>, PortError> {
        for planned in self.plan.clusters.clone() {
            let name = planned.name.clone();
            let cluster = self
                .patiently(async |rack| rack.services.cluster(&name).await)
                .await?;
            if let Some(lack) = lack_in(&planned, &cluster, new, old) {
                return Ok(Some(lack));
            }
        }
        Ok(None)
    }
}

/// Says what a cluster lacks. Instances whose siblings are in no cluster need not be in one.
fn lack_in(
    planned: &ClusterPlan,
    cluster: &Cluster,
    new: &[String],
    old: &[String],
) -> Option<String> {
    let is_host = |id: &String| cluster.hosts.iter().any(|host| host.instance == *id);
    if old.iter().any(is_host)
        && let Some(missing) = new.iter().find(|id| !is_host(id))
    {
        return Some(format!("{missing} has not joined cluster {}", cluster.name));
    }
    planned.services.iter().find_map(|before| {
        let now = cluster.services.iter().find(|it| it.name == before.name)?;
        let wanted = now.desired.min(before.running);
        (now.running < wanted).then(|| {
            let (name, running) = (&now.name, now.running);
            format!("service {name} runs {running} of {wanted} tasks")
        })
    })
}
