//! `convox console serve`: serve keys over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use tokio::net::TcpListener;

use super::certificate::{self, TlsArgs};
use super::database::{DatabaseArgs, explain, explain_vault};
use super::demo::Demo;
use super::finder::Finder;
use crate::cli::context::Context;
use crate::cli::instances::socket_places;
use crate::cli::signals;
use crate::console::{Service, ServiceOptions, Shells, Vault, serve};
use crate::ui::{CliError, Exit};

/// Serve the key service, and stand between people and racks
///
/// The classic command line and this one log in here with an account key, and choose a rack as
/// ORGANIZATION/NAME. The `/v2` API is the one of Unkey, so that its clients work unchanged; /openapi.json describes
/// it. It is served on this machine only unless --listen says otherwise, and then encrypted: with
/// --tls-cert, or else with the certificate that `convox console init` made.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    /// Show made-up racks and keys, and keep nothing
    ///
    /// Racks of the sandbox, keys that are in use, and an account key to sign in with, which is
    /// printed.
    #[arg(long, conflicts_with_all = ["database_url", "data", "master_key"])]
    demo: bool,

    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,

    #[command(flatten)]
    tls: TlsArgs,

    /// How many requests the root keys of one workspace may make together, such as 6000/1m
    ///
    /// Each server counts by itself. Without this there is no limit.
    #[arg(long, value_name = "COUNT/SPAN", value_parser = requests)]
    workspace_limit: Option<(i64, i64)>,

    /// How many MiB of memory to set aside for what is known of keys
    ///
    /// A million usual keys take about 60.
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    remember: u32,

    /// File that ssh reads in place of ~/.ssh/config, for shells on instances
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ssh_config: Option<PathBuf>,

    /// Send notices to webhooks on this machine too, and without encryption there
    #[arg(long)]
    loopback_webhooks: bool,
}

impl ServeArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let is_loopback = self.listen.ip().is_loopback();
        let tls = self.tls.certificate(is_loopback, &self.database, context)?;
        if !is_loopback && tls.is_none() {
            printer.warn(
                "whoever reaches this address can try keys, and sees them on the way to it",
                Some("let nobody reach it but a server that speaks TLS"),
            );
        }
        let options = ServiceOptions {
            requests: self.workspace_limit,
            memory: usize::try_from(self.remember).unwrap_or(0) << 20,
            loopback_webhooks: self.loopback_webhooks,
            ..ServiceOptions::default()
        };
        let demo = match self.demo {
            true => Some(Demo::new(context, options).await?),
            false => None,
        };
        let service = match &demo {
            Some(demo) => demo.service.clone(),
            None => self.service(context, options).await?,
        };
        let log = printer.clone();
        service.log_to(move |line| log.always(line));
        service.open_shells_with(Shells {
            known_hosts: context.known_hosts_dir()?.join("console"),
            sockets: socket_places(context),
            config: self.ssh_config.clone(),
        });
        let cannot = |error: std::io::Error| {
            CliError::failed(format!("cannot listen on {}: {error}", self.listen))
                .hint("--listen names another address or port")
        };
        let listener = TcpListener::bind(self.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let stop = signals::told()
            .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
        match &tls {
            Some(tls) => printer.say(&format!(
                "Serving on https://{address}, certificate {}",
                certificate::fingerprint(tls)
            )),
            None => printer.say(&format!("Serving on http://{address}")),
        }
        if let Some(demo) = &demo {
            let scheme = if tls.is_some() { "https" } else { "http" };
            printer.say(&demo.told(&format!("{scheme}://{address}")));
        }
        serve(listener, tls, service, stop).await;
        Ok(Exit::Done)
    }

    /// Makes the service of a database, with the racks that it has records of.
    async fn service(
        &self,
        context: &Context,
        options: ServiceOptions,
    ) -> Result<Service, CliError> {
        let source = self.database.key_source(context).await?;
        let store = self.database.open(context).await?;
        store.check().await.map_err(explain)?;
        let vault = Vault::of(&store, source).await.map_err(explain_vault)?;
        let entropy = context.entropy()?;
        let service = Service::new(store, context.clock_of_server(), entropy, vault, options).await;
        let service = service.map_err(explain)?;
        service.find_racks_by(Box::new(Finder::new(context)));
        Ok(service)
    }
}

/// Reads a number of requests and a span of time, such as `6000/1m`.
fn requests(text: &str) -> Result<(i64, i64), String> {
    let read = || {
        let (count, span) = text.split_once('/')?;
        let span = humantime::parse_duration(span.trim()).ok()?;
        let span = i64::try_from(span.as_millis()).ok()?;
        let count: i64 = count.trim().parse().ok()?;
        (count > 0 && span >= 1000).then_some((count, span))
    };
    read().ok_or_else(|| "a number and a span of at least a second, such as 6000/1m".to_owned())
}
