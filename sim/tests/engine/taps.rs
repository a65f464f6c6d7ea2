//! A tap owns its link: what passes is what it lets pass.

use crate::lab::{A, ACCEPTED, B, Lab, OPENED, Saw};
use machine::PipeEnd;
use sim::{Chance, Flow, Injection, NodeIndex, Tap, Time};
use std::cell::RefCell;
use std::rc::Rc;

/// What a tap does with what it gets; it keeps all of it.
#[derive(Clone, Copy, PartialEq)]
enum Whim {
    Forward,
    Drop,
    Double,
    Answer,
    Reset,
}

struct Spy {
    whim: Whim,
    heard: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Tap for Spy {
    fn datagram(&mut self, _: Time, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>) {
        self.heard.borrow_mut().push(bytes.to_vec());
        let bytes = bytes.to_vec();
        match self.whim {
            Whim::Forward | Whim::Reset => out.push(Injection::Datagram { from, to, bytes }),
            Whim::Drop => {}
            Whim::Double => out.extend([(); 2].map(|()| Injection::Datagram { from, to, bytes: bytes.clone() })),
            // It seems to come from the other end.
            Whim::Answer => out.push(Injection::Datagram { from: to, to: from, bytes: b"forged".to_vec() }),
        }
    }

    fn pipe_bytes(&mut self, _: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Injection>) {
        self.heard.borrow_mut().push(bytes.to_vec());
        let Flow { pipe, forward, .. } = flow;
        let bytes = bytes.to_vec();
        match self.whim {
            Whim::Forward => out.push(Injection::Bytes { pipe, forward, bytes }),
            Whim::Drop => {}
            Whim::Double => out.extend([(); 2].map(|()| Injection::Bytes { pipe, forward, bytes: bytes.clone() })),
            Whim::Answer => out.push(Injection::Bytes { pipe, forward: !forward, bytes: b"forged".to_vec() }),
            Whim::Reset => out.push(Injection::Reset { pipe }),
        }
    }
}

/// "a" sends "b" a datagram and, over a pipe, three bytes; "c" is not tapped.
fn tapped(whim: Whim) -> (Lab, Vec<Vec<u8>>) {
    let mut lab = Lab::new(&["a", "b", "c"], |config| config.link.loss = Chance::NEVER);
    let heard = Rc::default();
    lab.world.tap(A, B, Box::new(Spy { whim, heard: Rc::clone(&heard) }));
    lab.open(1, "a", 0, "b");
    lab.send(100, "a", "b", b"datagram");
    lab.send(100, "a", "c", b"datagram");
    lab.write(200, "a", OPENED, b"one");
    lab.run(1_000);
    assert_eq!(lab.got("c"), [b"datagram"]);
    let heard = heard.borrow().clone();
    assert_eq!(heard, [&b"datagram"[..], b"one"]);
    (lab, heard)
}

#[test]
fn a_tap_that_forwards_is_not_seen() {
    let (lab, _) = tapped(Whim::Forward);
    let from = lab.addr("a");
    let seen = [
        (11, Saw::Accepted(ACCEPTED, from)),
        (110, Saw::Datagram(from, b"datagram".to_vec())),
        (210, Saw::Bytes(ACCEPTED, b"one".to_vec())),
    ];
    assert_eq!(lab.saw_at("b"), seen);
}

#[test]
fn what_a_tap_drops_is_gone() {
    let (lab, _) = tapped(Whim::Drop);
    assert!(lab.got("b").is_empty());
    assert!(lab.read("b", ACCEPTED).0.is_empty());
}

#[test]
fn a_tap_may_replay() {
    let (lab, _) = tapped(Whim::Double);
    assert_eq!(lab.got("b"), [b"datagram", b"datagram"]);
    assert_eq!(lab.read("b", ACCEPTED), (b"oneone".to_vec(), 2));
}

#[test]
fn a_tap_may_speak_for_the_other_end() {
    let (lab, _) = tapped(Whim::Answer);
    let from = lab.addr("b");
    assert!(lab.saw("a").contains(&Saw::Datagram(from, b"forged".to_vec())));
    assert_eq!(lab.read("a", OPENED).0, b"forged");
    assert!(lab.got("b").is_empty() && lab.read("b", ACCEPTED).0.is_empty());
}

#[test]
fn a_tap_may_reset_a_pipe() {
    let (lab, _) = tapped(Whim::Reset);
    assert_eq!(lab.ends("a"), [(OPENED, PipeEnd::Reset)]);
    assert_eq!(lab.ends("b"), [(ACCEPTED, PipeEnd::Reset)]);
}
