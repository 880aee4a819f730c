//! Which instance somebody means.

use std::fmt;

/// What an instance may be called by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// The instance id.
    pub id: String,
    /// What its `Name` tag says.
    pub name: Option<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut also = self.name.iter().chain(self.addresses.first());
        match (also.next(), also.next()) {
            (Some(one), Some(two)) => write!(f, "{} ({one}, {two})", self.id),
            (Some(one), None) => write!(f, "{} ({one})", self.id),
            (None, _) => f.write_str(&self.id),
        }
    }
}

/// Why no single instance is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// None is called so. The text is the classic CLI's.
    #[error("instance not found: {wanted}")]
    None {
        /// What was asked for.
        wanted: String,
        /// Everything that an instance is called.
        known: Vec<String>,
    },
    /// Several are.
    #[error("`{wanted}` may be any of {} instances", candidates.len())]
    Several {
        /// What was asked for.
        wanted: String,
        /// They.
        candidates: Vec<Candidate>,
    },
}

/// Finds the instance that `wanted` means, and returns its place in `candidates`.
///
/// An id comes first, then an address, then a name, then the beginning of an id, with or
/// without its `i-`, or of a name. The beginning of an address means nothing: `10.0.1.2` is not
/// short for `10.0.1.23`.
///
/// # Errors
/// [`ChooseError`] when it means none or several.
pub fn choose(wanted: &str, candidates: &[Candidate]) -> Result<usize, ChooseError> {
    let wanted = wanted.trim();
    let bare = wanted.strip_prefix("i-").unwrap_or(wanted);
    type Way<'a> = &'a dyn Fn(&Candidate) -> bool;
    let ways: [Way<'_>; 4] = [
        &|candidate| candidate.id == wanted,
        &|candidate| candidate.addresses.iter().any(|it| it == wanted),
        &|candidate| candidate.name.as_deref() == Some(wanted),
        &|candidate| {
            let id = candidate.id.strip_prefix("i-").unwrap_or(&candidate.id);
            let name = candidate.name.as_deref().unwrap_or_default();
            id.starts_with(bare) || name.starts_with(wanted)
        },
    ];
    let meant = ways.iter().map(|way| {
        let places = 0..candidates.len();
        let found = places.filter(|place| way(&candidates[*place]));
        found.collect::<Vec<_>>()
    });
    let mut meant = meant.filter(|found| !bare.is_empty() && !found.is_empty());
    match meant.next().as_deref() {
        Some([only]) => Ok(*only),
        Some(several) => Err(ChooseError::Several {
            wanted: wanted.to_owned(),
            candidates: several.iter().map(|it| candidates[*it].clone()).collect(),
        }),
        None => {
            let called = |it: &Candidate| {
                let also = it.name.iter().chain(&it.addresses);
                let names: Vec<String> = also.cloned().collect();
                [vec![it.id.clone()], names].concat()
            };
            let mut known: Vec<String> = candidates.iter().flat_map(called).collect();
            known.sort();
            known.dedup();
            Err(ChooseError::None {
                wanted: wanted.to_owned(),
                known,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let candidate = |id: &str, name: &str, addresses: &[&str]| Candidate {
            id: id.to_owned(),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
        };
        vec![
            candidate("i-0aa1", "prod", &["10.0.1.2", "54.1.2.3"]),
            candidate("i-0aa2", "prod", &["10.0.1.23"]),
            candidate("i-0b", "prod-build", &["10.0.2.4"]),
            candidate("i-0bb", "", &[]),
        ]
    }

    fn meant(wanted: &str) -> String {
        let candidates = candidates();
        match choose(wanted, &candidates) {
            Ok(place) => candidates[place].id.clone(),
            Err(ChooseError::Several { candidates, .. }) => {
                let texts: Vec<_> = candidates.iter().map(ToString::to_string).collect();
                format!("any of {}", texts.join(", "))
            }
            Err(ChooseError::None { .. }) => "none".to_owned(),
        }
    }

    #[test]
    fn everything_that_an_instance_may_be_called_by() {
        for (wanted, expected) in [
            ("i-0aa1", "i-0aa1"),
            (" i-0aa1\n", "i-0aa1"),
            ("10.0.1.2", "i-0aa1"),
            ("54.1.2.3", "i-0aa1"),
            ("10.0.1.23", "i-0aa2"),
            // A whole id is that instance, also where another begins with it.
            ("i-0b", "i-0b"),
            ("0bb", "i-0bb"),
            ("prod-build", "i-0b"),
            ("prod-b", "i-0b"),
            (
                "i-0aa",
                "any of i-0aa1 (prod, 10.0.1.2), i-0aa2 (prod, 10.0.1.23)",
            ),
            (
                "prod",
                "any of i-0aa1 (prod, 10.0.1.2), i-0aa2 (prod, 10.0.1.23)",
            ),
            ("0b", "any of i-0b (prod-build, 10.0.2.4), i-0bb"),
            ("10.0.1", "none"),
            ("i-0c", "none"),
            ("", "none"),
            ("i-", "none"),
        ] {
            assert_eq!(meant(wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn whoever_means_none_is_told_what_there_is() {
        let Err(ChooseError::None { known, .. }) = choose("x", &candidates()) else {
            panic!("found x")
        };
        let all = "10.0.1.2 10.0.1.23 10.0.2.4 54.1.2.3 i-0aa1 i-0aa2 i-0b i-0bb prod prod-build";
        assert_eq!(known.join(" "), all);
    }
}
