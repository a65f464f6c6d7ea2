//! Parts of a small story, with keys made from the nodes' places.

use fabric::identity::DeviceKey;
use qemu_runner::{Outcome, Plan, build_image, run_vms};
use scenario_actor::{Allow, Bytes32, Directory, Expect, Observation, Part, Peer, Work, WorkSeen};
use std::path::{Path, PathBuf};

const PORT: u16 = 7_000;
const BULK_BYTES: u64 = 16 * 1024 * 1024;

pub(crate) struct Story {
    pub(crate) plan: Plan,
    works: u32,
}

impl Story {
    /// A phone that a hub lets use one service and denies another.
    pub(crate) fn first_contact(name: &str) -> Self {
        let mut story = Self::new(name, &["hub", "phone"]);
        story.serves("hub", &["echo", "admin"]);
        story.allows("hub", "phone", "echo");
        story.work("phone", "hub", "echo", 64 * 1024, Expect::Echoed);
        story.work("phone", "hub", "admin", 100, Expect::Denied);
        story
    }

    /// A phone that sends 16 MiB to a hub, by plain TCP and by the fabric.
    pub(crate) fn bulk(name: &str) -> Self {
        let mut story = Self::new(name, &["hub", "phone"]);
        story.serves("hub", &["files"]);
        story.allows("hub", "phone", "files");
        story.work("phone", "hub", "files", BULK_BYTES, Expect::Delivered);
        story.part("phone").work[0].message_bytes = (1 << 20, 1 << 20);
        story.plan.plain_bytes = Some(BULK_BYTES);
        story
    }

    /// Nodes that trust each other, with nothing to do.
    pub(crate) fn new(name: &str, nodes: &[&str]) -> Self {
        let image = PathBuf::new();
        let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let parts = (0..nodes.len()).map(|place| part(nodes, place)).collect();
        Self { plan: Plan::new(parts, image, out), works: 0 }
    }

    pub(crate) fn part(&mut self, name: &str) -> &mut Part {
        self.plan.parts.iter_mut().find(|part| part.name == name).unwrap()
    }

    pub(crate) fn serves(&mut self, name: &str, services: &[&str]) {
        self.part(name).serves = services.iter().map(|&service| service.into()).collect();
    }

    pub(crate) fn allows(&mut self, name: &str, peer: &str, service: &str) {
        self.part(name).allow.push(Allow { peer: peer.into(), service: service.into() });
    }

    pub(crate) fn work(&mut self, from: &str, to: &str, service: &str, bytes: u64, expect: Expect) {
        let work = Work {
            id: self.works,
            at_nanos: 100_000_000,
            peer: to.into(),
            service: service.into(),
            priority: 4,
            bytes,
            message_bytes: (1_024, 4_096),
            expect,
            call: None,
        };
        self.works += 1;
        self.part(from).work.push(work);
    }

    /// Builds the guest.
    pub(crate) fn build(&mut self) {
        let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest");
        self.plan.image = build_image(&guest).unwrap_or_else(|failure| panic!("{failure}"));
    }

    pub(crate) fn run(&mut self) -> Outcome {
        self.build();
        run_vms(&self.plan).unwrap_or_else(|failure| panic!("{failure}"))
    }
}

fn part(nodes: &[&str], place: usize) -> Part {
    let seed = |place: usize| [u8::try_from(place).unwrap() + 1; 32];
    let peer = |other: usize| Peer {
        name: nodes[other].into(),
        device: Bytes32(*DeviceKey::from_seed(&seed(other)).device_id().as_bytes()),
    };
    Part {
        name: nodes[place].into(),
        device_seed: Bytes32(seed(place)),
        noise_secret: Bytes32([u8::try_from(place).unwrap() + 101; 32]),
        port: PORT,
        peers: Directory::new((0..nodes.len()).map(peer).collect()),
        trusts: None,
        serves: Vec::new(),
        allow: Vec::new(),
        work: Vec::new(),
        acts: Vec::new(),
        leavers: Vec::new(),
        marks: Vec::new(),
    }
}

/// Whether `what` says that the work ended well.
pub(crate) fn done(what: &Observation, work: u32, expect: Expect) -> bool {
    matches!(what, Observation::Work { id, seen: WorkSeen::Done { as_expected, .. } }
        if *id == work && *as_expected == expect)
}
