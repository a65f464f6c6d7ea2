//! The facade over two hosts and a wire in the test's hands: what clients get, and what hostile ones do not.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers are tests too")]

use machine::{Duration, Instant};
use netstackd::channel::{Channel, Client};
use netstackd::message::{Answer, Close, Endpoint, Handle, NO_DEADLINE, Reply, Request, Status};
use netstackd::service::{ClientId, Config, NetStack};
use netstackd::stacked::host;
use netstackd::wire::{QueueDevice, mac};

const ME: ClientId = ClientId(1);
const PORT: u16 = 7_000;

/// Two hosts; frames move when the test says so.
struct Pair {
    now: Instant,
    hosts: [NetStack<QueueDevice>; 2],
}

impl Pair {
    fn new(change: impl Fn(&mut Config)) -> Self {
        let hosts = [1, 2].map(|number| {
            let mut config = Config::new(mac(host(number)), host(number), u64::from(number));
            change(&mut config);
            NetStack::new(Instant::ZERO, config, QueueDevice::default())
        });
        Self { now: Instant::ZERO, hosts }
    }

    /// Asks host `at`, and gives what `take` makes of the answer.
    fn ask<T>(
        &mut self,
        at: usize,
        request: &Request<'_>,
        take: impl Fn(Answer<'_>) -> Option<T>,
    ) -> Result<T, Status> {
        let (mut bytes, mut reply) = (Vec::new(), Vec::new());
        request.encode(7, &mut bytes);
        self.hosts[at].handle(self.now, ME, &bytes, &mut reply);
        Reply::decode(&reply).unwrap().result.map(|answer| take(answer).expect("an answer of the request's kind"))
    }

    fn open(&mut self, at: usize, request: &Request<'_>) -> Result<Handle, Status> {
        self.ask(at, request, |answer| match answer {
            Answer::Opened(socket) => Some(socket),
            _ => None,
        })
    }

    fn write(&mut self, at: usize, socket: Handle, payload: &[u8]) -> Result<u32, Status> {
        self.ask(at, &Request::TcpWrite { socket, payload }, |answer| match answer {
            Answer::Written(count) => Some(count),
            _ => None,
        })
    }

    fn read(&mut self, at: usize, socket: Handle) -> Result<Vec<u8>, Status> {
        self.ask(at, &Request::TcpRead { socket, deadline: NO_DEADLINE }, |answer| match answer {
            Answer::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        })
    }

    fn do_it(&mut self, at: usize, request: &Request<'_>) -> Result<(), Status> {
        self.ask(at, request, |answer| (answer == Answer::Done).then_some(()))
    }

    fn room(&mut self, at: usize, socket: Handle, deadline: Instant) -> Result<u32, Status> {
        self.ask(at, &Request::TcpWaitWritable { socket, deadline }, |answer| match answer {
            Answer::Writable(room) => Some(room),
            _ => None,
        })
    }

    /// What host `from` sends now.
    fn sent(&mut self, from: usize) -> Vec<Vec<u8>> {
        self.hosts[from].poll(self.now);
        core::iter::from_fn(|| self.hosts[from].device_mut().take_sent()).collect()
    }

    fn deliver(&mut self, to: usize, frames: &[Vec<u8>]) {
        for frame in frames {
            self.hosts[to].device_mut().deliver(frame);
        }
        self.hosts[to].poll(self.now);
    }

    /// Lets time pass, and every frame arrive.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now <= end {
            for from in 0..2 {
                let frames = self.sent(from);
                self.deliver(1 - from, &frames);
            }
            self.now = self.now + Duration::from_millis(5);
        }
    }

    /// What both hosts send now arrives, each not knowing what the other one sends.
    fn cross(&mut self) {
        let [from_0, from_1] = [self.sent(0), self.sent(1)];
        self.deliver(1, &from_0);
        self.deliver(0, &from_1);
    }

    /// A connection from host 0 to host 1: its socket at each.
    fn connected(&mut self) -> (Handle, Handle) {
        let listener = self.open(1, &Request::TcpListen { port: PORT, backlog: 4 }).unwrap();
        let near = self.open(0, &Request::TcpConnect { to: Endpoint { host: host(2), port: PORT } }).unwrap();
        self.pass(Duration::from_millis(100));
        let accept = Request::TcpAccept { socket: listener, deadline: NO_DEADLINE };
        let far = self.ask(1, &accept, |answer| match answer {
            Answer::Accepted { socket, from } if from.host == host(1) => Some(socket),
            _ => None,
        });
        assert!(self.room(0, near, NO_DEADLINE).is_ok());
        (near, far.unwrap())
    }
}

#[test]
fn bytes_and_both_ends_arrive() {
    let mut pair = Pair::new(|_| {});
    let (near, far) = pair.connected();
    assert_eq!(pair.write(0, near, b"to and"), Ok(6));
    pair.do_it(0, &Request::TcpClose { socket: near, how: Close::Finish }).unwrap();
    assert_eq!(pair.write(0, near, b"more"), Err(Status::NotConnected));
    pair.pass(Duration::from_millis(100));
    assert_eq!(pair.read(1, far).as_deref(), Ok(b"to and".as_slice()));
    assert_eq!(pair.read(1, far), Err(Status::Finished));
    assert_eq!(pair.write(1, far, b" fro"), Ok(4));
    assert_eq!(pair.room(0, near, NO_DEADLINE), Err(Status::WouldBlock), "one half is open");
    pair.do_it(1, &Request::TcpClose { socket: far, how: Close::Finish }).unwrap();
    pair.pass(Duration::from_millis(100));
    assert_eq!(pair.read(0, near).as_deref(), Ok(b" fro".as_slice()));
    assert_eq!(pair.room(0, near, NO_DEADLINE), Err(Status::Finished));
    assert_eq!(pair.room(1, far, NO_DEADLINE), Err(Status::Finished));
}

#[test]
fn an_abort_is_a_reset_a_closed_port_refuses_and_silence_disconnects() {
    let mut pair = Pair::new(|config| config.user_timeout = Duration::from_secs(8));
    let (near, far) = pair.connected();
    pair.do_it(1, &Request::TcpClose { socket: far, how: Close::Abort }).unwrap();
    pair.pass(Duration::from_millis(100));
    assert_eq!(pair.read(0, near), Err(Status::Reset));
    let closed = pair.open(0, &Request::TcpConnect { to: Endpoint { host: host(2), port: 9 } }).unwrap();
    let nobody = pair.open(0, &Request::TcpConnect { to: Endpoint { host: host(3), port: PORT } }).unwrap();
    pair.pass(Duration::from_millis(100));
    assert_eq!(pair.room(0, closed, NO_DEADLINE), Err(Status::Refused));
    assert_eq!(pair.room(0, nobody, NO_DEADLINE), Err(Status::WouldBlock));
    assert_eq!(
        pair.room(0, nobody, pair.now),
        Err(Status::TimedOut),
        "the request's deadline, not the connection's end"
    );
    pair.pass(Duration::from_secs(9));
    assert_eq!(pair.room(0, nobody, NO_DEADLINE), Err(Status::Disconnected));
}

/// smoltcp alone waits for good here: the timer of the lost segment finds a closed window, and no probe follows.
#[test]
fn a_late_zero_window_and_a_lost_segment_do_not_stall_a_connection() {
    let mut pair = Pair::new(|config| (config.tcp_receive_bytes, config.tcp_send_bytes) = (7, 7));
    let (near, far) = pair.connected();
    assert_eq!(pair.write(0, near, b"7 bytes"), Ok(7));
    let data = pair.sent(0);
    pair.deliver(1, &data);
    pair.now = pair.now + Duration::from_millis(20);
    let window_closed = pair.sent(1);
    assert_eq!(window_closed.len(), 1, "all is acknowledged, and the buffer is full");
    assert_eq!(pair.read(1, far).unwrap(), b"7 bytes");
    let window_open = pair.sent(1);
    assert_eq!(window_open.len(), 1);
    pair.deliver(0, &window_open);
    assert_eq!(pair.write(0, near, b"7 again"), Ok(7));
    assert_eq!(pair.sent(0).len(), 1, "and it is lost");
    pair.deliver(0, &window_closed);
    pair.pass(Duration::from_secs(10));
    assert_eq!(pair.read(1, far).as_deref(), Ok(b"7 again".as_slice()));
}

/// smoltcp alone sends all 20 bytes and the FIN again, the peer cuts off what its window has no room for, and takes the FIN.
#[test]
fn repeated_acknowledgements_do_not_send_more_than_the_window() {
    let mut pair = Pair::new(|config| config.tcp_receive_bytes = 7);
    let (near, far) = pair.connected();
    assert_eq!(pair.write(0, near, b"1"), Ok(1));
    let data = pair.sent(0);
    pair.deliver(1, &data);
    pair.now = pair.now + Duration::from_millis(20);
    let acknowledgement = pair.sent(1);
    pair.deliver(0, &acknowledgement);
    assert_eq!(pair.write(0, near, b"and 20 bytes of text"), Ok(20));
    pair.do_it(0, &Request::TcpClose { socket: near, how: Close::Finish }).unwrap();
    assert_eq!(pair.sent(0).len(), 1, "as much as the window takes, and it is lost");
    for _ in 0..5 {
        pair.deliver(0, &acknowledgement);
    }
    let mut got = Vec::new();
    for _ in 0..100 {
        pair.pass(Duration::from_millis(100));
        got.extend(pair.read(1, far).unwrap_or_default());
    }
    assert_eq!(String::from_utf8(got).as_deref(), Ok("1and 20 bytes of text"));
    assert_eq!(pair.read(1, far), Err(Status::Finished));
}

/// smoltcp alone stalls for good here: what each end sends again is old to the other, and so is all that it acknowledges.
#[test]
fn acknowledgements_lost_both_ways_do_not_stall_a_connection() {
    let mut pair = Pair::new(|_| {});
    let sockets = <[Handle; 2]>::from(pair.connected());
    for (at, socket) in sockets.into_iter().enumerate() {
        assert_eq!(pair.write(at, socket, &[at as u8; 4_000]), Ok(4_000));
    }
    pair.cross();
    pair.now = pair.now + Duration::from_millis(20);
    for at in 0..2 {
        assert!(!pair.sent(at).is_empty(), "it acknowledges, and that is lost");
    }
    for _ in 0..500 {
        pair.now = pair.now + Duration::from_millis(10);
        pair.cross();
    }
    for (at, socket) in sockets.into_iter().enumerate() {
        assert_eq!(pair.room(at, socket, NO_DEADLINE), Ok(64 * 1024), "all is acknowledged");
        assert_eq!(pair.read(at, socket), Ok(vec![1 - at as u8; 4_000]));
    }
}

#[test]
fn hostile_requests_get_a_status_and_nothing_else() {
    let mut pair = Pair::new(|_| {});
    let mine = pair.open(0, &Request::UdpBind { port: PORT }).unwrap();
    let mut ask = |client: ClientId, bytes: &[u8]| {
        let mut reply = Vec::new();
        pair.hosts[0].handle(Instant::ZERO, client, bytes, &mut reply);
        Reply::decode(&reply).unwrap().result.map(|_| ())
    };
    let mut bytes = Vec::new();
    assert_eq!(ask(ME, &[]), Err(Status::Malformed));
    assert_eq!(ask(ME, &[0, 0, 0]), Err(Status::Malformed));
    assert_eq!(ask(ME, &[0, 0, 0, 0, 0, 0, 0, 1, 99]), Err(Status::Unsupported));
    let mut check = |client, request: Request<'_>, status| {
        request.encode(1, &mut bytes);
        assert_eq!(ask(client, &bytes), Err(status), "{request:?}");
    };
    check(ClientId(2), Request::UdpRecvFrom { socket: mine, deadline: NO_DEADLINE }, Status::InvalidInput);
    check(ClientId(2), Request::TcpClose { socket: mine, how: Close::Abort }, Status::InvalidInput);
    check(ME, Request::TcpRead { socket: mine, deadline: NO_DEADLINE }, Status::InvalidInput);
    check(ME, Request::TcpRead { socket: Handle::new(u32::MAX), deadline: NO_DEADLINE }, Status::InvalidInput);
    check(ME, Request::UdpBind { port: PORT }, Status::AddrInUse);
    check(ME, Request::UdpBind { port: 0 }, Status::InvalidInput);
    let far = Endpoint { host: core::net::Ipv4Addr::new(192, 0, 2, 1), port: 1 };
    check(ME, Request::TcpConnect { to: far }, Status::Refused);
    let near = Endpoint { host: host(2), port: 1 };
    check(ME, Request::UdpSendTo { socket: mine, to: near, payload: &[0; 1_473] }, Status::InvalidInput);
    for port in 1..64 {
        Request::UdpBind { port }.encode(1, &mut bytes);
        assert_eq!(ask(ME, &bytes), Ok(()));
    }
    Request::UdpBind { port: 64 }.encode(1, &mut bytes);
    assert_eq!(ask(ME, &bytes), Err(Status::NoBuffers));
}

#[test]
fn a_reply_to_another_request_is_ignored_and_counted() {
    let (mut client, mut channel) = (Client::default(), Channel::default());
    let mut pair = Pair::new(|_| {});
    let stray = Reply { nonce: 99, op: 13, result: Ok(Answer::Alive(Instant::from_nanos(1))) };
    assert!(channel.replies.push(|message| stray.encode(message)));
    assert!(channel.replies.push(|message| message.extend_from_slice(b"no reply at all")));
    client.send(&mut channel, &Request::Ping).unwrap();
    assert_eq!(client.receive(&mut channel), Err(Status::WouldBlock), "none of them is the one");
    pair.hosts[0].serve(Instant::from_nanos(7), ME, &mut channel);
    assert_eq!(client.receive(&mut channel), Ok(Answer::Alive(Instant::from_nanos(7))));
    assert_eq!(client.ignored(), 2);
}

#[test]
fn full_queues_hold_requests_back() {
    let (mut client, mut channel) = (Client::default(), Channel::default());
    let sent = (0..100).take_while(|_| client.send(&mut channel, &Request::Ping).is_ok()).count();
    assert_eq!(sent, 8);
    let mut pair = Pair::new(|_| {});
    pair.hosts[0].serve(Instant::ZERO, ME, &mut channel);
    client.send(&mut channel, &Request::Ping).unwrap();
    pair.hosts[0].serve(Instant::ZERO, ME, &mut channel);
    assert!(channel.requests.pop(|_| ()).is_some(), "no room for its reply");
}

#[test]
fn a_dead_neighbour_does_not_silence_a_port() {
    let mut pair = Pair::new(|_| {});
    let socket = pair.open(0, &Request::UdpBind { port: PORT }).unwrap();
    let there = pair.open(1, &Request::UdpBind { port: PORT }).unwrap();
    for number in [3, 2] {
        let to = Endpoint { host: host(number), port: PORT };
        pair.do_it(0, &Request::UdpSendTo { socket, to, payload: b"hello" }).unwrap();
    }
    pair.pass(Duration::from_millis(500));
    let receive = Request::UdpRecvFrom { socket: there, deadline: NO_DEADLINE };
    let got = pair.ask(1, &receive, |answer| match answer {
        Answer::Datagram { from, payload } => Some((from.host, payload.to_vec())),
        _ => None,
    });
    assert_eq!(got, Ok((host(1), b"hello".to_vec())));
}
