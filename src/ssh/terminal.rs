//! The terminal that we were started from: as it was, raw, and as it was again.

use std::io::{self, IsTerminal as _};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// How the terminal on stdin was set. Dropping it sets the terminal so again.
#[derive(Debug)]
pub struct Terminal(Termios);

impl Terminal {
    /// Remembers how it is set; none where stdin is no terminal.
    #[must_use]
    pub fn remember() -> Option<Self> {
        let stdin = io::stdin();
        stdin
            .is_terminal()
            .then(|| tcgetattr(&stdin).ok())?
            .map(Self)
    }

    /// Hands every key to whoever reads, Ctrl-C too, and echoes none.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_raw(&self) -> io::Result<()> {
        let mut raw = self.0.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(())
    }

    /// Returns how many columns and rows it has; none where it does not tell.
    #[must_use]
    pub fn size(&self) -> Option<(u16, u16)> {
        let size = tcgetwinsize(io::stdin()).ok()?;
        (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
