//! A transfer by plain TCP ahead of the node's start, over the same card and stack: what the fabric's speed is held against.
//! As with the fabric, the sender draws what it sends and the receiver draws it again and compares.

use crate::arch::{Arch, Board};
use crate::card::Card;
use crate::clock::Clock;
use crate::report;
use alloc::collections::VecDeque;
use core::convert::Infallible;
use guest_contract::{Line, Plain, address};
use machine::{Addr, Duration, Input, Instant, Machine, Output, PipeEnd, PipeId};
use netstackd::driver::{Driver, Owner, Ports, addr};
use netstackd::message::{Endpoint, Status};
use netstackd::service::{ClientId, NetStack};
use scenario_actor::Content;

const CLIENT: ClientId = ClientId(1);
const PORT: u16 = 7_001;
/// The other end may not have booted.
const DIAL_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Moves what is to be moved, until the machine's time is `stop_at`.
pub(crate) fn run(stack: &mut NetStack<Card>, clock: Clock, plain: Plain, stop_at: Instant) -> Result<(), Status> {
    let now = clock.now();
    let mut driver = Driver::new(now, CLIENT, Ports::new(PORT), stack)?;
    let mut transfer = Transfer::new(now, plain);
    while !transfer.is_over && Board::now() < stop_at {
        let now = clock.now();
        stack.device_mut().acknowledge();
        driver.turn(now, stack, &mut transfer, &mut Teller);
        let wake = driver.next_timeout(now, stack, &transfer);
        Board::idle(Some(wake.map_or(stop_at, |wake| clock.when(wake).min(stop_at))));
    }
    Ok(())
}

struct Teller;

impl Owner<Moved> for Teller {
    fn event(&mut self, Moved { bytes, took }: Moved) {
        report::say(&Line::Moved { bytes, nanos: took.as_nanos() });
    }

    fn store(&mut self, _: &str, _: &[u8]) {}
}

struct Moved {
    bytes: u64,
    took: Duration,
}

/// One end.
struct Transfer {
    to: Option<Addr>,
    bytes: u64,
    left: u64,
    content: Content,
    dials: u64,
    dials_at: Option<Instant>,
    began: Instant,
    outputs: VecDeque<Output<'static, Moved>>,
    is_over: bool,
}

impl Transfer {
    fn new(now: Instant, Plain { to, bytes }: Plain) -> Self {
        let to = to.map(|host| addr(Endpoint { host: address(host), port: PORT }));
        let dials_at = to.map(|_| now);
        Self {
            to,
            bytes,
            left: bytes,
            content: Content::default(),
            dials: 0,
            dials_at,
            began: now,
            outputs: VecDeque::new(),
            is_over: false,
        }
    }
}

impl Machine for Transfer {
    type Command = Infallible;
    type Event = Moved;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        match input {
            Input::Timeout if self.dials_at.is_some_and(|at| at <= now) => {
                self.dials_at = None;
                let pipe = PipeId::opened(self.dials);
                self.dials += 1;
                self.outputs.extend(self.to.map(|to| Output::OpenPipe { pipe, to }));
            }
            Input::PipeOpened { pipe } => {
                (self.began, self.left, self.content) = (now, self.bytes, Content::default());
                self.outputs.push_back(Output::FinishPipe { pipe });
            }
            Input::PipeAccepted { .. } => self.content = Content::default(),
            // Wrong bytes are not answered: the sender finds that out when the run's time is over.
            Input::PipeBytes { pipe, bytes } if !self.content.passes(bytes) => {
                self.outputs.push_back(Output::ClosePipe { pipe });
            }
            // The receiver answers the end by its own, and the sender knows that all has arrived.
            Input::PipeFinished { pipe } if self.to.is_none() => {
                self.outputs.push_back(Output::FinishPipe { pipe });
            }
            Input::PipeFinished { .. } => {
                let moved = Moved { bytes: self.bytes, took: now.saturating_since(self.began) };
                self.outputs.push_back(Output::Event(moved));
            }
            Input::PipeClosed { reason: PipeEnd::Finished, .. } => self.is_over = true,
            Input::PipeClosed { .. } => self.dials_at = self.to.map(|_| now + DIAL_AGAIN_AFTER),
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Moved>> {
        self.outputs.pop_front()
    }

    fn fill(&mut self, _: PipeId, room: &mut [u8]) -> usize {
        if self.to.is_none() {
            return 0;
        }
        let most = room.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut count = 0;
        while count < most {
            let bytes = self.content.take(most - count);
            room[count..count + bytes.len()].copy_from_slice(bytes);
            count += bytes.len();
        }
        self.left -= count as u64;
        count
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.dials_at
    }
}
