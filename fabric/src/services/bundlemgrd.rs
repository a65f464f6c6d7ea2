//! The bundle manager: says which bundles its device has, and hands one over, on a stream of its own: a bulk transfer takes
//! no room from calls.
//!
//! `query` is called with a bundle's name. The answer is empty when there is none, else `version` u32, `size` u64 and the
//! `sha256` of its bytes, 32. Who opens [`ARTEFACT`] sends the name as one message and closes its half; the bundle comes back
//! as one message. A name that there is not, or that is not one, resets the stream with `refused`.

use super::{Malformed, name};
use crate::call::{Bounds, Methods, Status};
use crate::mux::{Priority, code};
use crate::wire::Reader;
use crate::{CallError, Event, Node, StreamKey};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use machine::Instant;
use sha2::{Digest, Sha256};

/// The name that the service is called by.
pub const SERVICE: &str = "bundlemgrd";
/// The service whose streams carry a bundle each.
pub const ARTEFACT: &str = "bundlemgrd.artefact";
/// The method of [`SERVICE`].
pub const QUERY: &str = "query";

/// The methods of this service, to be served by [`Calls`](crate::call::Calls).
pub fn methods() -> Methods {
    Methods::from([(QUERY.into(), Bounds { request_bytes_max: 64, reply_bytes_max: 44 })])
}

/// What is said of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its version.
    pub version: u32,
    /// How many bytes it has.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl Description {
    fn encode(&self) -> Vec<u8> {
        [&self.version.to_be_bytes()[..], &self.size.to_be_bytes(), &self.sha256].concat()
    }
}

/// The body of a call that asks for `bundle`, and the message that fetches it.
pub fn request(bundle: &str) -> Result<&[u8], Malformed> {
    name(bundle.as_bytes()).map(str::as_bytes)
}

/// Reads an answer; `None` when there is no such bundle.
pub fn parse_reply(body: &[u8]) -> Result<Option<Description>, Malformed> {
    if body.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(body);
    let (Some(version), Some(size), Some(sha256)) = (reader.u32(), reader.u64(), reader.array()) else {
        return Err(Malformed);
    };
    if reader.rest().is_empty() { Ok(Some(Description { version, size, sha256 })) } else { Err(Malformed) }
}

/// The bundles of a device, and who is being given one.
#[derive(Debug, Default)]
pub struct Bundlemgrd {
    bundles: BTreeMap<String, (Description, Bytes)>,
    transfers: BTreeMap<StreamKey, Transfer>,
}

#[derive(Debug)]
enum Transfer {
    /// The name is still coming in.
    Asked(Vec<u8>),
    /// So much of these bytes was written.
    Given(Bytes, usize),
}

impl Bundlemgrd {
    /// Has `bundle` from now on. Transfers under way go on with what they began with.
    pub fn register(&mut self, bundle: &str, version: u32, bytes: Bytes) {
        let description = Description { version, size: bytes.len() as u64, sha256: Sha256::digest(&bytes).into() };
        self.bundles.insert(bundle.into(), (description, bytes));
    }

    /// The answer to a call.
    pub fn answer(&self, method: &str, body: &[u8]) -> Result<Vec<u8>, Status> {
        if method != QUERY {
            return Err(Status::NoSuchMethod);
        }
        let bundle = name(body).map_err(|Malformed| Status::Failed)?;
        Ok(self.bundles.get(bundle).map(|(description, _)| description.encode()).unwrap_or_default())
    }

    /// Takes an event of the node's; one that says nothing of transfers alone comes back.
    pub fn handle_event(&mut self, now: Instant, node: &mut Node, event: Event) -> Option<Event> {
        match event {
            Event::Accepted { stream, ref service, .. } if service == ARTEFACT => {
                self.transfers.insert(stream, Transfer::Asked(Vec::new()));
                // Urgent streams first, whatever the opener says; an error is told by an event.
                let _ = node.set_priority(now, stream, Priority::LAST);
                self.advance(now, node, stream);
            }
            Event::Readable { stream } | Event::Writable { stream } | Event::Finished { stream }
                if self.transfers.contains_key(&stream) =>
            {
                self.advance(now, node, stream);
            }
            Event::Reset { stream, .. } if self.transfers.contains_key(&stream) => {
                self.transfers.remove(&stream);
            }
            Event::SessionDown { session, .. } => {
                self.transfers.retain(|stream, _| stream.session != session);
                return Some(event);
            }
            _ => return Some(event),
        }
        None
    }

    /// How many bundles are being handed over.
    pub fn transfers(&self) -> usize {
        self.transfers.len()
    }

    fn advance(&mut self, now: Instant, node: &mut Node, stream: StreamKey) {
        let is_over = self.try_advance(now, node, stream).unwrap_or_else(|Refused| {
            // It may have ended by itself.
            let _ = node.reset(now, stream, code::REFUSED);
            true
        });
        if is_over {
            self.transfers.remove(&stream);
        }
    }

    fn try_advance(&mut self, now: Instant, node: &mut Node, stream: StreamKey) -> Result<bool, Refused> {
        let Some(transfer) = self.transfers.get_mut(&stream) else { return Ok(true) };
        if let Transfer::Asked(asked) = transfer {
            let Some(chunk) = node.read(now, stream, super::NAME_BYTES_MAX + 1)? else { return Ok(false) };
            asked.extend_from_slice(&chunk.bytes);
            if asked.len() > super::NAME_BYTES_MAX {
                return Err(Refused);
            }
            if !chunk.end_of_message {
                return Ok(false);
            }
            let bundle = name(asked).map_err(|Malformed| Refused)?;
            let (_, bytes) = self.bundles.get(bundle).ok_or(Refused)?;
            *transfer = Transfer::Given(bytes.clone(), 0);
        }
        let Transfer::Given(bytes, written) = transfer else { return Ok(false) };
        *written += node.write_shared(now, stream, &bytes.slice(*written..), true)?;
        if *written < bytes.len() {
            return Ok(false);
        }
        node.finish(now, stream)?;
        Ok(true)
    }
}

/// The stream gets nothing more.
struct Refused;

impl From<CallError> for Refused {
    fn from(_: CallError) -> Self {
        Self
    }
}

/// A bundle that is coming in, checked against its description as it comes.
#[derive(Debug)]
pub struct Download {
    expected: Description,
    size: u64,
    hash: Sha256,
}

/// What came is not what was described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadError {
    /// More bytes than described, or fewer.
    Size,
    /// Other bytes than described.
    Digest,
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "the bundle has not the size that was described",
            Self::Digest => "the bundle has not the digest that was described",
        })
    }
}

impl core::error::Error for DownloadError {}

impl Download {
    /// Expects a bundle of this description.
    pub fn new(expected: Description) -> Self {
        Self { expected, size: 0, hash: Sha256::new() }
    }

    /// Takes the next bytes: nothing of them is to be used before [`Download::finish`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
        if self.size > self.expected.size { Err(DownloadError::Size) } else { Ok(()) }
    }

    /// Judges the whole.
    pub fn finish(self) -> Result<(), DownloadError> {
        if self.size != self.expected.size {
            return Err(DownloadError::Size);
        }
        let digest: [u8; 32] = self.hash.finalize().into();
        if digest == self.expected.sha256 { Ok(()) } else { Err(DownloadError::Digest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_of_a_description_stay_what_they_are() {
        let description = Description { version: 7, size: 0x0102, sha256: [9; 32] };
        let golden = [&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 2][..], &[9; 32]].concat();
        assert_eq!((description.encode(), parse_reply(&golden)), (golden.clone(), Ok(Some(description))));
        assert_eq!(parse_reply(&golden[1..]), Err(Malformed));
        assert_eq!((parse_reply(&[0; 45]), parse_reply(&[])), (Err(Malformed), Ok(None)));
    }

    #[test]
    fn only_the_described_bytes_are_a_download() {
        let mut bundles = Bundlemgrd::default();
        bundles.register("app", 3, Bytes::from_static(b"bundle"));
        let reply = bundles.answer(QUERY, request("app").unwrap()).unwrap();
        let description = parse_reply(&reply).unwrap().unwrap();
        assert_eq!((description.version, description.size), (3, 6));
        let judged = |bytes: &[u8]| {
            let mut download = Download::new(description);
            download.take(bytes).and_then(|()| download.finish())
        };
        assert_eq!(judged(b"bundle"), Ok(()));
        assert_eq!((judged(b"bundles"), judged(b"bundl")), (Err(DownloadError::Size), Err(DownloadError::Size)));
        assert_eq!(judged(b"bumble"), Err(DownloadError::Digest));
        assert_eq!(
            (bundles.answer(QUERY, b"other"), bundles.answer("drop", b"app")),
            (Ok(Vec::new()), Err(Status::NoSuchMethod))
        );
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes: Vec<u8>) {
            if let Ok(Some(description)) = parse_reply(&bytes) {
                prop_assert_eq!(description.encode(), bytes);
            }
        }
    }
}
