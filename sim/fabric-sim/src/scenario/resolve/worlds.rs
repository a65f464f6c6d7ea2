//! Where a scenario runs, and what other worlds than the simulator cannot do for it.

use crate::attacker::TapKind;
use crate::scenario::file::File;
use crate::scenario::problem::Problems;
use crate::scenario::read::did_you_mean;
use crate::scenario::resolved::{Attacker, Disk, Perturb, Pipes, Scenario, What};
use crate::scenario::units::Nanos;
use crate::stack;
use crate::worlds::{World, real};
use clap::ValueEnum;

/// Real time is dear: nobody waits for longer runs.
const REAL_TIME_MAX: Nanos = Nanos(600_000_000_000);

pub(super) fn resolve(file: &File, scenario: &Scenario, problems: &mut Problems) -> Vec<World> {
    let Some(written) = &file.worlds else { return vec![World::Sim] };
    let mut worlds = Vec::new();
    for name in written {
        let Some(world) = World::value_variants().iter().find(|world| world.to_string() == name.value) else {
            let known: Vec<_> = World::value_variants().iter().map(ToString::to_string).collect();
            let problem = problems.at(name.span, format!("there is no world `{}`", name.value), "unknown");
            problem.fix(did_you_mean(&name.value, known.iter().map(String::as_str)));
            continue;
        };
        if let Some(lack) = lacks(*world, scenario) {
            let problem =
                problems.at(name.span, format!("the world `{world}` cannot run this: {lack}"), "not for this file");
            problem.fix(format!("leave `{world}` out, or the thing that it lacks"));
        }
        if !worlds.contains(world) {
            worlds.push(*world);
        }
    }
    worlds
}

/// The first thing of the scenario that a world cannot do.
pub(crate) fn lacks(world: World, scenario: &Scenario) -> Option<String> {
    match world {
        World::Sim => None,
        World::Stack => no_attackers(scenario).or_else(|| stack_lacks(scenario)),
        World::Tcp => no_attackers(scenario).or_else(|| tcp_lacks(scenario)),
        World::Qemu => qemu_lacks(scenario),
    }
}

/// Connections are smoltcp's: nothing above the frames can touch them.
fn stack_lacks(scenario: &Scenario) -> Option<String> {
    let pipes = Pipes { buffer: scenario.pipes.buffer, patience: scenario.pipes.patience, ..Pipes::default() };
    first([
        (scenario.nodes.len() > stack::NODES_MAX, format!("it has at most {} nodes", stack::NODES_MAX)),
        (
            stack::mtu_min(scenario) < stack::MTU_MIN,
            format!("an announce is a packet of up to {} bytes, and some `mtu` is less", stack::MTU_MIN),
        ),
        (
            scenario.faults.iter().any(|fault| matches!(fault.what, What::Reset(..))),
            "no `reset` reaches its connections".into(),
        ),
        (scenario.pipes != pipes, "of `pipes` it knows `buffer` and `patience` only; the rest is smoltcp's".into()),
    ])
}

/// What real processes and sockets cannot do.
fn tcp_lacks(scenario: &Scenario) -> Option<String> {
    let pipes = Pipes {
        buffer: scenario.pipes.buffer,
        segment: scenario.pipes.segment,
        patience: scenario.pipes.patience,
        ..Pipes::default()
    };
    let lacks = [
        (scenario.nodes.len() as u32 > real::NODES_MAX, format!("it has at most {} nodes", real::NODES_MAX)),
        (
            scenario.pipes != pipes,
            "of `pipes` it knows `buffer`, `segment` and `patience` only; the rest is the kernel's".into(),
        ),
    ];
    real_lacks(scenario).or_else(|| first(lacks))
}

/// What virtual machines cannot do: what stack mode cannot, and what no world in real time can.
fn qemu_lacks(scenario: &Scenario) -> Option<String> {
    let is_liar = |attacker: &Attacker| attacker.tap == TapKind::IdentitySwap;
    let lacks = [
        (
            !scenario.attackers.iter().all(is_liar) || scenario.nodes.iter().any(|node| node.hostile.is_some()),
            "of attackers it has only `tap = \"identity-swap\"`".into(),
        ),
        (scenario.nodes.len() > real::VMS_MAX, format!("it has at most {} nodes", real::VMS_MAX)),
    ];
    real_lacks(scenario).or_else(|| stack_lacks(scenario)).or_else(|| first(lacks))
}

/// What cannot be done in real time.
fn real_lacks(scenario: &Scenario) -> Option<String> {
    let has_fault = |is: fn(&What) -> bool| scenario.faults.iter().any(|fault| is(&fault.what));
    first([
        (scenario.stop_at > REAL_TIME_MAX, format!("it runs for at most {REAL_TIME_MAX} of real time")),
        (scenario.nodes.iter().any(|node| node.disk != Disk::default()), "its storage is the computer's".into()),
        (has_fault(|what| matches!(what, What::Disk(..))), "its storage is the computer's".into()),
        (
            has_fault(|what| matches!(what, What::ClockJump(..) | What::ClockRate(..))),
            "its clocks do not change while they run".into(),
        ),
        (scenario.perturb != Perturb::default(), "its driver takes no liberties".into()),
    ])
}

fn no_attackers(scenario: &Scenario) -> Option<String> {
    scenario.is_attacked().then(|| "it has no attackers".to_owned())
}

/// The first thing that is lacking.
fn first<const N: usize>(lacks: [(bool, String); N]) -> Option<String> {
    lacks.into_iter().find_map(|(lacks, why)| lacks.then_some(why))
}
