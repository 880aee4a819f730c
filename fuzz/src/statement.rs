//! What every planned statement is, whatever was asked.

use crate::keys::analytics::{Argument, Planned, Scope};

/// The tables that may be asked.
pub const TABLES: [&str; 5] = [
    "verifications",
    "verifications_per_minute",
    "verifications_per_hour",
    "verifications_per_day",
    "verifications_per_month",
];

/// Every word of ours. No other may be in a statement, whatever the asker wrote.
const WORDS: &str = "SELECT FROM JOIN ON WHERE AND OR NOT IN BETWEEN IS NULL GROUP BY ORDER ASC \
     DESC NULLS FIRST LAST LIMIT COUNT SUM MIN MAX CAST AS BIGINT REPLACE e s verification_series \
     id series_id time workspace_id key_space_id identity_id external_id key_id outcome tags \
     spent_credits uses";

/// Makes sure of a statement's words, tables, fence, arguments and limit.
///
/// # Panics
/// When any of them is not as it must be.
pub fn check(planned: &Planned, scope: &Scope, most: i64) {
    let statement = planned.statement.as_str();
    let words = words(statement);
    check_words(statement, &words);
    check_tables(statement, &words);
    check_fence(statement, scope);
    check_arguments(planned, scope, &words);
    let (_, limit) = statement.rsplit_once(" LIMIT ").expect("a limit");
    let limit: i64 = limit.parse().expect("a whole number");
    assert!((0..=most).contains(&limit), "{statement}");
    assert!(!planned.columns.is_empty(), "no column");
}

/// Takes a statement apart: words, numbers, arguments and single other characters.
fn words(statement: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut words = Vec::new();
    let mut rest = statement.trim_start_matches(' ');
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start_matches(' ');
    }
    words
}

fn check_words(statement: &str, words: &[&str]) {
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |at| words[at]);
        let is_known = WORDS.split_ascii_whitespace().any(|known| known == *word)
            || TABLES.contains(word)
            || (word.len() == 1 && "(),.*=<>".contains(word));
        let is_argument = word
            .strip_prefix('$')
            .is_some_and(|n| n.parse::<u16>().is_ok());
        // The limit, nobody's `1 = 0`, and the empty text that a tag is replaced by.
        let is_number = word.parse::<i64>().is_ok() && before == "LIMIT";
        let is_nobody = ["1", "0"].contains(word) && statement.contains(" AND 1 = 0 ");
        let is_empty = *word == "'" && statement.contains(", '') <> s.tags)");
        let is_ours = is_known || is_argument || is_number || is_nobody || is_empty;
        assert!(is_ours, "`{word}` in {statement}");
    }
    let quotes = statement.matches('\'').count();
    assert_eq!(quotes, 2 * statement.matches("'')").count(), "{statement}");
}

fn check_tables(statement: &str, words: &[&str]) {
    let from = words
        .iter()
        .position(|word| *word == "FROM")
        .expect("a table");
    assert!(TABLES.contains(&words[from + 1]), "{statement}");
    let series = "e JOIN verification_series s ON s . id = e . series_id WHERE";
    let series: Vec<_> = series.split(' ').collect();
    assert!(words[from + 2..].starts_with(&series), "{statement}");
    for once in ["SELECT", "FROM", "JOIN", "WHERE", "LIMIT"] {
        let count = words.iter().filter(|word| **word == once).count();
        assert_eq!(count, 1, "{once} in {statement}");
    }
}

/// Makes sure that who may see what comes first, joined by `AND` to all that follows.
fn check_fence(statement: &str, scope: &Scope) {
    let (_, fence) = statement.split_once(" WHERE ").expect("a filter");
    let mut rest = fence
        .strip_prefix("s.workspace_id = $1")
        .expect("the workspace");
    match scope.key_spaces.as_deref() {
        None => {}
        Some([]) => rest = rest.strip_prefix(" AND 1 = 0").expect("nobody"),
        Some(names) => {
            let names: Vec<_> = (2..).take(names.len()).map(|n| format!("${n}")).collect();
            let fence = format!(" AND s.key_space_id IN ({})", names.join(", "));
            rest = rest.strip_prefix(&fence).expect("the key spaces");
        }
    }
    if statement.contains(" FROM verifications e ") {
        let oldest = rest
            .strip_prefix(" AND e.time >= $")
            .expect("the oldest time");
        rest = oldest.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    if let Some(filter) = rest.strip_prefix(" AND ") {
        rest = &filter[closing(filter).expect("a filter in parentheses")..];
    }
    let is_end = [" GROUP BY ", " ORDER BY ", " LIMIT "]
        .iter()
        .any(|end| rest.starts_with(end));
    assert!(is_end, "{statement}");
}

/// Returns where the parenthesis that a text begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        depth += i64::from(letter == '(') - i64::from(letter == ')');
        if depth == 0 {
            return (letter == ')').then_some(at + 1);
        }
    }
    None
}

fn check_arguments(planned: &Planned, scope: &Scope, words: &[&str]) {
    let mut named: Vec<_> = words
        .iter()
        .filter_map(|word| word.strip_prefix('$')?.parse::<usize>().ok())
        .collect();
    named.sort_unstable();
    let there_are: Vec<_> = (1..=planned.arguments.len()).collect();
    assert_eq!(named, there_are, "{}", planned.statement);
    let workspace = Argument::Text(scope.workspace.clone());
    assert_eq!(planned.arguments.first(), Some(&workspace));
}
