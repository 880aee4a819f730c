//! The views that can be asked, and their columns.

use super::Grain;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Whole numbers.
    Number,
    /// Text.
    Text,
    /// A list of tags.
    Tags,
}

/// A view: single verifications, or sums of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// By which span of time they are summed up; none for single ones.
    pub(super) grain: Option<Grain>,
}

/// The names of all views.
const VIEWS: [(&str, Option<Grain>); 5] = [
    ("key_verifications_v1", None),
    ("key_verifications_per_minute_v1", Some(Grain::Minute)),
    ("key_verifications_per_hour_v1", Some(Grain::Hour)),
    ("key_verifications_per_day_v1", Some(Grain::Day)),
    ("key_verifications_per_month_v1", Some(Grain::Month)),
];

/// A column of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// What it is called.
    pub(super) name: &'static str,
    /// What its values are.
    pub(super) shape: Shape,
    /// What it is in our own tables, where `s` is the series and `e` what is counted of it.
    pub(super) sql: &'static str,
}

const fn field(name: &'static str, shape: Shape, sql: &'static str) -> Field {
    Field { name, shape, sql }
}

/// The columns that every view has.
const FIELDS: [Field; 9] = [
    field("time", Shape::Number, "e.time"),
    field("workspace_id", Shape::Text, "s.workspace_id"),
    field("key_space_id", Shape::Text, "s.key_space_id"),
    field("identity_id", Shape::Text, "s.identity_id"),
    field("external_id", Shape::Text, "s.external_id"),
    field("key_id", Shape::Text, "s.key_id"),
    field("outcome", Shape::Text, "s.outcome"),
    field("tags", Shape::Tags, "s.tags"),
    field("spent_credits", Shape::Number, "e.spent_credits"),
];

/// The column that only sums have.
const COUNT: Field = field("count", Shape::Number, "e.uses");

impl View {
    /// Finds a view by its name, in whatever case.
    pub(super) fn called(name: &str) -> Option<Self> {
        let is_it = |(called, _): &&(&str, _)| name.eq_ignore_ascii_case(called);
        let (_, grain) = VIEWS.iter().find(is_it)?;
        Some(Self { grain: *grain })
    }

    /// Lists the names of all views for a person.
    pub(super) fn names() -> String {
        VIEWS.map(|(name, _)| name).join(", ")
    }

    /// Returns the table behind it.
    pub(super) fn table(self) -> &'static str {
        match self.grain {
            None => "verifications",
            Some(Grain::Minute) => "verifications_per_minute",
            Some(Grain::Hour) => "verifications_per_hour",
            Some(Grain::Day) => "verifications_per_day",
            Some(Grain::Month) => "verifications_per_month",
        }
    }

    /// Returns its columns.
    pub(super) fn fields(self) -> Vec<Field> {
        let count = self.grain.map(|_| COUNT);
        FIELDS.into_iter().chain(count).collect()
    }

    /// Finds a column by its name, in whatever case.
    pub(super) fn field(self, name: &str) -> Option<Field> {
        let mut fields = self.fields().into_iter();
        fields.find(|field| field.name.eq_ignore_ascii_case(name))
    }
}
