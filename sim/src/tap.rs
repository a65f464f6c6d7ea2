//! A man in the middle: everything that passes between two nodes is his to forward, change, hold back or make up.

use crate::{NodeIndex, Time};

/// One direction of one pipe, as a tap sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Which pipe of the run; the same for both directions.
    pub pipe: u64,
    /// Who wrote the bytes.
    pub from: NodeIndex,
    /// Who would read them.
    pub to: NodeIndex,
    /// Whether `from` opened the pipe.
    pub forward: bool,
}

/// What a tap puts on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Injection {
    /// A datagram that seems to come from `from`; it meets the link's delay and no further misfortune.
    Datagram {
        /// The source that `to` sees.
        from: NodeIndex,
        /// Who gets it.
        to: NodeIndex,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// Bytes for the reader of this direction: `forward` as in [`Flow`].
    Bytes {
        /// Which pipe.
        pipe: u64,
        /// Which direction.
        forward: bool,
        /// At least one byte; none is ignored.
        bytes: Vec<u8>,
    },
    /// Both ends of the pipe are reset.
    Reset {
        /// Which pipe.
        pipe: u64,
    },
}

/// Owns the link between two nodes. What it does not forward is gone.
pub trait Tap {
    /// A datagram is on its way from `from` to `to`.
    fn datagram(&mut self, at: Time, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>);

    /// Bytes have come through a pipe, in order, and are about to be read.
    fn pipe_bytes(&mut self, at: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Injection>);
}
