//! Questions that many ask at once, and that the database answers together.
//!
//! A turn to the database and back costs more than what it does for one key. Whoever asks while
//! nobody else does waits for nobody.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};

use super::Store;
use super::error::StoreError;

/// How many groups are under way at once: while one waits for the disk, the next does its work.
const GROUPS: usize = 2;
/// How many questions a group has at most.
const MOST: usize = 32;

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

/// Where questions of a kind wait until it is their turn.
pub(super) struct Gather<Q: Question> {
    waiting: Mutex<Vec<Asked<Q>>>,
    places: Semaphore,
}

impl<Q: Question> Default for Gather<Q> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
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
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Asked { question, reply });
        let (this, store) = (Arc::clone(self), store.clone());
        // Whoever asked may go away in the middle; others wait for the same group.
        tokio::spawn(async move { this.answer_a_group(&store).await });
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Takes those who wait and ask about different things.
    fn take(&self) -> Vec<Asked<Q>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut group, mut about) = (Vec::new(), HashSet::new());
        for asked in std::mem::take(&mut *waiting) {
            if group.len() < MOST && about.insert(asked.question.about().to_owned()) {
                group.push(asked);
            } else {
                waiting.push(asked);
            }
        }
        group
    }

    /// Answers as many as wait when it is their turn; there may be none any more. There is one
    /// turn for each question, and each takes at least one.
    async fn answer_a_group(&self, store: &Store) {
        let _place = self.places.acquire().await;
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
