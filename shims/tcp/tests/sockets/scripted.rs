//! A machine that does what a test says and remembers what happens to it, and a net of drivers that run it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant as StdInstant};

use machine::{Addr, Boot, Destination, Input, Instant, Machine, Output, PipeEnd, PipeId, StoreFailed};
use shim_tcp::{Config, Driver};
use toys::outbox::{Action, Outbox};

/// Longer than anything on a loopback interface takes, shorter than a patience that a test would notice.
const DEADLINE: Duration = Duration::from_secs(10);

/// An input that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Timeout,
    Datagram(Addr, Vec<u8>),
    Opened(PipeId),
    Accepted(PipeId, Addr),
    Bytes(PipeId, Vec<u8>),
    Finished(PipeId),
    Closed(PipeId, PipeEnd),
    Stored(String, Result<(), StoreFailed>),
}

/// What a test asks of its machine.
pub(crate) enum Ask {
    Do(Action<Seen>),
    /// Have these bytes filled into a pipe.
    Write(PipeId, Vec<u8>),
    WakeAt(Instant),
}

/// See the module.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) boot: Boot,
    /// The most that one fill gives; 0 for all the room.
    pub(crate) fill_bytes_max: usize,
    /// What is not filled yet, and how much was.
    writes: BTreeMap<PipeId, (Vec<u8>, usize)>,
    wake_at: Option<Instant>,
    outbox: Outbox<Seen>,
    /// After a fill that gave something.
    pub(crate) filled: usize,
}

impl Scripted {
    pub(crate) fn new(boot: Boot) -> Self {
        Self { boot, ..Self::default() }
    }
}

impl Machine for Scripted {
    type Command = Ask;
    type Event = Seen;

    fn handle(&mut self, now: Instant, input: Input<'_, Ask>) {
        let seen = match input {
            Input::Command(Ask::Do(action)) => return self.outbox.push(action),
            Input::Command(Ask::WakeAt(at)) => return self.wake_at = Some(at),
            Input::Command(Ask::Write(pipe, bytes)) => {
                self.writes.entry(pipe).or_default().0.extend(bytes);
                return self.outbox.push(Action::FillPipe { pipe });
            }
            Input::Timeout if self.wake_at.is_none_or(|at| now < at) => return,
            Input::Timeout => {
                self.wake_at = None;
                Seen::Timeout
            }
            Input::Datagram { from, bytes } => Seen::Datagram(from, bytes.to_vec()),
            Input::PipeOpened { pipe } => Seen::Opened(pipe),
            Input::PipeAccepted { pipe, from } => Seen::Accepted(pipe, from),
            Input::PipeBytes { pipe, bytes } => Seen::Bytes(pipe, bytes.to_vec()),
            Input::PipeFinished { pipe } => Seen::Finished(pipe),
            Input::PipeClosed { pipe, reason } => Seen::Closed(pipe, reason),
            Input::Stored { key, result } => Seen::Stored(key.to_owned(), result),
        };
        self.outbox.event(seen);
    }

    fn poll(&mut self) -> Option<Output<'_, Seen>> {
        self.outbox.poll()
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let Some((bytes, written)) = self.writes.get_mut(&pipe) else { return 0 };
        let most = if self.fill_bytes_max == 0 { room.len() } else { self.fill_bytes_max.min(room.len()) };
        let rest = &bytes[*written..];
        let length = rest.len().min(most);
        room[..length].copy_from_slice(&rest[..length]);
        *written += length;
        self.filled += length;
        length
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.wake_at
    }
}

/// One driver and what its machine saw.
pub(crate) struct Node {
    pub(crate) driver: Driver<Scripted>,
    pub(crate) seen: Vec<Seen>,
}

impl Node {
    pub(crate) fn new(config: &Config) -> Self {
        let driver = Driver::new(config, Scripted::new).unwrap();
        Self { driver, seen: Vec::new() }
    }

    pub(crate) fn addr(&self) -> Addr {
        self.driver.local_addr().into()
    }

    pub(crate) fn ask(&mut self, action: Action<Seen>) {
        self.driver.command(Ask::Do(action));
    }

    pub(crate) fn open(&mut self, pipe: PipeId, to: Addr) {
        self.ask(Action::OpenPipe { pipe, to });
    }

    pub(crate) fn write(&mut self, pipe: PipeId, bytes: &[u8]) {
        self.driver.command(Ask::Write(pipe, bytes.to_vec()));
    }

    pub(crate) fn finish(&mut self, pipe: PipeId) {
        self.ask(Action::FinishPipe { pipe });
    }

    pub(crate) fn close(&mut self, pipe: PipeId) {
        self.ask(Action::ClosePipe { pipe });
    }

    pub(crate) fn send(&mut self, to: Destination, bytes: &[u8]) {
        self.ask(Action::Datagram { to, bytes: bytes.to_vec() });
    }

    pub(crate) fn store(&mut self, key: &str, bytes: &[u8]) {
        self.ask(Action::Store { key: key.to_owned(), bytes: bytes.to_vec() });
    }

    pub(crate) fn turn(&mut self, max_wait: Duration) {
        let seen = &mut self.seen;
        let turned = self.driver.turn(Some(max_wait), |_, event| {
            seen.push(event);
            ControlFlow::Continue(())
        });
        assert!(turned.unwrap().is_continue(), "nobody breaks");
    }

    pub(crate) fn saw(&self, seen: &Seen) -> bool {
        self.seen.contains(seen)
    }

    /// All bytes that came in on `pipe`.
    pub(crate) fn received(&self, pipe: PipeId) -> Vec<u8> {
        let bytes = self.seen.iter().filter_map(|seen| match seen {
            Seen::Bytes(of, bytes) if *of == pipe => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect::<Vec<_>>().concat()
    }

    pub(crate) fn datagrams(&self) -> Vec<(Addr, &[u8])> {
        let datagrams = self.seen.iter().filter_map(|seen| match seen {
            Seen::Datagram(from, bytes) => Some((*from, bytes.as_slice())),
            _ => None,
        });
        datagrams.collect()
    }

    /// How every pipe ended, in order.
    pub(crate) fn ends(&self) -> Vec<(PipeId, PipeEnd)> {
        let ends = self.seen.iter().filter_map(|seen| match seen {
            Seen::Closed(pipe, reason) => Some((*pipe, *reason)),
            _ => None,
        });
        ends.collect()
    }
}

/// Turns all of `nodes` until `is_reached`.
pub(crate) fn run_until<const N: usize>(mut nodes: [&mut Node; N], is_reached: impl Fn([&Node; N]) -> bool) {
    let started = StdInstant::now();
    while !is_reached(nodes.each_ref().map(|node| &**node)) {
        assert!(started.elapsed() < DEADLINE, "stuck: {:?}", nodes.map(|node| node.seen.len()));
        for node in &mut nodes {
            node.turn(Duration::from_millis(1));
        }
    }
}

/// A directory that goes when the test ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("shim-tcp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// For a node that lives on the loopback interface and in the directory `name`.
    pub(crate) fn config(&self, name: &str) -> Config {
        Config { seed: Some([7; 32]), ..Config::new(([127, 0, 0, 1], 0).into(), self.path(name)) }
    }

    pub(crate) fn node(&self, name: &str) -> Node {
        Node::new(&self.config(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The first pipe that a machine opens, and the first that it accepts.
pub(crate) const OPENED: PipeId = PipeId::opened(0);
pub(crate) const ACCEPTED: PipeId = PipeId::accepted(0);

/// Two nodes with a pipe between them: `OPENED` at the first is `ACCEPTED` at the second.
pub(crate) fn connected(scratch: &Scratch) -> [Node; 2] {
    connect(scratch.node("a"), scratch.node("b"))
}

pub(crate) fn connect(mut a: Node, mut b: Node) -> [Node; 2] {
    a.open(OPENED, b.addr());
    run_until([&mut a, &mut b], |[a, b]| a.saw(&Seen::Opened(OPENED)) && b.seen.len() == 1);
    assert!(matches!(b.seen[0], Seen::Accepted(ACCEPTED, _)));
    [a, b]
}

/// `length` bytes that repeat at no power of two.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}
