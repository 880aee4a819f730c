//! What a roll would do, shown before it begins.

use askama::Template;
use axum::response::Response;
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Visit;
use super::answer::{Wrong, page, see_other};
use super::frame::Frame;
use super::rack::{find, may_change};
use crate::console::rolls::{self, Asker, NotBegun};
use crate::roll::{Advice, Plan, RollPolicy};
use crate::store::{RackKeyKind, RackRecord};

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage<'a> {
    frame: Frame<'a>,
    record: &'a RackRecord,
    kind: &'a str,
    what: &'static str,
    plan: Option<&'a Plan>,
    groups: Vec<GroupLine>,
    refused: Vec<Advice>,
    shown: String,
    has_changed: bool,
}

struct GroupLine {
    name: String,
    told: String,
}

/// Shows what the roll of a key would do.
pub(super) async fn show(
    visit: &Visit,
    organization: &str,
    name: &str,
    kind: &str,
) -> Result<Response, Wrong> {
    let (record, role) = find(visit, organization, name).await?;
    if !may_change(role) {
        return Err(Wrong::Forbidden);
    }
    show_again(visit, &record, kind, false).await
}

async fn show_again(
    visit: &Visit,
    record: &RackRecord,
    kind: &str,
    has_changed: bool,
) -> Result<Response, Wrong> {
    let (key, what) = kind_of(kind)?;
    let planned = rolls::preview(visit.service(), record, key).await;
    let (plan, refused) = match &planned {
        Ok(plan) => (Some(plan), Vec::new()),
        Err(NotBegun::Refused(refusal)) => (None, refusal.reasons.clone()),
        Err(error) => {
            let reason = Advice {
                code: String::new(),
                message: error.to_string(),
                hint: String::new(),
            };
            (None, vec![reason])
        }
    };
    let groups = plan.iter().flat_map(|plan| &plan.groups);
    page(&PlanPage {
        frame: Frame::of(visit, format!("Roll {what} of {}", record.full_name())).within("racks"),
        kind,
        what,
        groups: groups
            .map(|group| GroupLine {
                name: group.logical_id.clone(),
                told: in_words(group.instances, &group.policy),
            })
            .collect(),
        shown: plan.map(fingerprint).unwrap_or_default(),
        plan,
        refused,
        has_changed,
        record,
    })
}

fn kind_of(kind: &str) -> Result<(RackKeyKind, &'static str), Wrong> {
    let key = kind.parse().map_err(|_| Wrong::NotFound)?;
    Ok(match key {
        RackKeyKind::Ssh => (key, "the SSH key"),
        RackKeyKind::Api => (key, "the API key"),
    })
}

/// Begins the roll that was shown; if it would be another by now, that is shown first.
pub(super) async fn begin(
    visit: Visit,
    organization: &str,
    name: &str,
    kind: &str,
) -> Result<Response, Wrong> {
    let (record, role) = find(&visit, organization, name).await?;
    if !may_change(role) {
        return Err(Wrong::Forbidden);
    }
    let (key, _) = kind_of(kind)?;
    let planned = rolls::preview(visit.service(), &record, key).await?;
    if visit.form.exactly("shown") != fingerprint(&planned) {
        return show_again(&visit, &record, kind, true).await;
    }
    let caller = &visit.visitor()?.caller;
    let asker = Asker {
        person: Some(caller.person.id.clone()),
        actor: caller.actor(),
        request: Some(visit.request.clone()),
    };
    let value = visit.form.get("password").map(SecretString::from);
    let service = visit.service().clone();
    // What was begun is written down, whether the browser is still there or not.
    let beginning = tokio::spawn(async move {
        match key {
            RackKeyKind::Ssh => rolls::begin_ssh(&service, &record, asker).await,
            RackKeyKind::Api => {
                rolls::begin_api(&service, &record, value, Default::default(), asker).await
            }
        }
    });
    let roll = beginning.await.map_err(|_| Wrong::Stopped)??;
    Ok(see_other(&format!("/rolls/{roll}")))
}

/// Returns a text that is the same for plans that do the same to the same rack.
fn fingerprint(plan: &Plan) -> String {
    let what = json!([
        plan.old_key,
        plan.groups,
        plan.spot_fleets,
        plan.changes,
        plan.warnings
    ]);
    let digest = Sha256::digest(what.to_string());
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn in_words(instances: u32, policy: &RollPolicy) -> String {
    match policy {
        RollPolicy::RollingUpdate {
            batch,
            min_in_service,
            pause_secs,
            wait_on_signals,
        } => {
            let waits = match wait_on_signals {
                true => format!("each new one has {pause_secs} s to report in"),
                false => format!("{pause_secs} s pass after each"),
            };
            format!(
                "{instances} instances, {batch} at a time, at least {min_in_service} stay in \
                 service; {waits}"
            )
        }
        RollPolicy::Replacing => {
            format!("{instances} instances; a new group takes the place of the old one")
        }
        RollPolicy::Nested => format!("{instances} instances, as the nested stack says"),
        RollPolicy::OwnRefresh => {
            format!("{instances} instances, by an instance refresh for each step")
        }
        RollPolicy::InstanceRefresh {
            min_healthy_percent,
        } => format!(
            "{instances} instances by an instance refresh, at least {min_healthy_percent} % healthy"
        ),
    }
}
