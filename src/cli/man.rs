//! `convox man`: the manual, a page for each command.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;

use super::app::command;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// Write the manual pages
///
/// One for each command, such as convox-instances-keyroll.1. `man` finds them in the directory
/// man1 of each directory of its path, such as ~/.local/share/man/man1.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory to write them into
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
}

impl ManArgs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut root = command();
        root.build();
        let written = std::fs::create_dir_all(&self.dir).and_then(|()| write(&root, &self.dir));
        let count = written.map_err(|error| {
            let message = format!("cannot write to {}: {error}", self.dir.display());
            CliError::failed(message).hint("give a directory that you may write to")
        })?;
        let message = format!("{count} manual pages are in {}", self.dir.display());
        context.printer().say(&message);
        Ok(Exit::Done)
    }
}

/// Writes the page of a command and those of the commands below it; returns how many.
fn write(command: &clap::Command, dir: &Path) -> io::Result<usize> {
    let mut count = 1;
    for below in command.get_subcommands() {
        count += write(below, dir)?;
    }
    let version = command.get_version().unwrap_or(env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone())
        .source(format!("convox {version}"))
        .manual("convox");
    page.generate_to(dir)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(command: &clap::Command, names: &mut Vec<String>) {
        let name = command.get_display_name().unwrap_or("convox");
        names.push(format!("{name}.1"));
        for below in command.get_subcommands() {
            self::names(below, names);
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = command();
        root.build();
        let count = write(&root, dir.path()).unwrap();
        let mut expected = Vec::new();
        names(&root, &mut expected);
        assert_eq!(count, expected.len());
        for name in expected {
            let page = std::fs::read_to_string(dir.path().join(&name)).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{name}");
        }
        let page = std::fs::read_to_string(dir.path().join("convox-rolls-show.1")).unwrap();
        assert!(page.contains("convox rolls show"), "{page}");
    }
}
