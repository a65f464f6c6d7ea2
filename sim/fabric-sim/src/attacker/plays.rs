//! What a hostile peer says in a session, and what the wire contract answers (wire contract, 4): a table of plays.

use super::frames::{
    close, data, frame, message, open, open_ack, open_with, ping, pong, rst, window_update, with_length,
};
use super::kinds::Conduct;
use fabric::mux::Reject;

/// A stream of this side, the initiator.
const MINE: u32 = 1;
/// What a victim grants a stream at first.
const FIRST_CREDIT: usize = 8_192;
/// A service that the victim allows.
const ALLOWED: &str = "echo";
/// One more than any budget holds, with what a second or two give back.
const FLOOD: u32 = 1_500;
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// When a play begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    /// The session is up.
    SessionUp,
    /// The victim has said more of it than that it does not trust the other side.
    Admitted,
    /// The victim has opened a stream.
    Opened,
}

/// One offence, or something that only looks like one.
pub(super) struct Play {
    pub(super) name: &'static str,
    pub(super) cue: Cue,
    /// The records to send; the number is the victim's stream, if the cue has one.
    pub(super) records: fn(u32) -> Vec<Vec<u8>>,
    pub(super) answer: Answer,
}

/// How the victim must answer a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// By ending the session.
    Ends(Reject),
    /// By ending the session since it does not trust the other side.
    SendsAway,
    /// By resetting a stream, with this code, before it answers anything that comes after it.
    Resets(u32),
    /// By going on.
    Bears,
    /// By using the session's credit up, and by using more as soon as it is granted more.
    UsesAll,
}

const fn play(name: &'static str, answer: Answer, records: fn(u32) -> Vec<Vec<u8>>) -> Play {
    Play { name, cue: Cue::SessionUp, records, answer }
}

const fn when_opened(name: &'static str, answer: Answer, records: fn(u32) -> Vec<Vec<u8>>) -> Play {
    Play { name, cue: Cue::Opened, records, answer }
}

const UNKNOWN: Answer = Answer::Ends(Reject::UnknownStreamFrame);
const STATE: Answer = Answer::Ends(Reject::InvalidStreamStateTransition);
const INVALID: Answer = Answer::Ends(Reject::FrameInvalid);
const OVERSIZE: Answer = Answer::Ends(Reject::FrameOversize);
const CREDIT: Answer = Answer::Ends(Reject::WindowCreditOverflowOrUnderflow);
const TOO_MUCH: Answer = Answer::Ends(Reject::Flood);
const BORNE: Answer = Answer::Bears;

/// The plays of a conduct.
pub(super) const fn plays(conduct: Conduct) -> &'static [Play] {
    match conduct {
        Conduct::OutOfTurn => OUT_OF_TURN,
        Conduct::BadFrames => BAD_FRAMES,
        Conduct::CreditLies => CREDIT_LIES,
        Conduct::FloodPing => FLOOD_PING,
        Conduct::FloodPong => FLOOD_PONG,
        Conduct::FloodWindowUpdate => FLOOD_WINDOW_UPDATE,
        Conduct::FloodOpen => FLOOD_OPEN,
        Conduct::FloodChurn => FLOOD_CHURN,
        Conduct::FloodEmptyData => FLOOD_EMPTY_DATA,
        Conduct::FloodReset => FLOOD_RESET,
        Conduct::Crowding => CROWDING,
        Conduct::Miser => MISER,
        Conduct::FalseCommitment => FALSE_COMMITMENT,
        _ => &[],
    }
}

/// All of them in one record: nothing comes in between.
fn at_once(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    vec![frames.concat()]
}

fn open_then(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    at_once(&[&[open(MINE, ALLOWED)], frames].concat())
}

/// The state table, row by row as the victim has it, with the frames that do not belong there. (A victim's service closes
/// its half only after its peer has, so that nobody meets it in `local_closed`.)
const OUT_OF_TURN: &[Play] = &[
    play("OPEN_ACK, idle", UNKNOWN, |_| at_once(&[open_ack(MINE, 9)])),
    play("DATA, idle", UNKNOWN, |_| at_once(&[data(MINE, b"x")])),
    play("WINDOW_UPDATE, idle", UNKNOWN, |_| at_once(&[window_update(MINE, 9)])),
    play("RST, idle", UNKNOWN, |_| at_once(&[rst(MINE, 7)])),
    play("CLOSE, idle", UNKNOWN, |_| at_once(&[close(MINE, 0)])),
    play("DATA on the victim's stream, idle", UNKNOWN, |_| at_once(&[data(2, b"x")])),
    when_opened("DATA, opening", STATE, |stream| at_once(&[data(stream, b"x")])),
    when_opened("WINDOW_UPDATE, opening", STATE, |stream| at_once(&[window_update(stream, 9)])),
    when_opened("CLOSE, opening", STATE, |stream| at_once(&[close(stream, 0)])),
    play("OPEN_ACK, open", STATE, |_| open_then(&[open_ack(MINE, 9)])),
    play("OPEN_ACK, remote_closed", STATE, |_| open_then(&[close(MINE, 0), open_ack(MINE, 9)])),
    play("DATA, remote_closed", STATE, |_| open_then(&[close(MINE, 0), data(MINE, b"x")])),
    play("CLOSE, remote_closed", STATE, |_| open_then(&[close(MINE, 0), close(MINE, 0)])),
    play("all of them, closed", BORNE, |_| {
        let late = [open_ack(MINE, 9), data(MINE, b"x"), window_update(MINE, 9), rst(MINE, 7), close(MINE, 0)];
        open_then(&[&[rst(MINE, 7)], &late[..]].concat())
    }),
    play("OPEN of the victim's parity", STATE, |_| at_once(&[open(2, ALLOWED)])),
    play("OPEN that does not rise", STATE, |_| at_once(&[open(3, ALLOWED), open(MINE, ALLOWED)])),
    play("OPEN of the same stream", STATE, |_| open_then(&[open(MINE, ALLOWED)])),
    play("OPEN after CLOSE of the session", STATE, |_| open_then(&[close(0, 0), open(3, ALLOWED)])),
];

const BAD_FRAMES: &[Play] = &[
    play("an unknown kind", INVALID, |_| at_once(&[frame(9, 0, 1, &[])])),
    play("an unknown flag", INVALID, |_| at_once(&[frame(6, 1, 0, &[0; 8])])),
    play("a priority over 7", INVALID, |_| at_once(&[frame(1, 8, MINE, b"\0\0\x20\0echo")])),
    play("a PING that is short", INVALID, |_| at_once(&[frame(6, 0, 0, &[0; 7])])),
    play("an OPEN without credit", INVALID, |_| at_once(&[frame(1, 0, MINE, &[0; 3])])),
    play("a PING on a stream", INVALID, |_| at_once(&[frame(6, 0, MINE, &[0; 8])])),
    play("an OPEN of stream 0", INVALID, |_| at_once(&[open(0, ALLOWED)])),
    play("DATA on stream 0", INVALID, |_| at_once(&[data(0, b"x")])),
    play("an empty DATA that ends no message", INVALID, |_| open_then(&[data(MINE, &[])])),
    play("DATA that says to be too long", OVERSIZE, |_| open_then(&[with_length(3, 0, 32_769, MINE, b"x")])),
    play("DATA that is too long, and whole", OVERSIZE, |_| open_then(&[data(MINE, &[7; 32_769])])),
    play("a payload past the record", OVERSIZE, |_| open_then(&[with_length(3, 0, 100, MINE, b"x")])),
    play("half a header", OVERSIZE, |_| at_once(&[vec![6, 0, 0, 8]])),
];

const CREDIT_LIES: &[Play] = &[
    play("DATA past the stream's credit", CREDIT, |_| {
        // What comes at once is not read in between, and no credit returned.
        at_once(&[open(MINE, "files"), data(MINE, &[7; 8_000]), data(MINE, &[7; 200])])
    }),
    play("a delta of 0", CREDIT, |_| open_then(&[window_update(MINE, 0)])),
    play("a delta of 0 for the session", CREDIT, |_| at_once(&[window_update(0, 0)])),
    play("a stream's window past its end", CREDIT, |_| open_then(&[window_update(MINE, WINDOW_MAX)])),
    play("the session's window past its end", CREDIT, |_| at_once(&[window_update(0, WINDOW_MAX)])),
    play("an OPEN that grants too much", CREDIT, |_| at_once(&[open_with(MINE, WINDOW_MAX + 1, ALLOWED)])),
    play("the most that can be granted", BORNE, |_| at_once(&[open_with(MINE, WINDOW_MAX, ALLOWED)])),
    play("a stream without any credit", BORNE, |_| {
        at_once(&[open_with(MINE, 0, ALLOWED), message(MINE, &[1; 100]), close(MINE, 0)])
    }),
];

fn each(frame: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..FLOOD).map(frame).collect()
}

const FLOOD_PING: &[Play] = &[
    play("two PINGs in a record", TOO_MUCH, |_| at_once(&[ping(1), ping(2)])),
    play("a PING in every record", TOO_MUCH, |_| each(|token| ping(token.into()))),
];

const FLOOD_PONG: &[Play] =
    &[play("PONGs that nobody asked for", TOO_MUCH, |_| each(|token| pong(u64::from(token) << 40)))];

const FLOOD_WINDOW_UPDATE: &[Play] = &[
    play("a session's credit a byte at a time", TOO_MUCH, |_| each(|_| window_update(0, 1))),
    play("a stream's credit a byte at a time", TOO_MUCH, |_| {
        let mut records = each(|_| window_update(MINE, 1));
        records.insert(0, open(MINE, ALLOWED));
        records
    }),
];

const FLOOD_OPEN: &[Play] =
    &[play("OPENs of what nobody serves", TOO_MUCH, |_| each(|number| open(MINE + 2 * number, "nothing")))];

const FLOOD_CHURN: &[Play] = &[
    play("streams opened and reset", TOO_MUCH, |_| {
        each(|number| [open(MINE + 2 * number, ALLOWED), rst(MINE + 2 * number, 7)].concat())
    }),
    play("frames for a closed stream", TOO_MUCH, |_| {
        let mut records = each(|_| window_update(MINE, 1));
        records.insert(0, [open(MINE, ALLOWED), rst(MINE, 7)].concat());
        records
    }),
];

const FLOOD_EMPTY_DATA: &[Play] = &[
    play("empty messages past the credit", CREDIT, |_| {
        at_once(&[open(MINE, "files"), message(MINE, &[]).repeat(1_025)])
    }),
    play("empty DATA for a closed stream", TOO_MUCH, |_| {
        at_once(&[open(MINE, ALLOWED), rst(MINE, 7), message(MINE, &[]).repeat(FLOOD as usize)])
    }),
];

/// As many streams as carry more than twice what a session's window is at first.
const RESETS: u32 = 350;
/// As many frames as carry a session's window more than once.
const LATE: u32 = 100;

/// No victim has read any of it when it is reset: its credit comes back, and nothing besides.
const FLOOD_RESET: &[Play] = &[
    play("DATA for a stream that is closed", BORNE, |_| {
        let late = |number| [open(number, ALLOWED), rst(number, 7), data(number, &[7; 32_768])].concat();
        (0..LATE).map(|number| late(MINE + 2 * number)).collect()
    }),
    play("DATA that is reset before it is read", BORNE, |_| {
        let churn = |stream| [open(stream, ALLOWED), data(stream, &[7; FIRST_CREDIT - 8]), rst(stream, 7)].concat();
        (0..RESETS).map(|number| churn(MINE + 2 * number)).collect()
    }),
];

/// Streams that one side may have open (wire contract, 4).
const STREAMS_MAX: u32 = 128;

/// What is opened past the bound is refused, and all else goes on.
const CROWDING: &[Play] =
    &[play("more streams than there may be", Answer::Resets(Reject::StreamLimitExceeded.code()), |_| {
        at_once(&(0..=STREAMS_MAX).map(|number| open(MINE + 2 * number, "unread")).collect::<Vec<_>>())
    })];

/// Whoever grants little is sent no more than that; and who grants streams all and the session little is not forgotten.
const MISER: &[Play] = &[
    when_opened("a stream that is granted next to nothing", BORNE, |stream| at_once(&[open_ack(stream, 100)])),
    when_opened("a session that is granted less than its streams", Answer::UsesAll, |stream| {
        at_once(&[open_ack(stream, WINDOW_MAX)])
    }),
];

/// A message of pairing, whole.
fn pairing(kind: u8, body: u8) -> Vec<u8> {
    message(MINE, &[&[kind][..], &[body; 32]].concat())
}

/// What is revealed is not what was committed to: as a man in the middle would, who has to choose after he has heard.
const FALSE_COMMITMENT: &[Play] = &[Play {
    name: "a nonce that was not committed to",
    cue: Cue::Admitted,
    records: |_| vec![[open(MINE, "pair"), pairing(1, 7)].concat(), pairing(3, 8)],
    answer: Answer::SendsAway,
}];
