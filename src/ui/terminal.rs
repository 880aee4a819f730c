//! A terminal that remembers what is on it, for the tests of what is redrawn.

use std::io;
use std::sync::{Arc, Mutex};

use indicatif::TermLike;

/// A terminal of some width and of any height. Clones are the same terminal.
#[derive(Debug, Clone)]
pub(crate) struct Terminal(Arc<Mutex<Grid>>);

#[derive(Debug)]
struct Grid {
    width: usize,
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// The first row below all that has been printed for good.
    below: usize,
    /// The rows as they were when somebody was last meant to look.
    shown: Vec<String>,
}

impl Terminal {
    pub(crate) fn new(width: usize) -> Self {
        Self(Arc::new(Mutex::new(Grid {
            width,
            rows: vec![Vec::new()],
            row: 0,
            column: 0,
            below: 0,
            shown: Vec::new(),
        })))
    }

    /// Prints something that stays.
    pub(super) fn print(&self, text: &str) {
        let mut grid = self.0.lock().unwrap();
        grid.write(text);
        grid.below = grid.row + usize::from(grid.column > 0);
        grid.show();
    }

    /// Returns what stays.
    pub(crate) fn printed(&self) -> String {
        let grid = self.0.lock().unwrap();
        grid.shown[..grid.below].join("\n")
    }

    /// Returns what is drawn below that, each turn of the spinner as the same one.
    pub(crate) fn drawn(&self) -> String {
        let grid = self.0.lock().unwrap();
        let rows = grid.shown.get(grid.below..).unwrap_or_default();
        let is_spinner = |letter: char| ('\u{2800}'..='\u{28ff}').contains(&letter);
        rows.join("\n").trim_end().replace(is_spinner, "*")
    }
}

impl Grid {
    fn write(&mut self, text: &str) {
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\n' => {
                    self.row += 1;
                    self.column = 0;
                }
                '\r' => self.column = 0,
                // A colour: it ends with a letter.
                '\x1b' => {
                    letters.find(char::is_ascii_alphabetic);
                }
                letter => self.put(letter),
            }
        }
    }

    fn put(&mut self, letter: char) {
        // The cursor waits at the edge until something more is written.
        if self.column == self.width {
            self.row += 1;
            self.column = 0;
        }
        if self.rows.len() <= self.row {
            self.rows.resize(self.row + 1, Vec::new());
        }
        let row = &mut self.rows[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, ' ');
        }
        row[self.column] = letter;
        self.column += 1;
    }

    fn show(&mut self) {
        self.shown.clear();
        for row in &self.rows {
            let text: String = row.iter().collect();
            self.shown.push(text.trim_end().to_owned());
        }
        self.shown
            .resize(self.shown.len().max(self.below), String::new());
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        u16::try_from(self.0.lock().unwrap().width).unwrap()
    }

    fn height(&self) -> u16 {
        u16::MAX
    }

    fn move_cursor_up(&self, rows: usize) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.row = grid.row.checked_sub(rows).expect("a row above");
        Ok(())
    }

    fn move_cursor_down(&self, rows: usize) -> io::Result<()> {
        self.0.lock().unwrap().row += rows;
        Ok(())
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.column = (grid.column + columns).min(grid.width);
        Ok(())
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.column = grid.column.saturating_sub(columns);
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().write(&format!("{text}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().write(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        let row = grid.row;
        if let Some(row) = grid.rows.get_mut(row) {
            row.clear();
        }
        grid.column = 0;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.0.lock().unwrap().show();
        Ok(())
    }
}
