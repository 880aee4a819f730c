//! What a verification asks of a key's permissions: slugs joined by `AND`, `OR` and parentheses.

use std::fmt;

/// The longest query.
const LONGEST: usize = 1000;
/// The deepest nesting of parentheses.
const DEEPEST: usize = 100;

/// A parsed query. `AND` binds tighter than `OR`; a `*` in a slug is only a character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionQuery(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Slug(String),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {at}")]
pub struct BadQuery {
    /// Where, in bytes from the beginning.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl PermissionQuery {
    /// Parses a query.
    ///
    /// # Errors
    /// Where it does not follow the grammar, is empty, or has more than 1,000 characters.
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        if text.chars().count() > LONGEST {
            return Err(bad(LONGEST, format!("more than {LONGEST} characters")));
        }
        let mut parser = Parser {
            words: words(text)?,
            at: 0,
            depth: 0,
            end: text.len(),
        };
        let node = parser.any()?;
        match parser.peek() {
            None => Ok(Self(node)),
            Some((at, word)) => Err(bad(*at, format!("unexpected `{word}`"))),
        }
    }

    /// Tells whether somebody with the permissions `held` satisfies the query.
    pub fn is_met(&self, held: &impl Fn(&str) -> bool) -> bool {
        self.0.is_met(held)
    }
}

impl Node {
    fn is_met(&self, held: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Slug(slug) => held(slug),
            Self::All(nodes) => nodes.iter().all(|node| node.is_met(held)),
            Self::Any(nodes) => nodes.iter().any(|node| node.is_met(held)),
        }
    }

    fn joined(mut nodes: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        match nodes.len() {
            1 => nodes.remove(0),
            _ => join(nodes),
        }
    }
}

impl fmt::Display for PermissionQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nodes, word) = match self {
            Self::Slug(slug) => return f.write_str(slug),
            Self::All(nodes) => (nodes, " AND "),
            Self::Any(nodes) => (nodes, " OR "),
        };
        for (place, node) in nodes.iter().enumerate() {
            if place > 0 {
                f.write_str(word)?;
            }
            match (self, node) {
                // `AND` binds tighter, so that a query that is as deep as may be reads the same.
                (_, Self::Slug(_)) | (Self::Any(_), Self::All(_)) => node.fmt(f)?,
                _ => write!(f, "({node})")?,
            }
        }
        Ok(())
    }
}

fn bad(at: usize, message: impl Into<String>) -> BadQuery {
    BadQuery {
        at,
        message: message.into(),
    }
}

/// Splits a query into words and parentheses, each with its place.
fn words(text: &str) -> Result<Vec<(usize, &str)>, BadQuery> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match c {
            '(' | ')' => 1,
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            c if is_slug(c) => rest.find(|c| !is_slug(c)).unwrap_or(rest.len()),
            c => return Err(bad(at, format!("unexpected `{c}`"))),
        };
        words.push((at, &rest[..length]));
        at += length;
    }
    Ok(words)
}

fn is_slug(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_:-.*".contains(c)
}

struct Parser<'a> {
    words: Vec<(usize, &'a str)>,
    at: usize,
    depth: usize,
    end: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&(usize, &'a str)> {
        self.words.get(self.at)
    }

    fn take_if(&mut self, keyword: &str) -> bool {
        let is_next = self
            .peek()
            .is_some_and(|(_, word)| word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Result<Node, BadQuery> {
        let mut nodes = vec![self.all()?];
        while self.take_if("or") {
            nodes.push(self.all()?);
        }
        Ok(Node::joined(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, BadQuery> {
        let mut nodes = vec![self.one()?];
        while self.take_if("and") {
            nodes.push(self.one()?);
        }
        Ok(Node::joined(nodes, Node::All))
    }

    fn one(&mut self) -> Result<Node, BadQuery> {
        let Some((at, word)) = self.peek().copied() else {
            return Err(bad(self.end, "a permission is missing"));
        };
        self.at += 1;
        match word {
            "(" => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(bad(at, format!("more than {DEEPEST} parentheses deep")));
                }
                let node = self.any()?;
                self.depth -= 1;
                if !self.take_if(")") {
                    let at = self.peek().map_or(self.end, |(at, _)| *at);
                    return Err(bad(at, "`)` is missing"));
                }
                Ok(node)
            }
            ")" => Err(bad(at, "a permission is missing")),
            word if word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or") => {
                Err(bad(at, "a permission is missing"))
            }
            word => Ok(Node::Slug(word.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn met(query: &str, held: &[&str]) -> bool {
        PermissionQuery::parse(query)
            .unwrap()
            .is_met(&|slug| held.contains(&slug))
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert!(met("a OR b AND c", &["a"]));
        assert!(!met("a OR b AND c", &["b"]));
        assert!(met("a or b aNd c", &["b", "c"]));
        assert!(!met("(a OR b) AND c", &["a"]));
        assert!(met("(a OR b) AND c", &["a", "c"]));
        assert!(met("docs.* AND x:y-z", &["docs.*", "x:y-z"]));
        assert!(!met("docs.*", &["docs.read"]), "a star is a character");
        assert!(met("((order))", &["order"]), "begins like a keyword");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (query, at) in [
            ("", 0),
            ("   ", 3),
            ("a AND", 5),
            ("AND a", 0),
            ("(a", 2),
            ("a)", 1),
            ("a b", 2),
            ("a & b", 2),
            ("()", 1),
            ("a OR OR b", 5),
        ] {
            assert_eq!(PermissionQuery::parse(query).unwrap_err().at, at, "{query}");
        }
        assert!(PermissionQuery::parse(&"a".repeat(1001)).is_err());
        assert!(PermissionQuery::parse(&"a".repeat(1000)).is_ok());
        assert!(PermissionQuery::parse(&"(".repeat(1000)).is_err());
    }

    #[test]
    fn the_deepest_query_reads_the_same_when_printed() {
        let deepest = format!("{}a and b or c{}", "a and(".repeat(100), ")".repeat(100));
        let query = PermissionQuery::parse(&deepest).unwrap();
        assert_eq!(PermissionQuery::parse(&query.to_string()), Ok(query));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = PermissionQuery::parse(&text);
        }

        #[test]
        fn what_was_parsed_reads_the_same(text in "[abAND OR()]{0,40}") {
            if let Ok(query) = PermissionQuery::parse(&text) {
                prop_assert_eq!(PermissionQuery::parse(&query.to_string()), Ok(query));
            }
        }
    }
}
