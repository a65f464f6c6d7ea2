//! Mux frames by hand (wire contract, 4): a hostile peer says what no mux would.

/// Any header with any payload.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    with_length(kind, flags, payload.len() as u16, stream, payload)
}

/// A header that may lie about its payload.
pub(super) fn with_length(kind: u8, flags: u8, length: u16, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = length.to_be_bytes();
    [&[kind, flags, length[0], length[1]][..], &stream.to_be_bytes(), payload].concat()
}

pub(super) fn open(stream: u32, service: &str) -> Vec<u8> {
    open_with(stream, 8_192, service)
}

pub(super) fn open_with(stream: u32, credit: u32, service: &str) -> Vec<u8> {
    frame(1, 3, stream, &[&credit.to_be_bytes()[..], service.as_bytes()].concat())
}

pub(super) fn open_ack(stream: u32, credit: u32) -> Vec<u8> {
    frame(2, 0, stream, &credit.to_be_bytes())
}

pub(super) fn data(stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(3, 0, stream, payload)
}

/// The last of a message.
pub(super) fn message(stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(3, 1, stream, payload)
}

pub(super) fn window_update(stream: u32, delta: u32) -> Vec<u8> {
    frame(4, 0, stream, &delta.to_be_bytes())
}

pub(super) fn rst(stream: u32, code: u32) -> Vec<u8> {
    frame(5, 0, stream, &code.to_be_bytes())
}

pub(super) fn ping(token: u64) -> Vec<u8> {
    frame(6, 0, 0, &token.to_be_bytes())
}

pub(super) fn pong(token: u64) -> Vec<u8> {
    frame(7, 0, 0, &token.to_be_bytes())
}

pub(super) fn close(stream: u32, code: u32) -> Vec<u8> {
    frame(8, 0, stream, &code.to_be_bytes())
}

/// What an attacker listens for in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The session is up: no frame, but the first thing to be heard.
    Up,
    Open(u32),
    Ping,
    Pong(u64),
    /// So many bytes of credit are used.
    Data(u64),
    /// A stream's end: its code.
    Rst(u32),
    /// The session's end: its code.
    End(u32),
    Other,
}

/// The frames of a record, as far as they are whole.
pub(super) fn heard(mut record: &[u8]) -> Vec<Heard> {
    let mut all = Vec::new();
    while let Some((header, rest)) = record.split_at_checked(8) {
        let stream = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        let code = payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        all.push(match (header[0], stream) {
            (1, _) => Heard::Open(stream),
            (3, _) => Heard::Data(length as u64 + 8),
            (5, _) => Heard::Rst(code),
            (6, _) => Heard::Ping,
            (7, _) => Heard::Pong(payload.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))),
            (8, 0) => Heard::End(code),
            _ => Heard::Other,
        });
        record = rest;
    }
    all
}
