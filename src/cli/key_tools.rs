//! The ways to instances for changes of the keys that they let in.

use std::sync::Arc;

use super::context::Context;
use super::instances::socket_places;
use crate::clock::Clock;
use crate::rack::{KeyAccess, Rack, Through};
use crate::roll::{KeyTools, SsmAccess};
use crate::ssh::{KnownHosts, SigningKey, SshAccess, SshSettings};
use crate::ui::CliError;

/// Puts the ways to the instances of `rack` together, or only the one that is asked for.
///
/// Nothing is made or asked yet. Instances of the sandbox are no machines: `ssh` is a way to them
/// only where somebody asks for it, whose `ssh_config` knows of some.
pub(super) fn key_tools(
    context: &Context,
    rack: &Rack,
    clock: &Clock,
    only: Option<Through>,
    settings: SshSettings,
) -> Result<KeyTools, CliError> {
    let mut ways: Vec<Arc<dyn KeyAccess>> = Vec::new();
    if only != Some(Through::Ssh) {
        let commands = Arc::clone(&rack.commands);
        ways.push(Arc::new(SsmAccess::new(commands, clock.clone())));
    }
    let has_machines = only == Some(Through::Ssh) || !context.global().sandbox;
    if only != Some(Through::Ssm) && has_machines {
        let known_hosts = KnownHosts::of_rack(&context.known_hosts_dir()?, &rack.name);
        let places = socket_places(context);
        let (rack, entropy) = (rack.clone(), context.entropy()?);
        let access = SshAccess::new(rack, known_hosts, places, entropy, settings);
        ways.push(Arc::new(access));
    }
    Ok(KeyTools {
        ways,
        public_line: |name, key| {
            let key = SigningKey::read(name, key).map_err(|error| error.to_string())?;
            Ok(key.public_line())
        },
    })
}
