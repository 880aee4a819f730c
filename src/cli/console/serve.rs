//! `convox console serve`: serve keys over HTTP.

use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;

use super::database::{DatabaseArgs, explain};
use crate::cli::context::Context;
use crate::cli::signals;
use crate::clock::Clock;
use crate::console::{Service, ServiceOptions, serve};
use crate::ui::{CliError, Exit};

/// Serve the key service
///
/// The `/v2` API is the one of Unkey, so that its clients work unchanged; /openapi.json describes
/// it. It is served on this machine only unless --listen says otherwise.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
}

impl ServeArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let master = self.database.master_key(context)?;
        let store = self.database.open(context).await?;
        let options = ServiceOptions::default();
        let entropy = context.entropy()?;
        let service = Service::new(store, Clock::system(), entropy, master, options).await;
        let service = service.map_err(explain)?;
        let cannot = |error: std::io::Error| {
            CliError::failed(format!("cannot listen on {}: {error}", self.listen))
                .hint("--listen names another address or port")
        };
        let listener = TcpListener::bind(self.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        if !address.ip().is_loopback() {
            printer.warn(
                "whoever reaches this address can try keys, and sees them if the way is not \
                 encrypted",
                Some("put it behind a server that speaks TLS"),
            );
        }
        let stop = signals::told()
            .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
        printer.say(&format!("Serving on http://{address}"));
        serve(listener, service, stop)
            .await
            .map_err(|error| CliError::failed(error.to_string()))?;
        Ok(Exit::Done)
    }
}
