//! A resolved scenario in the simulator's words.

use super::super::parts::PORT;
use crate::scenario::Scenario;
use crate::scenario::resolved::{self, Begin, NodeId, What};
use crate::scenario::units::{Delay, Nanos, Percent};
use ::sim::{
    Burst, Chance, Clock, Config, CrashKind, DiskProfile, Fault, LinkProfile, NodeConfig, NodeIndex, Perturb,
    PipeProfile, Planned, Time,
};
use machine::Duration;

/// The world that `scenario` describes, under `seed`.
pub(in super::super) fn config(scenario: &Scenario, seed: u64) -> Config {
    let name = |id: NodeId| scenario.node_name(id).to_owned();
    let mut config = Config::new(seed, scenario.nodes.iter().map(node));
    config.link = link(&scenario.link);
    config.links = scenario.links.iter().map(|((from, to), each)| (name(*from), name(*to), link(each))).collect();
    config.pipes = pipes(&scenario.pipes);
    config.plan = scenario.faults.iter().map(planned).collect();
    config.perturb = Perturb {
        spurious_timeout: chance(scenario.perturb.spurious_timeout),
        late_drain: chance(scenario.perturb.late_drain),
    };
    config
}

fn node(node: &resolved::Node) -> NodeConfig {
    NodeConfig {
        name: node.name.clone(),
        port: PORT,
        starts_at: Time::from_nanos(node.starts_at.0),
        clock: Clock::new(duration(node.clock_offset), node.clock_skew.0),
        disk: disk(&node.disk),
        segments: node.sites.as_ref().map_or_else(|| vec![0], |sites| sites.iter().map(|site| site + 1).collect()),
    }
}

fn link(link: &resolved::Link) -> LinkProfile {
    LinkProfile {
        delay: delay(link.delay),
        loss: chance(link.loss),
        burst: link.burst.map(|(enter, leave)| Burst { enter: chance(enter), leave: chance(leave) }),
        duplicate: chance(link.duplicate),
        reorder: chance(link.reorder),
        corrupt: chance(link.corrupt),
        truncate: chance(link.truncate),
        rate: link.rate.map(|rate| rate.0),
        queue: link.queue,
        mtu: link.mtu,
        in_order: false,
    }
}

fn pipes(pipes: &resolved::Pipes) -> PipeProfile {
    PipeProfile {
        buffer: pipes.buffer,
        segment: pipes.segment,
        room_max: pipes.room_max,
        chunk_max: pipes.chunk_max,
        refuse: chance(pipes.refuse),
        silent: chance(pipes.silent),
        reset: chance(pipes.reset),
        patience: duration(pipes.patience),
    }
}

fn disk(disk: &resolved::Disk) -> DiskProfile {
    DiskProfile { delay: delay(disk.delay), fail: chance(disk.fail), torn: chance(disk.torn), rot: chance(disk.rot) }
}

fn planned(fault: &resolved::Fault) -> Planned {
    let begin = match fault.begin {
        Begin::At(at) => ::sim::Begin::At(Time::from_nanos(at.0)),
        Begin::Mark(mark) => ::sim::Begin::Trigger(mark),
    };
    Planned { begin, lasts: fault.lasts.map(duration), fault: what(&fault.what) }
}

fn what(what: &What) -> Fault {
    let all = |nodes: &[NodeId]| nodes.iter().copied().map(NodeIndex::new).collect();
    let one = |node: &NodeId| NodeIndex::new(*node);
    match what {
        What::Partition { from, to, one_way, flap } => {
            Fault::Partition { from: all(from), to: all(to), one_way: *one_way, flap: flap.map(duration) }
        }
        What::Restart(node) => Fault::Crash { node: one(node), kind: CrashKind::Process },
        What::Crash(node) => Fault::Crash { node: one(node), kind: CrashKind::Power },
        What::Pause(node) => Fault::Pause(one(node)),
        What::ClockJump(node, by) => Fault::ClockJump(one(node), duration(*by)),
        What::ClockRate(node, by) => Fault::ClockRate(one(node), by.0),
        What::Link(from, to, profile) => Fault::Link { from: one(from), to: one(to), profile: link(profile) },
        What::Reset(a, b) => Fault::ResetPipes(one(a), one(b)),
        What::Disk(node, profile) => Fault::Disk(one(node), disk(profile)),
    }
}

fn duration(nanos: Nanos) -> Duration {
    Duration::from_nanos(nanos.0)
}

fn chance(percent: Percent) -> Chance {
    Chance::from_ppb(u64::from(percent.0))
}

fn delay(delay: Delay) -> ::sim::Delay {
    match delay {
        Delay::Fixed(delay) => ::sim::Delay::Fixed(duration(delay)),
        Delay::Uniform(min, max) => ::sim::Delay::Uniform(duration(min), duration(max)),
        Delay::Exponential(min, mean) => ::sim::Delay::Exponential { min: duration(min), mean: duration(mean) },
        Delay::LongTail(min, max) => ::sim::Delay::LongTail { min: duration(min), max: duration(max) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_simulators() {
        assert_eq!(link(&resolved::Link::default()), LinkProfile::default());
        assert_eq!(pipes(&resolved::Pipes::default()), PipeProfile::default());
        assert_eq!(disk(&resolved::Disk::default()), DiskProfile::default());
    }
}
