//! Where text goes: results to stdout, everything for people to stderr. A reader that has gone away is no fault.

use crate::cli::Exit;
use crate::scenario::Style;
use std::io::{self, BufWriter, IsTerminal, Write};

/// What the user's terminal is like.
pub(crate) struct Terminal {
    colour: bool,
    width: usize,
    /// Whether a line can be written over.
    is_live: bool,
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
}

/// Where there is no terminal to ask.
const WIDTH_DEFAULT: usize = 100;
/// Narrower ones wrap by themselves.
const WIDTH_MIN: usize = 40;
/// Longer lines are hard to read.
const WIDTH_MAX: usize = 120;

impl Terminal {
    /// Asks the environment and stderr. `NO_COLOR` (<https://no-color.org>) and `TERM=dumb` forbid colour.
    pub(crate) fn detect() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_live = io::stderr().is_terminal() && !is_dumb;
        Self { colour: is_live && !is_set("NO_COLOR"), width: width().clamp(WIDTH_MIN, WIDTH_MAX), is_live }
    }

    /// Not a terminal: no colour, and as wide as it is said to be.
    #[cfg(test)]
    pub(crate) const fn plain(width: usize) -> Self {
        Self { colour: false, width, is_live: false }
    }

    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    pub(crate) const fn style(&self) -> Style {
        Style { colour: self.colour, width: self.width }
    }

    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Good => "32",
            Paint::Bad => "1;31",
            Paint::Warn => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// For people. What nobody reads any more is lost, and nothing is wrong with that.
    #[expect(clippy::unused_self, reason = "what is said goes to the terminal that was asked about")]
    pub(crate) fn say(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    pub(crate) const fn is_live(&self) -> bool {
        self.is_live
    }

    /// For people, in place of the last line that was said so; where lines stay, as one of them.
    pub(crate) fn overwrite(&self, text: &str) {
        if self.is_live {
            let shown: String = text.chars().take(self.width).collect();
            let _ = write!(io::stderr().lock(), "\r\x1b[K{shown}");
        } else {
            self.say(text);
        }
    }

    /// Takes the last [`Terminal::overwrite`] away.
    pub(crate) fn clear_line(&self) {
        if self.is_live {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }

    /// A result, by [`Terminal::result_by`].
    pub(crate) fn result(&self, text: &str) -> Result<(), Exit> {
        self.result_by(|out| out.write_all(text.as_bytes()))
    }

    /// A result as it is written. A closed pipe ends the output quietly; any other failure must not look like success.
    pub(crate) fn result_by(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Exit> {
        let mut out = BufWriter::new(io::stdout().lock());
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.say(&format!("error: the result cannot be written: {error}"));
                Err(Exit::Internal)
            }
            _ => Ok(()),
        }
    }
}

fn width() -> usize {
    let asked = std::env::var_os("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok());
    asked.or_else(ask_terminal).unwrap_or(WIDTH_DEFAULT)
}

#[cfg(unix)]
fn ask_terminal() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn ask_terminal() -> Option<usize> {
    None
}
