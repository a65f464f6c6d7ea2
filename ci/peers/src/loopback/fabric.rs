//! The fabric as its programs have it: a node and its application in one machine, on the driver for real sockets.

use super::{CALL, CALLS, MESSAGE, MESSAGES};
use bytes::Bytes;
use fabric::identity::{DeviceKey, NoiseStatic};
use fabric::mux::Priority;
use fabric::session::Local;
use fabric::suite::Suite;
use fabric::{Announcing, Command, Config, Event, Node, StreamKey};
use machine::{Boot, Input, Instant, Machine, Output, PipeId};
use ring_suite::RingSuite;
use shim_tcp::{Bound, Driver};
use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant as Time;

pub(super) const SERVICE: &str = "bench";
pub(super) const CLIENT: u8 = 1;
pub(super) const SERVER: u8 = 2;

/// What an end tells.
enum Told {
    /// All is set up.
    Ready,
    /// All messages of a round have come.
    Received,
    /// The seconds that each call of a round took.
    Called(Vec<f64>),
}

/// What an end does with its streams.
enum Work {
    /// Sends a round of messages; whether it shares their bytes.
    Send(Bytes, bool),
    Receive,
    Call(Calls),
    Echo,
}

#[derive(Default)]
struct Calls {
    began: Option<Time>,
    seconds: Vec<f64>,
}

/// What is to be sent on a stream yet: messages, and what of the first has gone.
#[derive(Default)]
struct Left {
    messages: usize,
    offset: usize,
}

/// One end. Any command begins a round.
struct Host {
    node: Node,
    work: Work,
    /// To be opened.
    streams: usize,
    open: BTreeMap<StreamKey, Left>,
    received: usize,
    told: VecDeque<Told>,
}

pub(super) fn local(secret: u8) -> Local {
    let noise = NoiseStatic::new([secret; 32], RingSuite.noise_public(&[secret; 32]));
    Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite: Arc::new(RingSuite) }
}

/// Trusts the other end, and lets it open the service.
pub(super) fn config(secret: u8) -> Config {
    let other = local(CLIENT + SERVER - secret).device.device_id();
    let mut config = Config { announce: Announcing::Off, services: vec![SERVICE.into()], ..Config::default() };
    config.trusted.insert(other);
    config.policy.allow(other, SERVICE);
    config
}

impl Host {
    fn new(boot: &Boot, secret: u8, streams: usize, work: Work) -> Self {
        let node = Node::new(boot, local(secret), config(secret)).unwrap();
        Self { node, work, streams, open: BTreeMap::new(), received: 0, told: VecDeque::new() }
    }

    fn begin(&mut self, now: Instant) {
        let streams: Vec<_> = self.open.keys().copied().collect();
        for stream in streams {
            self.open.insert(stream, Left { messages: MESSAGES / self.streams, offset: 0 });
            self.send(now, stream);
            self.call(now, stream);
        }
    }

    fn settle(&mut self, now: Instant) {
        while let Some(event) = self.node.poll_event() {
            match event {
                Event::SessionUp { device, .. } => {
                    for _ in 0..self.streams {
                        self.node.open(now, device, SERVICE, Priority::NORMAL).unwrap();
                    }
                }
                Event::Opened { stream } => {
                    self.open.insert(stream, Left::default());
                    if self.open.len() == self.streams {
                        self.told.push_back(Told::Ready);
                    }
                }
                Event::Readable { stream } => self.read(now, stream),
                Event::Writable { stream } => self.send(now, stream),
                Event::Accepted { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn send(&mut self, now: Instant, stream: StreamKey) {
        let (Work::Send(message, is_shared), Some(left)) = (&self.work, self.open.get_mut(&stream)) else { return };
        while left.messages > 0 {
            let rest = message.slice(left.offset..);
            let taken = match is_shared {
                true => self.node.write_shared(now, stream, &rest, true),
                false => self.node.write(now, stream, &rest, true),
            };
            let taken = taken.unwrap();
            if taken < rest.len() {
                left.offset += taken;
                return;
            }
            *left = Left { messages: left.messages - 1, offset: 0 };
        }
    }

    fn call(&mut self, now: Instant, stream: StreamKey) {
        let Work::Call(calls) = &mut self.work else { return };
        calls.began = Some(Time::now());
        assert_eq!(self.node.write(now, stream, &[7; CALL], true), Ok(CALL));
    }

    fn read(&mut self, now: Instant, stream: StreamKey) {
        let mut answer = [0; CALL];
        let echoes = matches!(self.work, Work::Echo);
        while let Some(is_end) = self
            .node
            .read_with(now, stream, usize::MAX, |part| {
                black_box(part.bytes);
                if echoes {
                    answer.copy_from_slice(part.bytes);
                }
                part.end_of_message
            })
            .unwrap()
        {
            if is_end {
                self.received(now, stream, &answer);
            }
        }
    }

    fn received(&mut self, now: Instant, stream: StreamKey, answer: &[u8; CALL]) {
        match &mut self.work {
            Work::Send(..) => {}
            Work::Echo => assert_eq!(self.node.write(now, stream, answer, true), Ok(CALL)),
            Work::Receive => {
                self.received += 1;
                if self.received == MESSAGES {
                    self.received = 0;
                    self.told.push_back(Told::Received);
                }
            }
            Work::Call(calls) => {
                calls.seconds.extend(calls.began.map(|began| began.elapsed().as_secs_f64()));
                if calls.seconds.len() < CALLS {
                    return self.call(now, stream);
                }
                self.told.push_back(Told::Called(std::mem::take(&mut calls.seconds)));
            }
        }
    }
}

impl Machine for Host {
    type Command = Command;
    type Event = Told;

    fn handle(&mut self, now: Instant, input: Input<'_, Command>) {
        match input {
            Input::Command(_) => self.begin(now),
            input => self.node.handle(now, input),
        }
        self.settle(now);
    }

    fn poll(&mut self) -> Option<Output<'_, Told>> {
        if let Some(told) = self.told.pop_front() {
            return Some(Output::Event(told));
        }
        self.node.poll_output().map(Output::without_events)
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let filled = self.node.fill(pipe, room);
        self.settle(self.node.now());
        filled
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.node.next_timeout()
    }
}

/// A directory for nodes that store nothing but the count of their starts.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("peers-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(super) fn driver_config(&self, name: &str) -> shim_tcp::Config {
        shim_tcp::Config::new((Ipv4Addr::LOCALHOST, 0).into(), self.0.join(name))
    }

    fn bound(&self, name: &str) -> Bound {
        Bound::new(&self.driver_config(name)).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn run(mut driver: Driver<Host>, told: Sender<Told>) {
    let run = move || {
        driver.run(|_, event| match told.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    };
    thread::Builder::new().name("driver".into()).spawn(run).unwrap(); // for `perf report --comm driver`
}

/// Both ends on their threads; a round that gives the next thing told.
fn rounds(streams: usize, client: Work, server: Work) -> impl FnMut() -> Told {
    let scratch = Scratch::new();
    let (told, heard) = channel();
    let server = scratch.bound("server").boot(|boot| Host::new(&boot, SERVER, 0, server)).unwrap();
    let addr = server.local_addr().into();
    let client = scratch.bound("client").boot(|boot| {
        let (to, mut host) = (local(SERVER), Host::new(&boot, CLIENT, streams, client));
        host.node.connect_to(boot.now, to.device.device_id(), addr, to.noise.public());
        host
    });
    let client = client.unwrap();
    let handle = client.handle();
    run(server, told.clone());
    run(client, told);
    assert!(matches!(heard.recv(), Ok(Told::Ready)));
    move || {
        let _kept = &scratch;
        handle.send(Command::LeavePairing).unwrap();
        heard.recv().unwrap()
    }
}

pub(super) fn transfer(streams: usize, is_shared: bool) -> impl FnMut() {
    let message = Bytes::from(vec![7; MESSAGE]);
    let mut round = rounds(streams, Work::Send(message, is_shared), Work::Receive);
    move || assert!(matches!(round(), Told::Received))
}

pub(super) fn calls() -> impl FnMut() -> Vec<f64> {
    let mut round = rounds(1, Work::Call(Calls::default()), Work::Echo);
    move || match round() {
        Told::Called(seconds) => seconds,
        Told::Ready | Told::Received => panic!("calls only"),
    }
}
