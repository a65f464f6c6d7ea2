//! The asking side of one transfer.

use super::sender::{SendError, Sender};
use super::wire::{Name, REPLY_BYTES_MAX, Reply, Request, Status};
use crate::exit::{Exit, Failure};
use crate::whole_file::WholeFile;
use fabric::call::Streams;
use fabric::mux::Part;
use fabric::{CallError, StreamKey};
use machine::Instant;
use node_log::Recorded;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;

/// `None` while it goes on; then how it ended. An outer error means that the stream is gone.
pub(crate) type Outcome = Option<Result<(), Failure>>;

/// A file on its way to a peer.
#[derive(Debug)]
pub(crate) struct Put {
    sender: Sender,
    is_sent: bool,
    size: u64,
    reply: Vec<u8>,
}

impl Put {
    /// Opens `path`, to be stored as `name`.
    pub(crate) fn open(path: &Path, name: Name) -> Result<Self, Failure> {
        let fault = |what: &dyn std::fmt::Display| Failure::usage(format!("{}: {what}", path.display()));
        let file = File::open(path).map_err(|error| fault(&error))?;
        let metadata = file.metadata().map_err(|error| fault(&error))?;
        if !metadata.is_file() {
            return Err(fault(&"not a regular file"));
        }
        let size = metadata.len();
        let sender = Sender::message(Request::Put { name, size }.encode()).and_content(file, size);
        Ok(Self { sender, is_sent: false, size, reply: Vec::new() })
    }

    /// Bytes sent, of how many.
    pub(crate) const fn progress(&self) -> (u64, u64) {
        (self.sender.content_sent, self.size)
    }

    pub(crate) fn advance(
        &mut self,
        now: Instant,
        node: &mut Recorded,
        stream: StreamKey,
    ) -> Result<Outcome, CallError> {
        let reply = &mut self.reply;
        while let Some(read) = node.read_with(now, stream, READ_BYTES, |part| take_reply(reply, &part))? {
            match read {
                Ok(None) => {}
                Ok(Some(Reply { size: None, .. })) if self.is_sent => return Ok(Some(Ok(()))),
                Ok(Some(_)) => return Ok(Some(Err(nonsense()))),
                Err(failure) => return Ok(Some(Err(failure))),
            }
        }
        if self.is_sent {
            return Ok(None);
        }
        match self.sender.advance(now, node, stream) {
            Ok(false) => {}
            Ok(true) => {
                self.is_sent = true;
                node.finish(now, stream)?;
            }
            Err(SendError::Stream(error)) => return Err(error),
            Err(SendError::File(error)) => {
                let what = format!("the file cannot be read on, or has become shorter: {error}");
                return Ok(Some(Err(Failure::new(Exit::Refused, what))));
            }
        }
        Ok(None)
    }
}

/// A file on its way from a peer.
#[derive(Debug)]
pub(crate) struct Get {
    request: Sender,
    is_asked: bool,
    path: PathBuf,
    file_bytes_max: u64,
    state: Receiving,
}

#[derive(Debug)]
enum Receiving {
    Reply(Vec<u8>),
    Content { file: WholeFile, size: u64, left: u64 },
    Over,
}

impl Get {
    /// Will ask for `name`, and make of it the new file `path`, if it has no more than `file_bytes_max` bytes.
    pub(crate) fn new(name: Name, path: &Path, file_bytes_max: u64) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            let failure = Failure::usage(format!("{} exists", path.display()));
            return Err(failure.help("no file is overwritten: choose another with --output"));
        }
        let request = Sender::message(Request::Get { name }.encode());
        let state = Receiving::Reply(Vec::new());
        Ok(Self { request, is_asked: false, path: path.to_owned(), file_bytes_max, state })
    }

    /// Bytes received, of how many.
    pub(crate) const fn progress(&self) -> (u64, u64) {
        match self.state {
            Receiving::Content { size, left, .. } => (size - left, size),
            Receiving::Reply(_) | Receiving::Over => (0, 0),
        }
    }

    pub(crate) fn advance(
        &mut self,
        now: Instant,
        node: &mut Recorded,
        stream: StreamKey,
    ) -> Result<Outcome, CallError> {
        if !self.is_asked {
            match self.request.advance(now, node, stream) {
                Ok(true) => {
                    self.is_asked = true;
                    node.finish(now, stream)?;
                }
                Ok(false) => {}
                Err(SendError::Stream(error)) => return Err(error),
                Err(SendError::File(error)) => return Ok(Some(Err(failed(&self.path, &error)))),
            }
        }
        loop {
            match node.read_with(now, stream, READ_BYTES, |part| self.take(&part))? {
                None => return Ok(None),
                Some(None) => {}
                Some(outcome) => return Ok(outcome),
            }
        }
    }

    fn take(&mut self, part: &Part<'_>) -> Outcome {
        match std::mem::replace(&mut self.state, Receiving::Over) {
            Receiving::Reply(mut reply) => match take_reply(&mut reply, part) {
                Ok(None) => self.state = Receiving::Reply(reply),
                Ok(Some(Reply { size: Some(size), .. })) => return self.begin(size),
                Ok(Some(_)) => return Some(Err(nonsense())),
                Err(failure) => return Some(Err(failure)),
            },
            Receiving::Content { mut file, size, left } => {
                let length = part.bytes.len() as u64;
                if length > left || (part.end_of_message && length < left) {
                    return Some(Err(nonsense()));
                }
                if let Err(error) = file.write(part.bytes) {
                    return Some(Err(failed(&self.path, &error)));
                }
                if part.end_of_message {
                    return Some(file.publish().map_err(|error| failed(&self.path, &error)));
                }
                self.state = Receiving::Content { file, size, left: left - length };
            }
            Receiving::Over => {}
        }
        None
    }

    fn begin(&mut self, size: u64) -> Outcome {
        if size > self.file_bytes_max {
            let what = format!("the file has {size} bytes, more than the {} that are allowed", self.file_bytes_max);
            return Some(Err(Failure::new(Exit::Refused, what).help("allow more with --file-max")));
        }
        match WholeFile::create(&self.path, 0o666) {
            Ok(file) => self.state = Receiving::Content { file, size, left: size },
            Err(error) => return Some(Err(failed(&self.path, &error))),
        }
        None
    }
}

/// Collects a reply; once it has ended, what it says, if it is what was hoped for.
fn take_reply(reply: &mut Vec<u8>, part: &Part<'_>) -> Result<Option<Reply>, Failure> {
    reply.extend_from_slice(&part.bytes[..part.bytes.len().min(REPLY_BYTES_MAX + 1)]);
    if !part.end_of_message && reply.len() <= REPLY_BYTES_MAX {
        return Ok(None);
    }
    match Reply::parse(reply) {
        Some(Reply { status, .. }) if status != Status::Ok => {
            Err(Failure::new(Exit::Refused, format!("the peer refused: {status}")))
        }
        Some(reply) => Ok(Some(reply)),
        None => Err(nonsense()),
    }
}

fn nonsense() -> Failure {
    Failure::new(Exit::Refused, "the peer's answer is none: is the service one for files?")
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Exit::Refused, format!("{}: {error}", path.display()));
    if error.kind() == ErrorKind::AlreadyExists { failure.help("no file is overwritten") } else { failure }
}
