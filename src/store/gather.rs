//! Questions that many ask at once, and that the database answers together.
//!
//! A turn to the database and back costs more than what it does for one key. Whoever asks while
//! nobody else does waits for nobody; where many ask, a group waits a moment for its share of them,
//! since those who were just answered ask again at once.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore, oneshot};

use super::Store;
use super::error::StoreError;

/// How many groups are under way at once: while one waits for the disk, the next does its work.
const GROUPS: usize = 2;
/// How many questions a group has at most.
const MOST: usize = 32;
/// For how long a group waits at most for its share of the questions.
const PATIENCE: Duration = Duration::from_millis(1);

/// A question that may be answered together with others of its kind.
#[async_trait]
pub(super) trait Question: Clone + Send + Sync + 'static {
    /// What it is answered with.
    type Answer: Send + 'static;

    /// Returns what it is about; two that are about the same are not in one group.
    fn about(&self) -> &str;

    /// Answers questions in one go, each with what it came to. Those without an answer here are
    /// asked alone, and so are all of them when it fails.
    ///
    /// # Errors
    /// As the database's.
    async fn together(
        store: &Store,
        questions: Vec<Self>,
    ) -> Result<Vec<Option<Result<Self::Answer, StoreError>>>, StoreError>;

    /// Answers it alone.
    ///
    /// # Errors
    /// As the question's.
    async fn alone(self, store: &Store) -> Result<Self::Answer, StoreError>;
}

/// A question, and who waits for its answer.
struct Asked<Q: Question> {
    question: Q,
    reply: oneshot::Sender<Result<Q::Answer, StoreError>>,
    _one_of: OneOf,
}

/// One of those who have asked and are not answered, whether or not somebody still waits.
struct OneOf(Arc<AtomicUsize>);

impl OneOf {
    fn more(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }
}

impl Drop for OneOf {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<Q: Question> Asked<Q> {
    /// Has it answered alone, whether or not somebody still waits.
    fn apart(self, store: &Store) {
        let store = store.clone();
        tokio::spawn(async move {
            let answer = self.question.alone(&store).await;
            let _ = self.reply.send(answer);
        });
    }
}

/// Returns how many of so many questions are in one group.
fn share_of(asking: usize) -> usize {
    asking.div_ceil(GROUPS).clamp(1, MOST)
}

/// Where questions of a kind wait until it is their turn.
pub(super) struct Gather<Q: Question> {
    waiting: Mutex<Vec<Asked<Q>>>,
    arrived: Notify,
    places: Semaphore,
    /// How many have asked and are not answered.
    asking: Arc<AtomicUsize>,
    /// How many are thought to ask again and again: most of them ask now or have just been answered.
    crowd: AtomicUsize,
}

impl<Q: Question> Default for Gather<Q> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            asking: Arc::default(),
            crowd: AtomicUsize::new(0),
            places: Semaphore::new(GROUPS),
        }
    }
}

impl<Q: Question> Gather<Q> {
    /// Asks, and returns the answer.
    ///
    /// # Errors
    /// As the question's.
    pub(super) async fn ask(
        self: &Arc<Self>,
        store: &Store,
        question: Q,
    ) -> Result<Q::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.waiting().push(Asked {
            question,
            reply,
            _one_of: OneOf::more(&self.asking),
        });
        self.arrived.notify_waiters();
        let (this, store) = (Arc::clone(self), store.clone());
        // Whoever asked may go away in the middle; others wait for the same group.
        tokio::spawn(async move { this.answer_a_group(&store).await });
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Asked<Q>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many wait as are a group's share of the crowd, but not for long.
    async fn wait_for_a_share(&self) {
        let share = share_of(self.crowd.load(Ordering::Relaxed));
        let all = async {
            loop {
                let mut arrived = pin!(self.arrived.notified());
                // From now on, so that nobody comes unheard between the look and the wait.
                arrived.as_mut().enable();
                if self.waiting().len() >= share {
                    return;
                }
                arrived.await;
            }
        };
        // Then with those who came.
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }

    /// Takes a group's share of those who wait; they ask about different things.
    fn take(&self) -> Vec<Asked<Q>> {
        let mut waiting = self.waiting();
        let asking = self.asking.load(Ordering::Relaxed);
        let crowd = self.crowd.load(Ordering::Relaxed).max(asking);
        let (mut group, mut about) = (Vec::new(), HashSet::new());
        for asked in std::mem::take(&mut *waiting) {
            if group.len() < share_of(crowd) && about.insert(asked.question.about().to_owned()) {
                group.push(asked);
            } else {
                waiting.push(asked);
            }
        }
        if !group.is_empty() {
            // Who went away is forgotten within a few groups.
            let crowd = usize::midpoint(crowd, asking);
            self.crowd.store(crowd, Ordering::Relaxed);
        }
        group
    }

    /// Answers as many as wait when it is their turn; there may be none any more. There is one
    /// turn for each question, and each takes at least one.
    async fn answer_a_group(&self, store: &Store) {
        let _place = self.places.acquire().await;
        if !self.waiting().is_empty() {
            self.wait_for_a_share().await;
        }
        let mut group = self.take();
        if group.len() < 2 {
            if let Some(asked) = group.pop() {
                let answer = asked.question.alone(store).await;
                let _ = asked.reply.send(answer);
            }
            return;
        }
        let questions = group.iter().map(|asked| asked.question.clone()).collect();
        match Q::together(store, questions).await {
            Ok(answers) => {
                for (asked, answer) in group.into_iter().zip(answers) {
                    match answer {
                        // Whoever waited may have gone away.
                        Some(answer) => drop(asked.reply.send(answer)),
                        None => asked.apart(store),
                    }
                }
            }
            // One must not fail for another one's sake.
            Err(_) => group.into_iter().for_each(|asked| asked.apart(store)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::ids::Entropy;

    /// Says how many were asked together, after a while.
    #[derive(Clone)]
    struct HowMany(String);

    const WHILE: Duration = Duration::from_millis(4);

    #[async_trait]
    impl Question for HowMany {
        type Answer = usize;

        fn about(&self) -> &str {
            &self.0
        }

        async fn together(
            _: &Store,
            questions: Vec<Self>,
        ) -> Result<Vec<Option<Result<usize, StoreError>>>, StoreError> {
            Clock::system().sleep(WHILE).await;
            let count = questions.len();
            Ok(questions.iter().map(|_| Some(Ok(count))).collect())
        }

        async fn alone(self, _: &Store) -> Result<usize, StoreError> {
            Clock::system().sleep(WHILE).await;
            Ok(1)
        }
    }

    /// A place to ask at, and a database that is not asked; from then on time is virtual.
    async fn gather(dir: &tempfile::TempDir) -> (Arc<Gather<HowMany>>, Store) {
        let path = dir.path().join("db");
        let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
        tokio::time::pause();
        (Arc::default(), store)
    }

    #[tokio::test]
    async fn many_who_ask_again_and_again_are_answered_in_groups_of_their_share() {
        let dir = tempfile::tempdir().unwrap();
        let (gather, store) = gather(&dir).await;
        let askers = (0..16).map(|asker| {
            let (gather, store) = (Arc::clone(&gather), store.clone());
            tokio::spawn(async move {
                let mut sizes = Vec::new();
                for _ in 0..20 {
                    sizes.push(
                        gather
                            .ask(&store, HowMany(asker.to_string()))
                            .await
                            .unwrap(),
                    );
                }
                sizes.split_off(2)
            })
        });
        for asker in askers.collect::<Vec<_>>() {
            let sizes = asker.await.unwrap();
            assert!(sizes.iter().all(|size| *size == 8), "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn whoever_goes_away_is_not_waited_for_later() {
        let dir = tempfile::tempdir().unwrap();
        let (gather, store) = gather(&dir).await;
        let asked = (0..40).map(|asker| {
            let (gather, store) = (Arc::clone(&gather), store.clone());
            tokio::spawn(async move { gather.ask(&store, HowMany(asker.to_string())).await })
        });
        let asked: Vec<_> = asked.collect();
        Clock::system().sleep(WHILE / 2).await;
        for task in asked {
            task.abort();
        }
        Clock::system().sleep(100 * WHILE).await;
        assert_eq!(gather.asking.load(Ordering::Relaxed), 0);
        // Those who ask about the same are not in one group.
        let same = [(); 3].map(|()| gather.ask(&store, HowMany("same".to_owned())));
        for answer in futures_util::future::join_all(same).await {
            assert_eq!(answer.unwrap(), 1);
        }
    }
}
