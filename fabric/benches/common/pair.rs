//! Two ends of one session, and the memory between them: everything that two nodes do for a stream, but no pipe.

use bytes::Bytes;
use fabric::identity::{DeviceKey, NoiseStatic};
use fabric::mux::{self, Admission, Event, Mux, Part, Priority, Role, StreamId};
use fabric::session::{self, Local, Received, Session};
use fabric::suite::Suite;
use machine::Instant;
use std::sync::Arc;

const NOW: Instant = Instant::ZERO;
/// What a driver offers at a time.
const ROOM_BYTES: usize = 64 * 1024;

/// What to send.
pub(crate) struct Message {
    bytes: Bytes,
    is_shared: bool,
}

impl Message {
    /// One that is copied, as whatever lies in the application's own buffer.
    pub(crate) fn copied(length: usize) -> Self {
        Self { bytes: vec![7; length].into(), is_shared: false }
    }

    /// One that is counted by references.
    pub(crate) fn shared(length: usize) -> Self {
        Self { is_shared: true, ..Self::copied(length) }
    }
}

/// An application that only wants to see where messages end.
fn take(part: Part<'_>) -> bool {
    std::hint::black_box(part.bytes);
    part.end_of_message
}

/// One end: a session and its streams.
pub(crate) struct End {
    pub(crate) session: Session,
    pub(crate) mux: Mux,
}

/// Both ends of an established session.
pub(crate) struct Pair {
    pub(crate) a: End,
    pub(crate) b: End,
    pub(crate) wire: Vec<u8>,
}

/// A device with keys that `secret` decides.
pub(crate) fn device(secret: u8, suite: Arc<dyn Suite>) -> Arc<Local> {
    let noise = NoiseStatic::new([secret; 32], suite.noise_public(&[secret; 32]));
    Arc::new(Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite })
}

impl End {
    fn new(session: Session, role: Role) -> Self {
        Self { session, mux: Mux::new(NOW, role, &mux::Limits::default()) }
    }

    /// Writes what this end has to send to `wire`; how many bytes.
    fn send(&mut self, wire: &mut [u8]) -> usize {
        let Self { session, mux } = self;
        session.fill(wire, &mut |space| mux.fill(NOW, space))
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        while let Some(received) = self.session.receive(NOW, &mut bytes).unwrap() {
            if let Received::Record(plaintext) = received {
                self.mux.receive(NOW, plaintext, &mut |_| Admission::Admit).unwrap();
            }
        }
    }

    /// Reads all that has come; how many messages ended.
    fn read(&mut self) -> usize {
        let mut ended = 0;
        while let Some(event) = self.mux.poll() {
            let Event::Readable { stream } = event else { continue };
            while let Some(end_of_message) = self.mux.read_with(NOW, stream, usize::MAX, take).unwrap() {
                ended += usize::from(end_of_message);
            }
        }
        ended
    }

    /// Forgets what there is to tell.
    pub(crate) fn ignore(&mut self) {
        while self.mux.poll().is_some() {}
    }
}

impl Pair {
    /// Goes through the handshake, and has sent all that both ends say of themselves.
    pub(crate) fn new(initiator: &Arc<Local>, responder: &Arc<Local>) -> Self {
        Self::with_wire(initiator, responder, vec![0; ROOM_BYTES])
    }

    /// As [`Pair::new`], with a buffer that several pairs may use in turn.
    pub(crate) fn with_wire(initiator: &Arc<Local>, responder: &Arc<Local>, wire: Vec<u8>) -> Self {
        let limits = session::Limits::default();
        let (to, noise) = (responder.device.device_id(), responder.noise.public());
        let a = Session::dial(NOW, initiator, to, noise, [3; 32], &limits).unwrap();
        let b = Session::accept(NOW, responder, [4; 32], &limits);
        let mut pair = Self { a: End::new(a, Role::Initiator), b: End::new(b, Role::Responder), wire };
        pair.b.mux.ping(NOW);
        pair.exchange();
        assert!(pair.a.session.is_established() && pair.b.session.is_established());
        pair
    }

    /// Carries bytes until both ends have no more to say, and reads what comes to b as it comes; how many messages ended.
    pub(crate) fn exchange(&mut self) -> usize {
        let Self { a, b, wire } = self;
        let mut ended = 0;
        loop {
            let there = a.send(wire);
            b.receive(&wire[..there]);
            ended += b.read();
            let back = b.send(wire);
            a.receive(&wire[..back]);
            if there + back == 0 {
                return ended;
            }
        }
    }

    /// Lets the time of the first keepalive come, for both ends.
    pub(crate) fn quieten(&mut self) {
        for end in [&mut self.a, &mut self.b] {
            let due = end.mux.next_timeout().unwrap();
            end.mux.handle_timeout(due);
            end.session.release_buffers();
        }
    }

    /// Opens streams from a to b.
    pub(crate) fn open(&mut self, count: usize) -> Vec<StreamId> {
        let open = |_| {
            let stream = self.a.mux.open(NOW, "bench", Priority::NORMAL).unwrap();
            self.exchange();
            stream
        };
        let streams = (0..count).map(open).collect();
        self.a.ignore();
        self.b.ignore();
        streams
    }

    /// Sends `rounds` messages on each stream, from a to b, and reads them; every one whole.
    pub(crate) fn transfer(&mut self, streams: &[StreamId], message: &Message, rounds: usize) {
        let mut received = 0;
        for _ in 0..rounds {
            for stream in streams {
                received += self.write(*stream, message);
            }
            received += self.exchange();
        }
        assert_eq!(received, rounds * streams.len());
        self.a.ignore();
    }

    /// Writes a whole message, however often the other end has to read for it; how many messages that made it read.
    fn write(&mut self, stream: StreamId, message: &Message) -> usize {
        let (mut written, mut received) = (0, 0);
        loop {
            let (bytes, mux) = (&message.bytes, &mut self.a.mux);
            written += if message.is_shared {
                mux.write_shared(stream, &bytes.slice(written..), true).unwrap()
            } else {
                mux.write(stream, &bytes[written..], true).unwrap()
            };
            if written == bytes.len() {
                return received;
            }
            received += self.exchange();
        }
    }
}
