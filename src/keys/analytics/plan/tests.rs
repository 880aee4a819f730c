use super::*;

mod properties;

const NOW: i64 = 1_800_000_000_000;

fn scope() -> Scope {
    Scope {
        workspace: "ws_mine".to_owned(),
        key_spaces: None,
    }
}

fn planned(text: &str) -> Result<Planned, BadAnalytics> {
    plan(&AnalyticsQuery::parse(text)?, &scope(), NOW, 100)
}

fn fault(text: &str) -> (Fault, String) {
    match planned(text) {
        Ok(planned) => panic!("{text}: {}", planned.statement),
        Err(error) => (error.fault, error.message),
    }
}

const BEGIN: &str = "FROM verifications_per_day e JOIN verification_series s \
                     ON s.id = e.series_id WHERE s.workspace_id = $1";

#[test]
fn a_question_becomes_a_statement_of_ours() {
    let day = "FROM key_verifications_per_day_v1";
    for (text, statement) in [
        (
            format!("select key_id, SUM(count) AS uses {day} group by key_id order by uses desc"),
            format!(
                "SELECT s.key_id, CAST(SUM(e.uses) AS BIGINT) {BEGIN} GROUP BY s.key_id \
                 ORDER BY CAST(SUM(e.uses) AS BIGINT) DESC NULLS LAST LIMIT 100"
            ),
        ),
        (
            format!("SELECT v.time AS day {day} v WHERE v.outcome = 'VALID' LIMIT 7;"),
            format!("SELECT e.time {BEGIN} AND (s.outcome = $2) LIMIT 7"),
        ),
        (
            format!("SELECT COUNT(*) {day} WHERE time >= 1 AND time < 2 AND NOT (key_id <> 'a')"),
            format!(
                "SELECT COUNT(*) {BEGIN} AND ((e.time >= $2) AND (e.time < $3) AND \
                 (NOT (s.key_id <> $4))) LIMIT 100"
            ),
        ),
        (
            format!("SELECT time {day} WHERE key_id = 'a' OR key_id = 'b' AND 5 < count"),
            format!(
                "SELECT e.time {BEGIN} AND ((s.key_id = $2) OR ((s.key_id = $3) AND \
                 (e.uses > $4))) LIMIT 100"
            ),
        ),
        (
            format!("SELECT MIN(time), MAX(time) {day} WHERE key_id NOT IN ('a', 'b')"),
            format!(
                "SELECT MIN(e.time), MAX(e.time) {BEGIN} AND (NOT (s.key_id IN ($2, $3))) \
                 LIMIT 100"
            ),
        ),
        (
            format!("SELECT time {day} WHERE time BETWEEN -1 AND 2 AND identity_id IS NOT NULL"),
            format!(
                "SELECT e.time {BEGIN} AND ((e.time BETWEEN $2 AND $3) AND \
                 (NOT (s.identity_id IS NULL))) LIMIT 100"
            ),
        ),
        (
            format!("SELECT time {day} WHERE has(tags, 'paid') LIMIT 1000"),
            format!("SELECT e.time {BEGIN} AND (REPLACE(s.tags, $2, '') <> s.tags) LIMIT 100"),
        ),
    ] {
        assert_eq!(planned(&text).unwrap().statement, statement, "{text}");
    }
}

#[test]
fn every_column_can_be_asked_for_at_once() {
    let names = |text: &str| -> Vec<_> {
        let columns = planned(text).unwrap().columns;
        columns.into_iter().map(|column| column.name).collect()
    };
    let single = names("SELECT * FROM key_verifications_v1");
    assert_eq!(single.len(), 9);
    let sums = names("SELECT * FROM key_verifications_per_month_v1");
    assert_eq!((sums.len(), sums.last().unwrap().as_str()), (10, "count"));
}

#[test]
fn what_is_named_again_is_in_the_statement_once() {
    let day = "FROM key_verifications_per_day_v1";
    let again = "t, time, ".repeat(400);
    let grouped = planned(&format!("SELECT time t {day} GROUP BY {again}t")).unwrap();
    let statement = format!("SELECT e.time {BEGIN} GROUP BY e.time LIMIT 100");
    assert_eq!(grouped.statement, statement);
    let ordered = planned(&format!("SELECT time t {day} ORDER BY t DESC, {again}t")).unwrap();
    let statement = format!("SELECT e.time {BEGIN} ORDER BY e.time DESC NULLS LAST LIMIT 100");
    assert_eq!(ordered.statement, statement);
}

#[test]
fn what_is_not_understood_is_refused_with_the_reason() {
    let view = "FROM key_verifications_v1";
    for (text, kind, reason) in [
        ("", Fault::Query, "empty"),
        ("SELEC", Fault::Query, "not SQL"),
        ("DROP TABLE keys", Fault::Statement, "Only SELECT"),
        (
            "INSERT INTO keys VALUES (1)",
            Fault::Statement,
            "Only SELECT",
        ),
        ("DELETE FROM keys", Fault::Statement, "Only SELECT"),
        ("SELECT 1; SELECT 2", Fault::Query, "more than one"),
        ("SELECT time", Fault::Table, "one view"),
        (&format!("SELECT {view}"), Fault::Query, "selects nothing"),
        ("SELECT hash FROM keys", Fault::Table, "no view 'keys'"),
        (
            "SELECT time FROM main.key_verifications_v1",
            Fault::Table,
            "no view",
        ),
        (
            "SELECT time FROM key_verifications_v1, keys",
            Fault::Table,
            "one view",
        ),
        (
            "SELECT time FROM key_verifications_v1 a JOIN keys",
            Fault::Table,
            "joined",
        ),
        (
            "SELECT time FROM (SELECT time FROM keys) a",
            Fault::Table,
            "nothing else",
        ),
        (
            "SELECT time FROM key_verifications_v1('a')",
            Fault::Query,
            "nothing but an alias",
        ),
        (
            "WITH a AS (SELECT 1) SELECT time FROM a",
            Fault::Query,
            "not WITH",
        ),
        (
            &format!("SELECT time {view} UNION SELECT hash FROM keys"),
            Fault::Query,
            "not UNION",
        ),
        (
            &format!("SELECT DISTINCT time {view}"),
            Fault::Query,
            "not DISTINCT",
        ),
        (
            &format!("SELECT time {view} GROUP BY time HAVING time > 1"),
            Fault::Query,
            "not HAVING",
        ),
        (
            &format!("SELECT time {view} FOR UPDATE"),
            Fault::Query,
            "Only SELECT, FROM",
        ),
        (
            &format!("SELECT time {view} FETCH FIRST 1 ROWS ONLY"),
            Fault::Query,
            "Only SELECT, FROM",
        ),
        (
            &format!("SELECT time INTO other {view}"),
            Fault::Query,
            "Only SELECT, FROM",
        ),
        (
            &format!("SELECT time {view} LIMIT 1 OFFSET 1"),
            Fault::Query,
            "LIMIT",
        ),
        (
            &format!("SELECT time {view} LIMIT 1 + 1"),
            Fault::Query,
            "LIMIT",
        ),
        (
            &format!("SELECT time {view} LIMIT (SELECT 1)"),
            Fault::Query,
            "LIMIT",
        ),
        (
            &format!("SELECT hash {view}"),
            Fault::Query,
            "no column 'hash'",
        ),
        (
            &format!("SELECT keys.hash {view}"),
            Fault::Query,
            "no column 'keys.hash'",
        ),
        (
            &format!("SELECT count {view}"),
            Fault::Query,
            "no column 'count'",
        ),
        (
            &format!("SELECT time + 1 {view}"),
            Fault::Query,
            "no column",
        ),
        (
            &format!("SELECT (SELECT hash FROM keys) {view}"),
            Fault::Query,
            "no column",
        ),
        (
            &format!("SELECT time, time {view}"),
            Fault::Query,
            "Two columns",
        ),
        (
            &format!("SELECT time, COUNT(*) {view}"),
            Fault::Query,
            "GROUP BY",
        ),
        (
            &format!("SELECT COUNT(*) {view} ORDER BY time"),
            Fault::Query,
            "GROUP BY",
        ),
        (
            &format!("SELECT time {view} ORDER BY 1"),
            Fault::Query,
            "no column",
        ),
        (
            &format!("SELECT time {view} ORDER BY time NULLS LAST"),
            Fault::Query,
            "ASC or DESC",
        ),
        (
            &format!("SELECT load_extension('x') {view}"),
            Fault::Function,
            "load_extension",
        ),
        (
            &format!("SELECT pg_sleep(5) {view}"),
            Fault::Function,
            "pg_sleep",
        ),
        (
            &format!("SELECT COUNT(DISTINCT key_id) {view}"),
            Fault::Function,
            "one argument",
        ),
        (
            &format!("SELECT COUNT(key_id) {view}"),
            Fault::Function,
            "COUNT takes *",
        ),
        (
            &format!("SELECT SUM(key_id) {view}"),
            Fault::Function,
            "numbers",
        ),
        (
            &format!("SELECT SUM(time) {view}"),
            Fault::Function,
            "means nothing",
        ),
        (
            &format!("SELECT MAX(time) OVER () {view}"),
            Fault::Function,
            "one argument",
        ),
        (
            &format!("SELECT time {view} WHERE now() > time"),
            Fault::Query,
            "'now()'",
        ),
        (
            &format!("SELECT time {view} WHERE sleep(1)"),
            Fault::Function,
            "sleep",
        ),
        (
            &format!("SELECT time {view} WHERE 1 = 1"),
            Fault::Query,
            "a column with a value",
        ),
        (
            &format!("SELECT time {view} WHERE true"),
            Fault::Query,
            "no condition",
        ),
        (
            &format!("SELECT time {view} WHERE key_id = key_id"),
            Fault::Query,
            "with a value",
        ),
        (
            &format!("SELECT time {view} WHERE key_id LIKE 'a%'"),
            Fault::Query,
            "no condition",
        ),
        (
            &format!("SELECT time {view} WHERE key_id = 1"),
            Fault::Query,
            "holds text",
        ),
        (
            &format!("SELECT time {view} WHERE time = 'a'"),
            Fault::Query,
            "holds numbers",
        ),
        (
            &format!("SELECT time {view} WHERE time = 1.5"),
            Fault::Query,
            "whole",
        ),
        (
            &format!("SELECT time {view} WHERE key_id = NULL"),
            Fault::Query,
            "IS NULL",
        ),
        (
            &format!("SELECT time {view} WHERE tags = 'a'"),
            Fault::Query,
            "has(tags",
        ),
        (
            &format!("SELECT time {view} WHERE key_id IN (SELECT 1)"),
            Fault::Query,
            "no condition",
        ),
        (
            &format!("SELECT time {view} WHERE EXISTS (SELECT 1)"),
            Fault::Query,
            "no condition",
        ),
        (
            &format!("SELECT time {view} WHERE key_id = 'a\0'"),
            Fault::Query,
            "zero byte",
        ),
    ] {
        let (found, message) = fault(text);
        assert_eq!(found, kind, "{text}: {message}");
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn single_verifications_that_are_gone_are_not_asked_for() {
    let oldest = NOW - EVENTS_KEPT;
    for condition in [
        "time >= {}",
        "NOT time < {}",
        "time IN (5000000000000, {})",
        "{} = time",
    ] {
        let ask = |view: &str, at: i64| {
            let condition = condition.replace("{}", &at.to_string());
            planned(&format!("SELECT time FROM {view} WHERE {condition}"))
        };
        assert!(ask("key_verifications_v1", oldest).is_ok(), "{condition}");
        let refused = ask("key_verifications_v1", oldest - 1).unwrap_err();
        assert_eq!(refused.fault, Fault::TooOld, "{condition}");
        assert!(
            ask("key_verifications_per_hour_v1", 0).is_ok(),
            "{condition}"
        );
    }
    let unsaid = planned("SELECT time FROM key_verifications_v1").unwrap();
    assert!(
        unsaid.statement.contains(" AND e.time >= $2 "),
        "{}",
        unsaid.statement
    );
    assert_eq!(unsaid.arguments[1], Argument::Number(oldest));
}

#[test]
fn only_what_may_be_seen_is_looked_at() {
    let query = AnalyticsQuery::parse("SELECT time FROM key_verifications_v1").unwrap();
    let seen = |key_spaces: &[&str]| {
        let scope = Scope {
            key_spaces: Some(key_spaces.iter().map(ToString::to_string).collect()),
            ..scope()
        };
        plan(&query, &scope, NOW, 10).unwrap().statement
    };
    assert!(seen(&["ks_1", "ks_2"]).contains("s.workspace_id = $1 AND s.key_space_id IN ($2, $3)"));
    assert!(seen(&[]).contains("s.workspace_id = $1 AND 1 = 0"));
}

#[test]
fn long_and_deep_questions_are_refused_or_answered() {
    let condition = |count: usize, joined: &str| {
        let all = vec!["time = 1900000000000"; count].join(joined);
        planned(&format!(
            "SELECT time FROM key_verifications_v1 WHERE {all}"
        ))
    };
    assert!(condition(250, " OR ").is_ok());
    assert!(condition(1000, " OR ").is_err());
    let values = vec!["1"; 501].join(",");
    let view = "key_verifications_per_day_v1";
    let (_, message) = fault(&format!("SELECT time FROM {view} WHERE time IN ({values})"));
    assert!(message.contains("more than 500 values"), "{message}");
    for (open, close) in [("(", ")"), ("NOT ", ""), ("NOT (", ")"), ("- ", "")] {
        for deep in [5, 50, 1500] {
            let filter = format!(
                "{}time = 1900000000000{}",
                open.repeat(deep),
                close.repeat(deep)
            );
            let text = format!("SELECT time FROM key_verifications_v1 WHERE {filter}");
            // Whether or not it is understood, it must come back.
            let _ = planned(&text);
        }
    }
}
