//! Reads a stack's events, each once, in the order in which they happened.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::rack::{PortError, StackEvent, Stacks};

/// Follows the events of a stack and of the stacks nested in it.
///
/// A poll reads pages newest first and stops at the first page that holds an event which it
/// has seen, or which is older than the operation that it follows.
#[derive(Debug)]
pub(super) struct EventTail {
    /// Stack ARNs, the root first.
    stacks: Vec<String>,
    since: Timestamp,
    seen: HashSet<String>,
}

/// What one poll brought.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// New events in the order in which they happened.
    pub(super) events: Vec<StackEvent>,
}

const NESTED_STACK: &str = "AWS::CloudFormation::Stack";

impl EventTail {
    /// Follows `root`, leaving out events before `since`.
    pub(super) fn new(root: &str, since: Timestamp) -> Self {
        Self {
            stacks: vec![root.to_owned()],
            since,
            seen: HashSet::new(),
        }
    }

    /// Marks everything that there is as seen, so that only what follows is reported.
    ///
    /// # Errors
    /// As the port.
    pub(super) async fn skip_history(&mut self, stacks: &dyn Stacks) -> Result<(), PortError> {
        let root = self.stacks[0].clone();
        let page = stacks.events(&root, None).await?;
        if let Some(newest) = page.events.first() {
            self.since = newest.at;
        }
        self.seen
            .extend(page.events.into_iter().map(|event| event.id));
        Ok(())
    }

    /// Reads what is new in every stack that is followed.
    ///
    /// On an error nothing is lost: the next poll reads the same events.
    ///
    /// # Errors
    /// As the port.
    pub(super) async fn poll(&mut self, stacks: &dyn Stacks) -> Result<Batch, PortError> {
        let mut events = Vec::new();
        for stack in self.stacks.clone() {
            let mut fresh = self.read_new(stacks, &stack).await?;
            // Newest first on the wire: turned before anything is sorted, so that
            // events of one millisecond keep their order.
            fresh.reverse();
            events.append(&mut fresh);
        }
        if self.stacks.len() > 1 {
            events.sort_by_key(|event| event.at);
        }
        for event in &events {
            self.seen.insert(event.id.clone());
            self.follow_nested(event);
        }
        Ok(Batch { events })
    }

    async fn read_new(
        &self,
        stacks: &dyn Stacks,
        stack: &str,
    ) -> Result<Vec<StackEvent>, PortError> {
        let mut fresh = Vec::new();
        let mut page = None;
        loop {
            let read = stacks.events(stack, page).await?;
            let mut reached_the_known = false;
            // The page is here anyway: one that became visible late, below a seen one, counts.
            for event in read.events {
                if self.seen.contains(&event.id) || event.at < self.since {
                    reached_the_known = true;
                } else {
                    fresh.push(event);
                }
            }
            page = read.next;
            if page.is_none() || reached_the_known {
                return Ok(fresh);
            }
        }
    }

    /// A nested stack is followed from its first event in the parent until the parent says
    /// that it is finished.
    fn follow_nested(&mut self, event: &StackEvent) {
        let nested = event.resource_type == NESTED_STACK && !event.is_about_the_stack();
        if !nested || event.physical_id.is_empty() {
            return;
        }
        let followed = self
            .stacks
            .iter()
            .position(|stack| *stack == event.physical_id);
        match (event.status.ends_with("_IN_PROGRESS"), followed) {
            (true, None) => self.stacks.push(event.physical_id.clone()),
            (false, Some(index)) => {
                self.stacks.remove(index);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::rack::{
        EventPage, ResourceChange, Stack, StackResource, TemplateBody, UpdateAccepted,
        UpdateRequest,
    };

    /// Makes an event of resource `logical` in stack `arn:root`.
    pub(in crate::roll) fn event(id: &str, millis: i64, logical: &str, status: &str) -> StackEvent {
        let of_stack = logical == "prod";
        StackEvent {
            id: id.to_owned(),
            stack_id: "arn:root".to_owned(),
            stack_name: "prod".to_owned(),
            logical_id: logical.to_owned(),
            physical_id: if of_stack {
                "arn:root".to_owned()
            } else {
                format!("phys-{logical}")
            },
            resource_type: if of_stack {
                NESTED_STACK.to_owned()
            } else {
                "AWS::AutoScaling::AutoScalingGroup".to_owned()
            },
            status: status.to_owned(),
            reason: None,
            at: Timestamp::from_millisecond(millis).unwrap(),
            token: None,
            operation_id: None,
        }
    }

    /// Pages of two events over a fixed history, newest first, counting calls.
    #[derive(Default)]
    struct History {
        events: Mutex<Vec<StackEvent>>,
        calls: Mutex<usize>,
    }

    #[async_trait]
    impl Stacks for History {
        async fn describe(&self, stack: &str) -> Result<Stack, PortError> {
            Err(PortError::NotFound {
                what: stack.to_owned(),
            })
        }
        async fn racks(&self) -> Result<Vec<String>, PortError> {
            Ok(Vec::new())
        }
        async fn resources(&self, _: &str) -> Result<Vec<StackResource>, PortError> {
            Ok(Vec::new())
        }
        async fn template(&self, stack: &str) -> Result<TemplateBody, PortError> {
            Err(PortError::NotFound {
                what: stack.to_owned(),
            })
        }
        async fn events(&self, stack: &str, page: Option<String>) -> Result<EventPage, PortError> {
            *self.calls.lock().unwrap() += 1;
            let events: Vec<_> = self
                .events
                .lock()
                .unwrap()
                .iter()
                .rev()
                .filter(|event| event.stack_id == stack)
                .cloned()
                .collect();
            let from = page.map_or(0, |page| page.parse().unwrap());
            let next = (from + 2 < events.len()).then(|| (from + 2).to_string());
            Ok(EventPage {
                events: events.into_iter().skip(from).take(2).collect(),
                next,
            })
        }
        async fn update(&self, _: &UpdateRequest) -> Result<UpdateAccepted, PortError> {
            Ok(UpdateAccepted::default())
        }
        async fn preview(
            &self,
            _: &UpdateRequest,
        ) -> Result<Option<Vec<ResourceChange>>, PortError> {
            Ok(None)
        }
        async fn cancel_update(&self, _: &str, _: &str) -> Result<(), PortError> {
            Ok(())
        }
        async fn continue_rollback(&self, _: &str, _: &[String], _: &str) -> Result<(), PortError> {
            Ok(())
        }
        async fn rollback(&self, _: &str, _: &str) -> Result<(), PortError> {
            Ok(())
        }
    }

    fn ids(batch: &Batch) -> Vec<&str> {
        batch.events.iter().map(|event| event.id.as_str()).collect()
    }

    #[tokio::test]
    async fn events_of_one_millisecond_are_neither_lost_nor_turned() {
        let history = History::default();
        history.events.lock().unwrap().extend([
            event("a", 1, "prod", "UPDATE_COMPLETE"),
            event("b", 5, "prod", "UPDATE_IN_PROGRESS"),
            event("c", 5, "Instances", "UPDATE_IN_PROGRESS"),
            event("d", 5, "Instances", "UPDATE_IN_PROGRESS"),
        ]);
        let mut tail = EventTail::new("arn:root", Timestamp::from_millisecond(5).unwrap());
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), ["b", "c", "d"]);
        history
            .events
            .lock()
            .unwrap()
            .push(event("e", 5, "Instances", "UPDATE_COMPLETE"));
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), ["e"]);
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), Vec::<&str>::new());
    }

    #[tokio::test]
    async fn a_poll_stops_at_the_first_seen_event() {
        let history = History::default();
        for n in 0..40 {
            history
                .events
                .lock()
                .unwrap()
                .push(event(&n.to_string(), n, "Instances", "X"));
        }
        let mut tail = EventTail::new("arn:root", Timestamp::from_millisecond(0).unwrap());
        assert_eq!(tail.poll(&history).await.unwrap().events.len(), 40);
        assert_eq!(*history.calls.lock().unwrap(), 20);
        history
            .events
            .lock()
            .unwrap()
            .push(event("new", 41, "Instances", "X"));
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), ["new"]);
        assert_eq!(*history.calls.lock().unwrap(), 21);
    }

    #[tokio::test]
    async fn history_is_skipped_even_within_the_same_millisecond() {
        let history = History::default();
        history
            .events
            .lock()
            .unwrap()
            .push(event("old", 5, "prod", "UPDATE_COMPLETE"));
        let mut tail = EventTail::new("arn:root", Timestamp::UNIX_EPOCH);
        tail.skip_history(&history).await.unwrap();
        history
            .events
            .lock()
            .unwrap()
            .push(event("new", 5, "prod", "UPDATE_IN_PROGRESS"));
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), ["new"]);
    }

    #[tokio::test]
    async fn nested_stacks_are_followed_until_they_finish() {
        let history = History::default();
        let mut parent = event("p1", 1, "Child", "UPDATE_IN_PROGRESS");
        parent.resource_type = NESTED_STACK.to_owned();
        parent.physical_id = "arn:child".to_owned();
        let mut child = event("c1", 2, "Inner", "UPDATE_FAILED");
        child.stack_id = "arn:child".to_owned();
        history
            .events
            .lock()
            .unwrap()
            .extend([parent.clone(), child]);
        let mut tail = EventTail::new("arn:root", Timestamp::UNIX_EPOCH);
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), ["p1"]);
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), ["c1"]);
        parent.id = "p2".to_owned();
        parent.status = "UPDATE_COMPLETE".to_owned();
        history.events.lock().unwrap().push(parent);
        assert_eq!(ids(&tail.poll(&history).await.unwrap()), ["p2"]);
        assert_eq!(tail.stacks, ["arn:root"]);
    }
}
