//! The world `qemu`: each node is a virtual machine without an operating system, with a network card of its own, and a hub
//! joins the cards. What a node stores, its machine says on its serial line, and gets it back at its next start.

mod frame;
mod hub;

use super::child::Child;
use super::medium::Medium;
use super::scratch::Scratch;
use super::site::{Site, Told};
use super::{Staged, unable};
use crate::attacker::Liar;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::stack;
use crate::worlds::parts::Parts;
use crate::worlds::{Given, GuestFault, World};
use ::sim::{Clock, Time};
use guest_contract::{Exit, Hex, Line, Stack, Start};
use hub::Hub;
use mio::event::Event;
use mio::{Registry, Token};
use qemu_runner::{Kind, Launch, build_image, check_qemu, find_guest};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;

/// Each is a process with its own memory and an emulated processor.
pub(crate) const VMS_MAX: usize = 8;
/// The emulator.
const QEMU: &str = "qemu-system-x86_64";
/// The guest needs RDRAND.
const CPU: &str = "max";
const MEMORY_MIB: u32 = 64;
/// Values that a node may store.
const STORED_KEYS_MAX: usize = 1_024;
/// A machine whose run is gone ends by itself so long after the run would have.
const LINGER_NANOS: u64 = 60_000_000_000;

/// What lacks here to run `world`, where machines boot `guest_image` if there is one.
pub(crate) fn missing(world: World, guest_image: Option<&Path>) -> Option<String> {
    if world != World::Qemu {
        return None;
    }
    let guest = || if guest_image.is_none() { find_guest().map(drop) } else { Ok(()) };
    check_qemu(Path::new(QEMU)).and_then(|()| guest()).err().map(|failure| failure.detail)
}

pub(super) struct Machines {
    scenario: Rc<Scenario>,
    parts: Parts,
    clocks: Vec<Clock>,
    given: Given,
    image: PathBuf,
    registry: Registry,
    // Dropped in this order: what machines send to goes after them.
    hosts: Vec<Machine>,
    hub: Hub,
    scratch: Scratch,
}

/// One node's machine through all its starts.
#[derive(Default)]
struct Machine {
    child: Option<Child>,
    starts: u64,
    stored: BTreeMap<String, Hex>,
    has_booted: bool,
    has_network: bool,
    log: Option<File>,
}

impl Machines {
    pub(super) fn new(staged: Staged<'_>, given: &Given) -> Result<Self, String> {
        let Staged { scenario, config, parts, poll } = staged;
        check_qemu(Path::new(QEMU)).map_err(|failure| failure.detail)?;
        let image = given.guest_image.clone().map_or_else(built, Ok)?;
        if !image.is_file() {
            return Err(format!("there is no guest image at `{}`", image.display()));
        }
        let program = std::env::current_exe().map_err(unable("this program cannot be found"))?;
        let scratch = Scratch::new(&program).map_err(unable("no temporary directory can be made"))?;
        let registry = || poll.registry().try_clone().map_err(unable("nothing can be waited for"));
        let liars = Liar::all(scenario, &parts.device_ids());
        Ok(Self {
            scenario: Rc::clone(scenario),
            parts,
            clocks: config.nodes.iter().map(|node| node.clock).collect(),
            given: given.clone(),
            image,
            registry: registry()?,
            hosts: config.nodes.iter().map(|_| Machine::default()).collect(),
            hub: Hub::new(config, scratch.path(), registry()?, liars),
            scratch,
        })
    }

    fn start(&self, now: Time, node: NodeId) -> Start {
        let (machine, clock) = (&self.hosts[node as usize], &self.clocks[node as usize]);
        let host = stack::host(&self.scenario, node);
        Start {
            host: host_number(node),
            incarnation: machine.starts,
            test_seed: None,
            test_fault: self.given.guest_fault.map(GuestFault::told),
            stored: machine.stored.clone(),
            stop_after_nanos: self.scenario.stop_at.0.saturating_add(LINGER_NANOS),
            clock: guest_contract::Clock { nanos: clock.read(now).as_nanos(), ppb: clock.rate() },
            stack: Stack {
                mtu: host.mtu,
                backlog: host.ports.backlog,
                sockets_max: host.sockets_max,
                tcp_receive_bytes: host.tcp_receive_bytes,
                tcp_send_bytes: host.tcp_send_bytes,
                user_timeout_nanos: host.user_timeout.as_nanos(),
            },
            record: self.given.record,
            plain: None,
            part: self.parts.of(node),
        }
    }

    /// A file that one start of a node leaves.
    fn left(&self, node: NodeId, extension: &str) -> Option<PathBuf> {
        let start = self.hosts[node as usize].starts;
        let file = format!("{}-{start}.{extension}", self.scenario.node_name(node));
        self.given.out.as_ref().map(|out| out.join(file))
    }

    fn launch(&mut self, now: Time, node: NodeId) -> io::Result<()> {
        let start = serde_json::to_vec(&self.start(now, node))?;
        let file = |what: &str| self.scratch.of(&format!("{node}.{what}"));
        let [told, card, errors] = [file("start"), file("card"), file("errors")];
        std::fs::write(&told, start)?;
        let hub = self.hub.plug(node, &card)?;
        let capture = self.left(node, "pcap");
        let launch = Launch {
            qemu: Path::new(QEMU),
            image: &self.image,
            cpu: CPU,
            memory_mib: MEMORY_MIB,
            host: host_number(node),
            start: &told,
            card: &card,
            hub: &hub,
            capture: capture.as_deref(),
            log: None,
        };
        let mut command = launch.command();
        let log = self.left(node, "log").map(File::create).transpose()?;
        let child = Child::start(
            command.stderr(Stdio::from(File::create(errors)?)),
            &[],
            &self.registry,
            Token(node as usize),
        )?;
        let machine = &mut self.hosts[node as usize];
        machine.child = Some(child);
        machine.log = log;
        machine.starts += 1;
        Ok(())
    }

    /// What QEMU itself said last.
    fn last_words(&self, node: NodeId) -> String {
        let said = std::fs::read_to_string(self.scratch.of(&format!("{node}.errors"))).unwrap_or_default();
        said.lines().last().map_or_else(|| "it did not say why".to_owned(), str::to_owned)
    }
}

impl Machine {
    fn take(&mut self, lines: &[Vec<u8>]) -> io::Result<Vec<Told>> {
        let mut told = Vec::new();
        for line in lines.iter().map(|line| line.trim_ascii()).filter(|line| !line.is_empty()) {
            if let Some(log) = &mut self.log {
                log.write_all(line)?;
                log.write_all(b"\n")?;
            }
            // What no guest says is half a line of one that died.
            if let Ok(line) = serde_json::from_slice(line) {
                told.extend(self.hear(line));
            }
        }
        Ok(told)
    }

    fn hear(&mut self, line: Line) -> Option<Told> {
        match line {
            Line::Booted { incarnation, .. } => {
                self.has_booted = true;
                Some(Told::Booted(incarnation))
            }
            Line::Network { .. } => {
                self.has_network = true;
                None
            }
            Line::Seen { what, .. } => Some(Told::Saw(what)),
            Line::Stored { key, value } => {
                if self.stored.len() >= STORED_KEYS_MAX && !self.stored.contains_key(&key) {
                    let detail = format!("it stores more than {STORED_KEYS_MAX} values");
                    return Some(Told::Failed(failure(Kind::Harness, &detail)));
                }
                self.stored.insert(key, value);
                None
            }
            Line::Refused { reason } => Some(Told::Failed(failure(Kind::Boot, &reason))),
            Line::Panicked { message } => Some(Told::Panicked(message)),
            Line::Excepted { vector, error, address, fault } => Some(Told::Panicked(format!(
                "processor exception {vector} ({error:#x}) at {address:#x}, about {fault:#x}"
            ))),
            Line::Recording(_) | Line::Call(_) | Line::Moved { .. } | Line::Ended { .. } => None,
        }
    }

    /// Why a machine that has ended by itself did so.
    fn ended(&self, exit: Option<Exit>, last_words: &str) -> Told {
        let (kind, detail) = match exit {
            Some(Exit::Panic) => return Told::Panicked("it panicked, and did not say why".into()),
            Some(Exit::Exception) => return Told::Panicked("an exception of which it did not say more".into()),
            Some(Exit::Ended) => (Kind::Harness, "the guest's time is over before the run's".to_owned()),
            Some(Exit::BadStart) => (Kind::Boot, "the guest could not read its start".to_owned()),
            Some(Exit::NoEntropy) => (Kind::Boot, "the guest's processor has no source of chance".to_owned()),
            Some(Exit::NoNetwork) => (Kind::NoNetwork, "the card or the stack does not start".to_owned()),
            None if self.has_booted => (Kind::Harness, format!("QEMU ended by itself: {last_words}")),
            None => (Kind::Boot, format!("QEMU ended before the guest booted: {last_words}")),
        };
        Told::Failed(failure(kind, &detail))
    }

    /// What it never said.
    const fn lacks(&self) -> Option<(Kind, &'static str)> {
        match (self.child.is_some(), self.has_booted, self.has_network) {
            (true, false, _) => Some((Kind::Boot, "the guest did not say that it booted")),
            (true, true, false) => Some((Kind::NoNetwork, "the guest did not say that its network works")),
            _ => None,
        }
    }
}

fn failure(kind: Kind, detail: &str) -> String {
    format!("{kind}: {detail}")
}

fn host_number(node: NodeId) -> u16 {
    u16::try_from(node + 1).unwrap_or(u16::MAX)
}

/// The image of the checkout around, which is built if it is not.
fn built() -> Result<PathBuf, String> {
    find_guest().and_then(|guest| build_image(&guest)).map_err(|failure| failure.detail)
}

impl Site for Machines {
    fn boot(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        self.launch(now, node).map_err(|error| failure(Kind::Harness, &error.to_string()))
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.hosts[node as usize].child.is_some()
    }

    fn stand_still(&self, node: NodeId, still: bool) -> io::Result<()> {
        self.hosts[node as usize].child.as_ref().map_or(Ok(()), |child| child.stand_still(still))
    }

    fn listen(&mut self, node: NodeId) -> Result<Vec<Told>, String> {
        let machine = &mut self.hosts[node as usize];
        let Some(child) = &mut machine.child else { return Ok(Vec::new()) };
        let lines = child.listen().map_err(|error| error.to_string())?;
        let is_over = child.is_over();
        let mut told = machine.take(&lines).map_err(unable("its serial log cannot be written"))?;
        if is_over && let Some(child) = machine.child.take() {
            let status = child.status().map_err(unable("QEMU cannot be waited for"))?;
            let last_words = self.last_words(node);
            let exit = status.code().and_then(Exit::from_status);
            told.push(self.hosts[node as usize].ended(exit, &last_words));
        }
        Ok(told)
    }

    fn kill(&mut self, node: NodeId) -> Result<Vec<Told>, String> {
        let machine = &mut self.hosts[node as usize];
        let Some(child) = machine.child.take() else { return Ok(Vec::new()) };
        self.hub.unplug(node);
        let lines = child.kill().map_err(|error| error.to_string())?;
        machine.take(&lines).map_err(unable("its serial log cannot be written"))
    }

    fn on_ready(&mut self, now: Time, event: &Event) {
        self.hub.on_ready(now, event);
    }

    fn advance(&mut self, now: Time) {
        self.hub.advance(now);
    }

    fn next_due(&self, now: Time) -> Option<Time> {
        self.hub.next_due(now)
    }

    fn medium(&mut self) -> &mut Medium {
        &mut self.hub.medium
    }

    /// Nothing more to do: a machine that is gone says nothing to anybody.
    fn darken(&mut self, _: NodeId) {}

    /// Refused when the scenario was loaded.
    fn reset(&mut self, _: NodeId, _: NodeId) {}

    fn idle(&self) -> Option<String> {
        self.hub.idle()
    }

    fn blame(&self) -> Result<(), String> {
        let lack = (0..).zip(&self.hosts).find_map(|(node, machine)| Some((node, machine.lacks()?)));
        lack.map_or(Ok(()), |(node, (kind, what))| {
            Err(format!("node {}: {}", self.scenario.node_name(node), failure(kind, what)))
        })
    }
}
