//! Whether to colour, and what the few colours mean.

use owo_colors::{OwoColorize as _, Style};

/// Paints text, or leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    enabled: bool,
}

impl Colour {
    /// Paints nothing.
    pub const OFF: Self = Self { enabled: false };
    /// Paints.
    pub const ON: Self = Self { enabled: true };

    /// Decides for one stream by what the environment asks for.
    ///
    /// `NO_COLOR` (no-color.org) beats `CLICOLOR_FORCE`, which beats `CLICOLOR=0`
    /// (bixense.com/clicolors); without any of them a terminal is coloured.
    #[must_use]
    pub fn decide(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let enabled = if set("NO_COLOR") {
            false
        } else if variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0")
        {
            true
        } else {
            is_terminal
                && variable("CLICOLOR").as_deref() != Some("0")
                && variable("TERM").as_deref() != Some("dumb")
        };
        Self { enabled }
    }

    /// Tells whether it paints.
    #[must_use]
    pub fn is_enabled(self) -> bool {
        self.enabled
    }

    /// Paints what went well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint(text, Style::new().green())
    }

    /// Paints what went wrong.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.paint(text, Style::new().red().bold())
    }

    /// Paints what deserves a look.
    #[must_use]
    pub fn warning(self, text: &str) -> String {
        self.paint(text, Style::new().yellow())
    }

    /// Paints what may be skipped.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// Paints what leads: headings and labels.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    fn paint(self, text: &str, style: Style) -> String {
        if self.enabled {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        for (terminal, variables, expected) in [
            (true, &[][..], true),
            (false, &[][..], false),
            (true, &[("NO_COLOR", "1")][..], false),
            (true, &[("NO_COLOR", "")][..], true),
            (
                true,
                &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")][..],
                false,
            ),
            (false, &[("CLICOLOR_FORCE", "1")][..], true),
            (false, &[("CLICOLOR_FORCE", "0")][..], false),
            (true, &[("CLICOLOR", "0")][..], false),
            (false, &[("CLICOLOR", "1")][..], false),
            (true, &[("TERM", "dumb")][..], false),
        ] {
            let lookup = |name: &str| {
                variables
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.to_string())
            };
            let colour = Colour::decide(terminal, lookup);
            assert_eq!(colour.is_enabled(), expected, "{terminal} {variables:?}");
        }
    }

    #[test]
    fn off_leaves_text_alone() {
        assert_eq!(Colour::OFF.bad("x"), "x");
        assert_ne!(Colour::ON.bad("x"), "x");
    }
}
