//! `convox completions`: scripts that let a shell finish what is being typed.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::{Generator as _, Shell};

use super::complete::script;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// The shells that there are completions for.
const SHELLS: [Shell; 5] = [
    Shell::Bash,
    Shell::Zsh,
    Shell::Fish,
    Shell::PowerShell,
    Shell::Elvish,
];

/// Print a shell's completions
///
/// Besides commands and options they complete names of racks and parameters, ids of instances and
/// rolls, and more. What an account has to be asked for is remembered for a minute, and no shell
/// waits for it longer than 200 ms.
///
///   bash        source <(convox completions bash)
///   zsh         source <(convox completions zsh)
///   fish        convox completions fish | source
///   elvish      eval (convox completions elvish | slurp)
///   PowerShell  convox completions powershell | Out-String | Invoke-Expression
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(required_unless_present = "dir")]
    shell: Option<Shell>,

    /// Write the files of all shells into this directory instead
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, conflicts_with = "shell")]
    dir: Option<PathBuf>,
}

impl CompletionsArgs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        if let Some(dir) = &self.dir {
            for shell in SHELLS {
                write(dir, shell)?;
            }
        }
        if let Some(shell) = self.shell {
            context.printer().data(&script(shell));
        }
        Ok(Exit::Done)
    }
}

fn write(dir: &Path, shell: Shell) -> Result<(), CliError> {
    let path = dir.join(shell.file_name("convox"));
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&path, script(shell)))
        .map_err(|error| {
            CliError::failed(format!("cannot write {}: {error}", path.display()))
                .hint("give a directory that you may write to")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_the_repository_are_up_to_date() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        for shell in SHELLS {
            let path = dir.join(shell.file_name("convox"));
            let file = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                file == script(shell),
                "{} is out of date: run `cargo run -- completions --dir completions`",
                path.display()
            );
        }
    }
}
