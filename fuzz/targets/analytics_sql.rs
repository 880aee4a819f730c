//! Whatever text is asked about verifications, the statement that answers it is made of our own
//! words only, shows nothing of anybody else's, and is one that a real SQLite takes.

#![no_main]

use std::collections::BTreeSet;

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

/// The values that stand in a question, by another reader's word.
struct Values {
    texts: BTreeSet<String>,
    numbers: BTreeSet<i64>,
}

impl Values {
    fn of(text: &str) -> Self {
        let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize();
        let mut values = Self {
            texts: BTreeSet::new(),
            numbers: BTreeSet::new(),
        };
        for token in tokens.expect("what was parsed can be taken apart") {
            match token {
                Token::SingleQuotedString(text) => {
                    // A tag is looked for as the line that it is in the JSON of all of them.
                    let line = serde_json::Value::from(text.as_str()).to_string();
                    values.texts.extend([text, format!("\n{line}\n")]);
                }
                Token::Number(text, _) => values.numbers.extend(text.parse::<i64>()),
                _ => {}
            }
        }
        values
    }
}

fn arguments_are_the_askers(planned: &Planned, scope: &Scope, values: &Values) {
    // The workspace, its key spaces, and the oldest time where single ones are asked for.
    let has_oldest = planned.statement.contains(" FROM verifications e ");
    let key_spaces = scope.key_spaces.as_ref().map_or(0, Vec::len);
    let ours = 1 + key_spaces + usize::from(has_oldest);
    for argument in &planned.arguments[ours..] {
        match argument {
            Argument::Text(text) => assert!(values.texts.contains(text), "{text:?}"),
            Argument::Number(number) => {
                let is_there = [*number, number.saturating_neg()]
                    .iter()
                    .any(|number| values.numbers.contains(number));
                assert!(is_there, "{number}");
            }
        }
    }
}
