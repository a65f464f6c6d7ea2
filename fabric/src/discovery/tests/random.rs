//! Any sequence of announces, time, proofs, sessions and dials keeps the promises of the table.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Hear {
        device: u32,
        source: u32,
        port: u16,
        key: u8,
    },
    HearSigned {
        device: u32,
        source: u32,
        sequence: u32,
        ttl: u16,
    },
    Wait(u64),
    /// Time passes, but the driver is late with the timeout.
    Pause(u64),
    Trust(u32, bool),
    Live(u32, bool),
    Dial(u32),
    /// The n-th candidate proves itself.
    Prove(u32, usize),
    Poll,
}

const DEVICES: u32 = 10;
const SOURCES: u32 = 5;

fn limits() -> Limits {
    Limits { devices_max: 8, candidates_max: 3, ..Limits::default() }
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES;
    let source = 0..SOURCES;
    prop_oneof![
        8 => (device.clone(), source.clone(), 1..3_u16, 8..10_u8)
            .prop_map(|(device, source, port, key)| Step::Hear { device, source, port, key }),
        2 => (device.clone(), source, 0..6_u32, prop_oneof![Just(0), Just(3), Just(30)])
            .prop_map(|(device, source, sequence, ttl)| Step::HearSigned { device, source, sequence, ttl }),
        4 => (0..5_000_u64).prop_map(Step::Wait),
        1 => (0..40_000_u64).prop_map(Step::Pause),
        1 => (device.clone(), any::<bool>()).prop_map(|(device, is_trusted)| Step::Trust(device, is_trusted)),
        1 => (device.clone(), any::<bool>()).prop_map(|(device, is_live)| Step::Live(device, is_live)),
        4 => device.clone().prop_map(Step::Dial),
        1 => (device, 0..3_usize).prop_map(|(device, at)| Step::Prove(device, at)),
        1 => Just(Step::Poll),
    ]
}

/// What is known of the dials so far, by the rules alone.
#[derive(Default)]
struct Dials {
    by_device: BTreeMap<DeviceId, Instant>,
    unproven_by_source: BTreeMap<Host, Instant>,
    /// How often each address was dialled unproven in a row, and when last.
    unproven: BTreeMap<Addr, (u32, Instant)>,
}

impl Dials {
    fn check(&mut self, now: Instant, device: DeviceId, dial: Dial) {
        let second = Duration::from_secs(1);
        let last = self.by_device.insert(device, now);
        assert!(last.is_none_or(|last| now >= last + second), "a device is dialled once a second");
        if dial.was_proven {
            return;
        }
        let last = self.unproven_by_source.insert(dial.addr.host(), now);
        assert!(last.is_none_or(|last| now >= last + second), "a source is dialled once a second");
        let (dials, last) = self.unproven.get(&dial.addr).copied().unwrap_or_default();
        let pause = Duration::from_secs(if dials == 0 { 0 } else { 60.min(1 << (dials - 1)) });
        assert!(now >= last + pause, "an address is dialled ever more seldom");
        let is_forgotten = dials > 0 && now >= last + pause + Duration::from_secs(60);
        self.unproven.insert(dial.addr, (if is_forgotten { 1 } else { dials + 1 }, now));
    }
}

struct Run {
    node: Node,
    ids: Vec<DeviceId>,
    /// Whether the node hears of trust and sessions; else they are a planted fault.
    tells_standing: bool,
    trusted: BTreeSet<DeviceId>,
    live: BTreeSet<DeviceId>,
    told: BTreeSet<DeviceId>,
    dials: Dials,
    /// When each device last said goodbye, and nothing signed since.
    goodbyes: BTreeMap<DeviceId, Instant>,
}

impl Run {
    fn new(limits: &Limits) -> Self {
        Self {
            node: Node::new(limits),
            ids: (0..DEVICES).map(id).collect(),
            tells_standing: true,
            trusted: BTreeSet::new(),
            live: BTreeSet::new(),
            told: BTreeSet::new(),
            dials: Dials::default(),
            goodbyes: BTreeMap::new(),
        }
    }

    fn id(&self, device: u32) -> DeviceId {
        self.ids[device as usize]
    }

    fn table(&self) -> BTreeMap<DeviceId, Peer> {
        self.node.discovery.peers().map(|(device, peer)| (device, peer.clone())).collect()
    }

    fn is_protected(&self, device: DeviceId) -> bool {
        self.trusted.contains(&device) || self.live.contains(&device)
    }

    fn take(&mut self, step: &Step) {
        let now = self.node.now;
        match *step {
            Step::Hear { device, source, port, key } => {
                let _ = self.hear(device, source, &claim(device).at_port(port).with_static(key).bytes());
            }
            Step::HearSigned { device, source, sequence, ttl } => {
                let taken = self.hear(device, source, &claim(device).signed(device, 1, sequence, ttl));
                let device = self.id(device);
                match taken {
                    Ok(()) if ttl == 0 => drop(self.goodbyes.insert(device, now)),
                    Ok(()) => drop(self.goodbyes.remove(&device)),
                    Err(_) => {}
                }
            }
            Step::Wait(millis) => self.node.wait_millis(millis),
            Step::Pause(millis) => self.node.now = now + Duration::from_millis(millis),
            Step::Trust(device, is_trusted) => {
                if self.tells_standing {
                    self.node.discovery.set_trusted(self.id(device), is_trusted);
                }
                let device = self.id(device);
                set(&mut self.trusted, device, is_trusted);
            }
            Step::Live(device, is_live) => {
                let device = self.id(device);
                self.node.discovery.set_live(now, device, is_live);
                set(&mut self.live, device, is_live);
            }
            Step::Dial(device) => self.dial(device),
            Step::Prove(device, at) => self.prove(device, at),
            Step::Poll => {
                let event = self.node.discovery.poll();
                self.tell(event.as_ref());
            }
        }
    }

    fn hear(&mut self, device: u32, source: u32, bytes: &[u8]) -> Result<(), Refusal> {
        self.node.discovery.handle_timeout(self.node.now);
        let (before, device) = (self.table(), self.id(device));
        let outcome = self.node.hears_bytes(source, bytes);
        let after = self.table();
        match outcome {
            Ok(()) => self.check_losses(device, &before, &after),
            Err(refusal) => self.check_refusal(device, at(source, 0).host(), refusal, &before, &after),
        }
        outcome
    }

    /// An announce that was taken in cost others their place only where it may.
    fn check_losses(&self, device: DeviceId, before: &BTreeMap<DeviceId, Peer>, after: &BTreeMap<DeviceId, Peer>) {
        let lost: BTreeSet<DeviceId> = before.keys().filter(|each| !after.contains_key(*each)).copied().collect();
        assert!(lost.iter().all(|each| *each == device || !self.is_protected(*each)), "protected ones stay");
        let victims: Vec<DeviceId> = lost.into_iter().filter(|each| *each != device).collect();
        assert!(victims.len() <= 1, "one newcomer, one place");
        if let [victim] = victims[..]
            && !self.is_protected(device)
        {
            let strangers = before.iter().filter(|(each, _)| !self.is_protected(**each));
            let oldest = strangers.map(|(each, peer)| (peer.heard_at(), *each)).min();
            assert_eq!(oldest.map(|(_, each)| each), Some(victim), "the least recently heard goes");
        }
        let (Some(before), Some(after)) = (before.get(&device), after.get(&device)) else { return };
        let gone = before.candidates().iter().filter(|each| !after.candidates().iter().any(|other| same(each, other)));
        assert!(after.candidates().is_empty() || gone.into_iter().all(|each| each.proven_at.is_none()));
    }

    fn check_refusal(
        &self,
        device: DeviceId,
        source: Host,
        refusal: Refusal,
        before: &BTreeMap<DeviceId, Peer>,
        after: &BTreeMap<DeviceId, Peer>,
    ) {
        assert!(before == after, "a refusal changes nothing");
        let holds = |peer: &Peer| peer.candidates().iter().any(|candidate| candidate.addr.host() == source);
        match refusal {
            Refusal::SourceFull => {
                assert_eq!(before.values().filter(|peer| holds(peer)).count(), 2);
                assert!(before.get(&device).is_none_or(|peer| !holds(peer)));
            }
            Refusal::TableFull => {
                assert_eq!(before.len(), 8);
                assert!(before.keys().all(|each| self.is_protected(*each)));
            }
            Refusal::CandidatesFull => {
                assert!(before[&device].candidates().iter().all(|candidate| candidate.proven_at.is_some()));
            }
            Refusal::Superseded => {
                let is_signed = |peer: &Peer| peer.candidates().iter().any(|candidate| candidate.claim == Claim::V2);
                let lasts = |said: &Instant| self.node.now < *said + Limits::default().time_to_live;
                let has_left = self.goodbyes.get(&device).is_some_and(lasts);
                assert!(has_left || before.get(&device).is_some_and(is_signed));
            }
            Refusal::Stale => {}
            other => panic!("{other} without cause"),
        }
    }

    fn dial(&mut self, device: u32) {
        let (now, device) = (self.node.now, self.id(device));
        let next = self.node.discovery.next_dial(now, device);
        let candidates = self.node.discovery.peer(device).map(Peer::candidates).unwrap_or_default();
        match next {
            NextDial::Now(dial) => {
                assert!(candidates.iter().any(|each| each.addr == dial.addr), "only candidates are dialled");
                self.dials.check(now, device, dial);
            }
            NextDial::At(later) => assert!(later > now),
            NextDial::Unknown => assert!(candidates.is_empty()),
        }
    }

    fn prove(&mut self, device: u32, at: usize) {
        let (now, device) = (self.node.now, self.id(device));
        let peer = self.node.discovery.peer(device);
        let Some(candidate) = peer.and_then(|peer| peer.candidates().get(at)).cloned() else { return };
        assert!(self.node.discovery.proven(now, device, candidate.addr, candidate.noise_static));
        self.dials.unproven.remove(&candidate.addr);
    }

    fn tell(&mut self, event: Option<&Event>) {
        match event {
            None => assert!(self.told.iter().eq(self.table().keys()), "what was told is what there is"),
            Some(Event::Discovered { device, .. }) => assert!(self.told.insert(*device), "discovered once"),
            Some(Event::Updated { device, .. }) => assert!(self.told.contains(device)),
            Some(Event::Lost { device, .. }) => assert!(self.told.remove(device), "lost once"),
        }
    }

    fn check(&self) {
        let table = self.table();
        assert!(table.len() <= 8, "8 devices");
        let mut places: BTreeMap<Host, BTreeSet<DeviceId>> = BTreeMap::new();
        let mut expiries = Vec::new();
        for (device, peer) in &table {
            assert!(peer.candidates().len() <= 3, "3 candidates");
            assert!(peer.candidates().windows(2).all(|pair| !same(&pair[0], &pair[1])));
            assert!(!peer.candidates().is_empty() || self.live.contains(device));
            for candidate in peer.candidates() {
                places.entry(candidate.addr.host()).or_default().insert(*device);
                if !(self.live.contains(device) && candidate.proven_at.is_some()) {
                    expiries.push(candidate.expires_at);
                }
            }
        }
        assert!(places.values().all(|devices| devices.len() <= 2), "a quarter of 8");
        assert_eq!(self.node.discovery.next_timeout(), expiries.into_iter().min());
    }
}

fn same(one: &Candidate, other: &Candidate) -> bool {
    (one.addr, one.noise_static) == (other.addr, other.noise_static)
}

fn set(devices: &mut BTreeSet<DeviceId>, device: DeviceId, is_in: bool) {
    if is_in {
        devices.insert(device);
    } else {
        devices.remove(&device);
    }
}

impl Run {
    fn all(mut self, steps: &[Step]) {
        for step in steps {
            self.take(step);
            self.check();
        }
        while let Some(event) = self.node.discovery.poll() {
            self.tell(Some(&event));
        }
        self.tell(None);
    }
}

proptest! {
    #[test]
    fn the_promises_hold(steps in proptest::collection::vec(step(), 0..200)) {
        Run::new(&limits()).all(&steps);
    }
}

/// Device n from source n, one after the other.
fn everybody_speaks() -> Vec<Step> {
    let hear = |device| Step::Hear { device, source: device, port: 1, key: 9 };
    (0..DEVICES).flat_map(|device| [hear(device), Step::Wait(1)]).collect()
}

#[test]
#[should_panic(expected = "8 devices")]
fn a_table_too_large_is_noticed() {
    Run::new(&Limits { devices_max: 9, ..limits() }).all(&everybody_speaks());
}

#[test]
#[should_panic(expected = "a quarter of 8")]
fn a_source_that_holds_too_much_is_noticed() {
    let steps = [0, 1, 2].map(|device| Step::Hear { device, source: 1, port: 1, key: 9 });
    Run::new(&Limits { devices_max: 12, ..limits() }).all(&steps);
}

#[test]
#[should_panic(expected = "3 candidates")]
fn a_device_with_too_many_candidates_is_noticed() {
    let steps = [1, 2, 3, 4].map(|source| Step::Hear { device: 1, source, port: 1, key: 9 });
    Run::new(&Limits { candidates_max: 4, ..limits() }).all(&steps);
}

#[test]
#[should_panic(expected = "protected ones stay")]
fn an_evicted_trusted_device_is_noticed() {
    let mut run = Run::new(&limits());
    run.tells_standing = false;
    run.all(&[&[Step::Trust(0, true)], &everybody_speaks()[..]].concat());
}

fn dial_twice(devices: [u32; 2], port_of_second: u16) -> Vec<Step> {
    let hear = |device, port| Step::Hear { device, source: 1, port, key: 9 };
    let [first, second] = devices;
    [hear(first, 1), hear(second, port_of_second), Step::Dial(first), Step::Dial(second)].to_vec()
}

#[test]
#[should_panic(expected = "a device is dialled once a second")]
fn a_device_dialled_too_soon_is_noticed() {
    let none = Duration::ZERO;
    let limits = Limits { dial_next_after: none, dial_source_every: none, dial_backoff_first: none, ..limits() };
    Run::new(&limits).all(&dial_twice([1, 1], 1));
}

#[test]
#[should_panic(expected = "a source is dialled once a second")]
fn a_source_dialled_too_soon_is_noticed() {
    Run::new(&Limits { dial_source_every: Duration::ZERO, ..limits() }).all(&dial_twice([1, 2], 2));
}

#[test]
#[should_panic(expected = "an address is dialled ever more seldom")]
fn an_address_dialled_too_often_is_noticed() {
    let again = [Step::Wait(1_000), Step::Dial(1)];
    let steps = [dial_twice([1, 1], 1), again.to_vec(), again.to_vec()].concat();
    Run::new(&Limits { dial_backoff_max: Duration::from_secs(1), ..limits() }).all(&steps);
}
