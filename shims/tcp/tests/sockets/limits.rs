//! Bounds, time, and the ways in and out of the loop.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use machine::{Destination, Instant, Machine, PipeEnd, PipeId};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shim_tcp::{Config, Driver, Error, SendError};
use toys::outbox::Action;

use crate::scripted::{ACCEPTED, Ask, Node, OPENED, Scratch, Scripted, Seen, run_until};

#[test]
fn a_pipe_too_many_is_reset_and_a_place_that_is_free_again_is_given() {
    let scratch = Scratch::new();
    let mut node = Node::new(&Config { accepted_max: 2, ..scratch.config("a") });
    let addr = node.driver.local_addr();
    let [first, _second, mut third] = [(); 3].map(|()| TcpStream::connect(addr).unwrap());
    run_until([&mut node], |[node]| node.driver.counters().accepts_refused == 1);
    assert!(third.read(&mut [0]).is_err(), "reset, not finished");
    assert_eq!(node.seen.len(), 2);
    node.close(ACCEPTED);
    drop(first);
    let fourth = TcpStream::connect(addr).unwrap();
    let from = fourth.local_addr().unwrap().into();
    run_until([&mut node], |[node]| node.saw(&Seen::Accepted(PipeId::accepted(2), from)));
}

/// A driver that looks at one pipe for answers, and always finds them, does not forget its other sockets.
#[test]
fn an_exchange_without_a_pause_shuts_nobody_out() {
    let scratch = Scratch::new();
    let config = Config { busy_poll: machine::Duration::from_secs(1), ..scratch.config("a") };
    let Node { mut driver, .. } = Node::new(&config);
    let addr = driver.local_addr();
    let mut busy = TcpStream::connect(addr).unwrap();
    let asking = thread::spawn(move || while busy.write_all(b"?").and_then(|()| busy.read_exact(&mut [0])).is_ok() {});
    let (mut answered, mut late, started) = (0, None, StdInstant::now());
    let mut has_come = false;
    while !has_come {
        assert!(started.elapsed() < Duration::from_secs(10), "nobody else came in {answered} answers");
        let turned = driver.turn(Some(Duration::from_secs(5)), |machine, seen| {
            match seen {
                Seen::Bytes(pipe, bytes) => {
                    machine.handle(Instant::ZERO, machine::Input::Command(Ask::Write(pipe, bytes)));
                    answered += 1;
                }
                Seen::Accepted(pipe, _) => has_come |= pipe != ACCEPTED,
                other => panic!("{other:?}"),
            }
            ControlFlow::Continue(())
        });
        assert!(turned.unwrap().is_continue());
        if answered >= 100 && late.is_none() {
            late = Some(TcpStream::connect(addr).unwrap());
        }
    }
    drop(driver);
    asking.join().unwrap();
}

#[test]
fn a_dial_too_many_is_refused_and_counted() {
    let scratch = Scratch::new();
    let mut node = Node::new(&Config { opened_max: 1, ..scratch.config("a") });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().into();
    node.open(OPENED, to);
    node.open(PipeId::opened(1), to);
    run_until([&mut node], |[node]| node.saw(&Seen::Opened(OPENED)));
    assert_eq!(node.ends(), [(PipeId::opened(1), PipeEnd::Refused)]);
    assert_eq!(node.driver.counters().dials_refused, 1);
    node.close(OPENED);
    node.open(PipeId::opened(2), to);
    run_until([&mut node], |[node]| node.saw(&Seen::Opened(PipeId::opened(2))));
}

/// The limit holds for a whole process, so this test runs itself in one of its own.
#[test]
fn without_descriptors_accepting_waits_and_does_not_spin() {
    if std::env::var_os("SHIM_TCP_FEW_DESCRIPTORS").is_some() {
        return with_few_descriptors();
    }
    let name = "limits::without_descriptors_accepting_waits_and_does_not_spin";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("SHIM_TCP_FEW_DESCRIPTORS", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the child ran it");
}

fn with_few_descriptors() {
    let scratch = Scratch::new();
    let mut node = scratch.node("a");
    let waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(node.driver.local_addr()).unwrap()).collect();
    let limits = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limits }).unwrap();
    let started = StdInstant::now();
    let mut turns = 0;
    while started.elapsed() < Duration::from_millis(350) {
        node.turn(Duration::from_secs(1));
        turns += 1;
    }
    assert!((3..=8).contains(&node.driver.counters().accepts_failed), "{:?}", node.driver.counters());
    assert!(turns < 20, "{turns} turns");
    assert_eq!(node.seen, []);
    node.open(OPENED, node.addr());
    node.turn(Duration::ZERO);
    assert_eq!(node.ends(), [(OPENED, PipeEnd::Refused)]);
    setrlimit(Resource::Nofile, limits).unwrap();
    run_until([&mut node], |[node]| node.seen.len() == 1 + waiting.len());
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listener = TcpListener::bind(taken).unwrap();
    let refused = |config| Driver::new(&config, Scripted::new).unwrap_err();
    let error = refused(Config { listen: taken, ..scratch.config("a") });
    assert!(matches!(error, Error::Listen { addr, .. } if addr == taken), "{error}");
    drop(listener);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = socket.local_addr().unwrap();
    let error = refused(Config { datagrams: taken, ..scratch.config("a") });
    assert!(error.to_string().starts_with(&format!("cannot use datagrams at {taken}: ")), "{error}");
    assert!(!scratch.path("a").exists(), "no start was counted");
}

#[test]
fn a_timeout_comes_at_its_time_without_any_other_cause() {
    let scratch = Scratch::new();
    let mut node = scratch.node("a");
    let span = machine::Duration::from_millis(30);
    node.driver.command(Ask::WakeAt(node.driver.machine().boot.now + span));
    let (started, mut turns) = (StdInstant::now(), 0);
    while node.seen.is_empty() {
        node.turn(Duration::from_secs(5));
        turns += 1;
    }
    assert_eq!(node.seen, [Seen::Timeout]);
    assert!((20..2_000).contains(&started.elapsed().as_millis()) && turns <= 2, "{turns} turns");
}

#[test]
fn what_is_ready_comes_before_a_timeout_that_is_due() {
    let scratch = Scratch::new();
    let mut node = scratch.node("a");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"ready", node.driver.datagram_addr()).unwrap();
    node.driver.command(Ask::WakeAt(Instant::ZERO));
    node.turn(Duration::from_secs(5));
    let from = peer.local_addr().unwrap().into();
    assert_eq!(node.seen, [Seen::Datagram(from, b"ready".to_vec()), Seen::Timeout]);
}

#[test]
fn another_thread_commands_and_stops_a_driver_that_sleeps() {
    let scratch = Scratch::new();
    let mut driver = scratch.node("a").driver;
    let handle = driver.handle();
    let running = thread::spawn(move || {
        let mut seen = Vec::new();
        let stop = driver.handle();
        let ran = driver.run(|_, event| {
            seen.push(event);
            stop.stop();
            ControlFlow::Continue(())
        });
        (ran.is_ok(), seen)
    });
    let store = Action::Store { key: "key".to_owned(), bytes: vec![1] };
    handle.send(Ask::Do(store)).map_err(|_| "full").unwrap();
    assert_eq!(running.join().unwrap(), (true, vec![Seen::Stored("key".to_owned(), Ok(()))]));
    assert!(matches!(handle.send(Ask::WakeAt(Instant::ZERO)), Err(SendError::Gone(_))));
}

#[test]
fn waiting_commands_are_bounded() {
    let scratch = Scratch::new();
    let config = Config { commands_max: 100, ..scratch.config("a") };
    let mut node = Node::new(&config);
    let handle = node.driver.handle();
    let command = || Ask::Do(Action::Event(Seen::Timeout));
    let taken = (0..1_000).take_while(|_| handle.send(command()).is_ok()).count();
    assert_eq!(taken, 100);
    assert!(matches!(handle.send(command()), Err(SendError::Full(_))));
    run_until([&mut node], |[node]| node.seen.len() == 100);
    assert!(handle.send(command()).is_ok());
}

#[test]
fn events_after_a_break_wait_for_the_next_turn() {
    let scratch = Scratch::new();
    let Node { mut driver, .. } = scratch.node("a");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..3 {
        driver.command(Ask::Do(Action::Event(Seen::Finished(PipeId::opened(number)))));
    }
    peer.send_to(b"meanwhile", driver.datagram_addr()).unwrap();
    let (mut seen, started) = (Vec::new(), StdInstant::now());
    for _ in 0..4 {
        let turned = driver.turn(Some(Duration::from_secs(5)), |_, event| {
            seen.push(event);
            ControlFlow::Break(())
        });
        assert!(turned.unwrap().is_break());
    }
    let expected = (0..3).map(|number| Seen::Finished(PipeId::opened(number)));
    assert!(seen[..3].iter().cloned().eq(expected));
    assert!(matches!(&seen[3], Seen::Datagram(_, bytes) if bytes == b"meanwhile"));
    assert!(started.elapsed() < Duration::from_secs(5), "no turn waits while outputs do");
}

/// Sends itself a datagram and asks to be asked again, for ever.
struct Restless;

impl machine::Machine for Restless {
    type Command = ();
    type Event = ();

    fn handle(&mut self, _: Instant, _: machine::Input<'_, ()>) {}

    fn poll(&mut self) -> Option<machine::Output<'_, ()>> {
        Some(machine::Output::Datagram { to: Destination::Group, bytes: b"" })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        Some(Instant::ZERO)
    }
}

#[test]
fn a_machine_that_never_rests_can_be_stopped() {
    let scratch = Scratch::new();
    let mut driver = Driver::new(&scratch.config("a"), |_| Restless).unwrap();
    driver.handle().stop();
    driver.run(|&mut Restless, ()| ControlFlow::Continue(())).unwrap();
    assert!(driver.counters().datagrams_unsent > 0);
}
