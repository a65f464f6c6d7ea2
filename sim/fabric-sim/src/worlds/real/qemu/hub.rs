//! A hub between the machines' cards: what the simulator's links do to frames in stack mode, this does to real ones, by the
//! same draws. Which frame has which number depends on the guests' timing.

use super::super::medium::Medium;
use super::super::site::NODES_TOKENS;
use super::{frame, host_number};
use crate::attacker::Liar;
use ::sim::{Config, Segments, Time};
use machine::Duration;
use mio::event::Event;
use mio::net::UnixDatagram;
use mio::{Interest, Registry, Token};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Frames on their way; a further one is lost.
const FRAMES_MAX: usize = 65_536;
/// Frames that wait for one card; a further one is lost.
const OUTBOX_MAX: usize = 1_024;
/// Longer than any frame.
const FRAME_BYTES_MAX: usize = 4_096;
/// Frames that one card gives before the others have their turn.
const VISIT_MAX: u32 = 256;
/// A card that is full says when it is not any more; this is for the case that nobody hears it.
const RETRY: Duration = Duration::from_millis(5);
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];

pub(super) struct Hub {
    pub(super) medium: Medium,
    segments: Segments,
    folder: PathBuf,
    registry: Registry,
    ports: Vec<Port>,
    liars: Vec<Liar>,
    /// Frames sent in each direction, and by each node to all.
    numbers: Vec<u64>,
    /// By arrival and number: those of one arrival keep their order.
    under_way: BTreeMap<(Time, u64), (usize, Frame)>,
    frames_made: u64,
    buffer: [u8; FRAME_BYTES_MAX],
}

type Frame = Vec<u8>;

/// Where one card is plugged in.
#[derive(Default)]
struct Port {
    socket: Option<UnixDatagram>,
    card: PathBuf,
    /// The card has sent something, so it can be sent to.
    is_connected: bool,
    outbox: VecDeque<Frame>,
}

impl Hub {
    /// A hub whose sockets are in `folder`, with nothing plugged in.
    pub(super) fn new(config: &Config, folder: &Path, registry: Registry, liars: Vec<Liar>) -> Self {
        let nodes = config.nodes.len();
        Self {
            medium: Medium::new(config),
            segments: Segments::new(config.nodes.iter().map(|node| node.segments.as_slice())),
            folder: folder.to_owned(),
            registry,
            liars,
            ports: (0..nodes).map(|_| Port::default()).collect(),
            numbers: vec![0; nodes * nodes],
            under_way: BTreeMap::new(),
            frames_made: 0,
            buffer: [0; FRAME_BYTES_MAX],
        }
    }

    /// Plugs a new card in, whose socket will be at `card`; gives the path that it is to send to.
    pub(super) fn plug(&mut self, node: u32, card: &Path) -> io::Result<PathBuf> {
        self.unplug(node);
        let path = self.folder.join(format!("{node}.hub"));
        for old in [&path, card] {
            match std::fs::remove_file(old) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let mut socket = UnixDatagram::bind(&path)?;
        let token = Token(NODES_TOKENS + node as usize);
        self.registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let port = &mut self.ports[node as usize];
        *port = Port { socket: Some(socket), card: card.to_owned(), ..Port::default() };
        Ok(path)
    }

    /// The card is gone.
    pub(super) fn unplug(&mut self, node: u32) {
        self.ports[node as usize] = Port::default();
    }

    pub(super) fn on_ready(&mut self, now: Time, event: &Event) {
        let from = event.token().0 - NODES_TOKENS;
        if event.is_writable() {
            self.medium.counts.unreachable += self.ports[from].flush();
        }
        if event.is_readable() {
            self.receive(now, from);
        }
    }

    fn receive(&mut self, now: Time, from: usize) {
        let mut count = 0;
        while let Some(length) = self.ports[from].receive(&mut self.buffer) {
            let frame = self.buffer[..length].to_vec();
            self.launch(now, from, &frame);
            count += 1;
            if count % VISIT_MAX == 0 {
                self.advance(now);
            }
        }
    }

    /// Sends a frame on to whom it is for.
    fn launch(&mut self, now: Time, from: usize, frame: &[u8]) {
        let Some(mac) = frame.first_chunk::<6>() else { return };
        let nodes = self.ports.len();
        let to = (0..nodes).find(|node| guest_contract::mac(host_number(*node as u32)) == *mac);
        let place = from * nodes + to.unwrap_or(from);
        let number = self.numbers[place];
        self.numbers[place] += 1;
        if let Some(to) = to {
            return self.pass(now, (from, to), false, number, frame);
        }
        let mut reached = Vec::new();
        self.segments.reach(from as u32, &mut reached);
        for to in reached {
            self.pass(now, (from, to as usize), true, number, frame);
        }
    }

    fn pass(&mut self, now: Time, (from, to): (usize, usize), to_all: bool, number: u64, frame: &[u8]) {
        if from == to {
            return;
        }
        self.lie(now, (from, to), frame);
        let arrivals = self.medium.datagram(now, (from as u32, to as u32), to_all, number, frame);
        // IPv4, UDP and TCP have checksums of their own; for ARP there is the card's.
        let is_arp = frame.get(12..14) == Some(&ETHERTYPE_ARP);
        for (at, arriving) in arrivals {
            if self.under_way.len() < FRAMES_MAX && (!is_arp || arriving == frame) {
                self.under_way.insert((at, self.frames_made), (to, arriving));
                self.frames_made += 1;
            }
        }
    }

    /// Sends ahead what men in the middle make of a frame.
    fn lie(&mut self, now: Time, (from, to): (usize, usize), frame: &[u8]) {
        let Some(payload) = frame::payload(frame).filter(|_| !self.liars.is_empty()) else { return };
        let link = (from as u32, to as u32);
        let lies = self.liars.iter_mut().flat_map(|liar| liar.lies(now, link, &frame[payload.clone()]));
        let room = FRAMES_MAX.saturating_sub(self.under_way.len());
        for lie in lies.filter_map(|lie| frame::with_payload(frame, &lie)).take(room) {
            self.under_way.insert((now, self.frames_made), (to, lie));
            self.frames_made += 1;
        }
    }

    /// An attacker that found nothing to lie about.
    pub(super) fn idle(&self) -> Option<String> {
        self.liars.iter().find_map(Liar::idle).map(str::to_owned)
    }

    /// Hands over what has arrived by `now`.
    pub(super) fn advance(&mut self, now: Time) {
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= now) {
            let (to, frame) = first.remove();
            let port = &mut self.ports[to];
            if port.outbox.len() < OUTBOX_MAX {
                port.outbox.push_back(frame);
            } else {
                self.medium.counts.queue_full += 1;
            }
        }
        for port in &mut self.ports {
            self.medium.counts.unreachable += port.flush();
        }
    }

    /// When [`Hub::advance`] has something to do; at the latest for what waits since `now`.
    pub(super) fn next_due(&self, now: Time) -> Option<Time> {
        let next = self.under_way.first_key_value().map(|((at, _), _)| *at);
        let waits = self.ports.iter().any(|port| !port.outbox.is_empty()).then(|| now + RETRY);
        next.into_iter().chain(waits).min()
    }
}

impl Port {
    /// The next frame that the card has sent: its length.
    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            match self.socket.as_ref()?.recv(buffer) {
                Ok(length) => {
                    if !self.is_connected {
                        self.is_connected = self.socket.as_ref()?.connect(&self.card).is_ok();
                    }
                    return Some(length);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None, // the card's end
            }
        }
    }

    /// Sends what the card takes; how many frames no card took.
    fn flush(&mut self) -> u64 {
        let mut lost = 0;
        while let Some(frame) = self.outbox.front() {
            let sent = match &self.socket {
                Some(socket) if self.is_connected => socket.send(frame).map(|_| ()),
                _ => Err(ErrorKind::NotConnected.into()),
            };
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => lost += 1, // a machine that is down
                Ok(()) => {}
            }
            self.outbox.pop_front();
        }
        lost
    }
}
