//! The few lines at the bottom of a terminal that are drawn again and again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// How much of an event is shown. A line that fills the terminal to its edge is broken by
/// what the terminal itself adds, such as the `^C` of somebody who wants to leave.
const EVENT_WIDTH: usize = 76;

/// The redrawn lines, if they are shown. Whoever prints above them asks here first.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    live: Arc<Mutex<Option<Live>>>,
    #[cfg(test)]
    terminal: Option<super::terminal::Terminal>,
}

/// The lines while they are shown: what is going on, how far, and the last event.
#[derive(Debug)]
pub struct Live {
    multi: MultiProgress,
    status: ProgressBar,
    bar: ProgressBar,
    event: ProgressBar,
    /// Lines below the others, of the racks of a fleet.
    rows: Vec<ProgressBar>,
}

impl Screen {
    /// Draws on a terminal that a test can look at.
    #[cfg(test)]
    pub(crate) fn on(terminal: super::terminal::Terminal) -> Self {
        Self {
            terminal: Some(terminal),
            ..Self::default()
        }
    }

    /// Shows the lines if they are not shown yet, and changes them.
    pub fn draw(&self, change: impl FnOnce(&mut Live)) {
        let mut live = self.live();
        change(live.get_or_insert_with(|| Live::on(self.target())));
    }

    /// Tells whether the lines are shown.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.live().is_some()
    }

    /// Takes the lines away; the next drawing shows them again.
    pub fn close(&self) {
        if let Some(live) = self.live().take() {
            live.close();
        }
    }

    /// Prints something above the lines, which stay whole.
    pub fn above(&self, print: impl FnOnce()) {
        match &*self.live() {
            Some(live) => live.multi.suspend(print),
            None => print(),
        }
    }

    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn target(&self) -> ProgressDrawTarget {
        #[cfg(test)]
        if let Some(terminal) = &self.terminal {
            return ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        }
        ProgressDrawTarget::stderr()
    }
}

impl Live {
    fn on(target: ProgressDrawTarget) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        let line = |template: &str| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            multi.add(ProgressBar::new(0).with_style(style))
        };
        let status = line("{spinner} {wide_msg}");
        status.enable_steady_tick(TURN);
        Self {
            status,
            bar: line("{msg}"),
            event: line("  {wide_msg}"),
            rows: Vec::new(),
            multi,
        }
    }

    /// Says what is going on.
    pub fn status(&self, text: String) {
        self.status.set_message(text);
    }

    /// Says what was heard last.
    pub fn event(&self, text: &str) {
        self.event.set_message(shorten(text, EVENT_WIDTH));
    }

    /// Takes back what was said of how fast it goes.
    pub fn forget_pace(&self) {
        self.bar.set_message("");
    }

    /// Shows how many of how many, in the colour of the way forward or of the way back.
    pub fn progress(&self, done: u64, total: u64, going_back: bool, text: String) {
        let colour = if going_back { "yellow" } else { "green" };
        // With the words behind it, this is as much as a terminal of 80 columns holds.
        let template = format!("  {{bar:20.{colour}/dim}} {{pos}}/{{len}} instances{{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            self.bar.set_style(style.progress_chars("━━─"));
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(text);
    }

    /// Shows these lines below the others, and no more.
    pub fn rows(&mut self, texts: &[String]) {
        while self.rows.len() > texts.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.multi.remove(&row);
            }
        }
        while self.rows.len() < texts.len() {
            let style = ProgressStyle::with_template("  {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let row = self.multi.add(ProgressBar::new(0).with_style(style));
            self.rows.push(row);
        }
        for (row, text) in self.rows.iter().zip(texts) {
            row.set_message(shorten(text, EVENT_WIDTH));
        }
    }

    fn close(self) {
        let rows = self.rows.iter().rev();
        for bar in rows.chain([&self.event, &self.bar, &self.status]) {
            bar.finish_and_clear();
        }
    }
}

/// Shortens text to `width` characters, with an ellipsis where something is missing.
fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortening_counts_characters_and_says_that_it_cut() {
        assert_eq!(shorten("héllo wörld", 11), "héllo wörld");
        assert_eq!(shorten("héllo wörld", 7), "héllo…");
    }
}
