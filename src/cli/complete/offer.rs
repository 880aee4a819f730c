//! What may be typed next: clap's own candidates, and the values that they stand for.

use clap::ValueHint;
use clap::builder::StyledStr;
use clap_complete::engine::{ArgValueCompleter, complete};

use super::kind::Kind;
use super::line::Line;
use super::values::Value;

/// What may stand in place of the word at the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Answer {
    /// Whole words, in the order in which to show them.
    pub(super) candidates: Vec<Value>,
    /// Which paths may stand there besides.
    pub(super) paths: Paths,
}

/// Which paths a shell should complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Paths {
    /// None.
    #[default]
    None,
    /// Files and directories.
    Files,
    /// Directories.
    Directories,
}

/// Answers what may be typed at the end of `line`; `values` looks values up, and only when needed.
pub(super) fn answer(
    root: clap::Command,
    line: &Line,
    values: impl Fn(Kind) -> Vec<Value>,
) -> Answer {
    let mut root = with_paths(root);
    let mut words: Vec<_> = line.words.iter().map(Into::into).collect();
    let at = words.len();
    words.push((&line.current).into());
    let mut answer = Answer::default();
    let mut takes_a_value = false;
    for candidate in complete(&mut root, words, at, None).unwrap_or_default() {
        let prefix = candidate.get_value().to_string_lossy();
        let kind = Kind::of(&candidate);
        takes_a_value |= kind.is_some();
        match kind {
            Some(Kind::Directories) => answer.paths = Paths::Directories,
            Some(Kind::Files) => answer.paths = Paths::Files,
            Some(kind) => {
                if kind == Kind::Scenarios {
                    answer.paths = Paths::Files;
                }
                let whole = values(kind).into_iter().map(|value| Value {
                    name: format!("{prefix}{}", value.name),
                    ..value
                });
                let fits = |value: &Value| value.name.starts_with(&line.current);
                answer.candidates.extend(whole.filter(fits));
            }
            None => answer.candidates.push(Value {
                name: prefix.into_owned(),
                help: candidate.get_help().and_then(first_line),
            }),
        }
    }
    // A dash asks for options, and nothing does where something else may stand. Values that are
    // not known right now are no reason to offer options in their place.
    let is_word = |value: &Value| !value.is_option();
    if line.current.is_empty() && (takes_a_value || answer.candidates.iter().any(is_word)) {
        answer.candidates.retain(is_word);
    }
    let given = |value: &Value| value.is_option() && line.words.contains(&value.name);
    answer.candidates.retain(|value| !given(value));
    answer
}

impl Value {
    fn is_option(&self) -> bool {
        self.name.starts_with('-')
    }
}

/// Has the shell complete the paths of every argument that takes one.
fn with_paths(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let kind = match arg.get_value_hint() {
            _ if arg.get::<ArgValueCompleter>().is_some() => None,
            ValueHint::AnyPath | ValueHint::FilePath | ValueHint::ExecutablePath => {
                Some(Kind::Files)
            }
            ValueHint::DirPath => Some(Kind::Directories),
            _ => None,
        };
        match kind {
            Some(kind) => arg.add(kind.completer()),
            None => arg,
        }
    });
    command.mut_subcommands(with_paths)
}

fn first_line(help: &StyledStr) -> Option<String> {
    let text = help.to_string();
    let line = text.lines().next().unwrap_or_default().trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind) -> Vec<Value> {
        match kind {
            Kind::Racks => vec![Value::new("prod", "here"), Value::new("staging", "")],
            Kind::Rolls => vec![Value::new("01kb2q5z8g000001", "done")],
            Kind::Scenarios => vec![Value::new("success", "nothing goes wrong")],
            _ => Vec::new(),
        }
    }

    fn offered(text: &str) -> String {
        let mut root = crate::cli::command();
        root.build();
        let line = Line::of_bash(text, "");
        let answer = answer(root, &line, found);
        let names: Vec<_> = answer
            .candidates
            .into_iter()
            .map(|value| value.name)
            .collect();
        match answer.paths {
            Paths::None => names.join(" "),
            paths => format!("{} {paths:?}", names.join(" ")).trim().to_owned(),
        }
    }

    #[test]
    fn commands_come_before_options() {
        let commands = offered("convox ");
        assert!(commands.contains("instances"), "{commands}");
        assert!(!commands.contains('-'), "{commands}");
        assert_eq!(offered("convox inst"), "instances");
        assert_eq!(offered("convox --verb"), "--verbose");
        assert_eq!(offered("convox __"), "", "what the scripts call is hidden");
    }

    #[test]
    fn values_are_looked_up_however_the_option_is_written() {
        assert_eq!(offered("convox rolls list --rack "), "prod staging");
        assert_eq!(offered("convox rolls list --rack=p"), "--rack=prod");
        assert_eq!(offered("convox rolls list -r s"), "staging");
        assert_eq!(offered("convox rolls list -rs"), "-rstaging");
        assert_eq!(offered("convox rolls list --rack x"), "");
        assert_eq!(offered("convox rolls show "), "01kb2q5z8g000001");
        assert_eq!(offered("convox rolls show 02"), "");
        assert_eq!(offered("convox instances terminate "), "", "none is known");
        assert_eq!(
            offered("convox instances keyroll --key-type="),
            "--key-type=ed25519 --key-type=rsa"
        );
    }

    #[test]
    fn paths_are_left_to_the_shell() {
        assert_eq!(offered("convox sandbox serve --scenario "), "success Files");
        assert_eq!(offered("convox instances keyroll --save-key "), "Files");
        assert_eq!(offered("convox completions --dir "), "Directories");
    }

    #[test]
    fn an_option_that_was_given_is_not_offered_again() {
        assert_eq!(offered("convox instances keyroll --pl"), "--plan");
        assert_eq!(offered("convox instances keyroll --plan --pl"), "");
    }

    #[test]
    fn help_is_one_line() {
        let mut root = crate::cli::command();
        root.build();
        let answer = answer(root, &Line::of_bash("convox sandbox re", ""), found);
        assert_eq!(
            answer.candidates,
            [Value::new(
                "reset",
                "Start the account on this machine afresh"
            )]
        );
    }
}
