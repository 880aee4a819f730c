//! `/system/logs`: what a rack's rolls are seen to do, as lines of the rack's own log.

use std::time::Duration;

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::answer::text_of;
use super::socket::Socket;
use crate::clock::Clock;
use crate::console::service::Service;
use crate::roll::{Event, EventKind, told_once};
use crate::store::{RackRecord, StoreError};

/// How often it is looked for more.
const LOOKING: Duration = Duration::from_secs(1);
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

/// Sends lines as they come, until the client is gone.
pub(super) async fn send(service: Service, rack: RackRecord, wanted: Wanted, mut socket: Socket) {
    let (mut roll, mut seen) = (String::new(), 0);
    loop {
        // What cannot be read now may be the next time.
        let news = news(&service, &rack, &mut roll, &mut seen).await;
        let lines = news.iter().flatten();
        for line in lines.filter_map(|event| wanted.line(event)) {
            if !socket.send(line).await {
                return;
            }
        }
        if !wanted.follows {
            return socket.end().await;
        }
        tokio::select! {
            () = socket.gone() => return,
            () = service.clock().sleep(LOOKING) => {}
        }
    }
}

/// Reads what was seen of the rack's last roll since the last time.
async fn news(
    service: &Service,
    rack: &RackRecord,
    roll: &mut String,
    seen: &mut i64,
) -> Result<Vec<Event>, StoreError> {
    let store = service.store();
    let Some(last) = store.rolls(&rack.id, 1).await?.pop() else {
        return Ok(Vec::new());
    };
    if last.id != *roll {
        (*roll, *seen) = (last.id, 0);
    }
    let texts = store.roll_events(roll, *seen).await?;
    *seen += i64::try_from(texts.len()).unwrap_or(0);
    let events = texts.iter().filter_map(|it| serde_json::from_str(it).ok());
    Ok(told_once(events.collect()))
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
        EventKind::Finished(report) => report.message.clone(),
        _ => return None,
    };
    Some(("system/convox", format!("roll {}: {told}", event.roll)))
}
