//! `convox switch`: choose the rack that commands are for.

use clap::Args;
use serde_json::{Value, json};

use super::app::Output;
use super::complete;
use super::context::Context;
use super::rack_name::find;
use super::reach::{Address, Place, Way, console, decide, open_classic};
use crate::config::classic::Classic;
use crate::config::{Config, ConfigError, nearest};
use crate::rack::remote::RackListing;
use crate::ui::{CliError, Exit};

/// Show the rack that is chosen, or choose another at a console
///
/// The name is one that `convox racks` lists, or a part of it that no other has. The host of a
/// stored login is a name too: it is then the one that commands are for. Which rack in AWS is
/// meant is not chosen here but by `rack:` in config.yaml, or CONVOX_RACK.
#[derive(Debug, Args)]
pub(crate) struct SwitchArgs {
    /// The rack, or the host of a login
    #[arg(value_name = "NAME", add = complete::racks())]
    name: Option<String>,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl SwitchArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let classic = open_classic(context)?.ok_or(ConfigError::NoHome)?;
        let Some(name) = &self.name else {
            return show(context, self.output);
        };
        let logins = classic.logins().hosts()?;
        if logins.contains(name) {
            classic.choose_host(name)?;
            return Ok(switched(
                context,
                self.output,
                &json!({ "host": name }),
                name,
            ));
        }
        context.block_on(self.choose(context, &classic, name, &logins))
    }

    async fn choose(
        &self,
        context: &Context,
        classic: &Classic,
        name: &str,
        logins: &[String],
    ) -> Result<Exit, CliError> {
        let place = match decide(context, None)?.way {
            Way::Api(place) => place,
            Way::Aws | Way::Sandbox => return Err(elsewhere(context, name)?),
        };
        let Address::Host(host) = &place.address else {
            return Err(
                CliError::usage("RACK_URL is one rack, with no others to switch to")
                    .hint("unset RACK_URL"),
            );
        };
        let racks = racks_of(context, &place).await?;
        let names: Vec<String> = racks.iter().map(RackListing::full_name).collect();
        let found = match find(name, &names, logins, |known| known.contains(name)) {
            Err(error) => return Err(described(context, name, host).unwrap_or(error)),
            found => found?,
        };
        classic.switch(host, found)?;
        let chosen = json!({ "host": host, "rack": found });
        Ok(switched(context, self.output, &chosen, found))
    }
}

/// Prints the rack that is meant now, and an empty line where none is, as the classic does.
fn show(context: &Context, output: Output) -> Result<Exit, CliError> {
    let rack = match decide(context, None)?.way {
        Way::Api(place) => place.rack,
        Way::Aws => {
            let meant = Config::load(context.environment())?.meant(None, context.environment());
            meant.map(|rack| rack.text)
        }
        Way::Sandbox => None,
    };
    context.printer().data(&match output {
        Output::Text => format!("{}\n", rack.unwrap_or_default()),
        Output::Json => format!("{}\n", json!({ "rack": rack })),
    });
    Ok(Exit::Done)
}

/// Says what was chosen.
fn switched(context: &Context, output: Output, chosen: &Value, name: &str) -> Exit {
    context.printer().data(&match output {
        Output::Text => format!("Switched to {name}\n"),
        Output::Json => format!("{chosen}\n"),
    });
    Exit::Done
}

async fn racks_of(context: &Context, place: &Place) -> Result<Vec<RackListing>, CliError> {
    let remote = console(context, place).await?;
    match remote.racks().await {
        Err(error) if error.status() == Some(404) => Err(CliError::failed(format!(
            "{} is a rack itself, with no others to switch to",
            remote.host()
        ))
        .hint("`convox login HOST` chooses another")),
        racks => Ok(racks?),
    }
}

/// Says what chooses a rack that no file of the classic can.
fn elsewhere(context: &Context, name: &str) -> Result<CliError, CliError> {
    let environment = context.environment();
    if context.global().sandbox {
        let message = "`switch` chooses among logins and the racks of a console";
        return Ok(
            CliError::failed(message).hint(format!("in the sandbox, name a rack with `-r {name}`"))
        );
    }
    let config = Config::load(environment)?;
    let file = environment.config_dir()?.join("config.yaml");
    let message = match config.describes(name) {
        true => format!("`switch` leaves config.yaml, which describes {name}, to you"),
        false => format!(
            "`switch` chooses among logins and the racks of a console, and {name} is none of them"
        ),
    };
    let mut error = CliError::failed(message);
    let near = nearest(name, &config.rack_names());
    if !config.describes(name) && !near.is_empty() {
        error = error.hint(format!("did you mean {}?", near.join(" or ")));
    }
    Ok(error.hint(format!(
        "for a rack in AWS, write `rack: {name}` into {}, or set CONVOX_RACK={name}",
        file.display()
    )))
}

/// Says how a rack of `config.yaml` is meant while a login is chosen, which goes before it.
fn described(context: &Context, name: &str, host: &str) -> Option<CliError> {
    let config = Config::load(context.environment()).ok()?;
    config.describes(name).then(|| {
        let message = format!("config.yaml describes {name}, and `switch` chooses at {host}");
        let hint = format!("name it with `-r {name}`, or set CONVOX_RACK={name}");
        CliError::failed(message).hint(hint)
    })
}
