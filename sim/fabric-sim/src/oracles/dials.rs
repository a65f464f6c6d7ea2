//! Whom announces speak of is dialled where it has proven itself before it is dialled anywhere else, and an address that
//! nobody has proven once a second for its source, and ever more seldom (wire contract, 2): a stranger's announces make no
//! node a hammer. Told which dials are under way, step by step; knows no handshakes.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use fabric::Node;
use fabric::discovery::{Candidate, Limits};
use fabric::identity::DeviceId;
use machine::{Addr, Host, Instant, PipeId};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the candidate that is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The device proved itself there last.
    LastProven,
    /// There too, but later elsewhere.
    Proven,
    /// Nowhere else is better.
    Unproven,
    /// It has proven itself elsewhere.
    UnprovenBesideProven,
}

/// A dial of what announces say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dial {
    pub(crate) pipe: PipeId,
    pub(crate) device: DeviceId,
    pub(crate) addr: Addr,
    pub(crate) standing: Standing,
}

impl Dial {
    /// The dials of `node` that are under way; those of addresses that were given by hand are nobody's claim.
    pub(crate) fn all(node: &Node) -> impl Iterator<Item = Self> {
        node.dials().filter_map(|dial| {
            let candidates = node.discovery().peer(dial.device)?.candidates();
            let is_it = |it: &&Candidate| (it.addr, it.noise_static) == (dial.addr, dial.noise_static);
            let dialled = candidates.iter().find(is_it)?;
            let last_proven = candidates.iter().filter_map(|candidate| candidate.proven_at).max();
            let standing = match (dialled.proven_at, last_proven) {
                (Some(at), last) if Some(at) == last => Standing::LastProven,
                (Some(_), _) => Standing::Proven,
                (None, Some(_)) => Standing::UnprovenBesideProven,
                (None, None) => Standing::Unproven,
            };
            Some(Self { pipe: dial.pipe, device: dial.device, addr: dial.addr, standing })
        })
    }
}

/// Of one node.
#[derive(Debug, Default)]
struct Known {
    newest: Option<PipeId>,
    /// In order, each as often as there are sessions.
    live: Vec<DeviceId>,
    /// Those whose last session has ended, and who were not dialled since.
    lost: BTreeSet<DeviceId>,
    under_way: Vec<Dial>,
    sources: BTreeMap<Host, Instant>,
    targets: BTreeMap<Addr, Backoff>,
}

#[derive(Clone, Copy, Debug)]
struct Backoff {
    dials: u32,
    ready_at: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Dials {
    nodes: BTreeMap<NodeId, Known>,
    judged: u64,
}

impl Dials {
    /// These are the dials of `node` that are under way, and the devices that it has sessions with, in order.
    pub(crate) fn look(
        &mut self,
        scenario: &Scenario,
        node: NodeId,
        now: Instant,
        limits: &Limits,
        dials: Vec<Dial>,
        live: &[DeviceId],
    ) -> Result<(), String> {
        let known = self.nodes.entry(node).or_default();
        if dials.is_empty() && known.under_way.is_empty() && known.live == live {
            return Ok(()); // as nearly always
        }
        known.end_dials(&dials, live);
        let new: Vec<_> = dials.iter().copied().filter(|dial| Some(dial.pipe) > known.newest).collect();
        known.newest = known.newest.max(dials.iter().map(|dial| dial.pipe).max());
        known.lose(live);
        known.under_way = dials;
        self.judged += new.len() as u64;
        let judged = new.into_iter().try_for_each(|dial| known.dials(now, limits, dial));
        judged.map_err(|how| format!("{} {how}", scenario.node_name(node)))
    }

    /// `node` has lost its memory.
    pub(crate) fn crashed(&mut self, node: NodeId) {
        self.nodes.remove(&node);
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "dial"))
    }
}

impl Known {
    /// Where a dial may have led to a session, nothing is held against the address any more.
    fn end_dials(&mut self, dials: &[Dial], live: &[DeviceId]) {
        for ended in self.under_way.iter().filter(|dial| dials.iter().all(|it| it.pipe != dial.pipe)) {
            if live.binary_search(&ended.device).is_ok() || self.live.binary_search(&ended.device).is_ok() {
                self.targets.remove(&ended.addr);
            }
        }
    }

    /// A device whose last session is over is dialled anew, unless a dial of it is under way already.
    fn lose(&mut self, live: &[DeviceId]) {
        let is_live = |device: &DeviceId| live.binary_search(device).is_ok();
        let is_dialled = |device: &DeviceId| self.under_way.iter().any(|dial| dial.device == *device);
        self.lost.extend(self.live.iter().filter(|device| !is_live(device) && !is_dialled(device)));
        self.lost.retain(|device| !is_live(device));
        self.live.clear();
        self.live.extend(live);
    }

    fn dials(&mut self, now: Instant, limits: &Limits, dial: Dial) -> Result<(), String> {
        let is_first = self.lost.remove(&dial.device);
        match dial.standing {
            Standing::Proven | Standing::UnprovenBesideProven if is_first => {
                Err("has lost a device, and does not dial it first where it has proven itself last".to_owned())
            }
            Standing::LastProven | Standing::Proven => Ok(()),
            Standing::Unproven | Standing::UnprovenBesideProven => self.dials_unproven(now, limits, dial.addr),
        }
    }

    fn dials_unproven(&mut self, now: Instant, limits: &Limits, addr: Addr) -> Result<(), String> {
        let ready_at = self.sources.insert(addr.host(), now + limits.dial_source_every);
        if ready_at.is_some_and(|at| now < at) {
            return Err("dials two unproven addresses of one source at once".to_owned());
        }
        let is_remembered = |backoff: &&Backoff| now < backoff.ready_at + limits.dial_backoff_max;
        let before = self.targets.get(&addr).filter(is_remembered).copied();
        if before.is_some_and(|before| now < before.ready_at) {
            return Err("dials an unproven address again too soon".to_owned());
        }
        let dials = before.map_or(0, |before| before.dials);
        let wait = limits.dial_backoff_first.saturating_mul(1 << dials.min(31)).min(limits.dial_backoff_max);
        self.targets.insert(addr, Backoff { dials: dials + 1, ready_at: now + wait });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;
    use machine::Duration;

    const DEVICE: DeviceId = DeviceId::from_bytes([1; 32]);

    struct Bench {
        dials: Dials,
        scenario: Scenario,
        pipes: u64,
    }

    fn bench() -> Bench {
        Bench { dials: Dials::default(), scenario: scenario(), pipes: 0 }
    }

    impl Bench {
        fn look(&mut self, millis: u64, dials: Vec<Dial>, live: &[DeviceId]) -> Result<(), String> {
            let now = Instant::ZERO + Duration::from_millis(millis);
            self.dials.look(&self.scenario, 0, now, &Limits::default(), dials, live)
        }

        fn dials(&mut self, millis: u64, port: u16, standing: Standing) -> Result<(), String> {
            let pipe = PipeId::opened(self.pipes);
            self.pipes += 1;
            self.look(
                millis,
                vec![Dial { pipe, device: DEVICE, addr: Addr::new(Host::new([1; 16]), port), standing }],
                &[],
            )
        }

        /// A session that was up at that time is over.
        fn loses(&mut self, millis: u64) {
            self.look(millis, Vec::new(), &[DEVICE]).unwrap();
            self.look(millis, Vec::new(), &[]).unwrap();
        }
    }

    #[test]
    fn unproven_addresses_that_are_dialled_ever_more_seldom_hold() {
        let mut bench = bench();
        for seconds in [0, 1, 3, 7, 15, 31, 63, 123] {
            bench.dials(seconds * 1_000, 1, Standing::Unproven).unwrap();
        }
        bench.dials(123_000 + 120_000, 1, Standing::Unproven).unwrap();
        bench.dials(123_000 + 121_000, 1, Standing::Unproven).unwrap();
        assert_eq!(bench.dials.held().as_deref(), Some("10 dials"));
    }

    #[test]
    fn unproven_addresses_that_are_dialled_too_often_are_caught() {
        let mut bench = bench();
        bench.dials(0, 1, Standing::Unproven).unwrap();
        assert!(bench.dials(999, 2, Standing::Unproven).unwrap_err().contains("of one source"));
        bench.dials(2_000, 1, Standing::Unproven).unwrap();
        assert!(bench.dials(3_999, 1, Standing::Unproven).unwrap_err().contains("too soon"));
    }

    #[test]
    fn where_a_session_came_up_the_count_begins_anew() {
        let mut bench = bench();
        bench.dials(0, 1, Standing::Unproven).unwrap();
        bench.dials(1_000, 1, Standing::Unproven).unwrap();
        bench.loses(1_500);
        bench.dials(2_000, 1, Standing::Unproven).unwrap();
    }

    #[test]
    fn a_lost_device_is_dialled_first_where_it_was_proven_last() {
        for standing in [Standing::Proven, Standing::UnprovenBesideProven] {
            let mut bench = bench();
            bench.loses(1_000);
            bench.dials(1_300, 1, Standing::LastProven).unwrap();
            bench.dials(2_300, 2, standing).unwrap();
            bench.loses(9_000);
            assert!(bench.dials(9_300, 2, standing).unwrap_err().contains("proven itself last"));
        }
    }
}
