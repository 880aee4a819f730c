//! `convox racks`: list the racks of every place that is set up.

use clap::Args;
use serde::Serialize;

use super::app::{Output, Via};
use super::context::Context;
use super::find::{list_in_aws, list_in_sandbox};
use super::reach::{Place, Way, console, decide};
use crate::config::{Config, ConfigError};
use crate::rack::remote::RemoteError;
use crate::ui::{CliError, Exit, Printer, Table};

/// List racks
///
/// Those of the console or the rack that is chosen, those in AWS where this machine is set up
/// for it, and those of the sandbox if there is one; with --via, those of one place. A place
/// that does not answer is told, and the others are listed all the same.
#[derive(Debug, Args)]
pub(crate) struct RacksArgs {
    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

/// A rack in the list.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) status: String,
    /// `aws`, `api` or `sandbox`.
    pub(super) via: &'static str,
    /// The region or the host.
    pub(super) place: String,
}

/// The racks of one place that could be asked, and what went wrong with the others.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) racks: Vec<Listed>,
    pub(super) errors: Vec<CliError>,
}

/// Which places are asked.
struct Sources {
    api: Option<Box<Place>>,
    aws: bool,
    sandbox: bool,
}

impl RacksArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        if self.output == Output::Text {
            printer.busy("Looking for racks");
        }
        let sources = sources(context)?;
        let only_api = !sources.aws && !sources.sandbox;
        let mut all = Listing::default();
        if let Some(place) = &sources.api {
            all.add(list_at(context, place).await);
        }
        if sources.aws {
            all.add(list_in_aws(context).await);
        }
        if sources.sandbox {
            all.add(list_in_sandbox(context).await);
        }
        printer.close_screen();
        for error in &all.errors {
            printer.error(error);
        }
        match self.output {
            Output::Text => print(printer, &all.racks, only_api),
            Output::Json => {
                for line in all
                    .racks
                    .iter()
                    .filter_map(|rack| serde_json::to_string(rack).ok())
                {
                    printer.data(&format!("{line}\n"));
                }
            }
        }
        Ok(if all.errors.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        })
    }
}

impl Listing {
    fn add(&mut self, found: Result<Self, CliError>) {
        match found {
            Ok(mut found) => {
                self.racks.append(&mut found.racks);
                self.errors.append(&mut found.errors);
            }
            Err(error) => self.errors.push(error),
        }
    }
}

/// Decides which places are asked: the one that is told, or all that are set up.
fn sources(context: &Context) -> Result<Sources, CliError> {
    let (global, environment) = (context.global(), context.environment());
    let decided = decide(context, None)?;
    let told = global.sandbox
        || global.via.is_some()
        || ["RACK_URL", "CONVOX_HOST"]
            .iter()
            .any(|name| environment.get(name).is_some())
        || global.region.is_some()
        || global.profile.is_some()
        || global.endpoint_url.is_some();
    let via_sandbox = global.sandbox || global.via == Some(Via::Sandbox);
    let (api, by_aws) = match decided.way {
        Way::Api(place) => (Some(place), false),
        Way::Aws => (None, true),
        Way::Sandbox => (None, false),
    };
    if told {
        return Ok(Sources {
            aws: by_aws,
            sandbox: via_sandbox,
            api,
        });
    }
    Ok(Sources {
        aws: by_aws || is_set_up_for_aws(context)?,
        sandbox: context.sandbox_dir()?.join("world.json").exists(),
        api,
    })
}

/// Looks for anything that only serves to reach AWS: asking there without would only fail.
fn is_set_up_for_aws(context: &Context) -> Result<bool, CliError> {
    let environment = context.environment();
    let variables = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ];
    if variables.iter().any(|name| environment.get(name).is_some()) {
        return Ok(true);
    }
    let files = [".aws/config", ".aws/credentials"];
    if let Some(home) = environment.home()
        && files.iter().any(|file| home.join(file).exists())
    {
        return Ok(true);
    }
    match Config::load(environment) {
        Ok(config) => Ok(!config.rack_names().is_empty()),
        Err(ConfigError::NoHome) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Lists the racks of a console, or the one rack that the host is.
pub(super) async fn list_at(context: &Context, place: &Place) -> Result<Listing, CliError> {
    let remote = console(context, place).await?;
    let told = |error: RemoteError| about(remote.host(), error.into());
    let listed = |name, status| Listed {
        name,
        status,
        via: "api",
        place: remote.host().to_owned(),
    };
    let racks = match remote.racks().await {
        Ok(racks) => racks
            .into_iter()
            .map(|rack| listed(rack.full_name(), rack.status))
            .collect(),
        Err(error) if error.status() == Some(404) => {
            let system = remote.system().await.map_err(told)?;
            vec![listed(system.name, system.status)]
        }
        Err(error) => return Err(told(error)),
    };
    Ok(Listing {
        racks,
        errors: Vec::new(),
    })
}

/// Says what an error is about, where it does not say so itself.
pub(super) fn about(what: &str, error: CliError) -> CliError {
    if error.message().contains(what) {
        return error;
    }
    let named = CliError::new(error.exit(), format!("{what}: {}", error.message()));
    let hints = error.hints().iter();
    hints.fold(named, |named, hint| named.hint(hint))
}

/// Prints the classic's columns, and a third where there is more than the one console.
fn print(printer: &Printer, racks: &[Listed], only_api: bool) {
    let table = if only_api {
        let mut table = Table::new(["NAME", "STATUS"]);
        for rack in racks {
            table.row([rack.name.clone(), rack.status.clone()]);
        }
        table
    } else {
        let mut table = Table::new(["NAME", "STATUS", "VIA"]);
        for rack in racks {
            let via = format!("{} {}", rack.via, rack.place);
            let via = via.trim_end().to_owned();
            table.row([rack.name.clone(), rack.status.clone(), via]);
        }
        table
    };
    printer.data(&table.render());
}
