//! How the program ends, and what it then says.

use std::fmt;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or ended in order.
    Done = 0,
    /// The peer refused, or a transfer failed.
    Refused = 1,
    /// The arguments, the identity or a file is not usable.
    Usage = 2,
    /// The peer was not reached, or nobody was found.
    Unreached = 3,
    /// The computer does not do what it must, or the program has a fault.
    Internal = 70,
    /// Somebody asked it to stop before it was done.
    Interrupted = 130,
}

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done; `run` after SIGINT or SIGTERM, once its sessions are closed
  1    the peer refused, or a transfer failed
  2    the arguments, the identity or a file cannot be used
  3    the peer was not reached, or nobody was found
  70   the operating system failed it, or a fault of fabric-node itself
  130  interrupted before it was done";

/// Why it ends without having done what was asked: one sentence that names the place, and what helps.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) what: String,
    pub(crate) help: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), help: None }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}
