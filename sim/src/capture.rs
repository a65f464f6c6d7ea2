//! What is put on the wire, sending by sending, for those who keep a capture of it. Nothing here decides anything: a run that
//! is captured is the same run to the last event.

use crate::causes::Mishap;
use crate::tap::Flow;
use crate::{NodeIndex, Time};
use machine::Duration;

/// Where sendings go, in the order of time.
pub type Capture = Box<dyn FnMut(&Sending<'_>)>;

/// Something that one node, or a tap in its name, sends to another.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// When it was sent.
    pub at: Time,
    /// Whose it is, or seems to be.
    pub from: NodeIndex,
    /// Whom it is for, or [`NodeIndex::NONE`] when nobody has the address.
    pub to: NodeIndex,
    /// What is sent.
    pub what: Carried<'a>,
    /// What becomes of it.
    pub course: Course<'a>,
}

/// What a [`Sending`] carries.
#[derive(Clone, Copy, Debug)]
pub enum Carried<'a> {
    /// A datagram.
    Datagram {
        /// Its payload.
        bytes: &'a [u8],
        /// Which of the sender's group datagrams this is a copy of. The copies of one follow each other.
        group: Option<u64>,
        /// A tap made it.
        is_injected: bool,
    },
    /// A part of a pipe.
    Pipe {
        /// Which pipe and direction.
        flow: Flow,
        /// Which part.
        part: PipePart<'a>,
        /// How often it was sent before.
        attempt: u32,
    },
}

/// What goes through a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipePart<'a> {
    /// The dialler asks for it.
    Dial,
    /// The acceptor has it.
    Answer,
    /// Bytes, or the end of them.
    Segment {
        /// Counts the segments of this direction from 0.
        number: u64,
        /// None when it ends the direction.
        bytes: &'a [u8],
        /// Nothing follows in this direction.
        is_last: bool,
    },
    /// News of what was read.
    Ack,
    /// An end knows nothing of the pipe, or something on the way pretends so.
    Reset,
    /// What the reader gets from a tap in place of what was sent; [`Mishap::Struck`].
    Injected(&'a [u8]),
}

/// What becomes of a [`Sending`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course<'a> {
    /// How long it is on its way; `None` if it does not arrive.
    pub arrives_after: Option<Duration>,
    /// What goes wrong with it.
    pub mishap: Option<Mishap>,
    /// What arrives, where that is not what was sent.
    pub damaged: Option<&'a [u8]>,
    /// How long a second copy is on its way.
    pub duplicate_after: Option<Duration>,
}

impl Course<'_> {
    /// It arrives as it was sent.
    pub(crate) const fn through(after: Duration) -> Self {
        Self { arrives_after: Some(after), mishap: None, damaged: None, duplicate_after: None }
    }

    /// It does not arrive.
    pub(crate) const fn lost(mishap: Mishap) -> Self {
        Self { arrives_after: None, mishap: Some(mishap), damaged: None, duplicate_after: None }
    }
}
