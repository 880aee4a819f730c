//! Tables in the classic CLI's form, which scripts already parse.

/// Rows under a heading: columns are padded to their widest cell and joined by two spaces.
///
/// The last column is not padded.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Starts a table with its heading.
    #[must_use]
    pub fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned).to_vec()],
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// Tells whether there is nothing under the heading.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// Returns the lines, the heading first, each with its line break.
    #[must_use]
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            for (place, cell) in row.iter().enumerate() {
                if place > 0 {
                    text.push_str("  ");
                }
                text.push_str(cell);
                if place + 1 < columns {
                    let missing = widths[place].saturating_sub(cell.chars().count());
                    text.extend(std::iter::repeat_n(' ', missing));
                }
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_not_padded_and_an_empty_one_leaves_the_gap() {
        let mut table = Table::new(["ID", "STATUS", "PRIVATE"]);
        table.row(["i-1".to_owned(), "active".to_owned(), "10.0.0.1".to_owned()]);
        table.row(["i-22".to_owned(), String::new(), String::new()]);
        assert_eq!(
            table.render(),
            "ID    STATUS  PRIVATE\n\
             i-1   active  10.0.0.1\n\
             i-22          \n"
        );
    }
}
