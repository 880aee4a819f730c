//! Reads which rows a question means.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, UnaryOperator, Value,
};

use super::query::{Argument, BadAnalytics, Comparison, Fault, Filter};
use super::read::{Names, plain_arguments};
use super::view::{Field, Shape};

/// The most values that a question may name.
const MOST: usize = 500;

/// Reads the expression after `WHERE`.
pub(super) fn read(names: &Names, expression: &Expr) -> Result<Filter, BadAnalytics> {
    let mut reader = Reader { names, values: 0 };
    reader.filter(expression)
}

struct Reader<'a> {
    names: &'a Names,
    values: usize,
}

impl Reader<'_> {
    fn filter(&mut self, expression: &Expr) -> Result<Filter, BadAnalytics> {
        match expression {
            Expr::Nested(inner) => self.filter(inner),
            Expr::BinaryOp {
                op: op @ (BinaryOperator::And | BinaryOperator::Or),
                ..
            } => {
                let filters: Result<Vec<_>, _> = operands(expression, op)
                    .into_iter()
                    .map(|operand| self.filter(operand))
                    .collect();
                Ok(match op {
                    BinaryOperator::And => Filter::All(filters?),
                    _ => Filter::Any(filters?),
                })
            }
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => Ok(Filter::Not(Box::new(self.filter(expr)?))),
            Expr::BinaryOp { left, op, right } => self.comparison(left, op, right),
            Expr::InList {
                expr,
                list,
                negated,
            } => {
                let field = self.field(expr)?;
                let values: Result<Vec<_>, _> =
                    list.iter().map(|value| self.value(field, value)).collect();
                let values = values?;
                if values.is_empty() {
                    return Err(BadAnalytics::query("IN takes at least one value."));
                }
                Ok(unless(*negated, Filter::Among(field, values)))
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let field = self.field(expr)?;
                let (low, high) = (self.value(field, low)?, self.value(field, high)?);
                Ok(unless(*negated, Filter::Between(field, low, high)))
            }
            Expr::IsNull(inner) => Ok(Filter::Null(self.names.field(inner)?)),
            Expr::IsNotNull(inner) => {
                let is_null = Filter::Null(self.names.field(inner)?);
                Ok(unless(true, is_null))
            }
            Expr::Function(function) => self.tagged(function),
            _ => Err(BadAnalytics::query(format!(
                "'{expression}' is no condition that is understood."
            ))),
        }
    }

    fn comparison(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result<Filter, BadAnalytics> {
        let comparison = match op {
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::Unequal,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::Gt => Comparison::More,
            BinaryOperator::LtEq => Comparison::AtMost,
            BinaryOperator::GtEq => Comparison::AtLeast,
            _ => {
                let message = format!("The operator '{op}' is not understood.");
                return Err(BadAnalytics::query(message));
            }
        };
        match (is_value(left), is_value(right)) {
            (false, true) => {
                let field = self.field(left)?;
                Ok(Filter::Compare(
                    field,
                    comparison,
                    self.value(field, right)?,
                ))
            }
            (true, false) => {
                let field = self.field(right)?;
                let comparison = comparison.changed_over();
                Ok(Filter::Compare(field, comparison, self.value(field, left)?))
            }
            _ => {
                if !is_value(left) {
                    // A column that there is not is the better reason.
                    self.names.field(left)?;
                    self.names.field(right)?;
                }
                let message = "A condition compares a column with a value.";
                Err(BadAnalytics::query(message))
            }
        }
    }

    /// Finds a column that values can be compared with.
    fn field(&self, expression: &Expr) -> Result<Field, BadAnalytics> {
        let field = self.names.field(expression)?;
        if field.shape == Shape::Tags {
            return Err(BadAnalytics::query(
                "Tags are asked for by has(tags, 'tag').",
            ));
        }
        Ok(field)
    }

    /// Reads a value that fits a column.
    fn value(&mut self, field: Field, expression: &Expr) -> Result<Argument, BadAnalytics> {
        self.values += 1;
        if self.values > MOST {
            let message = format!("The query names more than {MOST} values.");
            return Err(BadAnalytics::query(message));
        }
        let value = literal(expression)?;
        match (field.shape, &value) {
            (Shape::Number, Argument::Number(_)) | (Shape::Text, Argument::Text(_)) => Ok(value),
            (shape, _) => {
                let kind = if shape == Shape::Number {
                    "numbers"
                } else {
                    "text"
                };
                let message = format!("Column '{}' holds {kind}.", field.name);
                Err(BadAnalytics::query(message))
            }
        }
    }

    /// Reads `has(tags, 'tag')`.
    fn tagged(&mut self, function: &Function) -> Result<Filter, BadAnalytics> {
        let name = function.name.to_string();
        let bad = |message: String| Err(BadAnalytics::new(Fault::Function, message));
        if !name.eq_ignore_ascii_case("has") {
            return bad(format!(
                "'{name}' cannot be used here. There is has(tags, 'tag')."
            ));
        }
        let Some((tags, tag)) = two_arguments(function) else {
            return bad("has takes tags and one tag.".to_owned());
        };
        if self.names.field(tags)?.shape != Shape::Tags {
            return bad("has takes tags and one tag.".to_owned());
        }
        self.values += 1;
        match literal(tag)? {
            Argument::Text(tag) if self.values <= MOST => Ok(Filter::Tagged(tag)),
            _ => bad("has takes tags and one tag.".to_owned()),
        }
    }
}

fn unless(negated: bool, filter: Filter) -> Filter {
    if negated {
        Filter::Not(Box::new(filter))
    } else {
        filter
    }
}

/// Lists what is joined by one operator, without going down a step for each.
fn operands<'a>(expression: &'a Expr, joined_by: &BinaryOperator) -> Vec<&'a Expr> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Expr::BinaryOp { left, op, right } = rest {
        if op != joined_by {
            break;
        }
        found.push(right.as_ref());
        rest = left;
    }
    found.push(rest);
    found.reverse();
    found
}

fn is_value(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_value(inner),
        Expr::Value(_) => true,
        Expr::UnaryOp { op, expr } => *op == UnaryOperator::Minus && is_value(expr),
        _ => false,
    }
}

fn literal(expression: &Expr) -> Result<Argument, BadAnalytics> {
    let bad = |message: &str| Err(BadAnalytics::query(message));
    match expression {
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match literal(expr)? {
            Argument::Number(number) => Ok(Argument::Number(number.saturating_neg())),
            Argument::Text(_) => bad("Text has no sign."),
        },
        Expr::Value(value) => match &value.value {
            Value::Number(text, false) => match text.parse() {
                Ok(number) => Ok(Argument::Number(number)),
                Err(_) => bad("Numbers are whole and have at most 64 bits."),
            },
            // PostgreSQL cannot keep a zero byte, so no column holds one.
            Value::SingleQuotedString(text) if text.contains('\0') => {
                bad("Text cannot hold a zero byte.")
            }
            Value::SingleQuotedString(text) => Ok(Argument::Text(text.clone())),
            Value::Null => bad("NULL is asked for by IS NULL."),
            _ => bad("Values are whole numbers and 'text'."),
        },
        _ => Err(BadAnalytics::query(format!("'{expression}' is no value."))),
    }
}

fn two_arguments(function: &Function) -> Option<(&Expr, &Expr)> {
    match plain_arguments(function)? {
        [
            FunctionArg::Unnamed(FunctionArgExpr::Expr(first)),
            FunctionArg::Unnamed(FunctionArgExpr::Expr(second)),
        ] => Some((first, second)),
        _ => None,
    }
}
