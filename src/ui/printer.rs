//! The only way to write: data to stdout, everything else to stderr.

use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::colour::Colour;
use super::error::CliError;
use super::screen::Screen;

/// How much to say on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// The outcome only.
    Quiet,
    /// What is worth saying.
    #[default]
    Normal,
    /// Every detail.
    Verbose,
}

/// Writes for a person, a script or a log; clones share the same streams.
///
/// A stream that nobody reads any more is no error: a roll goes on when the
/// pager has been closed.
#[derive(Debug, Clone)]
pub struct Printer(Arc<Streams>);

#[derive(Debug)]
struct Streams {
    verbosity: Verbosity,
    stdout: Stream,
    stderr: Stream,
    stdin_is_terminal: bool,
    /// Whether a person watches stderr on a terminal that can redraw lines.
    is_watched: bool,
    screen: Screen,
}

#[derive(Debug)]
struct Stream {
    to: Target,
    colour: Colour,
    is_terminal: bool,
}

#[derive(Debug)]
enum Target {
    Stdout,
    Stderr,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests read what was written"))]
    Memory(Arc<Mutex<Vec<u8>>>),
    #[cfg(test)]
    Terminal(super::terminal::Terminal),
}

impl Printer {
    /// Writes to the process's own streams, coloured as terminal and environment ask.
    #[must_use]
    pub fn stdio(verbosity: Verbosity) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let stream = |to, is_terminal| Stream {
            to,
            colour: Colour::decide(is_terminal, variable),
            is_terminal,
        };
        Self(Arc::new(Streams {
            verbosity,
            stdout: stream(Target::Stdout, io::stdout().is_terminal()),
            stderr: stream(Target::Stderr, io::stderr().is_terminal()),
            stdin_is_terminal: io::stdin().is_terminal(),
            is_watched: io::stderr().is_terminal() && can_redraw(variable("TERM").as_deref()),
            screen: Screen::default(),
        }))
    }

    /// Writes to memory, without colour, and returns what reads it back.
    #[cfg(test)]
    pub(crate) fn captured(verbosity: Verbosity) -> (Self, Captured) {
        let captured = Captured::default();
        let stream = |buffer: &Arc<Mutex<Vec<u8>>>| Stream {
            to: Target::Memory(Arc::clone(buffer)),
            colour: Colour::OFF,
            is_terminal: false,
        };
        let printer = Self(Arc::new(Streams {
            verbosity,
            stdout: stream(&captured.stdout),
            stderr: stream(&captured.stderr),
            stdin_is_terminal: false,
            is_watched: false,
            screen: Screen::default(),
        }));
        (printer, captured)
    }

    /// Writes stderr to a terminal that a test can look at, and data to memory.
    #[cfg(test)]
    pub(crate) fn watched(verbosity: Verbosity, terminal: &super::terminal::Terminal) -> Self {
        let stream = |to, is_terminal| Stream {
            to,
            colour: Colour::OFF,
            is_terminal,
        };
        Self(Arc::new(Streams {
            verbosity,
            stdout: stream(Target::Memory(Arc::default()), false),
            stderr: stream(Target::Terminal(terminal.clone()), true),
            stdin_is_terminal: false,
            is_watched: true,
            screen: Screen::on(terminal.clone()),
        }))
    }

    /// Writes data to stdout, as it is.
    pub fn data(&self, text: &str) {
        self.0.write(&self.0.stdout, text);
    }

    /// Writes bytes to stdout, whatever they are: what another program has written.
    pub fn data_bytes(&self, bytes: &[u8]) {
        self.0.write(&self.0.stdout, bytes);
    }

    /// Writes a line to stderr, unless quiet.
    pub fn say(&self, line: &str) {
        if self.0.verbosity > Verbosity::Quiet {
            self.always(line);
        }
    }

    /// Writes a warning and what to do about it to stderr, unless quiet.
    pub fn warn(&self, message: &str, hint: Option<&str>) {
        let colour = self.colour();
        self.say(&format!("{} {message}", colour.warning("WARNING:")));
        if let Some(hint) = hint {
            self.say_hint(hint);
        }
    }

    /// Writes what to do next to stderr, unless quiet.
    pub fn say_hint(&self, hint: &str) {
        self.say(&format!("{} {hint}", self.colour().strong("hint:")));
    }

    /// Writes an error, always: one line that says what happened, and hints.
    pub fn error(&self, error: &CliError) {
        self.close_screen();
        let colour = self.colour();
        self.always(&format!("{} {}", colour.bad("ERROR:"), error.message()));
        for hint in error.hints() {
            self.hint(hint);
        }
    }

    /// Writes what to do next to stderr, always.
    pub fn hint(&self, hint: &str) {
        self.always(&format!("{} {hint}", self.colour().strong("hint:")));
    }

    /// Writes a line to stderr, quiet or not.
    pub fn always(&self, line: &str) {
        self.0.write(&self.0.stderr, format!("{line}\n"));
    }

    /// Asks a question on the terminal; anything but a yes is a no.
    #[must_use]
    pub fn confirm(&self, question: &str) -> bool {
        self.close_screen();
        self.0.write(&self.0.stderr, format!("{question} [y/N] "));
        let mut answer = String::new();
        match io::stdin().lock().read_line(&mut answer) {
            Ok(0) | Err(_) => {
                self.0.write(&self.0.stderr, "\n");
                false
            }
            Ok(_) => matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
        }
    }

    /// Asks for a secret on the terminal, which does not show it. Whoever calls wipes it.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn ask_secret(&self, question: &str) -> io::Result<String> {
        self.close_screen();
        self.0.write(&self.0.stderr, question);
        rpassword::read_password()
    }

    /// Returns how much to say.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        self.0.verbosity
    }

    /// Returns how to paint on stderr.
    #[must_use]
    pub fn colour(&self) -> Colour {
        self.0.stderr.colour
    }

    /// Returns how to paint on stdout.
    #[must_use]
    pub fn data_colour(&self) -> Colour {
        self.0.stdout.colour
    }

    /// Tells whether a person watches stderr, so that lines may be redrawn there.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.0.is_watched
    }

    /// Tells whether a person reads stdout, so that secrets are better kept from it.
    #[must_use]
    pub fn data_is_watched(&self) -> bool {
        self.0.stdout.is_terminal
    }

    /// Tells whether a person is there to answer a question.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.0.stdin_is_terminal && self.0.stderr.is_terminal
    }

    /// Says what is going on to a person who watches; whatever is printed next stays below.
    pub fn busy(&self, doing: &str) {
        if self.is_watched() && self.0.verbosity > Verbosity::Quiet {
            self.0.screen.draw(|live| live.status(doing.to_owned()));
        }
    }

    /// Erases the `^C` that a terminal writes by itself.
    ///
    /// It lands below the redrawn lines, which would be a line off from then on.
    pub fn erase_echo(&self) {
        if self.is_watched() && self.0.screen.is_shown() {
            let _ = write_all(io::stderr().lock(), b"\r\x1b[2K\x1b[A");
        }
    }

    /// Takes redrawn lines away, before something else uses the terminal.
    pub fn close_screen(&self) {
        self.0.screen.close();
    }

    pub(super) fn screen(&self) -> &Screen {
        &self.0.screen
    }
}

impl Streams {
    fn write(&self, stream: &Stream, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        self.screen.above(|| {
            // Whoever has stopped reading does not want to be told so.
            let _ = match &stream.to {
                Target::Stdout => write_all(io::stdout().lock(), text),
                Target::Stderr => write_all(io::stderr().lock(), text),
                Target::Memory(bytes) => {
                    bytes
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend_from_slice(text);
                    Ok(())
                }
                #[cfg(test)]
                Target::Terminal(terminal) => {
                    terminal.print(&String::from_utf8_lossy(text));
                    Ok(())
                }
            };
        });
    }
}

/// Tells whether a terminal of this kind (`TERM`) can move its cursor, which redrawing takes.
/// Windows terminals have no kind.
fn can_redraw(kind: Option<&str>) -> bool {
    match kind {
        None | Some("") => cfg!(windows),
        Some(kind) => kind != "dumb",
    }
}

fn write_all(mut stream: impl Write, text: &[u8]) -> io::Result<()> {
    stream.write_all(text)?;
    stream.flush()
}

/// What a captured [`Printer`] has written.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Captured {
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

#[cfg(test)]
impl Captured {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.stdout.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.stderr.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Exit;

    #[test]
    fn quiet_keeps_errors_and_data_and_drops_the_rest() {
        let (printer, captured) = Printer::captured(Verbosity::Quiet);
        printer.say("going on");
        printer.warn("careful", Some("look"));
        printer.data("data");
        printer.error(&CliError::new(Exit::Failed, "it broke").hint("mend it"));
        assert_eq!(captured.stdout(), "data");
        assert_eq!(captured.stderr(), "ERROR: it broke\nhint: mend it\n");
    }

    #[test]
    fn a_dumb_terminal_is_not_redrawn() {
        assert!(can_redraw(Some("xterm-256color")));
        assert!(!can_redraw(Some("dumb")));
        assert_eq!(can_redraw(None), cfg!(windows));
    }
}
