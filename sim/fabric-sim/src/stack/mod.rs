//! Stack mode: the simulated world one layer lower. Every node runs over TCP/IP by smoltcp, and what the simulator's links
//! carry, lose and damage is its Ethernet frames. The same actor plays, the same checks judge; everything is as
//! deterministic as before.
//!
//! A link's `mtu` is that of its packets, and frames arrive in order unless `reorder` holds one back. `pipes.buffer` is shared by the two buffers that a direction of TCP has, and
//! `pipes.patience` is TCP's user timeout; everything else about connections is TCP's own affair.

use crate::attacker::{Inspect, Look};
use crate::nemesis::Drawn;
use crate::scenario::Scenario;
use crate::scenario::resolved::{NodeId, What};
use crate::suites::Tap;
use crate::worlds::sim::{Extras, Run, run};
use crate::worlds::{PORT, SuiteKind, nodes};
use ::sim::{Config, Fault, LinkProfile};
use machine::{Boot, Duration, Machine};
use netstackd::driver::Ports;
use netstackd::stacked::{StackConfig, Stacked};
use netstackd::wire::{ETHERNET_HEADER_BYTES, MTU_MAX};
use std::rc::Rc;

/// The longest announce (1,200 bytes, docs/wire.md) and the headers of UDP and IPv4: smoltcp cuts no packet up.
pub(crate) const MTU_MIN: u32 = 1_228;
/// Host numbers are 16 bits, and two of them name no host.
pub(crate) const NODES_MAX: usize = 65_534;
/// More than this is under way on no link that a scenario has a use for, and each connection holds two buffers.
const BUFFER_BYTES_MAX: u32 = 64 * 1024;
/// Dials at a time that wait to be accepted.
const BACKLOG: u8 = 32;

/// One run in stack mode.
pub(crate) fn play(drawn: &Drawn, seed: u64, suite: SuiteKind, extras: impl Into<Extras>) -> Run {
    let tap = Tap::default();
    let node = nodes(&drawn.scenario, &drawn.limits, suite, &tap, None);
    play_nodes(&drawn.scenario, seed, extras, &tap, node)
}

/// One run of the machines that `node` starts.
fn play_nodes<M>(
    scenario: &Rc<Scenario>,
    seed: u64,
    extras: impl Into<Extras>,
    tap: &Tap,
    node: impl Fn(Boot, scenario_actor::Part) -> M + 'static,
) -> Run
where
    M: Machine<Event = scenario_actor::Observation> + Inspect + 'static,
    M::Command: core::fmt::Debug,
{
    let hosts: Vec<StackConfig> = (0..).zip(&scenario.nodes).map(|(id, _)| host(scenario, id)).collect();
    let names: Vec<String> = scenario.nodes.iter().map(|node| node.name.clone()).collect();
    let extras = Extras { on_wire: true, ..extras.into() };
    run(scenario, seed, extras, tap, move |boot, part| {
        let place = names.binary_search(&part.name);
        assert!(place.is_ok(), "a part is that of a node, and nodes are sorted by name");
        let config = hosts[place.unwrap_or_default()];
        Stacked::new(&boot, &config, node(boot.clone(), part))
    })
}

/// The machine inside is who it was.
impl<M: Machine + Inspect> Inspect for Stacked<M> {
    fn look(&self) -> Look<'_> {
        self.inner().look()
    }
}

/// What a node's host is.
pub(crate) fn host(scenario: &Scenario, node: NodeId) -> StackConfig {
    let number = (node as u16).saturating_add(1);
    let buffer = (scenario.pipes.buffer / 2).clamp(1, BUFFER_BYTES_MAX);
    let sockets = scenario.nodes.len().saturating_mul(4).clamp(64, 1_024);
    StackConfig {
        ports: Ports { backlog: BACKLOG, ..Ports::new(PORT) },
        mtu: mtu(scenario, node),
        sockets_max: sockets as u16,
        tcp_receive_bytes: buffer,
        tcp_send_bytes: buffer,
        user_timeout: Duration::from_nanos(scenario.pipes.patience.0),
        ..StackConfig::new(number, PORT)
    }
}

/// The longest packet that every link of the node carries, at any time.
fn mtu(scenario: &Scenario, node: NodeId) -> u16 {
    let own = scenario.links.iter().filter(|((from, to), _)| *from == node || *to == node).map(|(_, link)| link.mtu);
    let later = scenario.faults.iter().filter_map(|fault| match &fault.what {
        What::Link(from, to, link) if *from == node || *to == node => Some(link.mtu),
        _ => None,
    });
    let least = own.chain(later).fold(scenario.link.mtu, u32::min);
    least.min(MTU_MAX.into()) as u16
}

/// The smallest packets that any link is limited to.
pub(crate) fn mtu_min(scenario: &Scenario) -> u32 {
    (0..).zip(&scenario.nodes).map(|(node, _)| u32::from(mtu(scenario, node))).min().unwrap_or(MTU_MAX.into())
}

/// Lets links carry frames: their headers are on top of packets, and a wire keeps order.
pub(crate) fn put_on_wire(config: &mut Config) {
    let wire = |link: &mut LinkProfile| {
        link.mtu = link.mtu.saturating_add(ETHERNET_HEADER_BYTES as u32);
        link.in_order = true;
    };
    wire(&mut config.link);
    config.links.iter_mut().for_each(|(_, _, link)| wire(link));
    for planned in &mut config.plan {
        if let Fault::Link { profile, .. } = &mut planned.fault {
            wire(profile);
        }
    }
}

#[cfg(test)]
mod tests;
