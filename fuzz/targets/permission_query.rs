//! Whatever text is parsed as a permission query, a second reading of the grammar agrees on
//! whether it is one and on who satisfies it.

#![no_main]

use convox_fuzz::keys::PermissionQuery;
use libfuzzer_sys::fuzz_target;

/// The bounds that the contract sets.
const LONGEST: usize = 1000;
const DEEPEST: usize = 100;

fuzz_target!(|text: &str| {
    match (PermissionQuery::parse(text), Reading::of(text)) {
        (Ok(query), Some(reading)) => {
            agrees(&query, &reading);
            more_permissions_never_close(&query, &reading);
            reads_the_same_when_printed(&query);
        }
        (Err(error), None) => {
            let message = error.message.as_str();
            assert!(error.at <= text.len(), "{message} at {}", error.at);
            assert!(text.is_char_boundary(error.at) || text.chars().count() > LONGEST);
        }
        (Ok(_), None) => panic!("what is no query was parsed"),
        (Err(error), Some(_)) => panic!("a query was refused: {error}"),
    }
});

/// Asks with every set of permissions, or with many sets where there are too many.
fn agrees(query: &PermissionQuery, reading: &Reading) {
    for held in sets(reading.slugs.len()) {
        let is_met = query.is_met(&|slug| reading.is_held(slug, held));
        assert_eq!(is_met, reading.is_met(held), "{held:b}");
    }
}

fn more_permissions_never_close(query: &PermissionQuery, reading: &Reading) {
    for held in sets(reading.slugs.len().min(4)) {
        if !query.is_met(&|slug| reading.is_held(slug, held)) {
            continue;
        }
        for more in 0..reading.slugs.len().min(16) {
            let held = held | 1 << more;
            assert!(query.is_met(&|slug| reading.is_held(slug, held)));
        }
    }
    assert!(!query.is_met(&|_| false), "without any permission");
    assert!(query.is_met(&|_| true), "with every permission");
}

fn reads_the_same_when_printed(query: &PermissionQuery) {
    let printed = query.to_string();
    // Spaces that the asker left out may make it too long.
    if printed.chars().count() <= LONGEST {
        assert_eq!(
            PermissionQuery::parse(&printed).as_ref(),
            Ok(query),
            "{printed}"
        );
    }
}

/// Sets of up to 64 permissions as bits: all of the first six, and some of the others.
fn sets(count: usize) -> impl Iterator<Item = u64> {
    let all = (0..1_u64 << count.min(6)).chain([u64::MAX]);
    let one = (0..count.min(64)).map(|bit| 1 << bit);
    let but_one = (0..count.min(64)).map(|bit| !(1 << bit));
    all.chain(one).chain(but_one)
}

/// A query in reverse Polish notation, by the shunting yard: no recursion, and no tree.
struct Reading {
    slugs: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Slug(usize),
    And,
    Or,
    Open,
}

impl Reading {
    fn of(text: &str) -> Option<Self> {
        if text.chars().count() > LONGEST {
            return None;
        }
        let mut reading = Self {
            slugs: Vec::new(),
            steps: Vec::new(),
        };
        let (mut waiting, mut depth, mut wants_slug) = (Vec::new(), 0, true);
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        for word in spaced.split_whitespace() {
            match (word.to_ascii_lowercase().as_str(), wants_slug) {
                ("(", true) => {
                    depth += 1;
                    waiting.push(Step::Open);
                }
                (")", false) if depth > 0 => {
                    depth -= 1;
                    reading.flush(&mut waiting, &[Step::And, Step::Or]);
                    waiting.pop();
                }
                ("and", false) => {
                    reading.flush(&mut waiting, &[Step::And]);
                    waiting.push(Step::And);
                    wants_slug = true;
                }
                ("or", false) => {
                    reading.flush(&mut waiting, &[Step::And, Step::Or]);
                    waiting.push(Step::Or);
                    wants_slug = true;
                }
                ("(" | ")" | "and" | "or", _) | (_, false) => return None,
                (_, true) => {
                    let is_slug = |c: char| c.is_ascii_alphanumeric() || "_:-.*".contains(c);
                    if !word.chars().all(is_slug) {
                        return None;
                    }
                    reading.slug(word);
                    wants_slug = false;
                }
            }
            if depth > DEEPEST {
                return None;
            }
        }
        reading.flush(&mut waiting, &[Step::And, Step::Or]);
        (depth == 0 && !wants_slug).then_some(reading)
    }

    fn slug(&mut self, word: &str) {
        let known = self.slugs.iter().position(|slug| slug == word);
        let place = known.unwrap_or_else(|| {
            self.slugs.push(word.to_owned());
            self.slugs.len() - 1
        });
        self.steps.push(Step::Slug(place));
    }

    fn flush(&mut self, waiting: &mut Vec<Step>, those: &[Step]) {
        while waiting.last().is_some_and(|step| those.contains(step)) {
            self.steps.extend(waiting.pop());
        }
    }

    fn is_held(&self, slug: &str, held: u64) -> bool {
        let place = self.slugs.iter().position(|known| known == slug);
        held >> (place.expect("a slug of the query") % 64) & 1 == 1
    }

    fn is_met(&self, held: u64) -> bool {
        let mut stack = Vec::new();
        for step in &self.steps {
            let met = match step {
                Step::Slug(place) => held >> (place % 64) & 1 == 1,
                Step::And | Step::Or => {
                    let (right, left) = (stack.pop(), stack.pop());
                    let (right, left) = (right == Some(true), left == Some(true));
                    if *step == Step::And {
                        right && left
                    } else {
                        right || left
                    }
                }
                Step::Open => unreachable!("parentheses are no steps"),
            };
            stack.push(met);
        }
        stack == [true]
    }
}
