//! Statements about many rows at once: one text, however many they are.

use std::fmt::Write as _;

use super::database::Statement;
use super::error::StoreError;
use super::value::Value;

/// A statement that is given a table of values, which stands where its text says `{given}` and is
/// called `given`.
#[derive(Debug, Clone)]
pub struct Bulk {
    text: Statement,
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

/// The values of one column, from the first row to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Bulk {
    /// A statement, the names of the columns that it is given, and the rows.
    pub fn new(
        text: impl Into<Statement>,
        columns: &'static [&'static str],
        rows: Vec<Vec<Value>>,
    ) -> Self {
        Self {
            text: text.into(),
            columns,
            rows,
        }
    }

    /// Returns the statement with an argument for each value.
    pub(super) fn by_value(self) -> (Statement, Vec<Value>) {
        let selects: Vec<String> = (0..self.rows.len())
            .map(|row| {
                let places = self.columns.iter().enumerate().map(|(at, name)| {
                    let number = row * self.columns.len() + at + 1;
                    // The first row names the columns.
                    match row {
                        0 => format!("${number} AS {name}"),
                        _ => format!("${number}"),
                    }
                });
                format!("SELECT {}", places.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let given = format!("({}) AS given", selects.join(" UNION ALL "));
        let text = self.text.replace("{given}", &given);
        (text.into(), self.rows.into_iter().flatten().collect())
    }

    /// The statement that puts rows into a table.
    pub(super) fn insert(
        table: &str,
        columns: &'static [&'static str],
        rows: Vec<Vec<Value>>,
    ) -> Self {
        let names = columns.join(", ");
        let text = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {{given}}");
        Self::new(text, columns, rows)
    }

    /// Tells whether it is given nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the statement with an argument for each column, which is an array; the first of
    /// them is the `first`th.
    ///
    /// # Errors
    /// [`StoreError::Shape`] when the values of a column are not of one type.
    pub(super) fn by_column(self, first: usize) -> Result<(String, Vec<Column>), StoreError> {
        let places = (first..first + self.columns.len()).map(|at| format!("${at}"));
        let given = format!(
            "unnest({}) AS given ({})",
            places.collect::<Vec<_>>().join(", "),
            self.columns.join(", ")
        );
        let mut rows = self.rows.into_iter();
        let first = rows
            .next()
            .ok_or(StoreError::Shape("a table without rows"))?;
        let mut columns: Vec<Column> = first.into_iter().map(Column::of).collect();
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value)?;
            }
        }
        Ok((self.text.replace("{given}", &given), columns))
    }
}

/// Makes statements that can be sent as one: their arguments come one after the other, and their
/// texts name them so.
pub(super) fn numbered_on(statements: Vec<(Statement, Vec<Value>)>) -> (Vec<String>, Vec<Value>) {
    let (mut texts, mut all) = (Vec::with_capacity(statements.len()), Vec::new());
    for (statement, args) in statements {
        let mut parts = statement.split('$');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let place: usize = part[..digits].parse().unwrap_or(0);
            // Writing to a text never fails.
            let _ = write!(text, "${}{}", all.len() + place, &part[digits..]);
        }
        texts.push(text);
        all.extend(args);
    }
    (texts, all)
}

impl Column {
    /// A column that begins with a value.
    fn of(value: Value) -> Self {
        match value {
            Value::Int(value) => Self::Ints(vec![value]),
            Value::Text(value) => Self::Texts(vec![value]),
            Value::Bytes(value) => Self::Bytes(vec![value]),
        }
    }

    /// Adds the next row's value.
    fn push(&mut self, value: Value) -> Result<(), StoreError> {
        match (self, value) {
            (Self::Ints(values), Value::Int(value)) => values.push(value),
            (Self::Texts(values), Value::Text(value)) => values.push(value),
            (Self::Bytes(values), Value::Bytes(value)) => values.push(value),
            _ => return Err(StoreError::Shape("a column of several types")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::args;
    use super::*;

    fn bulk() -> Bulk {
        let rows = vec![args!["a", 1_i64], args!["b", None::<i64>]];
        Bulk::new("SELECT id FROM {given}", &["id", "at"], rows)
    }

    #[test]
    fn each_value_has_its_place() {
        let (text, args) = bulk().by_value();
        assert_eq!(
            text,
            "SELECT id FROM (SELECT $1 AS id, $2 AS at UNION ALL SELECT $3, $4) AS given"
        );
        assert_eq!(args, args!["a", 1_i64, "b", None::<i64>]);
    }

    #[test]
    fn each_column_has_its_place_whatever_its_rows() {
        let (text, columns) = bulk().by_column(3).unwrap();
        assert_eq!(text, "SELECT id FROM unnest($3, $4) AS given (id, at)");
        let texts = ["a", "b"].map(|text| Some(text.to_owned()));
        assert_eq!(
            columns,
            [
                Column::Texts(texts.to_vec()),
                Column::Ints(vec![Some(1), None])
            ]
        );
    }

    #[test]
    fn a_column_has_one_type() {
        let bulk = Bulk::new("{given}", &["id"], vec![args!["a"], args![1_i64]]);
        assert!(matches!(bulk.by_column(1), Err(StoreError::Shape(_))));
    }
}
