//! The line up to the cursor: its words, and the options that say which rack is meant.

use clap::{Arg, CommandFactory as _, Parser};

use crate::cli::app::GlobalArgs;
use crate::cli::session::RackArgs;

/// The words of a command up to the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    /// The words before, the program's name first.
    pub(super) words: Vec<String>,
    /// The word at the cursor, as far as it is there; often empty.
    pub(super) current: String,
    /// The quote that the word at the cursor begins with.
    pub(super) quote: Option<char>,
    /// How many bytes of `current` the shell takes for words of their own.
    pub(super) cut: usize,
}

/// The options that decide which values there are, in the form that every command takes.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
pub(super) struct Kept {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    #[command(flatten)]
    pub(super) rack: RackArgs,
}

impl Line {
    /// Takes the words that the shell has found.
    pub(super) fn of_words(words: &[String], current: &str) -> Self {
        Self {
            words: words.to_vec(),
            current: current.to_owned(),
            ..Self::default()
        }
    }

    /// Finds the words of `text`, which ends at the cursor.
    ///
    /// bash ends a word at each of `breaks` too, `=` and `:` among them, and replaces only what
    /// comes after; but never inside quotes.
    pub(super) fn of_bash(text: &str, breaks: &str) -> Self {
        let mut line = Self::default();
        let mut in_word = false;
        let mut quote = None;
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match (quote, letter) {
                (Some(open), _) if letter == open => quote = None,
                (None, '"' | '\'') => {
                    if !in_word {
                        line.quote = Some(letter);
                    }
                    in_word = true;
                    quote = Some(letter);
                }
                (None | Some('"'), '\\') => {
                    in_word = true;
                    line.current.extend(letters.next());
                }
                (None, _) if letter.is_whitespace() => {
                    if in_word {
                        line.words.push(std::mem::take(&mut line.current));
                    }
                    in_word = false;
                    line.quote = None;
                    line.cut = 0;
                }
                _ => {
                    in_word = true;
                    line.current.push(letter);
                    if quote.is_none() && breaks.contains(letter) {
                        line.cut = line.current.len();
                    }
                }
            }
        }
        line.quote = quote;
        line
    }

    /// Picks out the options that say which rack is meant, whatever else is on the line.
    ///
    /// Each comes back as `--name` or `--name=value`, sorted. `root` has been built.
    pub(super) fn kept(&self, root: &clap::Command) -> Vec<String> {
        let wanted = Kept::command();
        let is_wanted = |arg: &Arg| {
            let same = |other: &Arg| other.get_id() == arg.get_id();
            wanted.get_arguments().any(same)
        };
        let mut kept = Vec::new();
        let mut command = root;
        let mut words = self.words.iter().skip(1);
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            let (arg, attached) = match word.strip_prefix("--") {
                Some(long) => of_long(command, long),
                None if word.starts_with('-') => of_short(command, &word[1..]),
                None => {
                    command = command.find_subcommand(word).unwrap_or(command);
                    continue;
                }
            };
            let Some(arg) = arg else { continue };
            let takes_value = arg.get_action().takes_values();
            let value = match attached {
                None if takes_value => words.next().cloned(),
                attached => attached,
            };
            if let Some(long) = arg.get_long().filter(|_| is_wanted(arg)) {
                match value {
                    Some(value) if takes_value => kept.push(format!("--{long}={value}")),
                    None if takes_value => {}
                    _ => kept.push(format!("--{long}")),
                }
            }
        }
        kept.sort();
        kept.dedup();
        kept
    }
}

type Found<'a> = (Option<&'a Arg>, Option<String>);

fn of_long<'a>(command: &'a clap::Command, long: &str) -> Found<'a> {
    let (name, value) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (long, None),
    };
    let arg = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(name));
    (arg, value)
}

/// Finds the first of some short options that takes a value, or else the first.
fn of_short<'a>(command: &'a clap::Command, letters: &str) -> Found<'a> {
    let find = |letter: char| {
        command
            .get_arguments()
            .find(|arg| arg.get_short() == Some(letter))
    };
    for (at, letter) in letters.char_indices() {
        let Some(arg) = find(letter) else { break };
        if arg.get_action().takes_values() {
            let rest = &letters[at + letter.len_utf8()..];
            let rest = rest.strip_prefix('=').unwrap_or(rest);
            return (Some(arg), (!rest.is_empty()).then(|| rest.to_owned()));
        }
    }
    (letters.chars().next().and_then(find), None)
}

impl Kept {
    /// Reads what [`Line::kept`] picked out; nothing where that contradicts itself.
    pub(super) fn parse_from_words(words: &[String]) -> Self {
        let Ok(Self { global, rack }) = Self::try_parse_from(words) else {
            return Self {
                global: GlobalArgs::default(),
                rack: RackArgs { rack: None },
            };
        };
        let global = global.settle().unwrap_or_default();
        Self { global, rack }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    fn bash(text: &str) -> (Vec<String>, String, Option<char>, usize) {
        let line = Line::of_bash(text, BREAKS);
        (line.words, line.current, line.quote, line.cut)
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_cut_into_words_as_bash_does() {
        assert_eq!(bash("convox "), (words("convox"), String::new(), None, 0));
        assert_eq!(
            bash("convox rolls  sh"),
            (words("convox rolls"), "sh".to_owned(), None, 0)
        );
        assert_eq!(
            bash("convox keyroll --rack=pr"),
            (words("convox keyroll"), "--rack=pr".to_owned(), None, 7)
        );
        assert_eq!(
            bash("convox a\\ b \"c d\" 'e"),
            (
                vec!["convox".to_owned(), "a b".to_owned(), "c d".to_owned()],
                "e".to_owned(),
                Some('\''),
                0
            )
        );
        assert_eq!(
            bash("convox 'a=b'"),
            (words("convox"), "a=b".to_owned(), None, 0)
        );
    }

    #[test]
    fn the_options_that_say_which_rack_are_kept() {
        let mut root = crate::cli::command();
        root.build();
        let kept = |text: &str| Line::of_words(&words(text), "").kept(&root).join(" ");
        assert_eq!(kept("convox rolls list"), "");
        assert_eq!(
            kept("convox --sandbox rolls list --rack prod -q"),
            "--quiet --rack=prod --sandbox"
        );
        assert_eq!(
            kept("convox --region=eu-west-1 rolls show -rprod --output json --profile"),
            "--rack=prod --region=eu-west-1"
        );
        assert_eq!(
            kept("convox instances keyroll -yr prod -r=x"),
            "--rack=prod --rack=x"
        );
        assert_eq!(kept("convox rolls list -- --rack prod"), "");
        assert_eq!(
            kept("convox rolls list --nonsense --rack prod"),
            "--rack=prod"
        );
    }

    #[test]
    fn what_is_kept_can_be_read_again() {
        let kept = Kept::parse_from_words(&words("--rack=prod --region=eu-west-1"));
        assert_eq!(kept.rack.rack.as_deref(), Some("prod"));
        assert_eq!(kept.global.region.as_deref(), Some("eu-west-1"));
        let kept = Kept::parse_from_words(&words("--sandbox --endpoint-url=http://x"));
        assert!(!kept.global.sandbox, "what contradicts itself says nothing");
    }
}
