//! Reads every path under `src/` and fails on a door between rooms that opens the wrong way.
//!
//! The rooms are those of the README. Tests inside a room may go anywhere: the doors are
//! about what is shipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms that it may use. A longer path is a room of its own.
const DOORS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "ui",
            "config",
            "console",
            "roll",
            "rack",
            "rack::aws",
            "rack::remote",
            "rehearse",
            "sandbox",
            "ssh",
            "store",
            "unkey",
            "clock",
            "ids",
            "private",
        ],
    ),
    ("ssh", &["rack", "clock", "ids", "private"]),
    (
        "ui",
        &[
            "rehearse",
            "roll",
            "rack",
            "rack::remote",
            "plot",
            "clock",
            "ids",
        ],
    ),
    (
        "config",
        &["rack", "rack::aws", "rack::remote", "ids", "private"],
    ),
    (
        "console",
        &[
            "roll", "rack", "keys", "store", "webhook", "plot", "clock", "frames", "ids",
            "private",
            // Shells on instances: the key that opens one is handed to the system's `ssh` by an
            // agent, as the command line does it.
            "ssh",
        ],
    ),
    ("rehearse", &["roll", "rack", "sandbox", "clock", "ids"]),
    ("roll", &["rack", "template", "clock", "ids", "private"]),
    ("rack", &["template", "clock", "ids", "envelope", "private"]),
    (
        "rack::aws",
        &["rack", "template", "envelope", "clock", "ids"],
    ),
    (
        "rack::remote",
        &["rack", "clock", "frames", "ids", "private"],
    ),
    (
        "sandbox",
        &["template", "envelope", "clock", "ids", "private"],
    ),
    ("keys", &["ids"]),
    ("store", &["keys", "clock", "ids", "private"]),
    ("unkey", &["clock"]),
    ("plot", &[]),
    ("webhook", &[]),
    ("template", &[]),
    ("envelope", &[]),
    ("frames", &[]),
    ("ids", &[]),
    ("clock", &[]),
    ("private", &[]),
];

/// Crates that only some rooms may name. An entry that ends in `_` is a prefix.
const CRATES: &[(&str, &[&str])] = &[
    ("aws_sdk_", &["rack::aws"]),
    ("aws_config", &["rack::aws"]),
    ("aws_sigv4", &["rack::aws"]),
    ("aws_smithy_", &["rack::aws"]),
    ("aws_types", &["rack::aws"]),
    ("reqwest", &["rack::remote", "unkey", "webhook"]),
    // A client in one room, a server in the other.
    ("rustls", &["rack::remote", "console"]),
    ("rustls_native_certs", &["rack::remote"]),
    ("tokio_tungstenite", &["rack::remote", "console", "frames"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["ui"]),
    ("owo_colors", &["ui"]),
    ("axum", &["sandbox::serve", "console"]),
    ("askama", &["console"]),
    ("argon2", &["console"]),
    ("hyper", &["console"]),
    ("hyper_util", &["console"]),
    ("rcgen", &["console"]),
    ("tokio_rustls", &["console"]),
    ("sqlx", &["store"]),
    ("sqlparser", &["keys::analytics"]),
    ("utoipa", &["console"]),
    ("jsonschema", &["console"]),
];

#[test]
fn every_door_opens_the_right_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read_sources(&src, &src, &mut sources);
    assert!(
        sources.len() > 20,
        "found only {} files under src/",
        sources.len()
    );
    let test_files: BTreeSet<_> = sources.iter().flat_map(test_modules).collect();
    let wrong: Vec<_> = sources
        .iter()
        .filter(|source| {
            !test_files
                .iter()
                .any(|test| source.module.starts_with(test))
        })
        .flat_map(wrong_doors)
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_its_doors() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    for line in lib.lines() {
        if let Some(room) = line
            .strip_prefix("pub mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            assert!(
                DOORS.iter().any(|(name, _)| *name == room),
                "`{room}` is in no list of doors"
            );
        }
    }
}

/// One file of `src/`, and the module that it is.
struct Source {
    file: String,
    module: Vec<String>,
    text: String,
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        let path = file.trim_end_matches(".rs");
        let mut module: Vec<_> = path.split('/').map(str::to_owned).collect();
        if module
            .last()
            .is_some_and(|last| last == "mod" || last == "lib")
        {
            module.pop();
        }
        Self {
            file: file.to_owned(),
            module,
            text: code_of(text),
        }
    }
}

fn read_sources(root: &Path, dir: &Path, sources: &mut Vec<Source>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_sources(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            sources.push(Source::new(&file, &fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Replaces comments, strings and character literals by spaces, so that only code is left.
fn code_of(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut at = 0;
    let keep_breaks = |from: usize, to: usize, code: &mut String| {
        code.extend(bytes[from..to.min(bytes.len())].iter().map(|c| match c {
            '\n' => '\n',
            _ => ' ',
        }));
    };
    while at < bytes.len() {
        let rest = &bytes[at..];
        let is_word = at > 0 && (bytes[at - 1].is_alphanumeric() || bytes[at - 1] == '_');
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => {
                let end = rest.windows(2).position(|pair| pair == ['*', '/']);
                end.map_or(rest.len(), |end| end + 2)
            }
            ['r', '"' | '#', ..] if !is_word => raw_string(&rest[1..]).map_or(0, |n| n + 1),
            ['b', 'r', '"' | '#', ..] if !is_word => raw_string(&rest[2..]).map_or(0, |n| n + 2),
            ['"', ..] => string(rest),
            ['\'', '\\', ..] => {
                3 + rest[3..]
                    .iter()
                    .position(|c| *c == '\'')
                    .map_or(0, |end| end + 1)
            }
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if length == 0 {
            code.push(bytes[at]);
            at += 1;
        } else {
            keep_breaks(at, at + length, &mut code);
            at += length;
        }
    }
    code
}

/// Measures a string literal that begins at the first character.
fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Measures a raw string literal from its first `#` or `"`; none if it is not one.
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let body = &rest[hashes + 1..];
    let close = body.windows(end.len()).position(|window| window == end)?;
    Some(hashes + 1 + close + end.len())
}

/// A word, `::`, or any other character that is not white space, with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let letters: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < letters.len() {
            let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
            let length = if is_word(&letters[at]) {
                letters[at..].iter().take_while(|c| is_word(c)).count()
            } else if letters[at..].starts_with(&[':', ':']) {
                2
            } else {
                1
            };
            let token: String = letters[at..at + length].iter().collect();
            if !token.trim().is_empty() {
                tokens.push((number + 1, token));
            }
            at += length;
        }
    }
    tokens
}

/// Lists the modules that a file declares as tests in files of their own.
fn test_modules(source: &Source) -> Vec<Vec<String>> {
    let tokens = tokens(&source.text);
    let words: Vec<_> = tokens.iter().map(|(_, token)| token.as_str()).collect();
    let mut modules = Vec::new();
    for at in 0..words.len() {
        if !words[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            continue;
        }
        let after = words[at + 7..]
            .iter()
            .position(|word| *word == "mod")
            .unwrap_or(usize::MAX);
        // Between the attribute and `mod` there may only be a visibility.
        if let Some([_, name, ";"]) = words.get(at + 7 + after.min(4)..at + 10 + after.min(4)) {
            let mut module = source.module.clone();
            module.push((*name).to_owned());
            modules.push(module);
        }
    }
    modules
}

/// Lists the paths of a file, each in full from the crate or a foreign crate, with its line.
fn paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(&source.text);
    let words: Vec<_> = tokens.iter().map(|(_, token)| token.as_str()).collect();
    let mut found = Vec::new();
    let mut depth = 0;
    // Modules written inside this file: their names and the depth of their braces.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if words[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = skip_item(&words, at + 7);
            continue;
        }
        match words[at] {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.retain(|(_, opened)| *opened <= depth);
            }
            "mod" if words.get(at + 2) == Some(&"{") => {
                inner.push((words[at + 1].to_owned(), depth + 1));
            }
            _ => {}
        }
        let begins = at == 0 || words[at - 1] != "::";
        let is_path = words.get(at + 1) == Some(&"::") && begins;
        let is_use = at > 0 && words[at - 1] == "use";
        if (is_path || is_use) && words[at].starts_with(|c: char| c.is_alphabetic()) {
            let mut here = source.module.clone();
            here.extend(inner.iter().map(|(name, _)| name.clone()));
            let (tree, _) = expand(&words, at);
            for path in tree {
                found.push((tokens[at].0, absolute(&here, path)));
            }
        }
        at += 1;
    }
    found
}

/// Returns where the item ends that begins at `at`: after its braces, or its semicolon.
fn skip_item(words: &[&str], at: usize) -> usize {
    let mut depth = 0;
    for (offset, word) in words[at..].iter().enumerate() {
        match *word {
            "{" => depth += 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + offset + 1,
            _ => continue,
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    words.len()
}

/// Expands the path that begins at `at`, groups in braces included; returns what follows too.
fn expand(words: &[&str], mut at: usize) -> (Vec<Vec<String>>, usize) {
    let mut prefix = Vec::new();
    loop {
        match words.get(at) {
            Some(&"{") => {
                let mut paths = Vec::new();
                at += 1;
                while words.get(at).is_some_and(|word| *word != "}") {
                    if words[at] == "," {
                        at += 1;
                        continue;
                    }
                    let (tails, next) = expand(words, at);
                    paths.extend(
                        tails
                            .into_iter()
                            .map(|tail| [prefix.clone(), tail].concat()),
                    );
                    at = next.max(at + 1);
                }
                return (paths, at + 1);
            }
            Some(word) if word.starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
                prefix.push((*word).to_owned());
                at += 1;
            }
            _ => return (vec![prefix], at),
        }
        if words.get(at) != Some(&"::") {
            // Skips an `as name`.
            let next = if words.get(at) == Some(&"as") {
                at + 2
            } else {
                at
            };
            return (vec![prefix], next);
        }
        at += 1;
    }
}

/// Turns a path into one from the crate's root; a foreign path stays as it is.
fn absolute(here: &[String], path: Vec<String>) -> Vec<String> {
    let mut base = here.to_vec();
    let mut rest = path.as_slice();
    match rest.first().map(String::as_str) {
        Some("crate" | "convox") => return [&["crate".to_owned()], &rest[1..]].concat(),
        Some("self") => rest = &rest[1..],
        Some("super") => {
            while rest.first().is_some_and(|word| word == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        _ => return path,
    }
    [&["crate".to_owned()], base.as_slice(), rest].concat()
}

/// Finds the room of a module, the longest that fits.
fn room(module: &[String]) -> Option<&'static str> {
    let fits = |name: &&str| {
        let parts: Vec<_> = name.split("::").collect();
        module.len() >= parts.len() && parts.iter().zip(module).all(|(part, word)| part == word)
    };
    DOORS
        .iter()
        .map(|(name, _)| *name)
        .filter(fits)
        .max_by_key(|name| name.len())
}

fn wrong_doors(source: &Source) -> Vec<String> {
    let from = room(&source.module);
    let mut wrong = BTreeSet::new();
    for (line, path) in paths(source) {
        let place = format!("src/{}:{line}", source.file);
        if path.first().is_some_and(|word| word == "crate") {
            let to = room(&path[1..]);
            if let (Some(from), Some(to)) = (from, to) {
                let open = DOORS
                    .iter()
                    .find(|(name, _)| *name == from)
                    .map(|(_, to)| *to);
                if from != to && !open.unwrap_or(&[]).contains(&to) {
                    wrong.insert(format!("{place}: {from} must not use {to}"));
                }
            }
        } else if let Some(word) = path.first() {
            for (name, rooms) in CRATES {
                let named = word == name || (name.ends_with('_') && word.starts_with(name));
                let allowed = |room: &&str| {
                    let module = source.module.join("::");
                    module == **room || module.starts_with(&format!("{room}::"))
                };
                if named && !rooms.iter().any(allowed) {
                    wrong.insert(format!("{place}: only {} may use {word}", rooms.join(", ")));
                }
            }
        }
    }
    wrong.into_iter().collect()
}

#[cfg(test)]
mod checker {
    use super::*;

    fn wrong(file: &str, text: &str) -> Vec<String> {
        wrong_doors(&Source::new(file, text))
    }

    #[test]
    fn a_wrong_line_is_found_however_it_is_written() {
        for (file, text) in [
            ("roll/engine.rs", "use crate::cli::run;"),
            ("roll/engine.rs", "use crate::rack::aws::Account;"),
            ("roll/engine.rs", "use crate::rack::{Stack, aws::Account};"),
            (
                "roll/engine.rs",
                "use crate::{ids::RollId, ui::{self, Printer}};",
            ),
            ("roll/engine.rs", "use super::super::ui::Printer;"),
            ("roll/mod.rs", "pub use super::ui::Printer;"),
            ("roll/engine.rs", "fn f() { crate::ui::ago() }"),
            (
                "roll/engine.rs",
                "mod x { use super::super::super::sandbox::World; }",
            ),
            ("roll/engine.rs", "use clap::Parser;"),
            ("roll/engine.rs", "use\n    indicatif::{\n ProgressBar };"),
            ("rack/ports.rs", "use super::aws::Account;"),
            ("sandbox/world.rs", "use crate::rack::Stack;"),
            ("sandbox/world.rs", "fn f() -> aws_sdk_ec2::Client { }"),
            ("sandbox/world.rs", "use axum::Router;"),
            ("ids.rs", "use crate::clock::Clock;"),
            ("ui/bars.rs", "use crate::cli::command;"),
        ] {
            assert_eq!(wrong(file, text).len(), 1, "{file}: {text}");
        }
    }

    #[test]
    fn a_right_line_is_left_alone() {
        for (file, text) in [
            (
                "roll/engine.rs",
                "use crate::rack::{Stack, StackEvent as Event};",
            ),
            ("roll/engine.rs", "use super::plan::Plan; use self::x::Y;"),
            ("roll/engine.rs", "// use crate::cli::run;\n/* crate::ui */"),
            (
                "roll/engine.rs",
                "const X: &str = \"use crate::cli::run;\";",
            ),
            (
                "roll/engine.rs",
                "const X: &str = r#\"use \"crate::cli::run;\"#;",
            ),
            (
                "roll/engine.rs",
                "#[cfg(test)]\nmod tests { use crate::sandbox::World; }",
            ),
            ("roll/engine.rs", "mod x { use super::super::plan::Plan; }"),
            (
                "roll/engine.rs",
                "let q = '\"'; use crate::ids::RollId; let r = '\"';",
            ),
            (
                "rack/aws/stacks.rs",
                "use aws_sdk_cloudformation::Client; use crate::rack::Stack;",
            ),
            ("sandbox/serve.rs", "use axum::Router;"),
            ("cli/session.rs", "use crate::rack::aws::Account;"),
            ("main.rs", "fn main() { convox::cli::run(x) }"),
        ] {
            assert_eq!(wrong(file, text), Vec::<String>::new(), "{file}: {text}");
        }
    }

    #[test]
    fn the_code_after_a_test_module_is_read_again() {
        let text = "#[cfg(test)]\nmod tests { use crate::ui::X; }\nuse crate::cli::run;";
        assert_eq!(
            wrong("roll/engine.rs", text),
            ["src/roll/engine.rs:3: roll must not use cli"]
        );
    }

    #[test]
    fn a_test_module_in_its_own_file_is_known() {
        let source = Source::new(
            "ui/mod.rs",
            "#[cfg(test)]\npub(crate) mod canned;\nmod bars;",
        );
        assert_eq!(test_modules(&source), [["ui", "canned"]]);
    }
}
