//! One node as a process of its own: the actor on real sockets. Reads its [`Spec`] from standard input and writes what
//! it has to tell, a JSON object a line, to standard output.

use super::super::site::Told;
use crate::cli::Exit;
use crate::nemesis::Limits;
use crate::worlds::{SuiteKind, catch};
use ::sim::{Clock, Time};
use core::ops::ControlFlow;
use machine::{Addr, Boot, Destination, Input, Instant, Machine, Output, PipeId};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use scenario_actor::{Actor, Observation, Part};
use serde::{Deserialize, Serialize};
use shim_tcp::{Config, Driver};
use std::io::{self, BufRead, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A longer one is not from us.
const SPEC_BYTES_MAX: u64 = 64 << 20;

/// All that a node's process is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// Whose child it is, for as long as it lives.
    pub(super) parent: u32,
    pub(super) part: Part,
    pub(super) suite: SuiteKind,
    pub(super) listen: SocketAddr,
    /// Where datagrams for the whole segment go.
    pub(super) group: SocketAddr,
    pub(super) storage: PathBuf,
    pub(super) patience_nanos: u64,
    /// What its clock shows at its start, and how many parts per billion it runs fast.
    pub(super) clock: (u64, i32),
}

/// The process's whole life. It ends by a signal, with its parent, or when it cannot go on.
pub(crate) fn node() -> Exit {
    let told = match catch(live) {
        Ok(Ok(())) => return Exit::Held,
        Ok(Err(failed)) => Told::Failed(failed),
        Err(panic) => Told::Panicked(panic),
    };
    let _ = tell(&told);
    Exit::Internal
}

fn live() -> Result<(), String> {
    let spec = read_spec()?;
    let clock = Clock::new(machine::Duration::from_nanos(spec.clock.0), spec.clock.1);
    let mut config = Config::new(spec.listen, spec.storage);
    config.patience = machine::Duration::from_nanos(spec.patience_nanos);
    let (part, suite, group) = (spec.part, spec.suite.suite(), spec.group.into());
    let make = |boot: Boot| {
        let boot = Boot { now: read(&clock, boot.now), ..boot };
        // Told before the machine tells anything.
        let _ = tell(&Told::Booted(boot.incarnation));
        let limits = Limits::default().of(&part.name);
        Placed { inner: Actor::new(&boot, part, suite, limits), clock, group }
    };
    let mut driver = Driver::new(&config, make).map_err(|error| error.to_string())?;
    let on_event = |_: &mut Placed, seen| match tell(&Told::Saw(seen)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()), // nobody listens any more
    };
    driver.run(on_event).map_err(|error| error.to_string())
}

/// Reads what to do, once this process is sure to end with its parent.
fn read_spec() -> Result<Spec, String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| format!("no death signal: {error}"))?;
    let mut line = String::new();
    let read = io::stdin().lock().take(SPEC_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| format!("no part can be read: {error}"))?;
    let spec: Spec = serde_json::from_str(&line).map_err(|error| format!("this is no part: {error}"))?;
    // The parent may have died before the signal was asked for.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().cast_unsigned());
    if parent != Some(spec.parent) {
        return Err("the parent is gone".into());
    }
    Ok(spec)
}

fn tell(told: &Told) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, told)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn read(clock: &Clock, now: Instant) -> Instant {
    clock.read(Time::from_nanos(now.as_nanos()))
}

/// An actor with a clock of its own, on a segment that is one address.
struct Placed {
    inner: Actor,
    clock: Clock,
    group: Addr,
}

impl Machine for Placed {
    type Command = <Actor as Machine>::Command;
    type Event = Observation;

    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>) {
        self.inner.handle(read(&self.clock, now), input);
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        Some(match self.inner.poll()? {
            Output::Datagram { to: Destination::Group, bytes } => {
                Output::Datagram { to: Destination::Addr(self.group), bytes }
            }
            other => other,
        })
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.inner.fill(pipe, room)
    }

    fn next_timeout(&self) -> Option<Instant> {
        let at = self.clock.when(self.inner.next_timeout()?, Time::ZERO);
        Some(Instant::from_nanos(at.as_nanos()))
    }
}
