//! `convox keys verify`: tell whether a key opens what it is shown for.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, moment, print_json};
use crate::ui::{CliError, Exit, Info, one_line};
use crate::unkey::{Repeat, Verification};

/// More than any key has, in bytes.
const LONGEST: u64 = 4096;

/// Tell whether a key opens what it is shown for
///
/// The key is read from stdin, or from --key-file. The exit code is 0 where it is valid, and 1
/// where it is not. It counts as a use: credits and rate limits are used up.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// File that holds the key [default: stdin]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Permissions that it must have, joined by AND, OR and parentheses
    #[arg(long, value_name = "QUERY")]
    permissions: Option<String>,

    /// How many credits to use up [default: 1]
    #[arg(long, value_name = "NUMBER")]
    cost: Option<i64>,

    /// Word by which the verification is counted; may be given several times
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl VerifyArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let client = self.service.client(context)?;
        let key = self.key(context)?;
        let mut request = json!({ "key": key.trim() });
        if let Some(permissions) = &self.permissions {
            request["permissions"] = json!(permissions);
        }
        if let Some(cost) = self.cost {
            request["credits"] = json!({ "cost": cost });
        }
        if !self.tags.is_empty() {
            request["tags"] = json!(self.tags);
        }
        let answer = client
            .call::<Verification>("keys.verifyKey", &request, Repeat::Never)
            .await
            .map_err(explain)?;
        let printer = context.printer();
        if self.service.is_json() {
            print_json(printer, &answer.json);
        } else {
            printer.data(&info(&answer.data, &context.zone()).render());
        }
        Ok(if answer.data.valid {
            Exit::Done
        } else {
            Exit::Failed
        })
    }

    fn key(&self, context: &Context) -> Result<Zeroizing<String>, CliError> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        let printer = context.printer();
        let read = match &self.key_file {
            Some(file) => std::fs::File::open(file)
                .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
                .map(drop),
            None if printer.can_ask() => printer.ask_secret("Key: ").map(|typed| {
                text = Zeroizing::new(typed);
            }),
            None => std::io::stdin()
                .take(LONGEST)
                .read_to_string(&mut text)
                .map(drop),
        };
        read.map_err(|error| CliError::usage(format!("cannot read the key: {error}")))?;
        if text.trim().is_empty() {
            return Err(CliError::usage("there is no key to verify")
                .hint("write it to stdin, or name a file with --key-file"));
        }
        Ok(text)
    }
}

fn info(verification: &Verification, zone: &TimeZone) -> Info {
    let text = |text: &Option<String>| one_line(text.as_deref().unwrap_or_default());
    let mut info = Info::new();
    info.row("Code", &one_line(&verification.code));
    info.row_if_any("Key", &text(&verification.key_id));
    info.row_if_any("Name", &text(&verification.name));
    if let Some(identity) = &verification.identity {
        info.row("Identity", &one_line(&identity.external_id));
    }
    if let Some(expires) = verification.expires {
        info.row("Expires", &moment(expires, zone));
    }
    if let Some(credits) = verification.credits {
        info.row("Credits", &format!("{credits} left"));
    }
    info.row_if_any(
        "Permissions",
        &one_line(&verification.permissions.join(", ")),
    );
    info.row_if_any("Roles", &one_line(&verification.roles.join(", ")));
    info
}
