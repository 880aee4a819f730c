//! `/system/logs`: what a rack's rolls are seen to do, as lines of the rack's own log.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};

use super::Call;
use super::answer::text_of;
use super::may::may;
use super::socket::Socket;
use crate::clock::Clock;
use crate::console::service::Service;
use crate::roll::{Event, EventKind};
use crate::store::{RackRecord, StoreError};

/// How often it is looked for more.
const LOOKING: Duration = Duration::from_secs(1);
/// After how many looks it is asked whether the client is there, and may look.
const CHECK: u32 = 30;
/// For how many looks a client may say nothing.
const PATIENCE: u32 = 90;
/// How far back it begins where nobody says.
const SINCE: Duration = Duration::from_mins(2);

/// Which lines are wanted, and how they are written.
pub(super) struct Wanted {
    since: Timestamp,
    has_prefix: bool,
    filter: Option<String>,
    follows: bool,
}

impl Wanted {
    /// Reads it from the headers `Since` (such as `5s`), `Prefix`, `Filter` and `Follow`, by the
    /// clock of the rack.
    pub(super) fn of(headers: &HeaderMap, clock: &Clock) -> Self {
        let is = |name, default: bool| match text_of(headers, name) {
            Some(text) => text != "false",
            None => default,
        };
        let since = text_of(headers, "since");
        let since = since.and_then(|since| humantime::parse_duration(&since).ok());
        let since = SignedDuration::try_from(since.unwrap_or(SINCE)).unwrap_or_default();
        Self {
            since: clock.now().saturating_sub(since).unwrap_or(Timestamp::MIN),
            has_prefix: is("prefix", false),
            filter: text_of(headers, "filter"),
            follows: is("follow", true),
        }
    }

    fn line(&self, event: &Event) -> Option<String> {
        if event.at < self.since {
            return None;
        }
        let (stream, told) = words(event)?;
        if self.filter.as_ref().is_some_and(|it| !told.contains(it)) {
            return None;
        }
        Some(match self.has_prefix {
            true => format!("{:.0} {stream} {told}\n", event.at),
            false => format!("{told}\n"),
        })
    }
}

/// Who looks, at which rack, and at what.
pub(super) struct Viewer {
    rack: RackRecord,
    person: String,
    key: Option<String>,
    path: String,
}

impl Viewer {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            rack: call.rack.clone(),
            person: call.caller.person.id.clone(),
            key: call.caller.key.clone(),
            path: call.asked.path.clone(),
        }
    }

    pub(super) fn rack(&self) -> &RackRecord {
        &self.rack
    }

    /// Tells whether their key still works, and they still belong to the rack's organization, with
    /// a role that may.
    pub(super) async fn may_look(&self, service: &Service) -> bool {
        if let Some(key) = &self.key
            && !service.account_key_works(key).await.unwrap_or(false)
        {
            return false;
        }
        let found = service.store().person(&self.person).await;
        found.is_ok_and(|found| {
            let memberships = found.map(|(_, memberships)| memberships);
            let mut all = memberships.iter().flatten();
            all.any(|membership| {
                membership.workspace == self.rack.workspace
                    && may(membership.role, &Method::GET, &self.path, true)
            })
        })
    }
}

/// Sends lines as they come, until the client is gone or may not look any more.
pub(super) async fn send(service: Service, viewer: Viewer, wanted: Wanted, mut socket: Socket) {
    let mut seen = Seen::default();
    let (mut looks, mut unheard) = (0_u32, 0_u32);
    loop {
        // What cannot be read now may be the next time.
        let news = seen.news(&service, &viewer.rack).await;
        for line in news.iter().flatten().filter_map(|it| wanted.line(it)) {
            if !socket.send(line).await {
                return;
            }
        }
        if !wanted.follows {
            return socket.end().await;
        }
        tokio::select! {
            is_there = socket.hear() => match is_there {
                true => unheard = 0,
                false => return,
            },
            () = service.clock().sleep(LOOKING) => {
                looks += 1;
                unheard += 1;
            }
        }
        if unheard > PATIENCE || (looks.is_multiple_of(CHECK) && !viewer.may_look(&service).await) {
            return socket.end().await;
        }
        if unheard > 0 && unheard.is_multiple_of(CHECK) {
            socket.ping().await;
        }
    }
}

/// What was sent of a rack's rolls.
#[derive(Default)]
struct Seen {
    roll: String,
    events: i64,
    /// Events of the stack by their ids, which whoever takes a roll up tells again.
    told: BTreeSet<String>,
}

impl Seen {
    /// Reads what was seen of the rack's last roll since the last time.
    async fn news(
        &mut self,
        service: &Service,
        rack: &RackRecord,
    ) -> Result<Vec<Event>, StoreError> {
        let store = service.store();
        let Some(last) = store.rolls(&rack.id, 1).await?.pop() else {
            return Ok(Vec::new());
        };
        let mut events = self.more(service).await?;
        if last.id != self.roll {
            *self = Self {
                roll: last.id,
                ..Self::default()
            };
            events.extend(self.more(service).await?);
        }
        Ok(events)
    }

    async fn more(&mut self, service: &Service) -> Result<Vec<Event>, StoreError> {
        let texts = service.store().roll_events(&self.roll, self.events).await?;
        self.events += i64::try_from(texts.len()).unwrap_or(0);
        let events = texts.iter().filter_map(|it| serde_json::from_str(it).ok());
        let mut events: Vec<Event> = events.collect();
        events.retain(|event| match &event.kind {
            EventKind::Stack(stack) => self.told.insert(stack.id.clone()),
            _ => true,
        });
        Ok(events)
    }
}

/// Words an event as a line of a stream; nothing for what only a picture shows.
fn words(event: &Event) -> Option<(&'static str, String)> {
    let told = match &event.kind {
        EventKind::Stack(stack) => {
            let reason = stack.reason.as_deref().unwrap_or_default();
            let told = format!(
                "aws/cfm {} {} {} {reason}",
                stack.stack_name, stack.status, stack.logical_id
            );
            return Some(("system/cloudformation", told.trim_end().to_owned()));
        }
        EventKind::Planned(plan) => format!("begins to roll the key of {}", plan.rack),
        EventKind::Resumed { .. } => "goes on".to_owned(),
        EventKind::StepDone { detail, .. } => detail.clone(),
        EventKind::StepFailed { message, .. } | EventKind::Warning { message } => message.clone(),
        EventKind::Busy { status, .. } => format!("waits: the stack is {status}"),
        EventKind::RollbackDetected { cause: None } => "the update is going back".to_owned(),
        EventKind::RollbackDetected { cause: Some(cause) } => format!(
            "the update is going back: {} {}",
            cause.logical_id, cause.reason
        ),
        EventKind::Finished(report) => format!("ended: {}", report.message),
        _ => return None,
    };
    Some(("system/convox", format!("roll {}: {told}", event.roll)))
}
