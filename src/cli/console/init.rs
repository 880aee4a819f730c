//! `convox console init`: prepare a database and make the first root key.

use clap::Args;
use secrecy::ExposeSecret as _;

use super::certificate;
use super::database::{DatabaseArgs, explain, explain_vault};
use crate::cli::context::Context;
use crate::clock::system_now;
use crate::console::initialize;
use crate::ui::{CliError, Exit};

/// Prepare a database and make the first root key, which is shown this once
///
/// The root key may do everything in the workspace that is made with it. It is printed on stdout
/// and kept nowhere.
#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    /// What to call the workspace
    #[arg(long, value_name = "NAME", default_value = "default")]
    workspace: String,

    /// A name or address that the server's own certificate is to be good for; may be repeated
    #[arg(long, value_name = "NAME")]
    tls_name: Vec<String>,
}

impl InitArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let source = self.database.key_source(context).await?;
        let store = self.database.open(context).await?;
        let tls = certificate::make(&self.tls_name, &self.database, context)?;
        store.migrate().await.map_err(explain)?;
        let now = system_now().as_millisecond();
        let entropy = context.entropy()?;
        let made = initialize(&store, &self.workspace, now, &entropy, &source).await;
        let made = made.map_err(explain_vault)?;
        let name = store.describe();
        store.close().await;
        let Some(made) = made else {
            return Err(CliError::failed(format!("{name} has a workspace already"))
                .hint("`convox console serve` serves it"));
        };
        printer.say(&format!(
            "{name} is ready, with workspace {}",
            made.workspace
        ));
        printer.say(&format!(
            "Its certificate, for listening beyond this machine: {}",
            certificate::fingerprint(&tls)
        ));
        printer.say("The root key, shown this once:");
        printer.data(&format!("{}\n", made.root_key.expose_secret()));
        Ok(Exit::Done)
    }
}
