//! Messages of clients of the sockets facade: no two byte strings mean the same, and every request gets its answer,
//! whatever frames come in beside it.

use crate::choices::Choices;
use machine::{Duration, Instant};
use netstackd::message::{Reply, Request};
use netstackd::service::{ClientId, Config, NetStack};
use netstackd::stacked::host;
use netstackd::wire::{QueueDevice, mac};

pub(crate) fn run(data: &[u8], is_planted: bool) {
    let mut choices = Choices(data);
    let mut stack = NetStack::new(Instant::ZERO, Config::new(mac(host(1)), host(1), 7), QueueDevice::default());
    let mut now = Instant::ZERO;
    for _ in 0..64 {
        if choices.is_over() {
            break;
        }
        let (what, length) = (choices.u8(), choices.u16());
        let bytes = choices.bytes(usize::from(length));
        match what % 4 {
            0 => {
                stack.device_mut().deliver(bytes);
                stack.poll(now);
            }
            1 => {
                now = now + Duration::from_millis(u64::from(length));
                stack.poll(now);
            }
            2 => is_canonical_reply(bytes),
            _ => {
                is_canonical_request(bytes, is_planted);
                ask(&mut stack, now, ClientId(u32::from(what >> 2) & 1), bytes);
            }
        }
        while stack.device_mut().take_sent().is_some() {}
    }
}

fn ask(stack: &mut NetStack<QueueDevice>, now: Instant, client: ClientId, request: &[u8]) {
    let mut bytes = Vec::new();
    stack.handle(now, client, request, &mut bytes);
    let reply = Reply::decode(&bytes).unwrap_or_else(|status| panic!("an answer that is none: {status}"));
    if let Ok((nonce, _)) = Request::decode(request) {
        assert_eq!((reply.nonce, Some(&reply.op)), (nonce, request.get(8)), "the answer to something else");
    }
}

fn is_canonical_request(bytes: &[u8], is_planted: bool) {
    let Ok((nonce, mut request)) = Request::decode(bytes) else { return };
    let mut again = Vec::new();
    if is_planted && let Request::TcpListen { backlog, .. } = &mut request {
        *backlog = (*backlog).min(100);
    }
    request.encode(nonce, &mut again);
    assert_eq!(again, bytes, "two byte strings mean the same request");
}

fn is_canonical_reply(bytes: &[u8]) {
    let Ok(reply) = Reply::decode(bytes) else { return };
    let mut again = Vec::new();
    reply.encode(&mut again);
    assert_eq!(again, bytes, "two byte strings mean the same reply");
}
