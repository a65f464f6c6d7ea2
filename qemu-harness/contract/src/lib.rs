//! What the runner tells a guest at its start, and what the guest says on its serial line. Plain data; moves no byte.
//!
//! The runner hands in one [`Start`] as JSON, in the `fw_cfg` file [`START_FILE`]. The guest answers with one [`Line`] of JSON
//! per line of serial output, and ends with the status of an [`Exit`]. A byte [`STOP`] on its serial input ends it sooner.

#![no_std]

extern crate alloc;

mod hex;
pub mod record;
mod shim;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::Ipv4Addr;
use record::{Call, Recording};
use scenario_actor::{Bytes32, Observation, Part};
use serde::{Deserialize, Serialize};

pub use hex::Hex;
pub use shim::{ShimFault, Shimmed};

/// The `fw_cfg` file that holds the [`Start`].
pub const START_FILE: &str = "opt/fabric/start";
/// The longest [`Start`] in bytes; the guest takes no longer one.
pub const START_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest [`Line`] in bytes, without its end.
pub const LINE_BYTES_MAX: usize = 256 * 1024;
/// The serial input that ends a guest.
pub const STOP: u8 = b'q';

/// What a guest starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Which host it is: see [`address`] and [`mac`].
    pub host: u16,
    /// Which start of this node this is, from 0.
    pub incarnation: u64,
    /// All its chance. For repeatable tests only: without it the guest asks its processor, and refuses to run when that has
    /// none.
    pub test_seed: Option<Bytes32>,
    /// A fault to commit once the network works: for tests of the harness only.
    pub test_fault: Option<TestFault>,
    /// What the node has stored, by key.
    pub stored: BTreeMap<String, Hex>,
    /// It ends by itself so many nanoseconds after its start.
    pub stop_after_nanos: u64,
    /// The node's clock.
    pub clock: Clock,
    /// The host's TCP/IP.
    pub stack: Stack,
    /// Whether it says all that its node is told, and what the node gives: its serial line then holds secrets.
    pub record: bool,
    /// A transfer by plain TCP before the node starts: what the fabric's speed is held against.
    pub plain: Option<Plain>,
    /// Its part in the scenario.
    pub part: Part,
}

/// One end of a transfer by plain TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    /// To which host; `None`: it comes from another.
    pub to: Option<u16>,
    /// How many bytes.
    pub bytes: u64,
}

/// A node's clock, which is not the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// What it shows at the guest's start, in nanoseconds.
    pub nanos: u64,
    /// How many parts per billion it runs fast; above -1,000,000,000.
    pub ppb: i32,
}

/// How a host's TCP/IP is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// The longest packet that it sends, up to 1,500 bytes.
    pub mtu: u16,
    /// Connections that wait to be accepted.
    pub backlog: u8,
    /// Sockets at a time, those that linger included.
    pub sockets_max: u16,
    /// Bytes that each connection holds until they are read; at least 1.
    pub tcp_receive_bytes: u32,
    /// Bytes that each connection holds until they are acknowledged; at least 1.
    pub tcp_send_bytes: u32,
    /// How long a peer may owe an acknowledgement, in nanoseconds.
    pub user_timeout_nanos: u64,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            mtu: 1_500,
            backlog: 8,
            sockets_max: 64,
            tcp_receive_bytes: 256 * 1024,
            tcp_send_bytes: 256 * 1024,
            user_timeout_nanos: 60_000_000_000,
        }
    }
}

/// What a guest can be told to do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestFault {
    /// It recurses without end, and meets the unmapped page below its stack.
    StackOverflow,
    /// It never does anything again.
    Hang,
    /// Its driver breaks its contract with the node.
    Shim(ShimFault),
}

/// One line of a guest's serial output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// Clock, traps and heap work, and the start is understood.
    Booted {
        /// Which start it is.
        incarnation: u64,
        /// Bytes of heap.
        heap_bytes: u64,
    },
    /// The card and the stack work.
    Network {
        /// The card's address.
        mac: Hex,
        /// The host's.
        address: Ipv4Addr,
    },
    /// The application saw something.
    Seen {
        /// When, in nanoseconds of the guest's own time.
        at_nanos: u64,
        /// What.
        what: Observation,
    },
    /// A value is to be kept for the next start. The guest counts it as durable once the line is out.
    Stored {
        /// Its key.
        key: String,
        /// The whole value.
        value: Hex,
    },
    /// A transfer by plain TCP has arrived, and its end was answered.
    Moved {
        /// How many bytes.
        bytes: u64,
        /// From the connection's begin.
        nanos: u64,
    },
    /// A recording of the node begins.
    Recording(Box<Recording>),
    /// The node was called.
    Call(Call),
    /// It ends as it was told to.
    Ended {
        /// When, in nanoseconds of the guest's own time.
        at_nanos: u64,
        /// Datagrams that its stack did not take.
        datagrams_dropped: u64,
    },
    /// It cannot start.
    Refused {
        /// Why.
        reason: String,
    },
    /// A broken invariant.
    Panicked {
        /// Where, and which.
        message: String,
    },
    /// The processor raised an exception.
    Excepted {
        /// Its number (14 is a page fault).
        vector: u8,
        /// Its error code, or 0.
        error: u64,
        /// The instruction.
        address: u64,
        /// The address that a page fault is about.
        fault: u64,
    },
}

/// How a guest ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As told.
    Ended,
    /// The [`Start`] is missing, too long or wrong.
    BadStart,
    /// No source of chance.
    NoEntropy,
    /// No card, or it does not start.
    NoNetwork,
    /// A broken invariant.
    Panic,
    /// A processor exception.
    Exception,
}

impl Exit {
    const ALL: [(Self, u32); 6] = [
        (Self::Ended, 0x10),
        (Self::BadStart, 0x11),
        (Self::NoEntropy, 0x12),
        (Self::NoNetwork, 0x13),
        (Self::Panic, 0x14),
        (Self::Exception, 0x15),
    ];

    /// What the guest writes to QEMU's isa-debug-exit.
    pub fn code(self) -> u32 {
        Self::ALL.iter().find(|(exit, _)| *exit == self).map_or(0, |(_, code)| *code)
    }

    /// From QEMU's exit status, which is twice the code and one more; `None` when QEMU ended otherwise.
    pub fn from_status(status: i32) -> Option<Self> {
        Self::ALL.iter().find(|(_, code)| i32::try_from(code * 2 + 1) == Ok(status)).map(|(exit, _)| *exit)
    }
}

/// The address of host `number`, in 10.83.0.0/16; 0 and 65,535 are no hosts.
pub const fn address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 83, high, low)
}

/// The hardware address of host `number`: locally administered, unicast.
pub const fn mac(number: u16) -> [u8; 6] {
    let [a, b, c, d] = address(number).octets();
    [0x02, 0, a, b, c, d]
}

/// The host with this hardware address.
pub const fn host(mac: [u8; 6]) -> Option<u16> {
    let [0x02, 0, 10, 83, high, low] = mac else { return None };
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests;
