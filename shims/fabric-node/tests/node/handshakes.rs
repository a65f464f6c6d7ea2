//! Handshakes that are cut, split, repeated and too long: an honest one gets through after each, and costs nothing more.

use crate::harness::{Hub, PATIENCE, wait_until};
use crate::proxy::Proxy;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// Bytes that a device which dials sends up to its first record: messages 1 and 3, each behind its length (wire contract, 3).
const HANDSHAKE: u64 = (MESSAGE_1 + 2 + 164) as u64;
const MESSAGE_1: usize = 2 + 48;
/// What the other device answers to the first.
const MESSAGE_2: usize = 2 + 148;

impl Hub {
    /// An honest exchange works, and whatever came before has given back what it took: no more than `before` is open.
    #[track_caller]
    fn is_well(&self, before: usize) {
        self.ping_within("5s");
        wait_until(|| self.descriptors() <= before);
    }

    /// So many are refused, and nobody gets a session.
    #[track_caller]
    fn refuses(&self, count: u64) {
        let mut refused = 0;
        while refused < count {
            let event = self.running.wait_for_any(&["strangers-refused", "session-up"], PATIENCE);
            assert_eq!(event["event"], "strangers-refused");
            refused += event["count"].as_u64().unwrap();
        }
        assert_eq!(refused, count);
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.running.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// The hub says nothing more, and ends the connection.
#[track_caller]
fn assert_ends(mut stream: TcpStream) {
    let mut more = Vec::new();
    let ended = stream.read_to_end(&mut more);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert_eq!(more, [] as [u8; 0]);
}

#[test]
fn a_handshake_is_the_same_however_it_is_split() {
    let hub = Hub::new("split");
    let before = hub.descriptors();
    for piece in [1, 2, 3, 49, 50, 51] {
        let proxy = Proxy::new(hub.addr(), piece, u64::MAX);
        let line = format!(
            "ping {} --identity @phone --count 1 --timeout 10s --no-discovery",
            hub.running.peer_at(proxy.addr)
        );
        hub.place.finish(&line).assert(0, "");
        hub.running.wait_for("session-up");
    }
    hub.is_well(before);
}

#[test]
fn a_handshake_that_is_cut_anywhere_gives_no_session() {
    let hub = Hub::new("cut");
    let before = hub.descriptors();
    let limits = [1, 2, 49, 50, 51, 52, HANDSHAKE / 2, HANDSHAKE - 1];
    for limit in limits {
        let proxy = Proxy::new(hub.addr(), 1024, limit);
        let line = format!(
            "ping {} --identity @phone --count 1 --timeout 30s --no-discovery",
            hub.running.peer_at(proxy.addr)
        );
        let pinging = hub.place.start(&line);
        proxy.wait_for_limit();
        assert_eq!(proxy.end().len() as u64, limit);
        drop(pinging);
    }
    hub.refuses(limits.len() as u64);
    hub.is_well(before);
}

#[test]
fn a_handshake_that_is_repeated_to_the_byte_gives_no_session() {
    let hub = Hub::new("repeated");
    let before = hub.descriptors();
    let proxy = Proxy::new(hub.addr(), 1024, u64::MAX);
    let line =
        format!("ping {} --identity @phone --count 1 --timeout 10s --no-discovery", hub.running.peer_at(proxy.addr));
    hub.place.finish(&line).assert(0, "");
    hub.running.wait_for("session-up");
    let heard = proxy.end();
    assert!(heard.len() as u64 > HANDSHAKE, "a handshake and a PING");
    let (first, rest) = heard.split_at(MESSAGE_1);
    let mut stream = hub.connect();
    stream.write_all(first).unwrap();
    // The answer has an ephemeral key of its own, so that the message 3 of then does not fit it.
    stream.read_exact(&mut [0; MESSAGE_2]).unwrap();
    let _ = stream.write_all(rest); // it may have ended already
    assert_ends(stream);
    hub.refuses(1);
    hub.is_well(before);
}

#[test]
fn a_handshake_that_says_to_be_longer_than_any_ends_at_its_length() {
    let hub = Hub::new("long");
    let before = hub.descriptors();
    let lengths = [0, 47, 49, 1024, u16::MAX];
    for length in lengths {
        let mut stream = hub.connect();
        stream.write_all(&length.to_be_bytes()).unwrap();
        assert_ends(stream);
    }
    hub.refuses(lengths.len() as u64);
    hub.is_well(before);
}
