//! Surges where ECS does not tell the truth at every look: what one answer leaves out is not gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use convox::rack::{Cluster, HostLoad, PortError, ServiceState, ServiceTask, Services};
use convox::roll::{Outcome, RollOptions, Strategy};
use convox::sandbox::Scenario;

use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time};
use crate::surging::{SURGE, come_to_rest, kept, take_hooks_off, with_surplus};
use crate::surging_odd::{cut_off, paced};

/// ECS, of which every other answer about what is left on instances lacks all of them.
struct Forgetful {
    inner: Arc<dyn Services>,
    asked: AtomicU64,
}

#[async_trait]
impl Services for Forgetful {
    async fn cluster(&self, cluster: &str) -> Result<Cluster, PortError> {
        self.inner.cluster(cluster).await
    }

    async fn loads(&self, cluster: &str) -> Result<Vec<HostLoad>, PortError> {
        let told = self.inner.loads(cluster).await?;
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(match asked % 2 {
            0 => told,
            _ => Vec::new(),
        })
    }

    async fn drain(&self, cluster: &str, ids: &[String], draining: bool) -> Result<(), PortError> {
        self.inner.drain(cluster, ids, draining).await
    }

    async fn service(&self, cluster: &str, service: &str) -> Result<ServiceState, PortError> {
        self.inner.service(cluster, service).await
    }

    async fn tasks(&self, cluster: &str, service: &str) -> Result<Vec<ServiceTask>, PortError> {
        self.inner.tasks(cluster, service).await
    }

    async fn redeploy(&self, cluster: &str, service: &str) -> Result<ServiceState, PortError> {
        self.inner.redeploy(cluster, service).await
    }
}

/// Rolls a rack whose ECS is forgetful, and looks whether any task was cut off on an instance that
/// was let go by us: by a surge all of them, and else only those that were there too many.
fn nobody_is_cut_off(scenario: &Scenario, options: RollOptions) {
    in_virtual_time(async {
        let rehearsal: Rehearsal = paced(scenario).await;
        // Nobody else empties an instance that is let go too soon.
        rehearsal.sandbox.with(take_hooks_off);
        let old = rehearsal.sandbox.peek(|world| {
            let live = world.live_instances();
            live.map(|it| it.id.clone()).collect::<Vec<_>>()
        });
        let before = rehearsal.sandbox.peek(kept);
        let mut rack = rehearsal.rack().await;
        rack.services = Arc::new(Forgetful {
            inner: rack.services,
            asked: AtomicU64::new(0),
        });
        let mut engine = rehearsal.engine_of(rack, rehearsal.journals());
        let plan = engine.plan(options, WAIT_BUSY).await.unwrap();
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        let is_ours = |task: &String| {
            options.strategy == Strategy::Surge || !old.iter().any(|id| task.contains(id))
        };
        let cut = rehearsal.sandbox.peek(cut_off).into_iter();
        assert_eq!(cut.filter(is_ours).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn an_instance_that_one_answer_lacks_is_not_let_go() {
    nobody_is_cut_off(&with_surplus(1, 3), SURGE);
}

#[test]
fn a_surplus_instance_that_one_answer_lacks_is_not_handed_over() {
    nobody_is_cut_off(&with_surplus(1, 5), OPTIONS);
}
