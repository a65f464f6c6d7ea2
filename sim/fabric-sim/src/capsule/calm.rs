//! A network, pipes and disks to which nothing happens by chance: what explicit misfortunes are laid upon.

use crate::scenario::Scenario;
use crate::scenario::resolved::{Disk, Link, Pipes, What};
use crate::scenario::units::Percent;

/// `scenario` without all that a ledger can bring back one by one. Delays, rates and reordering stay: what is held back
/// depends on the seed alone.
pub(crate) fn calm(scenario: &Scenario) -> Scenario {
    let mut calm = scenario.clone();
    calm.link = calm_link(&scenario.link);
    calm.links.values_mut().for_each(|link| *link = calm_link(link));
    calm.pipes = Pipes { refuse: Percent(0), silent: Percent(0), reset: Percent(0), ..scenario.pipes };
    calm.nodes.iter_mut().for_each(|node| node.disk = calm_disk(&node.disk));
    for fault in &mut calm.faults {
        match &mut fault.what {
            What::Link(_, _, link) => *link = calm_link(link),
            What::Disk(_, disk) => *disk = calm_disk(disk),
            _ => {}
        }
    }
    calm
}

const fn calm_link(link: &Link) -> Link {
    let never = Percent(0);
    Link { loss: never, burst: None, duplicate: never, corrupt: never, truncate: never, ..*link }
}

const fn calm_disk(disk: &Disk) -> Disk {
    Disk { fail: Percent(0), torn: Percent(0), rot: Percent(0), ..*disk }
}
