//! `convox keys rotation`: show how the rotation of a key stands.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::key_service::{ServiceArgs, explain, print_json, rotation_info};
use crate::ui::{CliError, Exit};
use crate::unkey::{Repeat, Rotation};

/// Show how the rotation of a key stands, and who still uses the old one
#[derive(Debug, Args)]
pub(in crate::cli) struct RotationArgs {
    /// The key, by its id
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl RotationArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let rotation = ask(
            context,
            &self.service,
            "keys.getRotation",
            &self.id,
            Repeat::Safe,
        );
        let rotation = rotation.await?;
        if rotation.active && rotation.successor_id.is_some() {
            let id = &rotation.key_id;
            context.printer().say_hint(&format!(
                "`convox keys finish {id}` ends it now, `convox keys cancel {id}` takes it back"
            ));
        }
        Ok(Exit::Done)
    }
}

/// Asks for an operation that answers how a rotation stands, and prints that.
pub(super) async fn ask(
    context: &Context,
    service: &ServiceArgs,
    operation: &str,
    id: &str,
    repeat: Repeat<'_>,
) -> Result<Rotation, CliError> {
    let client = service.client(context)?;
    let request = json!({ "keyId": id });
    let answer = client.call::<Rotation>(operation, &request, repeat).await;
    let answer = answer.map_err(explain)?;
    let printer = context.printer();
    if service.is_json() {
        print_json(printer, &answer.json);
    } else {
        printer.data(&rotation_info(&answer.data, &context.zone()).render());
    }
    Ok(answer.data)
}
