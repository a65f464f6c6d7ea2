//! The fields of messages: a reader that is never past the end, and a writer. Knows no request.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use machine::Instant;

use super::{Answer, Close, Endpoint, Handle, PAYLOAD_BYTES_MAX, Status};

/// Reads fields from the front of a message.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Status> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Status::Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Status> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Status> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Status> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Status> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn handle(&mut self) -> Result<Handle, Status> {
        self.u32().map(Handle)
    }

    pub(super) fn instant(&mut self) -> Result<Instant, Status> {
        self.u64().map(Instant::from_nanos)
    }

    pub(super) fn host(&mut self) -> Result<Ipv4Addr, Status> {
        self.array::<4>().map(Ipv4Addr::from)
    }

    pub(super) fn endpoint(&mut self) -> Result<Endpoint, Status> {
        Ok(Endpoint { host: self.host()?, port: self.u16()? })
    }

    pub(super) fn close(&mut self) -> Result<Close, Status> {
        match self.u8()? {
            0 => Ok(Close::Finish),
            1 => Ok(Close::Abort),
            _ => Err(Status::Malformed),
        }
    }

    pub(super) fn payload(&mut self) -> Result<&'a [u8], Status> {
        let payload = core::mem::take(&mut self.0);
        if payload.len() <= PAYLOAD_BYTES_MAX { Ok(payload) } else { Err(Status::Malformed) }
    }

    pub(super) fn payload_of_some(&mut self) -> Result<&'a [u8], Status> {
        if self.0.is_empty() { Err(Status::Malformed) } else { self.payload() }
    }

    fn count(&mut self) -> Result<u32, Status> {
        self.u32().and_then(|count| if count > 0 { Ok(count) } else { Err(Status::Malformed) })
    }

    pub(super) fn answer(&mut self, op: u8) -> Result<Answer<'a>, Status> {
        Ok(match op {
            1 | 5 | 7 => Answer::Opened(self.handle()?),
            2 | 4 | 11 => Answer::Done,
            3 => Answer::Datagram { from: self.endpoint()?, payload: self.payload()? },
            6 => Answer::Accepted { socket: self.handle()?, from: self.endpoint()? },
            8 => Answer::Bytes(self.payload_of_some()?),
            9 => Answer::Written(self.count()?),
            10 => Answer::Writable(self.count()?),
            12 => Answer::Local(self.endpoint()?),
            13 => Answer::Alive(self.instant()?),
            _ => return Err(Status::Malformed),
        })
    }

    pub(super) fn end(&self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(Status::Malformed) }
    }
}

/// Appends fields to a message.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn handle(&mut self, handle: Handle) {
        self.bytes(&handle.0.to_be_bytes());
    }

    pub(super) fn endpoint(&mut self, endpoint: Endpoint) {
        self.bytes(&endpoint.host.octets());
        self.u16(endpoint.port);
    }
}
