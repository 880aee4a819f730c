//! Names and values in the classic CLI's form, which scripts already parse.

/// Lines of a name and a value: names are padded to the widest and joined by two spaces.
///
/// The further lines of a value begin where its first does.
#[derive(Debug, Clone, Default)]
pub struct Info {
    rows: Vec<(String, String)>,
}

impl Info {
    /// Starts without a line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a name and its value.
    pub fn row(&mut self, name: &str, value: &str) {
        self.rows.push((name.to_owned(), value.to_owned()));
    }

    /// Adds a name and its value, unless the value is empty.
    pub fn row_if_any(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.row(name, value);
        }
    }

    /// Returns the lines, each with its line break.
    #[must_use]
    pub fn render(&self) -> String {
        let lengths = self.rows.iter().map(|(name, _)| name.chars().count());
        let width = lengths.max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &self.rows {
            let indent = format!("\n{:width$}  ", "");
            let value = value.replace('\n', &indent);
            text.push_str(&format!("{name:width$}  {value}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_lines_begin_where_the_first_does() {
        let mut info = Info::new();
        info.row("Name", "prod");
        info.row("Router", "a (external)\nb (internal)");
        info.row("Key", "");
        info.row_if_any("Domain", "");
        assert_eq!(
            info.render(),
            "Name    prod\nRouter  a (external)\n        b (internal)\nKey     \n"
        );
    }
}
