//! What a service does by itself, for as long as anybody has it.

use std::time::Duration;

use super::service::Service;

/// How long what was counted waits to be written down: less than the second that is promised,
/// since writing takes time too.
const COUNTS: Duration = Duration::from_millis(500);
/// How often what is too old is removed.
const TIDY: Duration = Duration::from_mins(1);

/// How often it is looked whether there is a new master key.
const MASTER_KEYS: Duration = Duration::from_secs(1);

/// Begins to write counts down, to remove what is too old, and to heed new master keys.
pub(super) fn start(service: &Service) {
    repeat(service, COUNTS, |service: Service| async move {
        // What could not be written is kept for the next time.
        let _ = service.write_counts().await;
    });
    repeat(service, TIDY, |service: Service| async move {
        // What could not be removed is found the next time.
        let _ = service.tidy().await;
    });
    repeat(service, MASTER_KEYS, |service: Service| async move {
        // Until it succeeds, what is sealed is sealed with the key that is known.
        let _ = service.refresh_master_keys().await;
    });
}

fn repeat<F>(service: &Service, every: Duration, work: impl Fn(Service) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    let (clock, service) = (service.clock().clone(), service.weakly());
    tokio::spawn(async move {
        loop {
            clock.sleep(every).await;
            let Some(service) = service() else {
                return;
            };
            work(service).await;
        }
    });
}
