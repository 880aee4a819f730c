//! `convox console webhooks`: who is told of rolls and of keys that expire.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;

use super::database::{explain, explain_vault};
use super::organization::{OrganizationArgs, Place};
use crate::cli::context::Context;
use crate::console::{Receiver, Vault, WebhookTarget, add_webhook, test_webhook};
use crate::store::{
    BadNoticeEvent, BadWebhookKind, NoticeEvent, StoreError, WebhookKind, WebhookRow,
};
use crate::ui::{CliError, Exit, Table};

/// Who is told of rolls, and of keys that expire
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    Add(AddArgs),
    List(ListArgs),
    Remove(RemoveArgs),
    Test(TestArgs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Add(args) => context.block_on(args.run(context)),
            Self::List(args) => context.block_on(args.run(context)),
            Self::Remove(args) => context.block_on(args.run(context)),
            Self::Test(args) => context.block_on(args.run(context)),
        }
    }
}

/// Have a URL told of events, and print the secret that notices are signed with, shown this once
///
/// Notices are signed as Standard Webhooks are (webhook-id, webhook-timestamp, webhook-signature),
/// sent by https, tried again for a day, and sent twice rather than never: the webhook-id tells.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Where notices are sent
    url: String,

    /// In which form: json, or slack for Slack's incoming webhooks
    #[arg(long, value_name = "KIND", default_value_t = WebhookKind::Json, value_parser = kind)]
    kind: WebhookKind,

    /// Which events: roll.planned, roll.started, roll.done, roll.rolled_back, roll.failed,
    /// key.expiring [default: all]
    #[arg(long, value_name = "EVENT", value_delimiter = ',', value_parser = event)]
    events: Vec<NoticeEvent>,
}

impl AddArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        WebhookTarget::new(&self.url, true).map_err(|error| {
            CliError::usage(error.to_string()).hint("such as https://example.com/hooks/convox")
        })?;
        let place = self.place.open(context).await?;
        let vault = vault(&self.place, &place, context).await?;
        let events = match self.events.is_empty() {
            true => NoticeEvent::ALL.to_vec(),
            false => self.events,
        };
        let receiver = Receiver {
            url: self.url.clone(),
            kind: self.kind,
            events,
        };
        let entropy = context.entropy()?;
        let added = add_webhook(&place.store, &vault, receiver, place.audited(), &entropy).await;
        let (id, secret) = added.map_err(explain)?;
        let printer = context.printer();
        if WebhookTarget::new(&self.url, false).is_err() {
            printer.warn(
                "servers send no notices to their own machines",
                Some("unless they are started with --loopback-webhooks"),
            );
        }
        printer.say(&format!(
            "Webhook {id}; its signing secret, shown this once:"
        ));
        printer.data(&format!("{}\n", secret.expose_secret()));
        place.close().await
    }
}

/// List who is told of what
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: OrganizationArgs,
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let place = self.place.open(context).await?;
        let webhooks = place.store.webhooks(&place.organization.id).await;
        let mut table = Table::new(["WEBHOOK", "KIND", "HOST", "WAITING", "EVENTS"]);
        for webhook in webhooks.map_err(explain)? {
            let waiting = match &webhook.waiting {
                (count, None) => count.to_string(),
                (count, Some(why)) => format!("{count} ({why})"),
            };
            // The path of such a URL is often a secret.
            let host = host(&webhook.url);
            let events = webhook.events.join(",");
            table.row([webhook.id, webhook.kind.to_string(), host, waiting, events]);
        }
        context.printer().data(&table.render());
        place.close().await
    }
}

/// Which webhook.
#[derive(Debug, Args)]
pub(in crate::cli) struct WebhookArgs {
    #[command(flatten)]
    place: OrganizationArgs,

    /// Id of the webhook
    webhook: String,
}

/// Have a URL not be told any more
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    #[command(flatten)]
    which: WebhookArgs,
}

impl RemoveArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let WebhookArgs { place, webhook } = self.which;
        let place = place.open(context).await?;
        let removed = place.store.remove_webhook(&webhook, place.audited()).await;
        removed.map_err(|error| match error {
            StoreError::NotFound(_) => unknown(&webhook),
            error => explain(error),
        })?;
        context
            .printer()
            .say(&format!("Webhook {webhook} is removed"));
        place.close().await
    }
}

/// Send a notice that tells of nothing, and say how it is answered
#[derive(Debug, Args)]
pub(in crate::cli) struct TestArgs {
    #[command(flatten)]
    which: WebhookArgs,
}

impl TestArgs {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let WebhookArgs { place: of, webhook } = self.which;
        let place = of.open(context).await?;
        let known = place.store.webhooks(&place.organization.id).await;
        let mut known = known.map_err(explain)?.into_iter();
        let found: Option<WebhookRow> = known.find(|it| it.id == webhook);
        let found = found.ok_or_else(|| unknown(&webhook))?;
        let vault = vault(&of, &place, context).await?;
        let sent = test_webhook(&place.store, &vault, &found, place.now()).await;
        sent.map_err(|error| {
            CliError::failed(format!("the notice was not delivered: {error}"))
                .hint("look at the URL, and at what its host says")
        })?;
        context.printer().say("Delivered");
        place.close().await
    }
}

async fn vault(of: &OrganizationArgs, place: &Place, context: &Context) -> Result<Vault, CliError> {
    let source = of.database.key_source(context).await?;
    let vault = Vault::of(&place.store, source).await;
    vault.map_err(explain_vault)
}

fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[..end].to_owned()
}

fn unknown(webhook: &str) -> CliError {
    CliError::failed(format!("there is no webhook {webhook}"))
        .hint("`convox console webhooks list` lists them")
}

fn kind(text: &str) -> Result<WebhookKind, BadWebhookKind> {
    text.parse()
}

fn event(text: &str) -> Result<NoticeEvent, BadNoticeEvent> {
    text.parse()
}
