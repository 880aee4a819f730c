//! `convox console audit`: the audit log of an organization, as data.

use std::time::Duration;

use clap::Args;

use super::database::explain;
use super::organization::OrganizationArgs;
use crate::cli::context::Context;
use crate::clock::system_now;
use crate::store::AuditEvent;
use crate::ui::{CliError, Exit};

/// How many lines are read at once.
const PAGE: i64 = 1000;

/// Print who changed what, oldest first, one JSON object a line
///
/// Each line says when, who (such as person:ID:KEY, root_key:ID, operator or system), what kind of
/// change it was, what happened in words, and the ids of what it is about.
#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Only what happened in the last, such as 24h or 30days
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
}

impl AuditArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let since = self
            .since
            .and_then(|span| system_now().checked_sub(span).ok());
        let mut after = since.map(|since| (since.as_millisecond(), String::new()));
        loop {
            let page = place
                .store
                .audit_events(&place.organization.id, after, PAGE);
            let page = page.await.map_err(explain)?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some((last.at, last.id.clone()));
            let lines: String = page.iter().map(AuditEvent::to_json_line).collect();
            context.printer().data(&lines);
        }
        place.close().await
    }
}
