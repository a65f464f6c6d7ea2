//! What to run. Plain data, checked before anything starts.

use crate::Failure;
use guest_contract::{Plain, START_BYTES_MAX, Start, TestFault};
use scenario_actor::{Bytes32, Observation, Part};
use sim::LinkProfile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// Virtual machines at a time: each is a process with its own memory.
const NODES_MAX: usize = 32;

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes' parts; their places are their host numbers, from 1.
    pub parts: Vec<Part>,
    /// Decides the links' fates by frame number.
    pub seed: u64,
    /// Every link, but for those in `links`.
    pub link: LinkProfile,
    /// One direction between two nodes, by name.
    pub links: BTreeMap<(String, String), LinkProfile>,
    /// Which nodes lose power, and when.
    pub restarts: Vec<Restart>,
    /// What each node has to see: the stable observations of another world. Nodes that are not named are not compared.
    pub expected: BTreeMap<String, Vec<Observation>>,
    /// All the chance of each node, by name: for repeatable tests only. Other nodes ask their processor.
    pub test_seeds: BTreeMap<String, Bytes32>,
    /// A fault that each node's guest commits, by name: for tests of this harness only.
    pub test_faults: BTreeMap<String, TestFault>,
    /// So many bytes go by plain TCP first, from the first node that has work to the node of that work.
    pub plain_bytes: Option<u64>,
    /// Whether QEMU logs what comes into each machine, for [`replay`](crate::replay). Machines that lose power cannot be replayed.
    pub record: bool,
    /// The run ends then, by the wall clock, if it has not before.
    pub timeout: Duration,
    /// Each machine's memory.
    pub memory_mib: u32,
    /// Each machine's processor, as QEMU names it. The guest needs RDRAND, which QEMU's default one lacks.
    pub cpu: String,
    /// The guest: see [`build_image`](crate::build_image).
    pub image: PathBuf,
    /// The emulator.
    pub qemu: PathBuf,
    /// Where the results go: summary, captures, serial logs. Made if it is not there.
    pub out: PathBuf,
}

/// A node loses power and comes back with what it has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Which.
    pub node: String,
    /// When it goes.
    pub when: When,
    /// How long it is away.
    pub down: Duration,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the first machine was started.
    After(Duration),
    /// When any node reports this mark.
    Mark(u32),
}

impl Plan {
    /// These parts on perfect links with a minute to finish, by the ordinary QEMU.
    pub fn new(parts: Vec<Part>, image: PathBuf, out: PathBuf) -> Self {
        Self {
            parts,
            seed: 1,
            link: LinkProfile::default(),
            links: BTreeMap::new(),
            restarts: Vec::new(),
            expected: BTreeMap::new(),
            test_seeds: BTreeMap::new(),
            test_faults: BTreeMap::new(),
            plain_bytes: None,
            record: false,
            timeout: Duration::from_mins(1),
            memory_mib: 64,
            cpu: "max".into(),
            image,
            qemu: PathBuf::from("qemu-system-x86_64"),
            out,
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// What the machine of the node at `place` is told.
    pub(crate) fn start(&self, place: usize, incarnation: u64, stored: BTreeMap<String, guest_contract::Hex>) -> Start {
        let part = self.parts[place].clone();
        Start {
            host: host(place),
            incarnation,
            test_seed: self.test_seeds.get(&part.name).copied(),
            test_fault: self.test_faults.get(&part.name).copied(),
            stored,
            // A machine whose runner is gone ends by itself.
            stop_after_nanos: u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX),
            clock: guest_contract::Clock::default(),
            stack: guest_contract::Stack::default(),
            record: false,
            plain: self.plain(place),
            part,
        }
    }

    /// The transfer by plain TCP: from the first node that has work, to the node of that work.
    fn plain(&self, place: usize) -> Option<Plain> {
        let bytes = self.plain_bytes.filter(|bytes| *bytes > 0)?;
        let sender = self.parts.iter().position(|part| !part.work.is_empty())?;
        let receiver = self.names().position(|name| name == self.parts[sender].work[0].peer)?;
        match place {
            _ if place == sender => Some(Plain { to: Some(host(receiver)), bytes }),
            _ if place == receiver => Some(Plain { to: None, bytes }),
            _ => None,
        }
    }

    /// What makes no sense in it.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let names: BTreeSet<&str> = self.names().collect();
        if self.parts.is_empty() || self.parts.len() > NODES_MAX || names.len() != self.parts.len() {
            return Err(Failure::harness(format!("1 to {NODES_MAX} nodes can run, each with a name of its own")));
        }
        if let Some(name) = names.iter().find(|name| !is_file_name(name)) {
            return Err(Failure::harness(format!("{name:?} cannot be part of a file name: use a-z, 0-9, - and _")));
        }
        let restarts = self.restarts.iter().map(|restart| restart.node.as_str());
        let links = self.links.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]);
        let known = restarts.chain(links).chain(self.expected.keys().map(String::as_str));
        for name in known {
            if !names.contains(name) {
                return Err(Failure::harness(format!("the plan names a node {name:?} that has no part")));
            }
        }
        self.fits()
    }

    fn fits(&self) -> Result<(), Failure> {
        for place in 0..self.parts.len() {
            let start = serde_json::to_vec(&self.start(place, 0, BTreeMap::new()));
            let bytes = start.map_err(|error| Failure::harness(error.to_string()))?.len();
            // What it stores later comes on top.
            if bytes > START_BYTES_MAX / 2 {
                return Err(Failure::harness(format!(
                    "the part of {} has {bytes} bytes: too many",
                    self.parts[place].name
                )));
            }
        }
        Ok(())
    }
}

/// The host number of the node at `place`.
pub(crate) fn host(place: usize) -> u16 {
    u16::try_from(place + 1).unwrap_or(u16::MAX)
}

fn is_file_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A node with nothing to do.
    pub(crate) fn part(name: &str) -> Part {
        let zeros = "0".repeat(64);
        serde_json::from_value(serde_json::json!({
            "name": name, "device_seed": zeros, "noise_secret": zeros, "port": 7_000,
            "peers": [], "serves": [], "allow": [], "work": [], "marks": [],
        }))
        .unwrap()
    }

    fn plan(names: &[&str]) -> Plan {
        Plan::new(names.iter().map(|name| part(name)).collect(), PathBuf::new(), PathBuf::new())
    }

    #[test]
    fn a_plan_that_makes_no_sense_does_not_start() {
        assert_eq!(plan(&["a", "b"]).check(), Ok(()));
        for names in [&[][..], &["a", "a"], &["../a"], &["a,b"], &[""]] {
            assert!(plan(names).check().is_err(), "{names:?}");
        }
        let mut stranger = plan(&["a"]);
        stranger.restarts.push(Restart { node: "b".into(), when: When::Mark(0), down: Duration::ZERO });
        assert!(stranger.check().is_err());
        let mut long = plan(&["a"]);
        long.parts[0].serves = vec!["x".repeat(START_BYTES_MAX)];
        assert!(long.check().is_err());
    }
}
