//! A question about verifications, as it is understood.

use super::view::{Field, View};

/// A question that was read and makes sense: a view, and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsQuery {
    pub(super) view: View,
    pub(super) items: Vec<Item>,
    pub(super) filter: Option<Filter>,
    pub(super) groups: Vec<Field>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<i64>,
}

/// One column of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) term: Term,
}

/// What a column of the answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    /// A column of the view.
    Field(Field),
    /// How many rows there are.
    CountAll,
    /// A column of many rows made one.
    Fold(Fold, Field),
}

/// How many numbers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Sum,
    Min,
    Max,
}

impl Fold {
    /// Reads the name of the function.
    pub(super) fn called(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sum" => Some(Self::Sum),
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

impl Term {
    /// Returns what it is called where the question gives it no name.
    pub(super) fn name(self) -> String {
        match self {
            Self::Field(field) => field.name.to_owned(),
            Self::CountAll => "count(*)".to_owned(),
            Self::Fold(fold, field) => format!("{}({})", fold.as_str(), field.name),
        }
    }
}

/// By what the answer is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) term: Term,
    pub(super) descending: bool,
}

/// Which rows are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Compare(Field, Comparison, Argument),
    Among(Field, Vec<Argument>),
    Between(Field, Argument, Argument),
    Null(Field),
    /// One of the tags is this one.
    Tagged(String),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    More,
    AtMost,
    AtLeast,
}

impl Comparison {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::Less => "<",
            Self::More => ">",
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
        }
    }

    /// Returns the one that says the same with both sides changed over.
    pub(super) fn changed_over(self) -> Self {
        match self {
            Self::Equal | Self::Unequal => self,
            Self::Less => Self::More,
            Self::More => Self::Less,
            Self::AtMost => Self::AtLeast,
            Self::AtLeast => Self::AtMost,
        }
    }
}

/// A value that the question names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
}

/// Why a text is no question that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadAnalytics {
    /// What kind of thing is wrong.
    pub fault: Fault,
    /// What is wrong.
    pub message: String,
}

impl BadAnalytics {
    pub(super) fn new(fault: Fault, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { fault, message }
    }

    pub(super) fn query(message: impl Into<String>) -> Self {
        Self::new(Fault::Query, message)
    }
}

/// What kind of thing is wrong with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not follow the language.
    Query,
    /// It asks something that is no view.
    Table,
    /// It calls a function that there is not.
    Function,
    /// It is something else than a `SELECT`.
    Statement,
    /// It asks for single verifications that are not kept any more.
    TooOld,
}
