//! Pipes: both halves, all ends, any size of fill.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use machine::{Addr, PipeEnd, PipeId};
use socket2::{Domain, SockRef, Socket, Type};

use crate::scripted::{ACCEPTED, Node, OPENED, Scratch, Seen, connect, connected, pattern, run_until};

const MIB: usize = 1024 * 1024;

#[test]
fn a_mebibyte_each_way_arrives_whole_and_both_halves_finish() {
    let scratch = Scratch::new();
    let [mut a, mut b] = connected(&scratch);
    let (there, back) = (pattern(MIB), pattern(MIB + 1));
    a.write(OPENED, &there);
    a.finish(OPENED);
    b.write(ACCEPTED, &back);
    run_until([&mut a, &mut b], |[a, b]| b.saw(&Seen::Finished(ACCEPTED)) && a.received(OPENED).len() == MIB + 1);
    assert_eq!((a.ends(), b.ends()), (vec![], vec![]), "one half is still open");
    b.finish(ACCEPTED);
    run_until([&mut a, &mut b], |[a, b]| !a.ends().is_empty() && !b.ends().is_empty());
    assert_eq!(a.ends(), [(OPENED, PipeEnd::Finished)]);
    assert_eq!(b.ends(), [(ACCEPTED, PipeEnd::Finished)]);
    assert!(b.received(ACCEPTED) == there && a.received(OPENED) == back);
}

#[test]
fn a_half_that_is_finished_from_the_other_side_ends_likewise() {
    let scratch = Scratch::new();
    let [mut a, mut b] = connected(&scratch);
    b.write(ACCEPTED, b"bye");
    b.finish(ACCEPTED);
    run_until([&mut a, &mut b], |[a, _]| a.saw(&Seen::Finished(OPENED)));
    a.write(OPENED, b"one more thing");
    a.finish(OPENED);
    run_until([&mut a, &mut b], |[a, b]| !a.ends().is_empty() && !b.ends().is_empty());
    assert_eq!((a.ends()[0].1, b.ends()[0].1), (PipeEnd::Finished, PipeEnd::Finished));
    assert_eq!((a.received(OPENED), b.received(ACCEPTED)), (b"bye".to_vec(), b"one more thing".to_vec()));
}

#[test]
fn halves_that_finish_at_once_end_likewise() {
    let scratch = Scratch::new();
    let [mut a, mut b] = connected(&scratch);
    a.finish(OPENED);
    b.finish(ACCEPTED);
    run_until([&mut a, &mut b], |[a, b]| !a.ends().is_empty() && !b.ends().is_empty());
    assert_eq!(a.seen[1..], [Seen::Finished(OPENED), Seen::Closed(OPENED, PipeEnd::Finished)]);
    assert_eq!(b.seen[1..], [Seen::Finished(ACCEPTED), Seen::Closed(ACCEPTED, PipeEnd::Finished)]);
}

#[test]
fn an_unread_tail_is_not_called_finished() {
    let scratch = Scratch::new();
    let mut a = scratch.node("a");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = dial(&mut a, &listener);
    SockRef::from(&peer).shutdown(std::net::Shutdown::Write).unwrap();
    a.write(OPENED, &pattern(16 * MIB)); // more than the kernel takes while nobody reads
    run_until([&mut a], |[a]| a.saw(&Seen::Finished(OPENED)));
    a.finish(OPENED);
    for _ in 0..20 {
        a.turn(Duration::from_millis(1));
    }
    assert_eq!(a.ends(), []);
    let mut some = [0; 1_000];
    peer.read_exact(&mut some).unwrap();
    drop(peer); // with bytes unread: a reset
    run_until([&mut a], |[a]| !a.ends().is_empty());
    assert_eq!(a.ends(), [(OPENED, PipeEnd::Reset)]);
}

#[test]
fn a_reset_after_both_halves_were_finished_is_not_called_finished() {
    let scratch = Scratch::new();
    let mut a = scratch.node("a");
    let listener = small_listener();
    let peer = dial(&mut a, &listener);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    a.write(OPENED, &pattern(20_000)); // the kernel takes it, the peer's kernel cannot
    a.finish(OPENED);
    run_until([&mut a], |[a]| a.saw(&Seen::Finished(OPENED)) && a.driver.machine().filled == 20_000);
    for _ in 0..20 {
        a.turn(Duration::from_millis(1));
    }
    assert_eq!(a.ends(), [], "the tail is not acknowledged");
    drop(peer);
    run_until([&mut a], |[a]| !a.ends().is_empty());
    assert_eq!(a.ends(), [(OPENED, PipeEnd::Reset)]);
}

#[test]
fn an_abort_is_seen_as_a_reset() {
    let scratch = Scratch::new();
    let [mut a, mut b] = connected(&scratch);
    a.close(OPENED);
    run_until([&mut a, &mut b], |[_, b]| !b.ends().is_empty());
    assert_eq!(b.ends(), [(ACCEPTED, PipeEnd::Reset)]);
    assert!(!b.saw(&Seen::Finished(ACCEPTED)));
    assert_eq!(a.ends(), [], "who closes is not told");
}

#[test]
fn an_abort_after_a_finished_half_is_seen_as_a_reset() {
    let scratch = Scratch::new();
    let [mut a, mut b] = connected(&scratch);
    a.finish(OPENED);
    run_until([&mut a, &mut b], |[_, b]| b.saw(&Seen::Finished(ACCEPTED)));
    a.close(OPENED);
    run_until([&mut a, &mut b], |[_, b]| !b.ends().is_empty()); // though it neither reads nor writes
    assert_eq!(b.ends(), [(ACCEPTED, PipeEnd::Reset)]);
}

#[test]
fn a_driver_that_dies_resets_its_pipes() {
    let scratch = Scratch::new();
    let [a, mut b] = connected(&scratch);
    drop(a);
    run_until([&mut b], |[b]| !b.ends().is_empty());
    assert_eq!(b.ends(), [(ACCEPTED, PipeEnd::Reset)]);
    assert!(!b.saw(&Seen::Finished(ACCEPTED)), "a crash is no end of stream");
}

#[test]
fn a_dial_that_nobody_takes_is_refused() {
    let scratch = Scratch::new();
    let mut a = scratch.node("a");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable: SocketAddr = "[::ffff:255.255.255.255]:9".parse().unwrap();
    a.open(OPENED, free.into());
    a.open(PipeId::opened(1), unreachable.into());
    a.open(PipeId::opened(2), Addr::from(free).with_port(0));
    run_until([&mut a], |[a]| a.ends().len() == 3);
    assert!(a.ends().iter().all(|(_, reason)| *reason == PipeEnd::Refused), "{:?}", a.ends());
}

#[test]
fn a_dial_that_nobody_answers_times_out() {
    let scratch = Scratch::new();
    let config = shim_tcp::Config { patience: machine::Duration::from_millis(300), ..scratch.config("a") };
    let mut a = Node::new(&config);
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let _waiting = TcpStream::connect(addr).unwrap(); // takes the only place: the next is not answered
    a.open(OPENED, addr.into());
    run_until([&mut a], |[a]| !a.ends().is_empty());
    assert_eq!(a.ends(), [(OPENED, PipeEnd::TimedOut)]);
}

#[test]
fn a_peer_that_stays_silent_times_out() {
    let scratch = Scratch::new();
    let config = shim_tcp::Config { patience: machine::Duration::from_millis(300), ..scratch.config("a") };
    let mut a = Node::new(&config);
    let listener = small_listener();
    let _peer = dial(&mut a, &listener); // never reads: its kernel takes no more
    a.write(OPENED, &pattern(MIB));
    run_until([&mut a], |[a]| !a.ends().is_empty());
    assert_eq!(a.ends(), [(OPENED, PipeEnd::TimedOut)]);
}

#[test]
fn fills_of_one_byte_make_the_same_stream() {
    let scratch = Scratch::new();
    let config = scratch.config("a");
    let driver = shim_tcp::Driver::new(&config, |boot| {
        let mut machine = crate::scripted::Scripted::new(boot);
        machine.fill_bytes_max = 1;
        machine
    });
    let [mut a, mut b] = connect(Node { driver: driver.unwrap(), seen: vec![] }, scratch.node("b"));
    let bytes = pattern(200_000);
    a.write(OPENED, &bytes);
    run_until([&mut a, &mut b], |[_, b]| b.received(ACCEPTED).len() == bytes.len());
    assert!(b.received(ACCEPTED) == bytes);
}

#[test]
fn a_slow_reader_holds_back_the_machine_not_memory() {
    let scratch = Scratch::new();
    let config = shim_tcp::Config { send_buffer_bytes: Some(16 * 1024), ..scratch.config("a") };
    let mut a = Node::new(&config);
    let listener = small_listener();
    let mut peer = dial(&mut a, &listener);
    let bytes = pattern(4 * MIB);
    a.write(OPENED, &bytes);
    a.finish(OPENED);
    for _ in 0..100 {
        a.turn(Duration::from_millis(1));
    }
    let filled = a.driver.machine().filled;
    assert!(filled < 512 * 1024, "kernel buffers and one buffer of ours, not {filled}");
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    run_until([&mut a], |[a]| a.driver.machine().filled == bytes.len());
    while !reader.is_finished() {
        a.turn(Duration::from_millis(1));
    }
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn a_flood_on_one_pipe_starves_no_other() {
    let scratch = Scratch::new();
    let mut node = scratch.node("a");
    let mut flood = TcpStream::connect(node.driver.local_addr()).unwrap();
    run_until([&mut node], |[node]| node.seen.len() == 1);
    flood.set_nonblocking(true).unwrap();
    let bytes = pattern(MIB);
    while flood.write(&bytes).is_ok() {}
    let mut quiet = TcpStream::connect(node.driver.local_addr()).unwrap();
    quiet.write_all(b"hello").unwrap();
    let mut turns = 0;
    while node.received(PipeId::accepted(1)) != b"hello" {
        let _ = flood.write(&bytes);
        node.turn(Duration::from_millis(100));
        turns += 1;
        assert!(turns < 10, "the flood goes first");
    }
    assert!(turns > 1 && !node.received(ACCEPTED).is_empty(), "there was a flood");
}

#[test]
fn late_outputs_for_an_ended_pipe_are_ignored() {
    let scratch = Scratch::new();
    let [mut a, mut b] = connected(&scratch);
    b.close(ACCEPTED);
    run_until([&mut a, &mut b], |[a, _]| !a.ends().is_empty());
    a.write(OPENED, b"late");
    a.finish(OPENED);
    a.close(OPENED);
    a.turn(Duration::ZERO);
    assert_eq!(a.ends(), [(OPENED, PipeEnd::Reset)], "told exactly once");
}

#[test]
fn bytes_written_before_the_dial_is_answered_arrive() {
    let scratch = Scratch::new();
    let (mut a, mut b) = (scratch.node("a"), scratch.node("b"));
    a.open(OPENED, b.addr());
    a.write(OPENED, b"early");
    a.finish(OPENED);
    run_until([&mut a, &mut b], |[_, b]| b.saw(&Seen::Finished(ACCEPTED)));
    assert_eq!(b.received(ACCEPTED), b"early");
}

#[test]
fn pipes_work_over_ipv6_and_ipv4_peers_keep_their_identity() {
    let scratch = Scratch::new();
    let config = |name, addr: &str| shim_tcp::Config::new(addr.parse().unwrap(), scratch.path(name));
    let [_, b] = connect(Node::new(&config("a", "[::1]:0")), Node::new(&config("b", "[::1]:0")));
    assert!(b.addr().to_string().starts_with("[::1]:"));

    let mut both = Node::new(&config("both", "[::]:0"));
    let peer = TcpStream::connect(("127.0.0.1", both.driver.local_addr().port())).unwrap();
    run_until([&mut both], |[both]| !both.seen.is_empty());
    assert_eq!(both.seen, [Seen::Accepted(ACCEPTED, peer.local_addr().unwrap().into())]);
}

/// The peer's end of a pipe that `node` dials.
fn dial(node: &mut Node, listener: &TcpListener) -> TcpStream {
    node.open(OPENED, listener.local_addr().unwrap().into());
    run_until([node], |[node]| node.saw(&Seen::Opened(OPENED)));
    listener.accept().unwrap().0
}

/// Gives pipes whose kernel holds only a few kibibytes that nobody has read.
fn small_listener() -> TcpListener {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.set_recv_buffer_size(4 * 1024).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(8).unwrap();
    listener.into()
}
