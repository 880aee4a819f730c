//! A stack's history.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::world::{self, World};
use super::Due;
use super::stack::Stack;

/// One line of a stack's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique in the account.
    pub id: String,
    /// The resource; the stack's name for the stack itself.
    pub logical_id: String,
    /// The resource's name in AWS; the stack's id for the stack itself.
    pub physical_id: String,
    /// The type.
    pub kind: String,
    /// The status.
    pub status: String,
    /// Why, or what is going on.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The client request token of the call behind it.
    pub token: Option<String>,
    /// The operation it belongs to.
    pub operation: Option<String>,
}

/// The type of a stack.
pub(super) const STACK: &str = "AWS::CloudFormation::Stack";

/// The longest that an event is held back where events are told out of order.
const HELD: Duration = Duration::from_millis(900);

impl Stack {
    /// Gives the stack a status and writes that down.
    pub(super) fn turn(&mut self, world: &mut World, status: &str, reason: Option<String>) {
        self.tell_held();
        self.status = status.to_owned();
        self.status_reason.clone_from(&reason);
        let mut event = self.event(world, status, reason);
        event.id = world.chance.uuid();
        self.events.push(event);
    }

    /// Gives a resource a status and writes that down.
    pub(super) fn turn_resource(
        &mut self,
        world: &mut World,
        logical_id: &str,
        status: &str,
        reason: Option<String>,
    ) {
        let mut event = self.event(world, status, reason);
        event.id = format!("{logical_id}-{}", world.chance.uuid());
        event.logical_id = logical_id.to_owned();
        event.physical_id.clear();
        event.kind.clear();
        if let Some(resource) = self.resources.get_mut(logical_id) {
            resource.status = status.to_owned();
            resource.reason.clone_from(&event.reason);
            resource.updated = event.at;
            event.physical_id.clone_from(&resource.physical_id);
            event.kind.clone_from(&resource.kind);
        }
        self.tell(world, event);
    }

    /// Writes down what becomes of a resource that is no longer part of the stack.
    pub(super) fn tell_leftover(
        &mut self,
        world: &mut World,
        (logical_id, physical_id, kind): (&str, &str, &str),
        status: &str,
    ) {
        let mut event = self.event(world, status, None);
        event.id = format!("{logical_id}-{}", world.chance.uuid());
        event.logical_id = logical_id.to_owned();
        event.physical_id = physical_id.to_owned();
        event.kind = kind.to_owned();
        self.tell(world, event);
    }

    fn event(&self, world: &World, status: &str, reason: Option<String>) -> Event {
        let operation = self.operation.as_ref();
        Event {
            id: String::new(),
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            kind: STACK.to_owned(),
            status: status.to_owned(),
            reason,
            at: world.now,
            token: operation.and_then(|operation| operation.token.clone()),
            operation: operation.map(|operation| operation.id.clone()),
        }
    }

    /// Writes an event down, or holds it back until the next one where events are shuffled.
    ///
    /// A late event is appended with its own, earlier time: it never hides behind
    /// one that a reader has already seen.
    fn tell(&mut self, world: &mut World, event: Event) {
        let may_wait = event.reason.is_some() && event.status.ends_with("_IN_PROGRESS");
        if may_wait
            && self.held.is_none()
            && world.events_are_shuffled()
            && world.chance.bits().is_multiple_of(2)
        {
            self.held = Some(event);
            let due = Due::Told {
                stack: self.id.clone(),
            };
            world.schedule(HELD, world::Due::CloudFormation(due));
        } else {
            self.events.push(event);
            self.tell_held();
        }
    }

    /// Writes down the event that was held back, if there is one.
    pub(super) fn tell_held(&mut self) {
        self.events.extend(self.held.take());
    }
}
