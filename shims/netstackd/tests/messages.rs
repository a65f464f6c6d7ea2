//! The facade's bytes: fixed, total, canonical, bounded.

use std::net::Ipv4Addr;

use machine::Instant;
use netstackd::message::{
    Answer, Close, Endpoint, Handle, MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX, Reply, Request, Status,
};
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn request(request: Request<'_>) -> String {
    let mut bytes = Vec::new();
    request.encode(0x0102, &mut bytes);
    assert_eq!(Request::decode(&bytes), Ok((0x0102, request)));
    hex(&bytes)
}

fn reply(op: u8, result: Result<Answer<'_>, Status>) -> String {
    let (mut bytes, reply) = (Vec::new(), Reply { nonce: 0x0102, op, result });
    reply.encode(&mut bytes);
    assert_eq!(Reply::decode(&bytes), Ok(reply));
    hex(&bytes)
}

const PEER: Endpoint = Endpoint { host: Ipv4Addr::new(10, 83, 0, 2), port: 7_000 };

#[test]
fn golden_requests() {
    let (socket, deadline) = (Handle::new(0x0001_0002), Instant::from_nanos(5));
    let nonce = "0000000000000102";
    let all = [
        (Request::UdpBind { port: 7_000 }, "011b58"),
        (Request::UdpSendTo { socket, to: PEER, payload: b"hi" }, "02000100020a5300021b586869"),
        (Request::UdpRecvFrom { socket, deadline }, "03000100020000000000000005"),
        (Request::UdpJoin { socket, group: Ipv4Addr::new(239, 42, 0, 1) }, "0400010002ef2a0001"),
        (Request::TcpListen { port: 7_000, backlog: 8 }, "051b5808"),
        (Request::TcpAccept { socket, deadline }, "06000100020000000000000005"),
        (Request::TcpConnect { to: PEER }, "070a5300021b58"),
        (Request::TcpRead { socket, deadline }, "08000100020000000000000005"),
        (Request::TcpWrite { socket, payload: b"hi" }, "09000100026869"),
        (Request::TcpWaitWritable { socket, deadline }, "0a000100020000000000000005"),
        (Request::TcpClose { socket, how: Close::Finish }, "0b0001000200"),
        (Request::TcpClose { socket, how: Close::Abort }, "0b0001000201"),
        (Request::LocalAddr { socket }, "0c00010002"),
        (Request::Ping, "0d"),
    ];
    for (given, bytes) in all {
        assert_eq!(request(given), format!("{nonce}{bytes}"));
    }
}

#[test]
fn golden_replies() {
    let socket = Handle::new(0x0001_0002);
    let nonce = "0000000000000102";
    let all = [
        (1, Ok(Answer::Opened(socket)), "010000010002"),
        (2, Ok(Answer::Done), "0200"),
        (3, Ok(Answer::Datagram { from: PEER, payload: b"hi" }), "03000a5300021b586869"),
        (6, Ok(Answer::Accepted { socket, from: PEER }), "0600000100020a5300021b58"),
        (8, Ok(Answer::Bytes(b"hi")), "08006869"),
        (9, Ok(Answer::Written(2)), "090000000002"),
        (10, Ok(Answer::Writable(7)), "0a0000000007"),
        (12, Ok(Answer::Local(PEER)), "0c000a5300021b58"),
        (13, Ok(Answer::Alive(Instant::from_nanos(5))), "0d000000000000000005"),
        (8, Err(Status::Finished), "080a"),
        (99, Err(Status::Unsupported), "6308"),
    ];
    for (op, result, bytes) in all {
        assert_eq!(reply(op, result), format!("{nonce}{bytes}"));
    }
}

#[test]
fn what_is_too_long_or_empty_is_malformed() {
    let mut bytes = Vec::new();
    let payload = vec![0; PAYLOAD_BYTES_MAX + 1];
    Request::TcpWrite { socket: Handle::new(0), payload: &payload }.encode(1, &mut bytes);
    assert_eq!(Request::decode(&bytes), Err(Status::Malformed));
    Request::TcpWrite { socket: Handle::new(0), payload: &[] }.encode(1, &mut bytes);
    assert_eq!(Request::decode(&bytes), Err(Status::Malformed));
    Request::Ping.encode(1, &mut bytes);
    bytes.push(0);
    assert_eq!(Request::decode(&bytes), Err(Status::Malformed));
    Reply { nonce: 1, op: 10, result: Ok(Answer::Writable(0)) }.encode(&mut bytes);
    assert_eq!(Reply::decode(&bytes), Err(Status::Malformed));
}

proptest! {
    #[test]
    fn any_bytes_decode_canonically_or_not_at_all(mut bytes in prop::collection::vec(any::<u8>(), 0..40), op in 0..16_u8, status in 0..14_u8) {
        if bytes.len() > 9 {
            bytes[8] = op; // or hardly any would be of a known kind
        }
        let mut again = Vec::new();
        if let Ok((nonce, request)) = Request::decode(&bytes) {
            request.encode(nonce, &mut again);
            prop_assert_eq!(&again, &bytes);
            prop_assert!(again.len() <= MESSAGE_BYTES_MAX);
        }
        if bytes.len() > 9 {
            bytes[9] = status;
        }
        if let Ok(reply) = Reply::decode(&bytes) {
            reply.encode(&mut again);
            prop_assert_eq!(&again, &bytes);
        }
    }
}
