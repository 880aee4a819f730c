//! Lists that are too long for one answer: ordered by id, and cut where the next page begins.

/// Which part of a list is wanted.
#[derive(Debug, Clone)]
pub struct Page {
    /// The id of its first item; none for the beginning.
    pub cursor: Option<String>,
    /// How many items there are at most.
    pub limit: i64,
    /// What the items are to contain, whatever the case of its letters.
    pub search: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Paged<T> {
    /// The items.
    pub items: Vec<T>,
    /// The id of the first item of the next page; none on the last one.
    pub next: Option<String>,
}

impl Page {
    /// Returns the id from which on the items are wanted.
    pub(super) fn first(&self) -> &str {
        self.cursor.as_deref().unwrap_or_default()
    }

    /// Returns how many rows to read: one more than are wanted tells whether there is a next page.
    pub(super) fn rows(&self) -> i64 {
        self.limit.saturating_add(1)
    }

    /// Returns what is searched for as `LIKE .. ESCAPE '!'` takes it; everything for nothing.
    pub(super) fn pattern(&self) -> String {
        pattern_of(self.search.as_deref().unwrap_or_default())
    }

    /// Makes a page of the rows that were read.
    pub(super) fn cut<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> &str) -> Paged<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let next = items.get(limit).map(|first| id(first).to_owned());
        items.truncate(limit);
        Paged { items, next }
    }
}

/// Returns a pattern for `LIKE .. ESCAPE '!'` that every text fits which has `search` in it.
pub(super) fn pattern_of(search: &str) -> String {
    let mut pattern = "%".to_owned();
    for letter in search.chars() {
        if ['!', '%', '_'].contains(&letter) {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    if !search.is_empty() {
        pattern.push('%');
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: i64, search: Option<&str>) -> Page {
        Page {
            cursor: None,
            limit,
            search: search.map(str::to_owned),
        }
    }

    #[test]
    fn the_cursor_is_the_first_of_the_next_page() {
        let items = || vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let cut = |limit| page(limit, None).cut(items(), |item| item.as_str());
        assert_eq!(cut(2).items, ["a", "b"]);
        assert_eq!(cut(2).next.as_deref(), Some("c"));
        assert_eq!(cut(3).next, None);
        assert_eq!(cut(3).items, items());
    }

    #[test]
    fn what_is_searched_for_has_no_wildcards() {
        assert_eq!(page(1, None).pattern(), "%");
        assert_eq!(page(1, Some("a_b%!")).pattern(), "%a!_b!%!!%");
    }
}
