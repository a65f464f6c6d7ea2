//! Stack mode as the simulator sees it: who gets which datagram and frame, and that one seed is one run.

mod common;

use std::collections::VecDeque;

use common::{Weather, address, names, world};
use machine::{Addr, Boot, Destination, Duration, Input, Instant, Machine, Output, PipeId};
use netstackd::stacked::Stacked;
use sim::{Control, NodeIndex, Time, Watch};

/// Asks the group after a second, if it is a caller; answers those who ask, and tells what it got.
struct Caller {
    call: Option<Instant>,
    got: VecDeque<(Addr, Vec<u8>)>,
    to_send: VecDeque<(Destination, &'static [u8])>,
}

impl Caller {
    fn new(boot: &Boot, calls: bool) -> Self {
        let call = calls.then(|| boot.now + Duration::from_secs(1));
        Self { call, got: VecDeque::new(), to_send: VecDeque::new() }
    }
}

impl Machine for Caller {
    type Command = ();
    type Event = (Addr, Vec<u8>);

    fn handle(&mut self, now: Instant, input: Input<'_, ()>) {
        match input {
            Input::Timeout if self.call.is_some_and(|call| call <= now) => {
                self.call = None;
                self.to_send.push_back((Destination::Group, b"who is there?"));
            }
            Input::Datagram { from, bytes } => {
                if bytes == b"who is there?" {
                    self.to_send.push_back((Destination::Addr(from), b"me"));
                }
                self.got.push_back((from, bytes.to_vec()));
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Self::Event>> {
        if let Some(got) = self.got.pop_front() {
            return Some(Output::Event(got));
        }
        self.to_send.pop_front().map(|(to, bytes)| Output::Datagram { to, bytes })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.call
    }
}

/// What every node told, and the unicast frames that went to everyone.
#[derive(Default)]
struct Log {
    got: Vec<(usize, Addr, Vec<u8>)>,
    flooded: usize,
}

impl Watch<Stacked<Caller>> for Log {
    fn event(&mut self, _: Time, node: NodeIndex, event: &(Addr, Vec<u8>), _: &mut Control<()>) {
        self.got.push((node.as_usize(), event.0, event.1.clone()));
    }

    fn sent(&mut self, _: Time, _: NodeIndex, to: Destination, frame: &[u8], _: &mut Control<()>) {
        let is_unicast = frame[0] & 1 == 0;
        self.flooded += usize::from(is_unicast && to == Destination::Group);
    }
}

#[test]
fn the_group_hears_a_call_and_each_answer_goes_to_the_caller_alone() {
    let mut world = world(&names("a", "b", 2), &Weather::calm(1, 3), |index, boot| Caller::new(boot, index == 0));
    let mut log = Log::default();
    world.run(Time::from_secs(5), &mut log);
    log.got.sort();
    let call = b"who is there?".to_vec();
    let answer = b"me".to_vec();
    assert_eq!(
        log.got,
        [
            (0, address(1), answer.clone()),
            (0, address(2), answer),
            (1, address(0), call.clone()),
            (2, address(0), call)
        ]
    );
    assert_eq!(log.flooded, 0, "every unicast frame goes to one node");
}

#[test]
fn equal_seeds_give_equal_traces() {
    let trace = |seed| {
        let mut world = world(&names("a", "b", 2), &Weather::drawn(seed, 3), |_, boot| Caller::new(boot, true));
        world.run(Time::from_secs(100), &mut ());
        (world.trace_hash(), world.events())
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}
