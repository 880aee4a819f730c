//! A wrong command line in the words of the house: one line, and a hint.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::ui::{CliError, Exit, Printer, one_line};

/// Prints help or version as data, or a usage error, and returns how the command ends.
pub(crate) fn print(printer: &Printer, error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render();
            let coloured = printer.data_colour().is_enabled();
            printer.data(&if coloured {
                text.ansi().to_string()
            } else {
                text.to_string()
            });
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            printer.always(error.render().to_string().trim_end());
            Exit::Usage
        }
        _ => {
            let error = explain(error);
            printer.error(&error);
            error.exit()
        }
    }
}

/// Puts a usage error into one line and a hint.
fn explain(error: &clap::Error) -> CliError {
    let context = |kind| error.get(kind).map(words).filter(|text| !text.is_empty());
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UnknownArgument => format!("unknown argument `{argument}`"),
        ErrorKind::InvalidSubcommand => {
            let name = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("unknown command `{name}`")
        }
        ErrorKind::MissingRequiredArgument => format!("missing {argument}"),
        ErrorKind::MissingSubcommand => "missing a command".to_owned(),
        ErrorKind::InvalidValue if value.is_empty() => format!("missing a value for `{argument}`"),
        ErrorKind::InvalidValue => format!("`{value}` is not a value of `{argument}`"),
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error)
                .map(|source| format!(": {source}"))
                .unwrap_or_default();
            format!("`{value}` is not a value of `{argument}`{reason}")
        }
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            if other == argument || other.is_empty() {
                format!("`{argument}` was given more than once")
            } else {
                format!("`{argument}` and `{other}` do not go together")
            }
        }
        _ => first_line(&error.render().to_string()),
    };
    let hint = [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
    ]
    .into_iter()
    .find_map(context)
    .or_else(|| named(&argument, &context(ContextKind::Usage)?))
    .map(|nearest| format!("did you mean `{nearest}`?"))
    .or_else(|| context(ContextKind::ValidValue).map(|valid| format!("it takes one of: {valid}")))
    .unwrap_or_else(|| {
        let usage = context(ContextKind::Usage).unwrap_or_default();
        format!("`{} --help` tells what it takes", command_of(&usage))
    });
    CliError::usage(message).hint(hint)
}

fn words(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(texts) => texts.join(", "),
        ContextValue::StyledStrs(texts) => texts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        ContextValue::None => String::new(),
        other => other.to_string(),
    }
}

/// Takes a value that stands alone for that of the one option that a command must have, which it
/// reads out of `Usage: convox keys create [OPTIONS] --api <API>`.
fn named(argument: &str, usage: &str) -> Option<String> {
    let mut options = usage
        .split_whitespace()
        .filter(|word| word.starts_with("--"));
    match (options.next(), options.next()) {
        (Some(option), None) if !argument.starts_with('-') => Some(format!("{option} {argument}")),
        _ => None,
    }
}

/// Reads the command out of `Usage: convox rolls show [OPTIONS] <ID>`.
fn command_of(usage: &str) -> String {
    let is_name = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_lowercase());
    let names: Vec<_> = usage
        .trim_start_matches("Usage:")
        .split_whitespace()
        .take_while(is_name)
        .collect();
    if names.is_empty() {
        "convox".to_owned()
    } else {
        names.join(" ")
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    one_line(line.strip_prefix("error: ").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Verbosity;

    fn said(args: &[&str]) -> String {
        let error = crate::cli::command()
            .try_get_matches_from(args)
            .unwrap_err();
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let exit = print(&printer, &error);
        assert_eq!(captured.stdout(), "");
        format!("{}\n{}", exit.code(), captured.stderr())
    }

    #[test]
    fn each_mistake_is_one_line_and_a_hint() {
        let mistakes: &[&[&str]] = &[
            &["convox", "instances", "keyroll", "--bogus"],
            &["convox", "instances", "keyroll", "--detatch"],
            &["convox", "instance"],
            &["convox", "nonsense"],
            &["convox", "rolls", "show"],
            &["convox", "rolls", "show", "short"],
            &["convox", "instances", "keyroll", "--key-type", "dsa"],
            &["convox", "instances", "keyroll", "--key-type"],
            &["convox", "instances", "keyroll", "--wait-busy", "soon"],
            &["convox", "instances", "keyroll", "extra"],
            &["convox", "keys", "create", "api_1234"],
            &["convox", "instances", "keyroll", "-q", "-v"],
            &["convox", "instances", "keyroll", "--plan", "--plan"],
            &["convox", "--sandbox", "--profile", "x", "rolls", "list"],
            &["convox", "completions", "cmd"],
        ];
        let text: Vec<_> = mistakes
            .iter()
            .map(|args| format!("$ {}\n{}", args.join(" "), said(args)))
            .collect();
        for said in &text {
            assert_eq!(said.lines().count(), 4, "{said}");
        }
        insta::assert_snapshot!(text.join("\n"), @r"
        $ convox instances keyroll --bogus
        2
        ERROR: unknown argument `--bogus`
        hint: `convox instances keyroll --help` tells what it takes

        $ convox instances keyroll --detatch
        2
        ERROR: unknown argument `--detatch`
        hint: did you mean `--detach`?

        $ convox instance
        2
        ERROR: unknown command `instance`
        hint: did you mean `instances`?

        $ convox nonsense
        2
        ERROR: unknown command `nonsense`
        hint: `convox --help` tells what it takes

        $ convox rolls show
        2
        ERROR: missing <ID>
        hint: `convox rolls show --help` tells what it takes

        $ convox rolls show short
        2
        ERROR: `short` is not a value of `<ID>`: `short` is not a roll id (16 letters and digits)
        hint: `convox --help` tells what it takes

        $ convox instances keyroll --key-type dsa
        2
        ERROR: `dsa` is not a value of `--key-type <TYPE>`
        hint: did you mean `rsa`?

        $ convox instances keyroll --key-type
        2
        ERROR: missing a value for `--key-type <TYPE>`
        hint: it takes one of: ed25519, rsa

        $ convox instances keyroll --wait-busy soon
        2
        ERROR: `soon` is not a value of `--wait-busy <DURATION>`: expected number at 0
        hint: `convox --help` tells what it takes

        $ convox instances keyroll extra
        2
        ERROR: unknown argument `extra`
        hint: `convox instances keyroll --help` tells what it takes

        $ convox keys create api_1234
        2
        ERROR: unknown argument `api_1234`
        hint: did you mean `--api api_1234`?

        $ convox instances keyroll -q -v
        2
        ERROR: `--quiet` and `--verbose` do not go together
        hint: `convox instances keyroll --help` tells what it takes

        $ convox instances keyroll --plan --plan
        2
        ERROR: `--plan` was given more than once
        hint: `convox instances keyroll --help` tells what it takes

        $ convox --sandbox --profile x rolls list
        2
        ERROR: `--sandbox` and `--profile <NAME>` do not go together
        hint: `convox --help` tells what it takes

        $ convox completions cmd
        2
        ERROR: `cmd` is not a value of `[SHELL]`
        hint: it takes one of: bash, elvish, fish, powershell, zsh
        ");
    }
}
