use proptest::prelude::*;

use super::*;

/// Pieces of questions, and of things that are none.
fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP BY",
        "ORDER BY",
        "LIMIT",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "IS",
        "NULL",
        "AS",
        "UNION",
        "JOIN",
        "HAVING",
        "WITH",
        "(",
        ")",
        ",",
        "*",
        ";",
        "=",
        "<>",
        "<",
        ">=",
        "--",
        "/*",
        "*/",
        "'",
        "\"",
        "time",
        "key_id",
        "workspace_id",
        "count",
        "tags",
        "outcome",
        "'ws_other'",
        "1",
        "-1",
        "COUNT(*)",
        "SUM(count)",
        "has(",
        "key_verifications_v1",
        "key_verifications_per_day_v1",
        "keys",
        "$1",
        "?",
        "||",
        "::text",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

/// Conditions that are understood, with values that must not get into the statement.
fn conditions() -> impl Strategy<Value = String> {
    let text = "[a-z' ;)(-]{0,12}".prop_map(|text| format!("'SECRET{}'", text.replace('\'', "''")));
    let leaf = prop_oneof![
        text.clone()
            .prop_map(|text| format!("workspace_id = {text}")),
        text.clone().prop_map(|text| format!("{text} <> key_id")),
        text.clone().prop_map(|text| format!("has(tags, {text})")),
        text.clone()
            .prop_map(|text| format!("external_id IN ({text}, {text})")),
        text.prop_map(|text| format!("outcome BETWEEN {text} AND {text}")),
        Just("identity_id IS NULL".to_owned()),
        (NOW..2 * NOW).prop_map(|at| format!("time < {at}")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} AND {b}")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

/// Makes sure that the asker's filter stands inside parentheses, after the workspace.
fn is_fenced(planned: &Planned) -> bool {
    let workspace = Argument::Text("ws_mine".to_owned());
    let (_, after) = planned.statement.split_once(" WHERE ").unwrap_or_default();
    let Some(rest) = after.strip_prefix("s.workspace_id = $1") else {
        return false;
    };
    let rest = rest.strip_prefix(" AND e.time >= $2").unwrap_or(rest);
    let mut depth = 0_i64;
    let mut ends = None;
    for (at, letter) in rest.char_indices() {
        depth += i64::from(letter == '(') - i64::from(letter == ')');
        if depth < 0 {
            return false;
        }
        if depth == 0 && letter == ')' && ends.is_none() {
            ends = Some(at);
        }
    }
    let filter = rest.strip_prefix(" AND (");
    let tail = match (filter, ends) {
        (Some(_), Some(end)) => &rest[end + 1..],
        _ => rest,
    };
    let is_tail = [" GROUP BY ", " ORDER BY ", " LIMIT "]
        .iter()
        .any(|word| tail.starts_with(word));
    depth == 0 && is_tail && planned.arguments.first() == Some(&workspace)
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = planned(&text);
    }

    #[test]
    fn no_heap_of_words_gets_around_the_workspace(
        words in prop::collection::vec(pieces(), 0..24),
        begins in any::<bool>(),
    ) {
        let begin = if begins { "SELECT time FROM key_verifications_v1 WHERE " } else { "" };
        let text = format!("{begin}{}", words.join(" "));
        if let Ok(planned) = planned(&text) {
            prop_assert!(is_fenced(&planned), "{}", planned.statement);
        }
    }

    #[test]
    fn values_are_arguments_and_conditions_stay_in_their_fence(filter in conditions()) {
        let text = format!("SELECT time FROM key_verifications_v1 WHERE {filter}");
        let planned = planned(&text).unwrap();
        prop_assert!(is_fenced(&planned), "{}", planned.statement);
        prop_assert!(!planned.statement.contains("SECRET"), "{}", planned.statement);
    }
}
