//! A hub between the guests' cards: real Ethernet frames meet the simulator's link model. Knows no IP.
//!
//! Each direction between two nodes has its fates by frame number: the same seed gives the same fates, but which frame has
//! which number depends on the guests' timing. A damaged ARP frame is lost, as an Ethernet card's checksum would have it;
//! IPv4, UDP and TCP have checksums of their own.

use crate::Failure;
use crate::plan::Plan;
use serde::Serialize;
use sim::fate::{Key, NameHash};
use sim::{LinkProfile, PacketFate};
use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Frames that are on their way; further ones are lost.
const FRAMES_MAX: usize = 65_536;
/// Frames that wait to be looked at; guests wait when there are more.
const INBOX_FRAMES: usize = 1_024;
/// Longer than any frame.
const FRAME_BYTES_MAX: usize = 4_096;
/// How often a reader looks whether it is over, and a full socket is tried again.
const LOOK: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_millis(1);
const ARP: [u8; 2] = [0x08, 0x06];

/// What the hub has done, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sent by a node.
    pub sent: u64,
    /// Handed to a node.
    pub delivered: u64,
    /// Lost by the link model.
    pub lost: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// Delivered with a flipped bit or without their end.
    pub damaged: u64,
    /// For a node that was down, or beyond the hub's bounds.
    pub unreachable: u64,
}

/// The running hub.
#[derive(Debug)]
pub(crate) struct Relay {
    is_over: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
    hub: Option<JoinHandle<Counts>>,
}

impl Relay {
    /// Starts a hub for the plan's nodes. `cards` and `hubs` are the sockets' paths, in the nodes' order.
    pub(crate) fn start(plan: &Plan, cards: Vec<PathBuf>, hubs: &[PathBuf]) -> Result<Self, Failure> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (inbox, frames) = sync_channel(INBOX_FRAMES);
        let sockets = hubs.iter().map(|path| bind(path)).collect::<Result<Vec<_>, _>>()?;
        let mut hub = Hub::new(plan, cards)?;
        let hub = thread::spawn(move || hub.run(&frames));
        let readers = sockets.into_iter().enumerate().map(|(place, socket)| {
            let (inbox, is_over) = (inbox.clone(), Arc::clone(&is_over));
            thread::spawn(move || read(place, &socket, &inbox, &is_over))
        });
        Ok(Self { readers: readers.collect(), is_over, hub: Some(hub) })
    }

    /// Ends it, and tells what it has done.
    pub(crate) fn end(mut self) -> Counts {
        self.stop().unwrap_or_default()
    }

    fn stop(&mut self) -> Option<Counts> {
        self.is_over.store(true, Ordering::Relaxed);
        for reader in self.readers.drain(..) {
            // A thread that panicked has said so.
            let _ = reader.join();
        }
        self.hub.take()?.join().ok()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bind(path: &Path) -> Result<UnixDatagram, Failure> {
    let socket = UnixDatagram::bind(path).and_then(|socket| socket.set_read_timeout(Some(LOOK)).map(|()| socket));
    socket.map_err(|error| Failure::harness(format!("no socket at {}: {error}", path.display())))
}

type Frame = Vec<u8>;

fn read(place: usize, socket: &UnixDatagram, inbox: &SyncSender<(usize, Frame)>, is_over: &AtomicBool) {
    let mut buffer = [0; FRAME_BYTES_MAX];
    while !is_over.load(Ordering::Relaxed) {
        if let Ok(length) = socket.recv(&mut buffer)
            && inbox.send((place, buffer[..length].to_vec())).is_err()
        {
            return;
        }
    }
}

/// One direction between two nodes.
#[derive(Debug)]
struct Lane {
    profile: LinkProfile,
    key: Key,
    frames: u64,
    in_burst: bool,
    /// When the last byte that waits will have left.
    busy_until: Instant,
}

impl Lane {
    /// What becomes of the next frame; `None` when it is lost.
    fn pass(&mut self, now: Instant, length: usize) -> Option<(Duration, PacketFate)> {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let key = self.key.number(self.frames);
        self.frames += 1;
        let fate = self.profile.fate(key, length);
        let is_taken = self.burst_takes(key);
        let waits = self.queue(now, length)?;
        (!fate.lost && !is_taken && length <= self.profile.mtu).then_some((waits, fate))
    }

    fn burst_takes(&mut self, key: Key) -> bool {
        let Some(burst) = self.profile.burst else { return false };
        let change = if self.in_burst { burst.leave } else { burst.enter };
        self.in_burst ^= change.hits(key.named("burst").draw(0));
        self.in_burst
    }

    /// How long the frame waits for a limited rate and takes to leave; `None` when the queue is full.
    fn queue(&mut self, now: Instant, length: u32) -> Option<Duration> {
        let Some(rate) = self.profile.rate.filter(|rate| *rate > 0) else { return Some(Duration::ZERO) };
        let takes = |bytes: u32| Duration::from_nanos((u64::from(bytes) * 8).saturating_mul(1_000_000_000) / rate);
        let waits = self.busy_until.saturating_duration_since(now);
        if waits > takes(self.profile.queue) {
            return None;
        }
        self.busy_until = now + waits + takes(length);
        Some(waits + takes(length))
    }
}

struct Hub {
    cards: Vec<PathBuf>,
    socket: UnixDatagram,
    lanes: Vec<Vec<Lane>>,
    /// By arrival and number: frames of one arrival keep their order.
    under_way: BTreeMap<(Instant, u64), (usize, Frame)>,
    outboxes: Vec<VecDeque<Frame>>,
    number: u64,
    counts: Counts,
}

impl Hub {
    fn new(plan: &Plan, cards: Vec<PathBuf>) -> Result<Self, Failure> {
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        let socket = socket.map_err(|error| Failure::harness(format!("no socket: {error}")))?;
        let root = Key::root(plan.seed).named("frames");
        let lane = |from: &str, to: &str| Lane {
            profile: plan.links.get(&(from.to_owned(), to.to_owned())).copied().unwrap_or(plan.link),
            key: root.pair(NameHash::of(from), NameHash::of(to)),
            frames: 0,
            in_burst: false,
            busy_until: Instant::now(),
        };
        let lanes = plan.names().map(|from| plan.names().map(|to| lane(from, to)).collect()).collect();
        let outboxes = cards.iter().map(|_| VecDeque::new()).collect();
        let (under_way, counts) = (BTreeMap::new(), Counts::default());
        Ok(Self { cards, socket, lanes, under_way, outboxes, number: 0, counts })
    }

    /// Until nobody sends any more.
    fn run(&mut self, frames: &Receiver<(usize, Frame)>) -> Counts {
        loop {
            self.deliver(Instant::now());
            match frames.recv_timeout(self.wait()) {
                Ok((from, frame)) => self.take(Instant::now(), from, &frame),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.counts,
            }
        }
    }

    fn wait(&self) -> Duration {
        if self.outboxes.iter().any(|outbox| !outbox.is_empty()) {
            return RETRY;
        }
        let next = self.under_way.first_key_value().map(|((at, _), _)| at.saturating_duration_since(Instant::now()));
        next.map_or(LOOK, |next| next.min(LOOK))
    }

    fn take(&mut self, now: Instant, from: usize, frame: &[u8]) {
        self.counts.sent += 1;
        let Some(to) = frame.first_chunk::<6>() else { return };
        let place = guest_contract::host(*to).and_then(|number| usize::from(number).checked_sub(1));
        match place.filter(|to| *to < self.cards.len()) {
            Some(to) => self.pass(now, from, to, frame),
            None => (0..self.cards.len()).for_each(|to| self.pass(now, from, to, frame)),
        }
    }

    fn pass(&mut self, now: Instant, from: usize, to: usize, frame: &[u8]) {
        if from == to {
            return;
        }
        let Some((waits, fate)) = self.lanes[from][to].pass(now, frame.len()) else {
            self.counts.lost += 1;
            return;
        };
        let Some(arriving) = damage(frame, &fate) else {
            self.counts.lost += 1;
            return;
        };
        self.counts.damaged += u64::from(arriving != frame);
        self.counts.reordered += u64::from(fate.reordered);
        if let Some(delay) = fate.duplicate {
            self.counts.duplicated += 1;
            self.send(now + waits + Duration::from_nanos(delay.as_nanos()), to, frame.to_vec());
        }
        self.send(now + waits + Duration::from_nanos(fate.delay.as_nanos()), to, arriving);
    }

    fn send(&mut self, at: Instant, to: usize, frame: Frame) {
        if self.under_way.len() >= FRAMES_MAX || self.outboxes[to].len() >= FRAMES_MAX {
            self.counts.unreachable += 1;
            return;
        }
        self.number += 1;
        self.under_way.insert((at, self.number), (to, frame));
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let (to, frame) = entry.remove();
            self.outboxes[to].push_back(frame);
        }
        for (outbox, card) in self.outboxes.iter_mut().zip(&self.cards) {
            while let Some(frame) = outbox.front() {
                match self.socket.send_to(frame, card) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Ok(_) => self.counts.delivered += 1,
                    Err(_) => self.counts.unreachable += 1,
                }
                outbox.pop_front();
            }
        }
    }
}

/// The frame as it arrives; `None` when a card would drop it.
fn damage(frame: &[u8], fate: &PacketFate) -> Option<Frame> {
    let mut arriving = frame.to_vec();
    if let Some(bit) = fate.flipped_bit
        && let Some(byte) = arriving.get_mut(bit as usize / 8)
    {
        *byte ^= 1 << (bit % 8);
    }
    if let Some(length) = fate.truncated_to {
        arriving.truncate(length as usize);
    }
    let is_arp = frame.get(12..14) == Some(&ARP);
    (!is_arp || arriving == frame).then_some(arriving)
}

#[cfg(test)]
mod tests;
