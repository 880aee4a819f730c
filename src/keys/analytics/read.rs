//! Reads a question about verifications.
//!
//! `sqlparser` takes the text apart. What this file does not know by name is refused, so that a
//! newer parser cannot let anything new in.

use std::mem::{replace, take};

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    LimitClause, ObjectName, ObjectNamePart, OrderBy, OrderByKind, OrderBySort, Query, SelectItem,
    SetExpr, Statement, TableAlias, TableFactor, TableWithJoins, Value, WildcardAdditionalOptions,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};

use super::filter;
use super::query::{AnalyticsQuery, BadAnalytics, Fault, Fold, Item, Order, Term};
use super::view::{Field, Shape, View};

/// The longest text, in bytes.
const LONGEST: usize = 8000;
/// The deepest nesting.
const DEEPEST: usize = 25;

const CLAUSES: &str = "Only SELECT, FROM, WHERE, GROUP BY, ORDER BY and LIMIT are understood";

impl AnalyticsQuery {
    /// Reads a question.
    ///
    /// # Errors
    /// What is wrong with it, when it does not follow the language.
    pub fn parse(text: &str) -> Result<Self, BadAnalytics> {
        if text.len() > LONGEST {
            let message = format!("The query has more than {LONGEST} bytes.");
            return Err(BadAnalytics::query(message));
        }
        let (clauses, rest) = Clauses::of(only_query(text)?)?;
        let (_, nothing) = Clauses::of(only_query("SELECT a FROM a")?)?;
        if rest != nothing {
            return Err(BadAnalytics::query(format!("{CLAUSES}.")));
        }
        clauses.understand()
    }
}

/// Parses a text that is one `SELECT`.
fn only_query(text: &str) -> Result<Query, BadAnalytics> {
    let parsed = Parser::new(&GenericDialect {})
        .with_recursion_limit(DEEPEST)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| match error {
        ParserError::RecursionLimitExceeded => BadAnalytics::query("The query is nested too deep."),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            BadAnalytics::query(format!("The query is not SQL: {message}"))
        }
    })?;
    if statements.len() > 1 {
        return Err(BadAnalytics::query("There is more than one statement."));
    }
    match statements.pop() {
        Some(Statement::Query(query)) => Ok(*query),
        Some(_) => {
            let message = "Only SELECT is understood.";
            Err(BadAnalytics::new(Fault::Statement, message))
        }
        None => Err(BadAnalytics::query("The query is empty.")),
    }
}

/// The clauses that are understood.
struct Clauses {
    items: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    filter: Option<Expr>,
    groups: GroupByExpr,
    order: Option<OrderBy>,
    limit: Option<LimitClause>,
}

impl Clauses {
    /// Takes the clauses out of a query, and returns what is left of it.
    fn of(mut query: Query) -> Result<(Self, Query), BadAnalytics> {
        let refuse = |what: &str| Err(BadAnalytics::query(format!("{CLAUSES}, not {what}.")));
        if query.with.is_some() {
            return refuse("WITH");
        }
        let SetExpr::Select(select) = query.body.as_mut() else {
            return refuse("UNION and the like");
        };
        if select.distinct.is_some() {
            return refuse("DISTINCT");
        }
        if select.having.is_some() {
            return refuse("HAVING");
        }
        let no_groups = GroupByExpr::Expressions(Vec::new(), Vec::new());
        let clauses = Self {
            items: take(&mut select.projection),
            from: take(&mut select.from),
            filter: select.selection.take(),
            groups: replace(&mut select.group_by, no_groups),
            order: query.order_by.take(),
            limit: query.limit_clause.take(),
        };
        Ok((clauses, query))
    }

    fn understand(self) -> Result<AnalyticsQuery, BadAnalytics> {
        let names = Names::of(&self.from)?;
        let mut items = Vec::new();
        for item in &self.items {
            names.item(item, &mut items)?;
        }
        if items.is_empty() {
            return Err(BadAnalytics::query("The query selects nothing."));
        }
        let groups = names.groups(&self.groups, &items)?;
        let order = match &self.order {
            Some(order) => names.order(order, &items)?,
            None => Vec::new(),
        };
        check_names(&items)?;
        check_groups(&items, &groups, &order)?;
        Ok(AnalyticsQuery {
            view: names.view,
            filter: self
                .filter
                .map(|filter| filter::read(&names, &filter))
                .transpose()?,
            limit: self.limit.as_ref().map(limit).transpose()?,
            items,
            groups,
            order,
        })
    }
}

/// What the names of a question mean.
pub(super) struct Names {
    view: View,
    /// What may stand before a column's name.
    prefix: String,
}

impl Names {
    fn of(from: &[TableWithJoins]) -> Result<Self, BadAnalytics> {
        let bad = |message: String| BadAnalytics::new(Fault::Table, message);
        let [TableWithJoins { relation, joins }] = from else {
            return Err(bad("The query must ask exactly one view.".to_owned()));
        };
        let TableFactor::Table { name, alias, .. } = relation else {
            return Err(bad(
                "The query must ask a view, and nothing else.".to_owned()
            ));
        };
        if !joins.is_empty() {
            return Err(bad("Views cannot be joined.".to_owned()));
        }
        let view = only_part(name).and_then(|name| View::called(&name.value));
        let Some(view) = view else {
            let there_are = View::names();
            return Err(bad(format!(
                "There is no view '{name}'. There are: {there_are}."
            )));
        };
        if *relation != plain_table(name, alias.as_ref()) {
            return Err(BadAnalytics::query("A view takes nothing but an alias."));
        }
        let prefix = match alias {
            Some(alias) if !alias.columns.is_empty() || alias.at.is_some() => {
                return Err(BadAnalytics::query("An alias of a view is one name."));
            }
            Some(alias) => alias.name.value.clone(),
            None => name.to_string(),
        };
        Ok(Self { view, prefix })
    }

    /// Finds the column that an expression is.
    pub(super) fn field(&self, expression: &Expr) -> Result<Field, BadAnalytics> {
        let name = match expression {
            Expr::Nested(inner) => return self.field(inner),
            Expr::Identifier(name) => name,
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] if table.value.eq_ignore_ascii_case(&self.prefix) => name,
                _ => return Err(no_column(expression)),
            },
            _ => {
                let message = format!("'{expression}' is no column.");
                return Err(BadAnalytics::query(message));
            }
        };
        self.view
            .field(&name.value)
            .ok_or_else(|| no_column(expression))
    }

    fn item(&self, item: &SelectItem, items: &mut Vec<Item>) -> Result<(), BadAnalytics> {
        match item {
            SelectItem::UnnamedExpr(expression) => {
                let term = self.term(expression)?;
                let name = term.name();
                items.push(Item { name, term });
            }
            SelectItem::ExprWithAlias { expr, alias } => items.push(Item {
                name: alias.value.clone(),
                term: self.term(expr)?,
            }),
            SelectItem::Wildcard(options) if *options == WildcardAdditionalOptions::default() => {
                items.extend(self.view.fields().into_iter().map(|field| Item {
                    name: field.name.to_owned(),
                    term: Term::Field(field),
                }));
            }
            _ => {
                let message = format!("'{item}' cannot be selected.");
                return Err(BadAnalytics::query(message));
            }
        }
        Ok(())
    }

    /// Reads a column, or a function of one.
    fn term(&self, expression: &Expr) -> Result<Term, BadAnalytics> {
        match expression {
            Expr::Nested(inner) => self.term(inner),
            Expr::Function(function) => self.fold(function),
            _ => Ok(Term::Field(self.field(expression)?)),
        }
    }

    fn fold(&self, function: &Function) -> Result<Term, BadAnalytics> {
        let bad = |message: String| Err(BadAnalytics::new(Fault::Function, message));
        let name = function.name.to_string();
        let Some(argument) = only_argument(function) else {
            return bad(format!("{name} takes one argument, and nothing else."));
        };
        let fold = match (Fold::called(&name), argument) {
            (Some(fold), FunctionArgExpr::Expr(expression)) => {
                Term::Fold(fold, self.field(expression)?)
            }
            (None, FunctionArgExpr::Wildcard) if name.eq_ignore_ascii_case("count") => {
                Term::CountAll
            }
            (None, _) if name.eq_ignore_ascii_case("count") => {
                return bad("COUNT takes * only.".to_owned());
            }
            (Some(_), _) => return bad(format!("{name} takes a column.")),
            (None, _) => {
                let known = "There are COUNT(*), SUM, MIN and MAX";
                return bad(format!("'{name}' cannot be used here. {known}."));
            }
        };
        match fold {
            Term::Fold(_, field) if field.shape != Shape::Number => bad(format!(
                "{name} takes a column of numbers, which '{}' is not.",
                field.name
            )),
            Term::Fold(Fold::Sum, field) if field.name == "time" => {
                bad("A sum of times means nothing.".to_owned())
            }
            fold => Ok(fold),
        }
    }

    fn groups(&self, groups: &GroupByExpr, items: &[Item]) -> Result<Vec<Field>, BadAnalytics> {
        let GroupByExpr::Expressions(expressions, modifiers) = groups else {
            return Err(BadAnalytics::query("GROUP BY takes columns."));
        };
        if !modifiers.is_empty() {
            return Err(BadAnalytics::query(
                "GROUP BY takes columns, and nothing else.",
            ));
        }
        let field = |expression: &Expr| match (self.field(expression), called(items, expression)) {
            (Err(_), Some(Term::Field(field))) => Ok(field),
            (found, _) => found,
        };
        // Each once: databases take some thousand terms, and a question may name more.
        let mut groups = Vec::new();
        for expression in expressions {
            let field = field(expression)?;
            if !groups.contains(&field) {
                groups.push(field);
            }
        }
        Ok(groups)
    }

    fn order(&self, order: &OrderBy, items: &[Item]) -> Result<Vec<Order>, BadAnalytics> {
        let OrderByKind::Expressions(expressions) = &order.kind else {
            return Err(BadAnalytics::query("ORDER BY takes columns."));
        };
        if order.interpolate.is_some() {
            return Err(BadAnalytics::query("INTERPOLATE is not understood."));
        }
        let mut terms: Vec<Order> = Vec::new();
        for by in expressions {
            let descending = match by.options.sort {
                None | Some(OrderBySort::Asc) => false,
                Some(OrderBySort::Desc) => true,
                Some(_) => return Err(BadAnalytics::query("ORDER BY takes ASC or DESC.")),
            };
            if by.options.nulls_first.is_some() || by.with_fill.is_some() {
                return Err(BadAnalytics::query(
                    "ORDER BY takes ASC or DESC, and nothing else.",
                ));
            }
            let term = match called(items, &by.expr) {
                Some(term) => term,
                None => self.term(&by.expr)?,
            };
            // What is in order already is not changed by being named again.
            if !terms.iter().any(|before| before.term == term) {
                terms.push(Order { term, descending });
            }
        }
        Ok(terms)
    }
}

/// Finds what a question calls so.
fn called(items: &[Item], expression: &Expr) -> Option<Term> {
    let Expr::Identifier(Ident { value, .. }) = expression else {
        return None;
    };
    let mut named = items
        .iter()
        .filter(|item| item.name.eq_ignore_ascii_case(value));
    named.next().map(|item| item.term)
}

fn check_names(items: &[Item]) -> Result<(), BadAnalytics> {
    let mut names: Vec<_> = items.iter().map(|item| item.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => {
            let message = format!(
                "Two columns are called '{}'; AS gives one another name.",
                twice[0]
            );
            Err(BadAnalytics::query(message))
        }
        None => Ok(()),
    }
}

/// Refuses columns that have no one value where rows are made one.
fn check_groups(items: &[Item], groups: &[Field], order: &[Order]) -> Result<(), BadAnalytics> {
    let terms = || {
        items
            .iter()
            .map(|item| item.term)
            .chain(order.iter().map(|by| by.term))
    };
    let is_folded = !groups.is_empty() || terms().any(|term| !matches!(term, Term::Field(_)));
    let loose = terms().find_map(|term| match term {
        Term::Field(field) if is_folded && !groups.contains(&field) => Some(field.name),
        _ => None,
    });
    match loose {
        Some(name) => {
            let message = format!("Column '{name}' must be in GROUP BY, or inside MIN or MAX.");
            Err(BadAnalytics::query(message))
        }
        None => Ok(()),
    }
}

fn limit(clause: &LimitClause) -> Result<i64, BadAnalytics> {
    let bad = || BadAnalytics::query("LIMIT takes one whole number, and nothing else.");
    let LimitClause::LimitOffset {
        limit: Some(Expr::Value(value)),
        offset: None,
        limit_by,
    } = clause
    else {
        return Err(bad());
    };
    match &value.value {
        Value::Number(text, false) if limit_by.is_empty() => text.parse().map_err(|_| bad()),
        _ => Err(bad()),
    }
}

fn only_argument(function: &Function) -> Option<&FunctionArgExpr> {
    match plain_arguments(function)? {
        [FunctionArg::Unnamed(argument)] => Some(argument),
        _ => None,
    }
}

/// Returns the arguments of a function that is called in the plainest way.
pub(super) fn plain_arguments(function: &Function) -> Option<&[FunctionArg]> {
    // Every field by its name: a new one is noticed here.
    let Function {
        name: _,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        within_group,
        filter: None,
        null_treatment: None,
        over: None,
    } = function
    else {
        return None;
    };
    let is_plain =
        within_group.is_empty() && list.clauses.is_empty() && list.duplicate_treatment.is_none();
    is_plain.then_some(list.args.as_slice())
}

fn only_part(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Some(name),
        _ => None,
    }
}

/// Makes a table of which nothing is said but its name.
fn plain_table(name: &ObjectName, alias: Option<&TableAlias>) -> TableFactor {
    TableFactor::Table {
        name: name.clone(),
        alias: alias.cloned(),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

fn no_column(expression: &Expr) -> BadAnalytics {
    BadAnalytics::query(format!("There is no column '{expression}'."))
}
