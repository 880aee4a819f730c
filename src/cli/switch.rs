//! `convox switch`: choose the rack that commands are for.

use clap::Args;

use super::complete;
use super::context::Context;
use super::reach::{Address, Place, Way, console, decide, open_classic};
use crate::config::ConfigError;
use crate::config::classic::Classic;
use crate::config::nearest;
use crate::rack::remote::RackListing;
use crate::ui::{CliError, Exit};

/// Show the rack that is chosen at a console, or choose another
///
/// The name is one that `convox racks` lists, or a part of it that no other has. The host of a
/// stored login is a name too: it is then the one that commands are for.
#[derive(Debug, Args)]
pub(crate) struct SwitchArgs {
    /// The rack, or the host of a login
    #[arg(value_name = "NAME", add = complete::racks())]
    name: Option<String>,
}

impl SwitchArgs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let classic = open_classic(context)?.ok_or(ConfigError::NoHome)?;
        let Some(name) = &self.name else {
            return show(context);
        };
        let logins = classic.logins().hosts()?;
        if logins.contains(name) {
            classic.choose_host(name)?;
            context.printer().data(&format!("Switched to {name}\n"));
            return Ok(Exit::Done);
        }
        context.block_on(choose(context, &classic, name, &logins))
    }
}

/// Prints the rack that is meant now, and an empty line where none is, as the classic does.
fn show(context: &Context) -> Result<Exit, CliError> {
    let rack = match decide(context, None)?.way {
        Way::Api(place) => place.rack,
        Way::Aws | Way::Sandbox => None,
    };
    let rack = rack.unwrap_or_default();
    context.printer().data(&format!("{rack}\n"));
    Ok(Exit::Done)
}

async fn choose(
    context: &Context,
    classic: &Classic,
    name: &str,
    logins: &[String],
) -> Result<Exit, CliError> {
    let place = match decide(context, None)?.way {
        Way::Api(place) => place,
        Way::Aws | Way::Sandbox => {
            let error = CliError::failed(format!("could not find rack: {name}"));
            return Err(error.hint(
                "`switch` chooses among the racks of a console: log in with `convox login`; \
                 for AWS, set `rack:` in config.yaml",
            ));
        }
    };
    let Address::Host(host) = &place.address else {
        return Err(
            CliError::usage("RACK_URL is one rack, with no others to switch to")
                .hint("unset RACK_URL"),
        );
    };
    let racks = racks_of(context, &place).await?;
    let names: Vec<String> = racks.iter().map(RackListing::full_name).collect();
    let found = find(name, &names, logins)?;
    classic.switch(host, found)?;
    context.printer().data(&format!("Switched to {found}\n"));
    Ok(Exit::Done)
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

/// Finds the one rack that is called `name`, else the one that has it as a part.
fn find<'a>(name: &str, names: &'a [String], logins: &[String]) -> Result<&'a str, CliError> {
    if let Some(exact) = names.iter().find(|known| *known == name) {
        return Ok(exact);
    }
    let alike: Vec<&String> = names.iter().filter(|known| known.contains(name)).collect();
    match alike.as_slice() {
        [only] => Ok(only),
        [] => {
            let known: Vec<String> = names.iter().chain(logins).cloned().collect();
            let near = nearest(name, &known);
            let hint = if near.is_empty() {
                "`convox racks` lists them".to_owned()
            } else {
                format!("did you mean {}?", near.join(" or "))
            };
            Err(CliError::failed(format!("could not find rack: {name}")).hint(hint))
        }
        several => {
            let several: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            let error = CliError::failed(format!("ambiguous rack name: {name}"));
            Err(error.hint(format!("it is a part of {}", several.join(", "))))
        }
    }
}
