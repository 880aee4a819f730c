//! What a service does by itself, for as long as anybody has it.

use std::time::Duration;

use super::service::Service;

/// How long what was counted waits to be written down: less than the second that is promised,
/// since writing takes time too.
const COUNTS: Duration = Duration::from_millis(500);
/// How long what was written down is added to the views each time: not so long that verifications
/// come short where there are more than can be added up.
const ADDING: Duration = Duration::from_millis(150);
/// How often what is too old is removed.
const TIDY: Duration = Duration::from_mins(1);

/// Begins to write counts down and to remove what is too old.
pub(super) fn start(service: &Service) {
    let reading = service.clone();
    tokio::spawn(async move {
        // Whoever asks reads what was not read ahead.
        let _ = reading.read_ahead().await;
    });
    repeat(service, COUNTS, |service: Service| async move {
        // What could not be written is kept for the next time.
        let _ = service.write_counts(ADDING).await;
    });
    repeat(service, TIDY, |service: Service| async move {
        // What could not be removed is found the next time.
        let _ = service.tidy().await;
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
