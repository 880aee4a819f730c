//! What goes into a statement and comes out of it, the same for both databases.

use super::error::StoreError;

/// An argument of a statement, or a column of a row. Each knows its type even where it is null,
/// since PostgreSQL wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number; booleans are 0 and 1, times Unix milliseconds.
    Int(Option<i64>),
    /// Text; JSON is text too.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($from:ty => |$it:ident| $value:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($it: $from) -> Self {
                $value
            }
        })*
    };
}

value_from! {
    i64 => |it| Self::Int(Some(it));
    Option<i64> => |it| Self::Int(it);
    bool => |it| Self::Int(Some(i64::from(it)));
    u8 => |it| Self::Int(Some(i64::from(it)));
    Option<u8> => |it| Self::Int(it.map(i64::from));
    &str => |it| Self::Text(Some(it.to_owned()));
    &String => |it| Self::Text(Some(it.clone()));
    String => |it| Self::Text(Some(it));
    Option<&str> => |it| Self::Text(it.map(str::to_owned));
    Option<String> => |it| Self::Text(it);
    &[u8] => |it| Self::Bytes(Some(it.to_vec()));
    &[u8; 32] => |it| Self::Bytes(Some(it.to_vec()));
    Vec<u8> => |it| Self::Bytes(Some(it));
    Option<Vec<u8>> => |it| Self::Bytes(it);
}

impl From<&Option<String>> for Value {
    fn from(it: &Option<String>) -> Self {
        Self::Text(it.clone())
    }
}

/// Makes the arguments of a statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::value::Value::from($value)),*]
    };
}
pub(crate) use args;

/// One row of an answer, whose columns are read from left to right.
#[derive(Debug)]
pub struct Row(std::vec::IntoIter<Value>);

impl Row {
    /// Takes over the columns of a row.
    #[must_use]
    pub fn new(columns: Vec<Value>) -> Self {
        Self(columns.into_iter())
    }

    fn next(&mut self) -> Result<Value, StoreError> {
        self.0.next().ok_or(StoreError::Shape("too few columns"))
    }

    /// Reads a whole number that may be null.
    ///
    /// # Errors
    /// When the column is something else.
    pub fn maybe_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next()? {
            Value::Int(value) => Ok(value),
            // SQLite does not know the type of a null.
            Value::Text(None) | Value::Bytes(None) => Ok(None),
            _ => Err(StoreError::Shape("a number was expected")),
        }
    }

    /// Reads a whole number.
    ///
    /// # Errors
    /// When the column is something else, or null.
    pub fn int(&mut self) -> Result<i64, StoreError> {
        self.maybe_int()?
            .ok_or(StoreError::Shape("a number is missing"))
    }

    /// Reads a boolean.
    ///
    /// # Errors
    /// When the column is something else, or null.
    pub fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.int()? != 0)
    }

    /// Reads text that may be null.
    ///
    /// # Errors
    /// When the column is something else.
    pub fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.next()? {
            Value::Text(value) => Ok(value),
            Value::Int(None) | Value::Bytes(None) => Ok(None),
            _ => Err(StoreError::Shape("text was expected")),
        }
    }

    /// Reads text.
    ///
    /// # Errors
    /// When the column is something else, or null.
    pub fn text(&mut self) -> Result<String, StoreError> {
        self.maybe_text()?
            .ok_or(StoreError::Shape("text is missing"))
    }

    /// Reads bytes that may be null.
    ///
    /// # Errors
    /// When the column is something else.
    pub fn maybe_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next()? {
            Value::Bytes(value) => Ok(value),
            Value::Int(None) | Value::Text(None) => Ok(None),
            _ => Err(StoreError::Shape("bytes were expected")),
        }
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// When the column is something else, or null.
    pub fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        self.maybe_bytes()?
            .ok_or(StoreError::Shape("bytes are missing"))
    }

    /// Reads JSON that may be null.
    ///
    /// # Errors
    /// When the column is something else.
    pub fn maybe_json(&mut self) -> Result<Option<serde_json::Value>, StoreError> {
        let text = self.maybe_text()?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|_| StoreError::Shape("JSON was expected"))
    }
}
