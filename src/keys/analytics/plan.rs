//! Makes a statement of our own out of a question: nothing of the asker's text is in it but the
//! values, which are arguments.

use super::EVENTS_KEPT;
use super::query::{AnalyticsQuery, Argument, BadAnalytics, Fault, Filter, Fold, Order, Term};
use super::view::{Field, Shape};

/// Whose verifications somebody may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Their workspace.
    pub workspace: String,
    /// The sets of keys that they may read; none for all.
    pub key_spaces: Option<Vec<String>>,
}

/// A statement that answers a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its text, in the part of SQL that both databases have.
    pub statement: String,
    /// What `$1`, `$2` and so on stand for.
    pub arguments: Vec<Argument>,
    /// The columns of its answer, from left to right.
    pub columns: Vec<Column>,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What it is called.
    pub name: String,
    /// What its values are.
    pub shape: Shape,
}

/// Plans the answer at `now`, of at most `most` rows, to somebody who may see `scope`.
///
/// # Errors
/// [`Fault::TooOld`] when it asks for single verifications that are not kept any more.
pub fn plan(
    query: &AnalyticsQuery,
    scope: &Scope,
    now: i64,
    most: i64,
) -> Result<Planned, BadAnalytics> {
    let mut planner = Planner {
        arguments: Vec::new(),
    };
    let mut conditions = planner.seen_by(scope);
    if query.view.grain.is_none() {
        let oldest = now.saturating_sub(EVENTS_KEPT);
        if let Some(filter) = &query.filter {
            refuse_older(filter, oldest)?;
        }
        // What is too old is gone, whether or not it was removed yet.
        let oldest = planner.argument(&Argument::Number(oldest));
        conditions.push(format!("e.time >= {oldest}"));
    }
    if let Some(filter) = &query.filter {
        conditions.push(planner.filter(filter));
    }
    let terms: Vec<_> = query.items.iter().map(|item| term(item.term)).collect();
    let mut statement = format!(
        "SELECT {} FROM {} e JOIN verification_series s ON s.id = e.series_id WHERE {}",
        terms.join(", "),
        query.view.table(),
        conditions.join(" AND ")
    );
    if !query.groups.is_empty() {
        let groups: Vec<_> = query.groups.iter().map(|field| field.sql).collect();
        statement = format!("{statement} GROUP BY {}", groups.join(", "));
    }
    if !query.order.is_empty() {
        let order: Vec<_> = query.order.iter().map(order).collect();
        statement = format!("{statement} ORDER BY {}", order.join(", "));
    }
    let limit = query.limit.map_or(most, |limit| limit.min(most));
    Ok(Planned {
        statement: format!("{statement} LIMIT {}", limit.max(0)),
        arguments: planner.arguments,
        columns: query.items.iter().map(Column::of).collect(),
    })
}

impl Column {
    fn of(item: &super::query::Item) -> Self {
        Self {
            name: item.name.clone(),
            shape: match item.term {
                Term::Field(field) => field.shape,
                Term::CountAll | Term::Fold(..) => Shape::Number,
            },
        }
    }
}

struct Planner {
    arguments: Vec<Argument>,
}

impl Planner {
    fn argument(&mut self, argument: &Argument) -> String {
        self.arguments.push(argument.clone());
        format!("${}", self.arguments.len())
    }

    fn text(&mut self, text: &str) -> String {
        self.argument(&Argument::Text(text.to_owned()))
    }

    /// What every statement begins with, whatever is asked.
    fn seen_by(&mut self, scope: &Scope) -> Vec<String> {
        let workspace = self.text(&scope.workspace);
        let mut conditions = vec![format!("s.workspace_id = {workspace}")];
        match scope.key_spaces.as_deref() {
            None => {}
            Some([]) => conditions.push("1 = 0".to_owned()),
            Some(key_spaces) => {
                let names: Vec<_> = key_spaces.iter().map(|name| self.text(name)).collect();
                conditions.push(format!("s.key_space_id IN ({})", names.join(", ")));
            }
        }
        conditions
    }

    /// Words a filter, in parentheses of its own.
    fn filter(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::All(filters) => self.joined(filters, " AND "),
            Filter::Any(filters) => self.joined(filters, " OR "),
            Filter::Not(inner) => format!("(NOT {})", self.filter(inner)),
            Filter::Compare(field, comparison, value) => {
                let value = self.argument(value);
                format!("({} {} {value})", field.sql, comparison.as_str())
            }
            Filter::Among(field, values) => {
                let values: Vec<_> = values.iter().map(|value| self.argument(value)).collect();
                format!("({} IN ({}))", field.sql, values.join(", "))
            }
            Filter::Between(field, low, high) => {
                let (low, high) = (self.argument(low), self.argument(high));
                format!("({} BETWEEN {low} AND {high})", field.sql)
            }
            Filter::Null(field) => format!("({} IS NULL)", field.sql),
            Filter::Tagged(tag) => {
                let line = self.text(&super::series::tag_line(tag));
                // Both databases have this, and neither the other's way to look for a text.
                format!("(REPLACE(s.tags, {line}, '') <> s.tags)")
            }
        }
    }

    fn joined(&mut self, filters: &[Filter], by: &str) -> String {
        let words: Vec<_> = filters.iter().map(|filter| self.filter(filter)).collect();
        format!("({})", words.join(by))
    }
}

fn term(term: Term) -> String {
    match term {
        Term::Field(field) => field.sql.to_owned(),
        Term::CountAll => "COUNT(*)".to_owned(),
        // PostgreSQL's sums are of a type of their own.
        Term::Fold(Fold::Sum, field) => format!("CAST(SUM({}) AS BIGINT)", field.sql),
        Term::Fold(Fold::Min, field) => format!("MIN({})", field.sql),
        Term::Fold(Fold::Max, field) => format!("MAX({})", field.sql),
    }
}

fn order(order: &Order) -> String {
    // The databases disagree about where nothing stands.
    let direction = if order.descending {
        "DESC NULLS LAST"
    } else {
        "ASC NULLS FIRST"
    };
    format!("{} {direction}", term(order.term))
}

/// Refuses every mention of a time before `oldest`.
fn refuse_older(filter: &Filter, oldest: i64) -> Result<(), BadAnalytics> {
    let check = |field: &Field, value: &Argument| match value {
        Argument::Number(at) if field.name == "time" && *at < oldest => {
            let message = format!(
                "Single verifications are kept for 30 days, and {at} is before {oldest}. The \
                 sums by minute, hour, day and month go further back."
            );
            Err(BadAnalytics::new(Fault::TooOld, message))
        }
        _ => Ok(()),
    };
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters
            .iter()
            .try_for_each(|filter| refuse_older(filter, oldest)),
        Filter::Not(inner) => refuse_older(inner, oldest),
        Filter::Compare(field, _, value) => check(field, value),
        Filter::Among(field, values) => values.iter().try_for_each(|value| check(field, value)),
        Filter::Between(field, low, high) => check(field, low).and_then(|()| check(field, high)),
        Filter::Null(_) | Filter::Tagged(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
