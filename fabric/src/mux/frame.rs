//! The eight frames as bytes (wire contract, 4): total, canonical and bounded. Knows no states and no credit.

use super::{Priority, Reject, StreamId};
use crate::wire::Reader;

/// Kind, flags, payload length, stream.
pub(super) const HEADER_BYTES: usize = 8;
/// The longest payload of a DATA frame that the wire contract allows.
pub(super) const DATA_BYTES_MAX: usize = 32_768;
/// The longest service name.
pub(super) const SERVICE_BYTES_MAX: usize = 64;

const OPEN: u8 = 1;
const OPEN_ACK: u8 = 2;
const DATA: u8 = 3;
const WINDOW_UPDATE: u8 = 4;
const RST: u8 = 5;
const PING: u8 = 6;
const PONG: u8 = 7;
const CLOSE: u8 = 8;

/// The flag of a DATA frame with which a message ends.
const END_OF_MESSAGE: u8 = 1;

/// One frame. What the wire says with stream 0 has a name of its own here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// The name is not judged yet: a bad one ends the stream only.
    Open {
        stream: StreamId,
        priority: Priority,
        credit: u32,
        service: &'a [u8],
    },
    OpenAck {
        stream: StreamId,
        credit: u32,
    },
    Data {
        stream: StreamId,
        end_of_message: bool,
        payload: &'a [u8],
    },
    WindowUpdate {
        stream: StreamId,
        delta: u32,
    },
    Rst {
        stream: StreamId,
        code: u32,
    },
    Close {
        stream: StreamId,
    },
    Ping {
        token: u64,
    },
    Pong {
        token: u64,
    },
    SessionWindowUpdate {
        delta: u32,
    },
    SessionClose {
        code: u32,
    },
}

impl<'a> Frame<'a> {
    /// Takes the next frame off the front of a record. Judged in this order: the header is there, its kind, flags and
    /// stream, the length for its kind, the payload is there.
    pub(super) fn decode(record: &mut Reader<'a>) -> Result<Self, Reject> {
        let header: [u8; HEADER_BYTES] = record.array().ok_or(Reject::FrameOversize)?;
        let [kind, flags, high, low, stream @ ..] = header;
        let stream = StreamId(u32::from_be_bytes(stream));
        check_header(kind, flags, stream)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        check_length(kind, flags, length)?;
        let payload = record.take(length).ok_or(Reject::FrameOversize)?;
        if kind == DATA {
            return Ok(Self::Data { stream, end_of_message: flags == END_OF_MESSAGE, payload });
        }
        let mut fields = Reader::new(payload);
        Self::fields(kind, flags, stream, &mut fields).ok_or(Reject::FrameInvalid)
    }

    fn fields(kind: u8, flags: u8, stream: StreamId, fields: &mut Reader<'a>) -> Option<Self> {
        Some(match kind {
            PING => Self::Ping { token: fields.u64()? },
            PONG => Self::Pong { token: fields.u64()? },
            OPEN_ACK => Self::OpenAck { stream, credit: fields.u32()? },
            RST => Self::Rst { stream, code: fields.u32()? },
            WINDOW_UPDATE if stream.0 == 0 => Self::SessionWindowUpdate { delta: fields.u32()? },
            WINDOW_UPDATE => Self::WindowUpdate { stream, delta: fields.u32()? },
            CLOSE if stream.0 == 0 => Self::SessionClose { code: fields.u32()? },
            CLOSE => Self::Close { stream },
            _ => {
                let priority = Priority::new(flags)?;
                Self::Open { stream, priority, credit: fields.u32()?, service: fields.rest() }
            }
        })
    }

    /// Writes the frame at the front of `room` and returns its length; `None` when it does not fit.
    pub(super) fn encode(&self, room: &mut [u8]) -> Option<usize> {
        match *self {
            Self::Open { stream, priority, credit, service } => {
                put(room, OPEN, priority.level(), stream.0, &[&credit.to_be_bytes(), service])
            }
            Self::OpenAck { stream, credit } => put(room, OPEN_ACK, 0, stream.0, &[&credit.to_be_bytes()]),
            Self::Data { stream, end_of_message, payload } => {
                put(room, DATA, u8::from(end_of_message), stream.0, &[payload])
            }
            Self::WindowUpdate { stream, delta } => put(room, WINDOW_UPDATE, 0, stream.0, &[&delta.to_be_bytes()]),
            Self::Rst { stream, code } => put(room, RST, 0, stream.0, &[&code.to_be_bytes()]),
            Self::Close { stream } => put(room, CLOSE, 0, stream.0, &[&[0; 4]]),
            Self::Ping { token } => put(room, PING, 0, 0, &[&token.to_be_bytes()]),
            Self::Pong { token } => put(room, PONG, 0, 0, &[&token.to_be_bytes()]),
            Self::SessionWindowUpdate { delta } => put(room, WINDOW_UPDATE, 0, 0, &[&delta.to_be_bytes()]),
            Self::SessionClose { code } => put(room, CLOSE, 0, 0, &[&code.to_be_bytes()]),
        }
    }
}

/// The header of a DATA frame, whose payload the sender writes in place.
pub(super) fn data_header(stream: StreamId, end_of_message: bool, length: u16) -> [u8; HEADER_BYTES] {
    header(DATA, u8::from(end_of_message), length, stream.0)
}

fn check_header(kind: u8, flags: u8, stream: StreamId) -> Result<(), Reject> {
    let flags_max = match kind {
        OPEN => Priority::LAST.level(),
        DATA => END_OF_MESSAGE,
        OPEN_ACK..=CLOSE => 0,
        _ => return Err(Reject::FrameInvalid),
    };
    let stream_fits = match kind {
        PING | PONG => stream.0 == 0,
        WINDOW_UPDATE | CLOSE => true,
        _ => stream.0 != 0,
    };
    if flags > flags_max || !stream_fits { Err(Reject::FrameInvalid) } else { Ok(()) }
}

fn check_length(kind: u8, flags: u8, length: usize) -> Result<(), Reject> {
    let fits = match kind {
        OPEN => length >= 4,
        DATA if length > DATA_BYTES_MAX => return Err(Reject::FrameOversize),
        DATA => length > 0 || flags == END_OF_MESSAGE,
        PING | PONG => length == 8,
        _ => length == 4,
    };
    if fits { Ok(()) } else { Err(Reject::FrameInvalid) }
}

fn header(kind: u8, flags: u8, length: u16, stream: u32) -> [u8; HEADER_BYTES] {
    let [l0, l1] = length.to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    [kind, flags, l0, l1, s0, s1, s2, s3]
}

fn put(room: &mut [u8], kind: u8, flags: u8, stream: u32, parts: &[&[u8]]) -> Option<usize> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let header = header(kind, flags, u16::try_from(length).ok()?, stream);
    let (head, mut rest) = room.get_mut(..HEADER_BYTES + length)?.split_at_mut(HEADER_BYTES);
    head.copy_from_slice(&header);
    for part in parts {
        let (here, after) = rest.split_at_mut(part.len());
        here.copy_from_slice(part);
        rest = after;
    }
    Some(HEADER_BYTES + length)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    fn decode(bytes: &[u8]) -> Result<Frame<'_>, Reject> {
        Frame::decode(&mut Reader::new(bytes))
    }

    fn encode(frame: Frame<'_>) -> Vec<u8> {
        let mut room = vec![0; 70_000];
        let length = frame.encode(&mut room).unwrap();
        room.truncate(length);
        room
    }

    fn hex(bytes: &[u8]) -> String {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    }

    #[test]
    fn every_frame_has_its_bytes() {
        let stream = StreamId(0x0102_0304);
        let golden = [
            (
                Frame::Open { stream, priority: Priority(3), credit: 8192, service: b"echo" },
                "0103000801020304000020006563686f",
            ),
            (Frame::OpenAck { stream, credit: 8192 }, "020000040102030400002000"),
            (Frame::Data { stream, end_of_message: false, payload: b"hi" }, "03000002010203046869"),
            (Frame::Data { stream, end_of_message: true, payload: b"hi" }, "03010002010203046869"),
            (Frame::Data { stream, end_of_message: true, payload: b"" }, "0301000001020304"),
            (Frame::WindowUpdate { stream, delta: 4096 }, "040000040102030400001000"),
            (Frame::SessionWindowUpdate { delta: 0x0010_0000 }, "040000040000000000100000"),
            (Frame::Rst { stream, code: 7 }, "050000040102030400000007"),
            (Frame::Ping { token: 0x1122_3344_5566_7788 }, "06000008000000001122334455667788"),
            (Frame::Pong { token: 0x1122_3344_5566_7788 }, "07000008000000001122334455667788"),
            (Frame::Close { stream }, "080000040102030400000000"),
            (Frame::SessionClose { code: 2 }, "080000040000000000000002"),
        ];
        for (frame, bytes) in golden {
            assert_eq!(hex(&encode(frame)), bytes);
            assert_eq!(decode(&encode(frame)), Ok(frame));
        }
    }

    #[test]
    fn a_data_header_is_that_of_the_whole_frame() {
        let payload = &[7; 300][..];
        let whole = encode(Frame::Data { stream: StreamId(9), end_of_message: true, payload });
        assert_eq!(whole[..HEADER_BYTES], data_header(StreamId(9), true, 300));
    }

    #[test]
    fn a_frame_that_does_not_fit_is_not_written() {
        let mut room = [0; 15];
        assert_eq!(Frame::Ping { token: 1 }.encode(&mut room), None);
        assert_eq!(room, [0; 15]);
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let fields = (1..=8u8, 0..=8u8, 0..=3u32, prop_oneof![Just(4), Just(8), 0..80usize]);
        fields.prop_flat_map(|(kind, flags, stream, length)| {
            let head = header(kind, flags, length as u16, stream);
            proptest::collection::vec(any::<u8>(), length).prop_map(move |payload| [&head[..], &payload].concat())
        })
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn what_decodes_encodes_to_the_same(bytes in any_frame()) {
            if let Ok(frame) = decode(&bytes) {
                let again = encode(frame);
                let compared = if let Frame::Close { .. } = frame { 8 } else { bytes.len() }; // its code is ignored
                prop_assert_eq!(&again[..compared], &bytes[..compared]);
            }
        }

        #[test]
        fn a_cut_frame_is_oversize_or_worse(bytes in any_frame(), cut in 0..80usize) {
            if decode(&bytes).is_ok() && cut < bytes.len() {
                prop_assert_eq!(decode(&bytes[..cut]), Err(Reject::FrameOversize));
            }
        }
    }
}
