//! Corners of stop-and-wait that a swarm meets once in thousands of seeds.

use machine::{Addr, Boot, Host, Input, Instant, Machine, Output};
use toys::stop_wait::{Ack, Data, Flow, StopWait};

const RECEIVER: Addr = Addr::new(Host::new([1; 16]), 7_000);

/// The indexes of the messages that `sender` sends now.
fn sent(sender: &mut StopWait) -> Vec<u32> {
    let mut indexes = Vec::new();
    while let Some(output) = sender.poll() {
        if let Output::Datagram { bytes, .. } = output {
            indexes.extend(Data::parse(bytes).map(|data| data.index));
        }
    }
    indexes
}

/// What the sender sends after start `receiver` of the receiver has asked for message `next`.
fn asked(sender: &mut StopWait, receiver: u64, next: u32) -> Vec<u32> {
    let ack = Ack { flow: 1, session: 0, receiver, next }.encode();
    sender.handle(Instant::ZERO, Input::Datagram { from: RECEIVER, bytes: &ack });
    sent(sender)
}

#[test]
fn a_restarted_receiver_that_gets_late_copies_moves_the_sender_on() {
    let flow = Flow { id: 1, count: 5, bytes_max: 10 };
    let mut sender = StopWait::sender(&Boot::default(), RECEIVER, flow);
    assert_eq!(sent(&mut sender), [0]);
    assert_eq!(asked(&mut sender, 0, 1), [1]);
    assert_eq!(asked(&mut sender, 0, 2), [2]);
    assert_eq!(asked(&mut sender, 1, 0), [0], "the new start has nothing");
    assert_eq!(asked(&mut sender, 1, 2), [2], "then late copies of 0 and 1 reached it");
    assert_eq!(asked(&mut sender, 1, 1), [0; 0], "old news");
    assert_eq!(asked(&mut sender, 0, 3), [0; 0], "news of a start that is over");
}
