//! Reaches a rack: through AWS, through its HTTP API or a console, or in the sandbox.
//!
//! Which of them is decided from flags, environment and files alone (see `decide`); nothing
//! is tried out, so that the same machine always gives the same answer.

mod connect;
mod decide;

use std::sync::Arc;

use super::context::Context;
use super::find::{find_in_aws, find_in_sandbox};
use super::rack_name;
use super::session::RackArgs;
use crate::clock::Clock;
use crate::config::Setting;
use crate::rack::remote::Remote;
use crate::rack::{Rack, System};
use crate::ui::{CliError, Verbosity};

use connect::connect;
pub(crate) use connect::{allow_http, known_racks, trust};
pub(crate) use decide::{Address, Decision, Login, Place, Way, decide, open_classic};

/// A rack that commands can work with, however it was reached.
pub(crate) struct Reached {
    how: How,
    system: Arc<dyn System>,
    clock: Clock,
    login: Option<Login>,
    settings: Vec<Setting>,
}

/// What stands behind a rack's face, for commands that need more than it.
pub(crate) enum How {
    /// The account that the rack is in: AWS, or the sandbox.
    Aws(Box<Rack>),
    /// Its HTTP API, or a console.
    Api(Remote),
}

impl Reached {
    /// Returns the rack as every command sees it.
    pub(crate) fn system(&self) -> Arc<dyn System> {
        Arc::clone(&self.system)
    }

    /// Returns what is behind it.
    pub(crate) fn how(&self) -> &How {
        &self.how
    }

    /// Takes what is behind it.
    pub(crate) fn into_how(self) -> How {
        self.how
    }

    /// Returns the clock of the place where the rack is: the sandbox has its own.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the stored login that the password is from, if it is from one.
    pub(crate) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Returns what was set, and where it came from.
    pub(crate) fn settings(&self) -> &[Setting] {
        &self.settings
    }
}

/// Finds the rack that is meant and gets ready to work with it.
///
/// # Errors
/// Nothing names a rack, or what names one is wrong. A server that does not answer is met
/// only when it is asked something.
pub(crate) async fn reach(context: &Context, rack: &RackArgs) -> Result<Reached, CliError> {
    let Decision { way, settings } = decide(context, rack.rack.as_deref())?;
    let name = rack.rack.as_deref();
    let (rack, clock) = match way {
        Way::Sandbox => find_in_sandbox(context, name).await?,
        Way::Aws => find_in_aws(context, name).await?,
        Way::Api(mut place) => {
            rack_name::complete(context, &mut place).await?;
            let remote = connect(context, &place).await?;
            let reached = Reached {
                system: Arc::new(remote.clone()),
                clock: remote.clock().clone(),
                how: How::Api(remote),
                login: place.login,
                settings,
            };
            tell(context, &reached);
            return Ok(reached);
        }
    };
    let reached = Reached {
        system: Arc::clone(&rack.system),
        how: How::Aws(Box::new(rack)),
        clock,
        login: None,
        settings,
    };
    tell(context, &reached);
    Ok(reached)
}

/// Tells every detail to whoever wants it: where the rack is, and what says so.
fn tell(context: &Context, reached: &Reached) {
    let printer = context.printer();
    if printer.verbosity() < Verbosity::Verbose {
        return;
    }
    match (reached.how(), reached.login()) {
        (How::Aws(rack), _) => printer.say(&format!("reached as the stack {}", rack.stack)),
        (How::Api(remote), Some(login)) => {
            let login = &login.host;
            printer.say(&format!(
                "reached at {} with the login to {login}",
                remote.host()
            ));
        }
        (How::Api(remote), None) => printer.say(&format!("reached at {}", remote.host())),
    }
    for Setting {
        name,
        value,
        source,
    } in reached.settings()
    {
        printer.say(&format!("{name}: {value} ({source})"));
    }
}

/// Finds the rack as [`reach`] does if it is reached over an API; nothing is looked for in AWS.
pub(crate) async fn reach_by_api(
    context: &Context,
    rack: &RackArgs,
) -> Result<Option<Remote>, CliError> {
    match decide(context, rack.rack.as_deref())?.way {
        Way::Api(mut place) => {
            rack_name::complete(context, &mut place).await?;
            connect(context, &place).await.map(Some)
        }
        Way::Sandbox | Way::Aws => Ok(None),
    }
}

/// Makes a client for a host that was decided on, for commands that ask a console.
pub(crate) async fn console(context: &Context, place: &Place) -> Result<Remote, CliError> {
    connect(context, place).await
}
