//! `--pcap`: what nodes put on the wire, as a capture that Wireshark and `tshark` read.
//!
//! Every sending is one packet, on the interface of its sender, at the moment when it was sent; a comment says what went wrong
//! with it. What arrives otherwise than it was sent is there once more, on its receiver's interface, at the moment when it
//! arrives. The world `stack` has Ethernet frames of its own; in the world `sim` datagrams and pipes are dressed in the
//! headers that UDP, TCP and IPv6 would give them ([`dress`]).

mod dress;
mod keys;
mod words;

use crate::scenario::Scenario;
use crate::worlds::{PORT, World};
use ::sim::capture::{Capture, Carried, PipePart, Sending};
use ::sim::{NodeConfig, NodeIndex, Time};
use dress::Dresser;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::name_resolution::{Ipv6Record, NameResolutionBlock, Record};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError, PcapResult};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub(crate) use keys::KeyLog;

/// The interface of what an attacker between two nodes makes up.
const MIDDLE: &str = "in the middle";

/// A run, as the head of its capture has it.
pub(crate) struct About<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) seed: u64,
    pub(crate) build: &'a str,
    pub(crate) world: World,
}

/// A capture that is being written. The first error in writing ends it, and [`PcapFile::finish`] tells of it.
pub(crate) struct PcapFile {
    path: PathBuf,
    state: Rc<RefCell<State>>,
}

impl PcapFile {
    /// Begins the capture at `path`, over what is there. The error is for people.
    pub(crate) fn create(path: &Path, about: &About<'_>) -> Result<Self, String> {
        let unwritten = |error: &dyn core::fmt::Display| format!("`{}` cannot be written: {error}", path.display());
        let file = File::create(path).map_err(|error| unwritten(&error))?;
        let state = State::begin(BufWriter::new(file), about).map_err(|error| unwritten(&error))?;
        Ok(Self { path: path.to_owned(), state: Rc::new(RefCell::new(state)) })
    }

    /// Where the run's sendings go.
    pub(crate) fn sink(&self) -> Capture {
        let state = Rc::clone(&self.state);
        Box::new(move |sending| state.borrow_mut().take(sending))
    }

    /// Writes what is left. The error is for people.
    pub(crate) fn finish(self) -> Result<(), String> {
        let written = self.state.borrow_mut().end();
        written.map_err(|error| format!("`{}` cannot be written: {error}", self.path.display()))
    }
}

/// A packet on an interface.
struct Packet {
    interface: u32,
    /// Whether the interface's node sent it; else it was received there.
    is_sent: bool,
    bytes: Vec<u8>,
    comments: Vec<String>,
}

struct State {
    writer: PcapNgWriter<BufWriter<File>>,
    first_error: PcapResult<()>,
    names: Vec<String>,
    /// What a node's packets look like; none where they are whole frames already.
    dresser: Option<Dresser>,
    /// The group datagram that was put last, while more of its copies may come: whose, which, and where it is.
    group: Option<(NodeIndex, u64, (Time, u64))>,
    /// What is not written yet, because something earlier may come: by time, and in the order in which it was put there.
    later: BTreeMap<(Time, u64), Packet>,
    put: u64,
}

impl State {
    fn begin(file: BufWriter<File>, about: &About<'_>) -> PcapResult<Self> {
        let names: Vec<String> = about.scenario.nodes.iter().map(|node| node.name.clone()).collect();
        let comment = format!("{} seed {}, world {}, virtual time", about.scenario.name, about.seed, about.world);
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![
                SectionHeaderOption::UserApplication(format!("fabric-sim {}", about.build).into()),
                SectionHeaderOption::Comment(comment.into()),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut writer = PcapNgWriter::with_section_header(file, section)?;
        let (linktype, dresser) = match about.world {
            World::Sim => (DataLink::RAW, Some(Dresser::new(names.iter().map(|name| host(name))))),
            _ => (DataLink::ETHERNET, None),
        };
        let middle = about.scenario.is_attacked().then_some(MIDDLE);
        for name in names.iter().map(String::as_str).chain(middle) {
            let options = vec![
                InterfaceDescriptionOption::IfName(name.to_owned().into()),
                // Nanoseconds.
                InterfaceDescriptionOption::IfTsResol(9),
            ];
            writer.write_block(&InterfaceDescriptionBlock { linktype, snaplen: 0, options }.into_block())?;
        }
        if dresser.is_some() {
            writer.write_block(&hosts(&names).into_block())?;
        }
        let (later, first_error) = (BTreeMap::new(), Ok(()));
        Ok(Self { writer, first_error, names, dresser, group: None, later, put: 0 })
    }

    fn take(&mut self, sending: &Sending<'_>) {
        if self.first_error.is_ok() {
            self.first_error = self.write_before(sending.at);
            self.add(sending);
        }
    }

    fn add(&mut self, sending: &Sending<'_>) {
        let Sending { at, from, to, what, course } = *sending;
        let comments = words::comments(sending, &self.names);
        let group = match what {
            Carried::Datagram { group, .. } => group,
            Carried::Pipe { .. } => None,
        };
        let known = self.group.filter(|(sender, number, _)| *sender == from && Some(*number) == group);
        // The wire carries a group datagram once; each of those that it is for has a fate of its own.
        if let Some(packet) = known.and_then(|(_, _, place)| self.later.get_mut(&place)) {
            packet.comments.extend(comments);
        } else if let Some(bytes) = self.packet(sending, None) {
            let interface = if is_made_up(&what) { self.names.len() as u32 } else { from.as_usize() as u32 };
            let place = self.put(at, Packet { interface, is_sent: true, bytes, comments });
            self.group = group.map(|number| (from, number, place));
        }
        let (Some(damaged), Some(after)) = (course.damaged, course.arrives_after) else { return };
        if let Some(bytes) = self.packet(sending, Some(damaged)) {
            let comments = vec![words::arrived(&self.names, from)];
            let interface = to.as_usize() as u32;
            self.put(at + after, Packet { interface, is_sent: false, bytes, comments });
        }
    }

    /// The packet that a sending is, or what arrives of it.
    fn packet(&mut self, sending: &Sending<'_>, arrives: Option<&[u8]>) -> Option<Vec<u8>> {
        match (&mut self.dresser, sending.what) {
            (Some(dresser), _) => dresser.dress(sending, arrives),
            (None, Carried::Datagram { bytes, .. }) => Some(arrives.unwrap_or(bytes).to_vec()),
            (None, Carried::Pipe { .. }) => None,
        }
    }

    fn put(&mut self, at: Time, packet: Packet) -> (Time, u64) {
        let place = (at, self.put);
        self.later.insert(place, packet);
        self.put += 1;
        place
    }

    /// Writes what nothing can come before any more.
    fn write_before(&mut self, now: Time) -> PcapResult<()> {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 < now) {
            let ((at, _), packet) = first.remove_entry();
            write(&mut self.writer, at, packet)?;
        }
        Ok(())
    }

    fn end(&mut self) -> PcapResult<()> {
        core::mem::replace(&mut self.first_error, Ok(()))?;
        self.write_before(Time::MAX)?;
        self.writer.get_mut().flush().map_err(PcapError::IoError)
    }
}

/// Lets readers show names in place of addresses.
fn hosts(names: &[String]) -> NameResolutionBlock<'static> {
    let record = |name: &String| {
        let (ip_addr, names) = (host(name).octets().to_vec().into(), vec![name.clone().into()]);
        Record::Ipv6(Ipv6Record { ip_addr, names })
    };
    NameResolutionBlock { records: names.iter().map(record).collect(), options: Vec::new() }
}

/// Where others reach the node, without its port.
fn host(name: &str) -> Ipv6Addr {
    NodeConfig { port: PORT, ..NodeConfig::new(name) }.addr().host().octets().into()
}

/// Whether nobody whose address it bears sent it.
fn is_made_up(what: &Carried<'_>) -> bool {
    matches!(what, Carried::Datagram { is_injected: true, .. } | Carried::Pipe { part: PipePart::Injected(_), .. })
}

fn write(writer: &mut PcapNgWriter<BufWriter<File>>, at: Time, packet: Packet) -> PcapResult<()> {
    // if_flags of the format: 1 for what came in, 2 for what went out.
    let flags = if packet.is_sent { 2 } else { 1 };
    let comments = packet.comments.into_iter().map(|comment| EnhancedPacketOption::Comment(comment.into()));
    let block = EnhancedPacketBlock {
        interface_id: packet.interface,
        timestamp: core::time::Duration::from_nanos(at.as_nanos()),
        original_len: packet.bytes.len() as u32,
        data: packet.bytes.into(),
        options: comments.chain([EnhancedPacketOption::Flags(flags)]).collect(),
    };
    writer.write_block(&block.into_block()).map(|_| ())
}
