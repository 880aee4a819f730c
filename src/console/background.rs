//! What a service does by itself, for as long as anybody has it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::service::Service;
use crate::store::StoreError;

/// How long what was counted waits to be written down: less than the second that is promised,
/// since writing takes time too.
const COUNTS: Duration = Duration::from_millis(500);
/// How long what was written down is added to the views each time: not so long that verifications
/// come short where there are more than can be added up.
const ADDING: Duration = Duration::from_millis(150);
/// How often what is too old is removed.
const TIDY: Duration = Duration::from_mins(1);

/// How often it is looked for schedules that nobody has looked at for a while.
const DUE: Duration = Duration::from_secs(5);

/// How often notices are delivered.
const NOTICES: Duration = Duration::from_secs(2);

/// How often waves are seen to.
const WAVES: Duration = Duration::from_secs(2);

/// How often it is looked whether there is a new master key.
const MASTER_KEYS: Duration = Duration::from_secs(1);

/// Begins to write counts down, to remove what is too old, and to heed new master keys.
pub(super) fn start(service: &Service) {
    let reading = service.clone();
    tokio::spawn(async move {
        // What was not read ahead is read when somebody asks for it.
        if let Err(error) = reading.read_ahead().await {
            reading.log(&format!("keys cannot be read ahead: {error}"));
        }
    });
    // What could not be written is kept for the next time.
    let counts = Trouble::with("verifications cannot be written down");
    let soon = When {
        every: COUNTS,
        or_at: service.counted_enough(),
    };
    repeat(service, soon, counts, |service: Service| async move {
        service.write_down().await
    });
    let sums = Trouble::with("verifications cannot be added up");
    let then = When {
        every: COUNTS,
        or_at: service.counted_written(),
    };
    repeat(service, then, sums, |service: Service| async move {
        service.add_up(ADDING).await
    });
    // What could not be removed is found the next time.
    let tidy = Trouble::with("what is too old cannot be removed");
    repeat(service, TIDY, tidy, |service: Service| async move {
        service.tell_dropped();
        service.tidy().await
    });
    // What was not delivered is delivered later.
    let notices = Trouble::with("notices cannot be delivered");
    repeat(service, NOTICES, notices, |service: Service| async move {
        service.deliver_notices().await
    });
    let expiring = Trouble::with("keys that expire cannot be looked for");
    repeat(service, TIDY, expiring, |service: Service| async move {
        service.tell_of_expiring_keys().await
    });
    // Until it succeeds, what is sealed is sealed with the key that is known.
    let keys = Trouble::with("master keys cannot be read");
    repeat(service, MASTER_KEYS, keys, |service: Service| async move {
        service.refresh_master_keys().await
    });
}

/// Begins to begin rolls for which it is time.
pub(super) fn start_with_racks(service: &Service) {
    // What has not begun is looked at again.
    let due = Trouble::with("rolls that are due cannot be begun");
    repeat(service, DUE, due, |service: Service| async move {
        service.begin_due_rolls().await
    });
    let waves = Trouble::with("waves that are due cannot be begun");
    repeat(service, DUE, waves, |service: Service| async move {
        service.begin_due_waves().await
    });
    let waves = Trouble::with("waves cannot go on");
    repeat(service, WAVES, waves, |service: Service| async move {
        service.advance_waves().await
    });
}

/// When something is done again.
struct When {
    every: Duration,
    /// Sooner, once this is notified.
    or_at: Arc<Notify>,
}

impl From<Duration> for When {
    fn from(every: Duration) -> Self {
        Self {
            every,
            or_at: Arc::default(),
        }
    }
}

fn repeat<F, E>(
    service: &Service,
    when: impl Into<When>,
    mut trouble: Trouble,
    work: impl Fn(Service) -> F + Send + 'static,
) where
    F: Future<Output = Result<(), E>> + Send,
    E: Display + Send,
{
    let (clock, service) = (service.clock().clone(), service.weakly());
    let When { every, or_at } = when.into();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = clock.sleep(every) => {}
                () = or_at.notified() => {}
            }
            let Some(service) = service() else {
                return;
            };
            let result = work(service.clone()).await;
            if let Some(line) = trouble.heed(&result) {
                service.log(&line);
            }
        }
    });
}

/// Waits until all of several tasks have ended, and returns what went wrong with one of them.
pub(super) async fn joined(mut tasks: JoinSet<Result<(), StoreError>>) -> Result<(), StoreError> {
    let mut all = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(StoreError::Database(error.to_string())));
        all = all.and(ended);
    }
    all
}

/// Whether something that is done again and again goes wrong. It is said once.
struct Trouble {
    what: &'static str,
    is_on: bool,
}

impl Trouble {
    fn with(what: &'static str) -> Self {
        Self { what, is_on: false }
    }

    /// Takes in how it went, and returns what there is to say about it now.
    fn heed(&mut self, result: &Result<(), impl Display>) -> Option<String> {
        let was_on = std::mem::replace(&mut self.is_on, result.is_err());
        match result {
            Err(error) if !was_on => {
                Some(format!("{}, and this is tried again: {error}", self.what))
            }
            Ok(()) if was_on => Some(format!("{}: that is over", self.what)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_is_said_once_and_so_is_its_end() {
        let failed = || Err(StoreError::Database("no disk".to_owned()));
        let mut trouble = Trouble::with("nothing can be kept");
        let said: Vec<_> = [Ok(()), failed(), failed(), Ok(()), Ok(()), failed()]
            .iter()
            .map(|result| trouble.heed(result))
            .collect();
        let begins = "nothing can be kept, and this is tried again: the database failed: no disk";
        let begins = Some(begins.to_owned());
        let over = Some("nothing can be kept: that is over".to_owned());
        assert_eq!(said, [None, begins.clone(), None, over, None, begins]);
    }
}
