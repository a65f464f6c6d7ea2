//! A hostile peer with a valid key against a whole node, twice: one node gets each of its words whole, the other cut
//! anywhere. Both applications must see the same, and nobody is trusted whom no person has said yes to.

use crate::choices::{Choices, pieces};
use crate::frames::invent;
use crate::keys::{AMPLE, dial, local, output};
use fabric::call::{self, Bounds, Calls, Methods, Status};
use fabric::session::Session;
use fabric::{Admitting, Command, Config, Event, Node, StreamKey};
use machine::{Addr, Boot, Duration, Host, Input, Instant, Machine, Output, PipeId};
use std::collections::{BTreeMap, BTreeSet};

const HOSTILE: u8 = 1;
const NODE: u8 = 2;
const PIPE: PipeId = PipeId::accepted(0);

/// A node, its application, and all that the application has seen.
struct World {
    node: Node,
    calls: Calls,
    now: Instant,
    seen: Vec<String>,
    read: BTreeMap<StreamKey, Vec<u8>>,
    /// Streams that are not read until their peer has finished.
    mute: BTreeSet<StreamKey>,
    said: Vec<u8>,
    has_number: bool,
    has_yes: bool,
}

impl World {
    fn boot(is_trusted: bool) -> Self {
        let hostile = local(HOSTILE).device.device_id();
        let mut config = Config { services: vec!["call".into()], admitting: Admitting::Pairing, ..Config::default() };
        if is_trusted {
            config.trusted.insert(hostile);
        }
        for service in ["echo", "mute"] {
            config.policy.allow(hostile, service);
        }
        for method in ["get", "fail", "late"] {
            config.policy.allow_method(hostile, "call", method);
        }
        let boot = Boot { seed: [5; 32], ..Boot::default() };
        let mut node = Node::new(&boot, local(NODE), config).unwrap_or_else(|refusal| panic!("{refusal}"));
        node.serve("echo");
        node.serve("mute");
        let mut calls = Calls::new(&call::Limits::default());
        let methods = ["get", "fail", "late", "hidden"].map(|method| (method.to_owned(), Bounds::default()));
        calls.serve("call", Methods::from(methods));
        let mut world = Self {
            node,
            calls,
            now: Instant::ZERO,
            seen: Vec::new(),
            read: BTreeMap::new(),
            mute: BTreeSet::new(),
            said: Vec::new(),
            has_number: false,
            has_yes: false,
        };
        world.input(Input::Command(Command::EnterPairing));
        world.input(Input::PipeAccepted { pipe: PIPE, from: Addr::new(Host::new([9; 16]), 9) });
        world.fill();
        world
    }

    fn input(&mut self, input: Input<'_, Command>) {
        self.node.handle(self.now, input);
        self.hear();
    }

    fn hear(&mut self) {
        loop {
            while let Some(event) = self.node.poll_event() {
                if let Some(event) = self.calls.handle_event(self.now, &mut self.node, event) {
                    self.told(&event);
                }
            }
            let Some(event) = self.calls.poll() else { break };
            if let call::Event::Called { call, method, body, .. } = &event {
                let reply = match method.as_str() {
                    "get" => Some(Ok(&body[..])),
                    "fail" => Some(Err(Status::Failed)),
                    _ => None,
                };
                if let Some(reply) = reply {
                    let _ = self.calls.reply(self.now, &mut self.node, *call, reply);
                }
            }
            self.seen.push(format!("{event:?}"));
        }
        while let Some(output) = self.node.poll_output() {
            let stored = match output {
                Output::Store { key, .. } => Some(key.to_owned()),
                _ => None,
            };
            if let Some(key) = stored {
                self.node.handle(self.now, Input::Stored { key: &key, result: Ok(()) });
            }
        }
    }

    fn told(&mut self, event: &Event) {
        match event {
            Event::Readable { stream } if self.mute.contains(stream) => return,
            Event::Readable { stream } | Event::Finished { stream } => {
                while let Ok(Some(chunk)) = self.node.read(self.now, *stream, 4_096) {
                    self.read.entry(*stream).or_default().extend_from_slice(&chunk.bytes);
                }
                return;
            }
            Event::Writable { .. } => return,
            Event::Accepted { stream, service, .. } if service == "mute" => drop(self.mute.insert(*stream)),
            Event::PairingNumber { .. } => self.has_number = true,
            _ => {}
        }
        self.seen.push(format!("{event:?}"));
    }

    /// What the node has to say to the peer.
    fn fill(&mut self) {
        let mut room = vec![0; AMPLE];
        loop {
            let count = self.node.fill(PIPE, &mut room);
            if count == 0 {
                break;
            }
            self.said.extend_from_slice(&room[..count]);
            self.hear();
        }
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.input(Input::Timeout);
        self.calls.handle_timeout(self.now, &mut self.node);
        self.hear();
    }

    /// The person says yes, whatever the other's screen shows.
    fn confirm(&mut self) {
        self.has_yes |= self.has_number;
        if let Ok(label) = "friend".parse() {
            self.input(Input::Command(Command::ConfirmPairing(label, 1)));
        }
    }

    fn judge(&self) {
        let stored = self.node.trust_store().get(local(HOSTILE).device.device_id());
        assert!(stored.is_none() || self.has_yes, "trusted, and nobody has said yes");
    }
}

/// Brings the hostile device's session up, if the node lets it.
fn handshake(hostile: &mut Session, worlds: &mut [World; 2]) {
    for _ in 0..2 {
        let bytes = output(hostile, &mut std::iter::empty());
        for world in &mut *worlds {
            world.input(Input::PipeBytes { pipe: PIPE, bytes: &bytes });
            world.fill();
        }
        let said = std::mem::take(&mut worlds[0].said);
        assert_eq!(said, std::mem::take(&mut worlds[1].said), "equal nodes say the same");
        let mut rest = &said[..];
        while hostile.receive(Instant::ZERO, &mut rest).is_ok_and(|received| received.is_some()) {}
    }
}

pub(crate) fn run(data: &[u8], is_planted: bool) {
    let mut choices = Choices(data);
    let is_trusted = choices.u8() & 1 == 0;
    let mut worlds = [(); 2].map(|()| World::boot(is_trusted));
    let mut hostile = dial(HOSTILE, NODE);
    handshake(&mut hostile, &mut worlds);
    for _ in 0..128 {
        if choices.is_over() {
            break;
        }
        match choices.u8() % 8 {
            0..=5 => {
                let count = 1 + choices.u8() % 4;
                let record: Vec<u8> = (0..count).flat_map(|_| invent(&mut choices)).collect();
                let mut bytes = output(&mut hostile, &mut [&record[..]].into_iter());
                let length = choices.u8();
                if length > 250 {
                    bytes.extend_from_slice(choices.bytes(usize::from(length)));
                }
                say(&mut worlds, &bytes, [choices.u8(), choices.u8()], is_planted);
            }
            6 => {
                let span = Duration::from_millis(u64::from(choices.u16()));
                for world in &mut worlds {
                    world.pass(span);
                }
            }
            _ => worlds.iter_mut().for_each(World::confirm),
        }
        worlds.iter_mut().for_each(World::fill);
        worlds.iter().for_each(World::judge);
        let [whole, cut] = &worlds;
        assert_eq!(whole.seen, cut.seen, "how bytes were cut shows in the events");
        assert_eq!(whole.read, cut.read, "how bytes were cut shows in what was read");
    }
}

fn say([whole, cut]: &mut [World; 2], bytes: &[u8], cuts: [u8; 2], is_planted: bool) {
    if bytes.is_empty() {
        return;
    }
    whole.input(Input::PipeBytes { pipe: PIPE, bytes });
    let pieces = pieces(bytes, &cuts);
    for (index, piece) in pieces.iter().enumerate() {
        // The planted bug: one byte that comes alone after others is lost.
        if !(is_planted && index == 1 && piece.len() == 1) {
            cut.input(Input::PipeBytes { pipe: PIPE, bytes: piece });
        }
    }
}
