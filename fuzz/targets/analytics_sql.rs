//! Whatever text is asked about verifications, the statement that answers it is made of our own
//! words only, shows nothing of anybody else's, and is one that a real SQLite takes.

#![no_main]

use convox_fuzz::database::Database;
use convox_fuzz::keys::analytics::{AnalyticsQuery, Argument, Planned, Scope, plan};
use convox_fuzz::statement;
use libfuzzer_sys::fuzz_target;
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

const NOW: i64 = 1_800_000_000_000;
const MOST: i64 = 3;

thread_local! {
    static DATABASE: Database = Database::new(NOW - 1000);
}

fuzz_target!(|text: &str| {
    let Ok(query) = AnalyticsQuery::parse(text) else {
        return;
    };
    assert!(text.len() <= 8000, "longer than a question may be");
    let values = Values::of(text);
    for scope in scopes() {
        let Ok(planned) = plan(&query, &scope, NOW, MOST) else {
            continue;
        };
        statement::check(&planned, &scope, MOST);
        arguments_are_the_askers(&planned, &scope, &values);
        DATABASE.with(|database| database.check(&planned, &scope, MOST));
    }
});

/// Somebody who may see all of a workspace, a part of another, and nothing of it.
fn scopes() -> [Scope; 3] {
    let scope = |workspace: &str, key_spaces| Scope {
        workspace: workspace.to_owned(),
        key_spaces,
    };
    [
        scope("ws_mine", None),
        scope(
            "ws_other",
            Some(vec!["ks_mine".to_owned(), "ks_2".to_owned()]),
        ),
        scope("ws_other", Some(Vec::new())),
    ]
}

/// The values that stand in a question, by another reader's word: each as often as it does.
#[derive(Clone)]
struct Values {
    texts: Vec<String>,
    /// Without their signs.
    numbers: Vec<u64>,
    has_limit: bool,
}

impl Values {
    fn of(text: &str) -> Self {
        let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize();
        let mut values = Self {
            texts: Vec::new(),
            numbers: Vec::new(),
            has_limit: false,
        };
        for token in tokens.expect("what was parsed can be taken apart") {
            match token {
                Token::SingleQuotedString(text) => values.texts.push(text),
                Token::Number(text, _) => values.numbers.extend(text.parse::<u64>()),
                Token::Word(word) => values.has_limit |= word.value.eq_ignore_ascii_case("limit"),
                _ => {}
            }
        }
        values
    }

    /// Takes a text out, once.
    fn take_text(&mut self, text: &str) -> bool {
        // A tag is looked for as the line that it is in the JSON of all of them.
        let is_it = |value: &String| {
            let line = serde_json::Value::from(value.as_str()).to_string();
            value == text || format!("\n{line}\n") == text
        };
        let place = self.texts.iter().position(is_it);
        place.map(|place| self.texts.swap_remove(place)).is_some()
    }

    /// Takes a number out, once.
    fn take_number(&mut self, number: i64) -> bool {
        let mut numbers = self.numbers.iter();
        let place = numbers.position(|value| *value == number.unsigned_abs());
        place.map(|place| self.numbers.swap_remove(place)).is_some()
    }
}

/// Makes sure that every value of the asker's is an argument, as often as it stands there, and no
/// other but ours.
fn arguments_are_the_askers(planned: &Planned, scope: &Scope, values: &Values) {
    // The workspace, its key spaces, and the oldest time where single ones are asked for.
    let has_oldest = planned.statement.contains(" FROM verifications e ");
    let key_spaces = scope.key_spaces.as_ref().map_or(0, Vec::len);
    let ours = 1 + key_spaces + usize::from(has_oldest);
    let mut left = values.clone();
    for argument in &planned.arguments[ours..] {
        match argument {
            Argument::Text(text) => assert!(left.take_text(text), "{text:?}"),
            Argument::Number(number) => assert!(left.take_number(*number), "{number}"),
        }
    }
    assert!(left.texts.is_empty(), "{:?}", left.texts);
    // How many rows are wanted is no argument.
    let limits = usize::from(left.has_limit);
    assert!(left.numbers.len() <= limits, "{:?}", left.numbers);
}
