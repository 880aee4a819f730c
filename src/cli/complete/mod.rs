//! Completion: what a shell may put in place of the word that is being typed.
//!
//! The scripts in `completions/` are small and know none of the commands: they hand the line to
//! `convox __complete SHELL`, which answers from the same clap tree that parses it. The scripts
//! that clap writes were tried for this and not taken. Its static ones know no values of ours.
//! Its dynamic ones leave the words of a line to the shell: bash cuts `--rack=pr` and `Name=`
//! into three words, zsh completes nothing the first time that `_convox` is autoloaded, none of
//! them lets the shell complete file names in its own way, and what they exchange with the
//! program may change with every release. Here both ends are ours and are tested together.
//!
//! A call takes a few milliseconds. Nothing of it runs when `convox` is started in any other way.

mod cache;
mod kind;
mod line;
mod offer;
mod refresh;
mod shells;
mod values;

use std::ffi::OsString;

use clap_complete::Shell;

pub(crate) use kind::{groups, hosts, instances, parameters, profiles, racks, rolls, scenarios};
pub(crate) use shells::script;

use line::Line;
use values::Sources;

use super::app::command;
use crate::ui::{Exit, Printer, Verbosity};

/// The command that the scripts call; it is not part of the command line that people see.
pub(super) const COMMAND: &str = "__complete";

/// Answers `convox __complete ARGS`, and says nothing at all about what goes wrong.
///
/// `SHELL =CURRENT WORD...` asks what may stand for the word `CURRENT` that follows the words,
/// the program's name first. `bash =LINE BREAKS` leaves it to us to find the words of the line;
/// `BREAKS` are the characters at which bash itself would end a word. The `=` is there because
/// some shells drop an empty argument.
///
/// `--refresh QUESTION ARG...` asks the account, and keeps the answer.
pub(super) fn answer(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<String> = args
        .into_iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    match args.as_slice() {
        [flag, question, kept @ ..] if flag == "--refresh" => refresh::run(question, kept),
        [shell, current, words @ ..] => {
            let shell = clap::ValueEnum::from_str(shell, true);
            if let (Ok(shell), Some(current)) = (shell, current.strip_prefix('=')) {
                let line = match (shell, words) {
                    (Shell::Bash, [breaks]) => Line::of_bash(current, breaks),
                    _ => Line::of_words(words, current),
                };
                let text = complete(shell, &line);
                Printer::stdio(Verbosity::Quiet).data(&text);
            }
        }
        _ => {}
    }
    // A shell would print an error in the middle of the line that is being typed.
    Exit::Done
}

/// Words what may be typed next, in the form that the shell's script reads.
fn complete(shell: Shell, line: &Line) -> String {
    let mut root = command();
    root.build();
    let sources = Sources::new(line.kept(&root));
    let answer = offer::answer(root, line, |kind| sources.values(kind));
    shells::print(shell, line, &answer)
}
