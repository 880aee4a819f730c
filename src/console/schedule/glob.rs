//! Names of racks with `*` and `?` in them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pattern of names: `*` stands for any characters, `?` for one, and all others for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// Takes a pattern.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Tells whether it may stand for several names.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.0.contains(['*', '?'])
    }

    /// Tells whether it stands for `name`.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut of_name) = (0, 0);
        // Where the last star is, and up to where it stands for characters.
        let mut star: Option<(usize, usize)> = None;
        while of_name < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, of_name));
                    at += 1;
                }
                Some(letter) if *letter == '?' || *letter == name[of_name] => {
                    at += 1;
                    of_name += 1;
                }
                // The star takes one character more.
                _ => match star {
                    Some((place, taken)) => {
                        star = Some((place, taken + 1));
                        at = place + 1;
                        of_name = taken + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|letter| *letter == '*')
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_whole_names() {
        for (pattern, fits, does_not) in [
            (
                "prod",
                &["prod"][..],
                &["prod-eu", "a-prod", "Prod", ""][..],
            ),
            (
                "staging-*",
                &["staging-", "staging-eu-1"],
                &["staging", "a-staging-eu"],
            ),
            ("*-eu", &["prod-eu", "-eu", "a-eu-eu"], &["prod-eu-1", "eu"]),
            ("*", &["", "prod"], &[]),
            (
                "p?od-*-1",
                &["prod-eu-1", "pood--1", "prod-1-1-1"],
                &["prod-1", "pod-eu-1"],
            ),
            ("a*b*c", &["abc", "aXbYc", "abbcc"], &["acb", "ab"]),
            ("??", &["eu"], &["e", "eur"]),
        ] {
            let glob = Glob::new(pattern);
            for name in fits {
                assert!(glob.fits(name), "{pattern} {name}");
            }
            for name in does_not {
                assert!(!glob.fits(name), "{pattern} {name}");
            }
        }
    }
}
