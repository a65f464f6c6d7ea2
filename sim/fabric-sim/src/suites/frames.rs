//! A decoder of mux frames that shares nothing with the core's (wire contract, 4): what oracles read records with.

/// One frame, as far as oracles look into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Open { stream: u32, credit: u32, priority: u8 },
    OpenAck { stream: u32, credit: u32 },
    Data { stream: u32, bytes: u32, ends_message: bool },
    WindowUpdate { stream: u32, delta: u32 },
    Reset { stream: u32 },
    Close { stream: u32 },
    SessionClose { code: u32 },
    Ping { token: u64 },
    Pong { token: u64 },
}

/// The frames of a record; `None` in place of the first that is cut or of no known kind.
pub(super) fn decode(mut record: &[u8]) -> Vec<Option<Frame>> {
    let mut frames = Vec::new();
    while !record.is_empty() {
        let Some((frame, rest)) = first(record) else {
            frames.push(None);
            break;
        };
        frames.push(Some(frame));
        record = rest;
    }
    frames
}

fn first(record: &[u8]) -> Option<(Frame, &[u8])> {
    let (header, rest) = record.split_at_checked(8)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let stream = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let (payload, rest) = rest.split_at_checked(length)?;
    let number = || Some(u32::from_be_bytes(*payload.first_chunk()?));
    let token = || Some(u64::from_be_bytes(*payload.first_chunk()?));
    let frame = match header[0] {
        1 => Frame::Open { stream, credit: number()?, priority: header[1] },
        2 => Frame::OpenAck { stream, credit: number()? },
        3 => Frame::Data { stream, bytes: length as u32, ends_message: header[1] & 1 != 0 },
        4 => Frame::WindowUpdate { stream, delta: number()? },
        5 => Frame::Reset { stream },
        6 => Frame::Ping { token: token()? },
        7 => Frame::Pong { token: token()? },
        8 if stream == 0 => Frame::SessionClose { code: number()? },
        8 => Frame::Close { stream },
        _ => return None,
    };
    Some((frame, rest))
}
