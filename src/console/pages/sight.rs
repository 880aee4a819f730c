//! What was last seen of the racks: pages show that at once, and have it looked at again meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Pages;
use crate::console::broker::describe;
use crate::console::service::Service;
use crate::rack::{SystemDescription, SystemInstance};
use crate::store::RackRecord;

/// For how long what was seen is good enough, in ms.
const FRESH: i64 = 2_000;
/// For how long a page waits for it.
const WAIT: Duration = Duration::from_millis(400);
/// How many racks are looked at at once.
const AT_ONCE: usize = 16;

/// What was seen of a rack.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    /// When that was begun, in Unix ms.
    pub(super) at: i64,
    /// How it describes itself, or why it does not.
    pub(super) described: Result<SystemDescription, String>,
    /// Its instances, or why they are not known.
    pub(super) instances: Result<Vec<SystemInstance>, String>,
    /// When its SSH key was made, in Unix ms.
    pub(super) key_made: Option<i64>,
}

/// What was seen of all racks, by their ids.
pub(super) struct Sights {
    seen: Mutex<HashMap<String, Arc<Sight>>>,
    /// Those that are being looked at.
    looking: Mutex<HashSet<String>>,
    free: Semaphore,
}

impl Default for Sights {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            looking: Mutex::default(),
            free: Semaphore::new(AT_ONCE),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pages {
    /// Returns what was last seen of a rack; none if it never was, and does not answer soon. What
    /// was seen before `since`, in Unix ms, is looked at again.
    pub(super) async fn sight(
        self: &Arc<Self>,
        rack: &RackRecord,
        since: i64,
    ) -> Option<Arc<Sight>> {
        let mut sights = self.look_at(std::slice::from_ref(rack), since).await;
        sights.pop()?
    }

    /// The same of several, in their order, whenever that was.
    pub(super) async fn sights(self: &Arc<Self>, racks: &[RackRecord]) -> Vec<Option<Arc<Sight>>> {
        self.look_at(racks, i64::MIN).await
    }

    async fn look_at(
        self: &Arc<Self>,
        racks: &[RackRecord],
        since: i64,
    ) -> Vec<Option<Arc<Sight>>> {
        let now = self.service.now();
        let is_fresh = |sight: &Arc<Sight>| now - sight.at < FRESH && sight.at >= since;
        let mut looking = JoinSet::new();
        for rack in racks {
            let seen = locked(&self.sights.seen).get(&rack.id).cloned();
            let begins = || locked(&self.sights.looking).insert(rack.id.clone());
            if !seen.as_ref().is_some_and(is_fresh) && begins() {
                let (pages, rack) = (self.clone(), rack.clone());
                looking.spawn(async move { pages.look(rack).await });
            }
        }
        let clock = self.service.clock().clone();
        tokio::select! {
            () = async { while looking.join_next().await.is_some() {} } => {}
            () = clock.sleep(WAIT) => {}
        }
        // They go on, for whoever asks next.
        looking.detach_all();
        let seen = locked(&self.sights.seen);
        racks
            .iter()
            .map(|rack| seen.get(&rack.id).cloned())
            .collect()
    }

    async fn look(self: Arc<Self>, rack: RackRecord) {
        let _turn = self.sights.free.acquire().await;
        let sight = Sight::of(&self.service, &rack).await;
        locked(&self.sights.seen).insert(rack.id.clone(), Arc::new(sight));
        locked(&self.sights.looking).remove(&rack.id);
    }
}

impl Sight {
    async fn of(service: &Service, rack: &RackRecord) -> Self {
        let at = service.now();
        let described = describe(service, rack).await;
        let described = described.map_err(|refused| refused.to_string());
        let (mut instances, mut key_made) = (Err("not known".to_owned()), None);
        if let Ok(found) = service.find_rack(rack).await {
            let listed = found.rack.system.instances().await;
            instances = listed.map_err(|error| error.to_string());
            let key = described
                .as_ref()
                .ok()
                .and_then(|it| it.parameters.get("Key"));
            if let Some(name) = key.filter(|name| !name.is_empty()) {
                let pair = found.rack.key_pairs.find(name).await.ok().flatten();
                let made = pair.and_then(|pair| pair.created_at);
                // The rack's own time may be another than ours.
                key_made = made.map(|made| {
                    let age = found.clock.now().duration_since(made).as_millis();
                    service.now() - i64::try_from(age).unwrap_or(0)
                });
            }
        }
        Self {
            at,
            described,
            instances,
            key_made,
        }
    }
}
