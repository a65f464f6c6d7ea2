//! A conversation of two nodes, one of which is recorded, and its replay.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use fabric::call::Streams;
use fabric::identity::{DeviceId, DeviceKey, NoisePublic, NoiseStatic};
use fabric::mux::Priority;
use fabric::suite::{RealSuite, Suite};
use fabric::{Command, Event, StreamKey};
use machine::{Addr, Boot, Duration, Host, Input, Instant, Machine, Output, PipeEnd, PipeId};
use node_log::{Log, MAGIC, Recorded, Replayed, Settings, Stopped, replay};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

const PHONE: u8 = 0xA1;
const HUB: u8 = 0xB2;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn device(secret: u8) -> DeviceId {
    DeviceKey::from_seed(&[secret; 32]).device_id()
}

fn noise_public(secret: u8) -> NoisePublic {
    RealSuite.noise_public(&[secret; 32])
}

fn node(secret: u8, log: Option<Log>) -> Recorded {
    let boot = Boot { seed: [secret ^ 0xFF; 32], ..Boot::default() };
    let mut settings = Settings { port: 7, services: vec!["echo".into()], ..Settings::default() };
    settings.trusted = vec![device(PHONE), device(HUB)];
    settings.allow(None, "echo");
    settings.allow(Some(device(PHONE)), "files");
    let noise = NoiseStatic::new([secret; 32], noise_public(secret));
    Recorded::new(&boot, DeviceKey::from_seed(&[secret; 32]), noise, &settings, log).unwrap()
}

/// The phone, which is recorded, and the hub, on one pipe.
struct Pair {
    nodes: [Recorded; 2],
    now: Instant,
    finishing: BTreeSet<(usize, PipeId)>,
    /// All bytes that the phone sent.
    sent: Vec<u8>,
}

impl Pair {
    fn new(log: Option<Log>) -> Self {
        let nodes = [node(PHONE, log), node(HUB, None)];
        Self { nodes, now: Instant::ZERO, finishing: BTreeSet::new(), sent: Vec::new() }
    }

    /// The dialler's pipe as the other side knows it.
    fn other(pipe: PipeId) -> PipeId {
        let index = pipe.as_u64() / 2;
        if pipe.is_opened() { PipeId::accepted(index) } else { PipeId::opened(index) }
    }

    fn input(&mut self, side: usize, input: Input<'_, Command>) {
        self.now = self.now + Duration::from_micros(10);
        self.nodes[side].handle(self.now, input);
    }

    /// Until nothing is left to do: what the nodes told.
    fn run(&mut self) -> Vec<(usize, Event)> {
        let mut told = Vec::new();
        let mut is_busy = true;
        while is_busy {
            is_busy = false;
            for side in [0, 1] {
                while let Some(event) = self.nodes[side].poll_event() {
                    told.push((side, event));
                }
                while self.step(side) {
                    is_busy = true;
                }
            }
        }
        told
    }

    fn step(&mut self, side: usize) -> bool {
        let addr = Addr::new(Host::new([1; 16]), 9);
        let Some(output) = self.nodes[side].poll_output().map(|output| match output {
            Output::OpenPipe { pipe, .. } => (pipe, 'o'),
            Output::FillPipe { pipe } => (pipe, 'f'),
            Output::FinishPipe { pipe } => (pipe, 'e'),
            Output::ClosePipe { pipe } => (pipe, 'c'),
            other => panic!("{other:?}"),
        }) else {
            return false;
        };
        let (pipe, other) = (output.0, Self::other(output.0));
        match output.1 {
            'o' => {
                self.input(1 - side, Input::PipeAccepted { pipe: other, from: addr });
                self.input(side, Input::PipeOpened { pipe });
            }
            'c' => self.input(1 - side, Input::PipeClosed { pipe: other, reason: PipeEnd::Reset }),
            end => {
                self.carry(side, pipe);
                if end == 'e' && self.finishing.insert((side, pipe)) {
                    self.input(1 - side, Input::PipeFinished { pipe: other });
                }
            }
        }
        true
    }

    fn carry(&mut self, side: usize, pipe: PipeId) {
        let mut room = [0; 1500];
        loop {
            let filled = self.nodes[side].fill(pipe, &mut room);
            if side == 0 {
                self.sent.extend_from_slice(&room[..filled]);
            }
            if filled == 0 {
                return;
            }
            self.input(1 - side, Input::PipeBytes { pipe: Self::other(pipe), bytes: &room[..filled] });
        }
    }
}

/// The phone dials the hub, says something long, hears something back, and both end in order.
fn conversation(log: Option<Log>) -> Pair {
    let mut pair = Pair::new(log);
    let addr = Addr::new(Host::new([2; 16]), 7);
    pair.input(0, Input::Command(Command::ConnectTo(device(HUB), addr, noise_public(HUB))));
    pair.run();
    let stream = pair.nodes[0].open(pair.now, device(HUB), "echo", Priority::NORMAL).unwrap();
    let message = Bytes::from(vec![7; 3_000]);
    assert_eq!(pair.nodes[0].write_shared(pair.now, stream, &message, true), Ok(3_000));
    let accepted = pair.run().into_iter().find_map(|(_, event)| match event {
        Event::Accepted { stream, .. } => Some(stream),
        _ => None,
    });
    answer(&mut pair, accepted.unwrap());
    pair.run();
    let back = pair.nodes[0].read(pair.now, stream, 100).unwrap().unwrap();
    assert_eq!((&back.bytes[..], back.end_of_message), (&b"heard"[..], true));
    pair.nodes[0].finish(pair.now, stream).unwrap();
    pair.run();
    pair.input(0, Input::Command(Command::ShutDown));
    pair.run();
    pair
}

fn answer(pair: &mut Pair, stream: StreamKey) {
    while pair.nodes[1].read(pair.now, stream, 4_096).unwrap().is_some() {}
    pair.nodes[1].write_shared(pair.now, stream, &Bytes::from_static(b"heard"), true).unwrap();
    pair.nodes[1].finish(pair.now, stream).unwrap();
}

/// A conversation's log of at most so many bytes.
fn recorded(bytes_max: u64) -> Vec<u8> {
    let buffer = Buffer::default();
    conversation(Some(Log::to(buffer.clone(), bytes_max, [0x5C; 32])));
    let log = buffer.0.lock().unwrap().clone();
    assert!(log.starts_with(MAGIC));
    log
}

fn replayed(log: &[u8]) -> Result<Replayed, Stopped> {
    replay(log)
}

#[test]
fn a_conversation_is_the_same_to_the_byte() {
    let done = replayed(&recorded(u64::MAX)).unwrap();
    assert!(done.calls > 40 && done.compared > 20, "{done:?}");
    assert!(!done.is_full && !done.is_cut && done.nanos > 0);
}

#[test]
fn whatever_is_changed_is_seen() {
    let log = String::from_utf8(recorded(u64::MAX)).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let (mut outs, mut inputs) = (0, 0);
    for (at, line) in lines.iter().enumerate() {
        let changed = if let Some(digest) = line.strip_prefix(r#"{"do":"out","is":""#) {
            outs += 1;
            let digit = if digest.starts_with('0') { "1" } else { "0" };
            format!(r#"{{"do":"out","is":"{digit}{}"#, &digest[1..])
        } else if line.contains(r#""do":"pipe-bytes""#) {
            inputs += 1;
            let last = line.len() - 3; // the last digit of what came in
            let digit = if &line[last..=last] == "0" { "1" } else { "0" };
            format!("{}{digit}\"}}", &line[..last])
        } else {
            continue;
        };
        let mut changed_lines = lines.clone();
        changed_lines[at] = &changed;
        let text = changed_lines.join("\n") + "\n";
        assert!(matches!(replayed(text.as_bytes()), Err(Stopped::Differs { .. })), "line {}: {line}", at + 1);
    }
    assert!(outs > 20 && inputs >= 3, "{outs} {inputs}");
}

#[test]
fn a_log_may_end_anywhere() {
    let log = recorded(u64::MAX);
    let boot = log.iter().position(|byte| *byte == b'\n').unwrap();
    for length in (boot + 1..log.len()).step_by(37) {
        let done = replayed(&log[..length]).unwrap();
        assert!(done.is_cut || log[length - 1] == b'\n', "{length}");
    }
    assert!(matches!(replayed(&log[..boot]), Err(Stopped::Unreadable { line: 1, .. })));
}

#[test]
fn a_full_log_is_a_shorter_one() {
    let log = recorded(8_000);
    assert!(log.len() <= 8_000, "{}", log.len());
    assert!(replayed(&log).unwrap().is_full);
}

#[test]
fn what_is_no_log_says_where() {
    for (text, line) in [("", 1), ("{}\n", 1), ("{\"do\":\"timeout\",\"now\":1}\n", 1), ("\u{1F600}\n", 1)] {
        assert!(matches!(replayed(text.as_bytes()), Err(Stopped::Unreadable { line: at, .. }) if at == line), "{text}");
    }
    let mut log = recorded(u64::MAX);
    log.extend_from_slice(b"{\"do\":\"reset\",\"now\":1,\"stream\":[77,1],\"code\":0}\n");
    let Err(Stopped::Unreadable { why, .. }) = replayed(&log) else { panic!("a stream that never was") };
    assert_eq!(why, "no such stream");
}

#[test]
fn no_secret_of_the_device_is_in_a_log() {
    let log = String::from_utf8(recorded(u64::MAX)).unwrap();
    let hex = |byte: u8| format!("{byte:02x}").repeat(32);
    assert!(!log.contains(&hex(PHONE)), "the device seed and the Noise secret");
    assert!(!log.contains(&hex(0x5C)), "what ephemeral keys are mixed with");
    assert!(log.contains(&hex(PHONE ^ 0xFF)), "the seed of the boot, from which they do not follow");
}

/// The ephemeral key of message 1 is in its first 32 bytes, after its length.
#[test]
fn ephemeral_keys_do_not_follow_from_the_logged_seed() {
    let logged = |mixed_with| conversation(Some(Log::to(io::sink(), u64::MAX, mixed_with))).sent[2..34].to_vec();
    let from_the_seed = conversation(None).sent[2..34].to_vec();
    assert_eq!(from_the_seed, conversation(None).sent[2..34]);
    assert_ne!(logged([1; 32]), from_the_seed);
    assert_ne!(logged([1; 32]), logged([2; 32]));
}

#[test]
fn each_start_has_its_file_and_the_last_few_stay() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("rotation");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("node.log");
    for start in 0..5_u8 {
        drop(node(PHONE, Some(Log::create(&path, 10_000 + u64::from(start)).unwrap())));
        std::fs::write(directory.join(format!("mark-{start}")), b"").unwrap();
    }
    let mut names: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| name.to_str().unwrap().starts_with("node.log"));
    names.sort();
    assert_eq!(names, ["node.log", "node.log.1", "node.log.2"]);
    assert!(Log::create(&directory, 1).is_err(), "a directory is no log of an earlier start");
    assert!(directory.exists());
}
