//! What the program tells, as plain data: a JSON object a line, or a sentence.

use serde::Serialize;

/// One thing that happened. Ids and addresses are texts as everywhere; times are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub(crate) enum Event {
    /// The first of all: where this node can be reached, and as whom.
    Listening {
        addr: String,
        device_id: String,
        noise_static: String,
    },
    /// Something that whoever started it should know.
    Warning {
        what: String,
    },
    /// A device announced itself: a claim.
    Discovered {
        device: String,
        addr: Option<String>,
        services: Vec<String>,
    },
    /// It was not heard of for too long.
    Lost {
        device: String,
    },
    SessionUp {
        device: String,
    },
    SessionDown {
        device: String,
        reason: String,
    },
    /// A session with a trusted device did not come to be.
    SessionFailed {
        device: String,
        addr: String,
        reason: String,
    },
    /// Others tried; told at most once a second.
    StrangersRefused {
        count: u64,
        last_addr: String,
        last_device: Option<String>,
        last_reason: String,
    },
    /// A peer uses a service.
    Accepted {
        device: String,
        service: String,
    },
    /// A file was asked of `files`, or brought to it.
    FileServed {
        device: String,
        is_put: bool,
        name: Option<String>,
        bytes: u64,
        status: String,
    },
    /// What both devices show, to be compared: an answer is waited for on stdin.
    PairingNumber {
        device: String,
        number: String,
    },
    /// It is trusted from now on, and that is stored.
    Paired {
        device: String,
        label: String,
    },
    /// Pairing is over, and nobody is trusted by it.
    PairingFailed {
        device: Option<String>,
        reason: String,
    },
    /// A peer has called a method, or tried to.
    Audited {
        device: String,
        service: String,
        method: String,
        verdict: &'static str,
    },
    /// The answer of a call: hex digits, and the text if it is one.
    Answered {
        hex: String,
        text: Option<String>,
    },
    Pong {
        sequence: u32,
        micros: u64,
    },
    Progress {
        bytes: u64,
        total: u64,
    },
    /// What was asked for is done.
    Done {
        bytes: u64,
        micros: u64,
    },
    /// The last line of a command that failed; people read it on stderr.
    Failed {
        what: String,
        help: Option<String>,
        exit: u8,
    },
    /// It was told to end: no more is begun, and what is under way has some seconds.
    Stopping,
    Stopped,
}
