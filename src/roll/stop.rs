//! Asks a running roll to stop following, from a signal handler or a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A request to stop following a roll. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    requested: AtomicBool,
    told: Notify,
}

impl Stop {
    /// Makes a request that nobody has made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop. Asking twice is the same as asking once.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        self.0.told.notify_waiters();
    }

    /// Tells whether somebody has asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// Waits until somebody asks.
    pub async fn requested(&self) {
        let told = self.0.told.notified();
        tokio::pin!(told);
        // Registered before the flag is read, so a request between the two is not lost.
        told.as_mut().enable();
        if !self.is_requested() {
            told.await;
        }
    }
}
