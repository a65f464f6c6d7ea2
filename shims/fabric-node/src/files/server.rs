//! The serving side of one transfer.

use super::sender::{SendError, Sender};
use super::shelf::{Place, Shelf};
use super::wire::{Name, REQUEST_BYTES_MAX, Reply, Request, Status};
use crate::whole_file::WholeFile;
use fabric::call::Streams;
use fabric::mux::{Part, code};
use fabric::{CallError, StreamKey};
use machine::Instant;
use node_log::Recorded;
use std::fs::File;
use std::io::ErrorKind;

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;

/// What came of a request, for whoever runs the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// `None` where none could be read.
    pub(crate) name: Option<Name>,
    /// Whether the file was to come in.
    pub(crate) is_put: bool,
    pub(crate) bytes: u64,
    pub(crate) status: Status,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct FileServer {
    state: State,
    served: Option<Served>,
    peer_finished: bool,
}

#[derive(Debug)]
enum State {
    /// The request comes in.
    Asked(Vec<u8>),
    /// The content comes in.
    Receiving { place: Place, file: WholeFile, name: Name, size: u64, left: u64 },
    /// The answer goes out; what still comes in is discarded.
    Answering {
        #[expect(dead_code, reason = "a place is held, not read")]
        place: Option<Place>,
        sender: Sender,
        served: Served,
    },
    /// All is said; the peer has still to close its half.
    Over,
}

impl FileServer {
    pub(crate) const fn new() -> Self {
        Self { state: State::Asked(Vec::new()), served: None, peer_finished: false }
    }

    /// What has come of the request, told once.
    pub(crate) fn served(&mut self) -> Option<Served> {
        self.served.take()
    }

    pub(crate) const fn peer_finished(&mut self) {
        self.peer_finished = true;
    }

    /// Reads and answers what it can; whether nothing is left to do. An error means that the stream is gone.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        node: &mut Recorded,
        stream: StreamKey,
        directory: &Shelf,
    ) -> Result<bool, CallError> {
        while node.read_with(now, stream, READ_BYTES, |part| self.take(&part, directory))?.is_some() {}
        if let State::Answering { sender, .. } = &mut self.state {
            match sender.advance(now, node, stream) {
                Ok(false) => return Ok(false),
                Ok(true) => {
                    self.end(None);
                    node.finish(now, stream)?;
                }
                Err(SendError::Stream(error)) => return Err(error),
                Err(SendError::File(_)) => {
                    self.end(Some(Status::Failed));
                    node.reset(now, stream, code::CANCELLED)?;
                    return Ok(true);
                }
            }
        }
        if self.peer_finished && !matches!(self.state, State::Over) {
            node.reset(now, stream, code::CANCELLED)?; // what is not whole by now never will be
        }
        Ok(self.peer_finished)
    }

    fn end(&mut self, failed: Option<Status>) {
        if let State::Answering { mut served, .. } = std::mem::replace(&mut self.state, State::Over) {
            served.status = failed.unwrap_or(served.status);
            self.served = Some(served);
        }
    }

    fn take(&mut self, part: &Part<'_>, directory: &Shelf) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Asked(mut request) => {
                request.extend_from_slice(&part.bytes[..part.bytes.len().min(REQUEST_BYTES_MAX + 1)]);
                match part.end_of_message {
                    _ if request.len() > REQUEST_BYTES_MAX => refuse(None, false, Status::BadRequest),
                    true => begin(&request, directory),
                    false => State::Asked(request),
                }
            }
            State::Receiving { place, file, name, size, left } => receive(part, place, file, name, size, left),
            other => other,
        };
    }
}

fn begin(request: &[u8], directory: &Shelf) -> State {
    match Request::parse(request) {
        Err(status) => refuse(None, false, status),
        Ok(Request::Get { name }) => match directory.take(&name) {
            Ok((place, file, size)) => give(place, file, name, size),
            Err(status) => refuse(Some(name), false, status),
        },
        Ok(Request::Put { name, size }) => match directory.begin(&name, size) {
            Ok((place, file)) => State::Receiving { place, file, name, size, left: size },
            Err(status) => refuse(Some(name), true, status),
        },
    }
}

fn give(place: Place, file: File, name: Name, size: u64) -> State {
    let reply = Reply { status: Status::Ok, size: Some(size) };
    State::Answering {
        place: Some(place),
        sender: Sender::message(reply.encode()).and_content(file, size),
        served: Served { name: Some(name), is_put: false, bytes: size, status: Status::Ok },
    }
}

fn receive(part: &Part<'_>, place: Place, mut file: WholeFile, name: Name, size: u64, left: u64) -> State {
    let length = part.bytes.len() as u64;
    if length > left || (part.end_of_message && length < left) {
        return refuse(Some(name), true, Status::BadRequest);
    }
    if file.write(part.bytes).is_err() {
        return refuse(Some(name), true, Status::Failed);
    }
    if !part.end_of_message {
        return State::Receiving { place, file, name, size, left: left - length };
    }
    let status = match file.publish() {
        Ok(()) => Status::Ok,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Status::Exists,
        Err(_) => Status::Failed,
    };
    answer(Served { name: Some(name), is_put: true, bytes: size, status })
}

fn refuse(name: Option<Name>, is_put: bool, status: Status) -> State {
    answer(Served { name, is_put, bytes: 0, status })
}

fn answer(served: Served) -> State {
    let reply = Reply { status: served.status, size: None };
    State::Answering { place: None, sender: Sender::message(reply.encode()), served }
}
