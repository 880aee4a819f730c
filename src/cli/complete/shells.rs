//! The two ends of the talk with a shell: its script, and what the script reads.
//!
//! An answer is a line that says which paths the shell should complete by itself (`none`, `files`
//! or `directories`), and then a line for each candidate. A candidate that ends in `=` is open:
//! the shell adds no space after it.

use std::fmt::Write as _;

use clap_complete::Shell;

use super::line::Line;
use super::offer::{Answer, Paths};

/// Returns the script that makes a shell ask us, whole.
pub(crate) fn script(shell: Shell) -> String {
    let (mark, first, text) = match shell {
        Shell::Zsh => ("#", "#compdef convox\n\n", include_str!("scripts/zsh")),
        Shell::Fish => ("#", "", include_str!("scripts/fish")),
        Shell::PowerShell => ("#", "", include_str!("scripts/powershell")),
        Shell::Elvish => ("#", "", include_str!("scripts/elvish")),
        _ => ("#", "", include_str!("scripts/bash")),
    };
    format!("{first}{mark} Made by `convox completions {shell}`.\n\n{text}")
}

/// Words an answer for the script of `shell`.
pub(super) fn print(shell: Shell, line: &Line, answer: &Answer) -> String {
    let paths = match answer.paths {
        Paths::None => "none",
        Paths::Files => "files",
        Paths::Directories => "directories",
    };
    let mut text = format!("{paths}\n");
    for value in &answer.candidates {
        let help = value.help.as_deref().unwrap_or_default();
        // Whatever an account says, it stays on its line.
        let plain = |text: &str| text.replace(|letter: char| letter.is_control(), " ");
        let (name, help) = (plain(&value.name), plain(help));
        let _ = match shell {
            Shell::Bash => writeln!(text, "{}", for_bash(line, &name)),
            Shell::Zsh => writeln!(text, "{}", for_zsh(&name, &help)),
            _ if help.is_empty() => writeln!(text, "{name}"),
            _ => writeln!(text, "{name}\t{help}"),
        };
    }
    text
}

/// bash replaces only what it takes for the last word, and shows no help. The script has it add
/// no space, since not every version can be told so for one candidate and not for another.
fn for_bash(line: &Line, name: &str) -> String {
    let rest = name.get(line.cut..).unwrap_or(name);
    if line.quote.is_some() {
        return rest.to_owned();
    }
    let is_safe = |letter: char| letter.is_alphanumeric() || "-_./=:,@+%".contains(letter);
    let mut text = String::new();
    for letter in rest.chars() {
        if !is_safe(letter) {
            text.push('\\');
        }
        text.push(letter);
    }
    if !name.ends_with('=') {
        text.push(' ');
    }
    text
}

/// `_describe` takes the first bare colon for the end of the word.
fn for_zsh(name: &str, help: &str) -> String {
    let name = name.replace('\\', "\\\\").replace(':', "\\:");
    match help {
        "" => name,
        help => format!("{name}:{}", help.replace('\\', "\\\\")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::complete::values::Value;

    fn printed(shell: Shell, text: &str, names: &[(&str, &str)]) -> String {
        let line = Line::of_bash(text, " \t\n\"'><=;|&(:");
        let candidates = names
            .iter()
            .map(|&(name, help)| Value::new(name, help))
            .collect();
        let answer = Answer {
            candidates,
            paths: Paths::Files,
        };
        print(shell, &line, &answer)
    }

    #[test]
    fn bash_is_given_what_it_replaces() {
        let print = |text, name| printed(Shell::Bash, text, &[(name, "help")]);
        assert_eq!(print("convox ro", "rolls"), "files\nrolls \n");
        assert_eq!(print("convox x --rack=p", "--rack=prod"), "files\nprod \n");
        assert_eq!(
            print("convox x Inst", "InstanceCount="),
            "files\nInstanceCount=\n"
        );
        assert_eq!(print("convox x a", "a $b"), "files\na\\ \\$b \n");
        assert_eq!(print("convox x 'a", "a $b"), "files\na $b\n");
    }

    #[test]
    fn the_others_are_given_help() {
        let names = [("a:b", "one: two"), ("c=", "")];
        assert_eq!(
            printed(Shell::Zsh, "convox ", &names),
            "files\na\\:b:one: two\nc=\n"
        );
        assert_eq!(
            printed(Shell::Fish, "convox ", &names),
            "files\na:b\tone: two\nc=\n"
        );
    }

    #[test]
    fn no_answer_of_an_account_can_do_anything_to_a_shell() {
        let print = |shell| printed(shell, "convox x ", &[("a\n\u{1b}[2Jb\t`c`", "d\ne")]);
        assert_eq!(print(Shell::Bash), "files\na\\ \\ \\[2Jb\\ \\`c\\` \n");
        assert_eq!(print(Shell::Fish), "files\na  [2Jb `c`\td e\n");
        assert_eq!(print(Shell::Zsh).lines().count(), 2);
    }
}
