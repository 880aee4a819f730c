//! What was last seen of the racks: pages show that at once, and have it looked at again meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::console::broker::{describe, instances};
use crate::console::service::Service;
use crate::rack::{SystemDescription, SystemInstance};
use crate::store::{RackKind, RackRecord};

/// For how long what was seen is good enough, in ms.
const FRESH: i64 = 2_000;
/// For how long a page waits for it.
const WAIT: Duration = Duration::from_millis(400);
/// How many racks are looked at at once.
const AT_ONCE: usize = 8;

/// Something that was seen of a rack.
#[derive(Debug)]
pub(super) struct Sight<T> {
    /// When that was begun, in Unix ms.
    pub(super) at: i64,
    pub(super) what: T,
}

/// How a rack describes itself.
#[derive(Debug)]
pub(super) struct Description {
    /// The description, or why there is none.
    pub(super) told: Result<SystemDescription, String>,
    /// When its SSH key was made, in Unix ms.
    pub(super) key_made: Option<i64>,
}

/// The instances of a rack, or why they are not known.
pub(super) type Instances = Result<Vec<SystemInstance>, String>;

/// What was seen of all racks, by their ids. Clones share it.
pub(super) struct Sights<T>(Arc<Inner<T>>);

struct Inner<T> {
    seen: Mutex<HashMap<String, Arc<Sight<T>>>>,
    /// Those that are being looked at.
    looking: Mutex<HashSet<String>>,
    free: Semaphore,
}

impl<T> Default for Sights<T> {
    fn default() -> Self {
        Self(Arc::new(Inner {
            seen: Mutex::default(),
            looking: Mutex::default(),
            free: Semaphore::new(AT_ONCE),
        }))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Seen> Sights<T> {
    /// Returns what was last seen of a rack; none if it never was, and does not answer soon. What
    /// was seen before `since`, in Unix ms, is looked at again.
    pub(super) async fn of(
        &self,
        service: &Service,
        rack: &RackRecord,
        since: i64,
    ) -> Option<Arc<Sight<T>>> {
        let mut sights = self.look(service, std::slice::from_ref(rack), since).await;
        sights.pop()?
    }

    /// The same of several, in their order, whenever that was.
    pub(super) async fn all(
        &self,
        service: &Service,
        racks: &[RackRecord],
    ) -> Vec<Option<Arc<Sight<T>>>> {
        self.look(service, racks, i64::MIN).await
    }

    async fn look(
        &self,
        service: &Service,
        racks: &[RackRecord],
        since: i64,
    ) -> Vec<Option<Arc<Sight<T>>>> {
        let (inner, now) = (&self.0, service.now());
        let is_fresh = |sight: &Arc<Sight<T>>| now - sight.at < FRESH && sight.at >= since;
        let mut looking = JoinSet::new();
        for rack in racks {
            let seen = locked(&inner.seen).get(&rack.id).cloned();
            let begins = || locked(&inner.looking).insert(rack.id.clone());
            if !seen.as_ref().is_some_and(is_fresh) && begins() {
                let (inner, service, rack) = (inner.clone(), service.clone(), rack.clone());
                looking.spawn(async move { inner.look_at(&service, &rack).await });
            }
        }
        tokio::select! {
            () = async { while looking.join_next().await.is_some() {} } => {}
            () = service.clock().sleep(WAIT) => {}
        }
        // They go on, for whoever asks next.
        looking.detach_all();
        let seen = locked(&inner.seen);
        racks
            .iter()
            .map(|rack| seen.get(&rack.id).cloned())
            .collect()
    }
}

impl<T: Seen> Inner<T> {
    async fn look_at(&self, service: &Service, rack: &RackRecord) {
        let _looking = Looking(&self.looking, &rack.id);
        let _turn = self.free.acquire().await;
        let at = service.now();
        let what = T::see(service, rack).await;
        locked(&self.seen).insert(rack.id.clone(), Arc::new(Sight { at, what }));
    }
}

/// Somebody is looking at a rack, for as long as this is there.
struct Looking<'a>(&'a Mutex<HashSet<String>>, &'a str);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        locked(self.0).remove(self.1);
    }
}

/// Something that there is to see of a rack.
pub(super) trait Seen: Send + Sync + Sized + 'static {
    /// Asks the rack.
    fn see(service: &Service, rack: &RackRecord) -> impl Future<Output = Self> + Send;
}

impl Seen for Description {
    async fn see(service: &Service, rack: &RackRecord) -> Self {
        let told = describe(service, rack).await;
        let told = told.map(|(told, _)| told);
        let told = told.map_err(|refused| refused.to_string());
        let key = told.as_ref().ok().and_then(|it| it.parameters.get("Key"));
        let key_made = match key.filter(|name| !name.is_empty()) {
            Some(name) => key_made(service, rack, name).await,
            None => None,
        };
        Self { told, key_made }
    }
}

async fn key_made(service: &Service, rack: &RackRecord, name: &str) -> Option<i64> {
    if rack.kind == RackKind::Api {
        return None;
    }
    let found = service.find_rack(rack).await.ok()?;
    let made = found.rack.key_pairs.find(name).await.ok()??.created_at?;
    // The rack's own time may be another than ours.
    let age = found.clock.now().duration_since(made).as_millis();
    Some(service.now() - i64::try_from(age).ok()?)
}

impl Seen for Instances {
    async fn see(service: &Service, rack: &RackRecord) -> Self {
        let listed = instances(service, rack).await;
        listed.map_err(|refused| refused.to_string())
    }
}
