//! What one seed makes of a scenario: values for its `[swarm]`, and a nemesis that adds faults and narrows limits.
//!
//! A drawn run has three phases. Faults of a random subset of kinds strike; at one time all of them heal; and from then on
//! everything that was to be done must get done by a deadline, or what is stuck is named. What the pipes, disks and limits
//! are like by their nature does not heal: it leaves room for progress.

mod dice;
mod faults;
mod limits;
mod nature;
mod pace;
mod profile;

pub(crate) use dice::Dice;
pub(crate) use limits::Limits;
pub(crate) use profile::{Mode, Profile};

use crate::oracles;
use crate::scenario::resolved::{Begin, Fault};
use crate::scenario::units::Nanos;
use crate::scenario::{Invalid, Loaded, Scenario};
use pace::Pace;
use std::rc::Rc;

/// How long faults strike after the last work of the scenario was due.
const FAULTS_LAST: u64 = 10_000_000_000;
/// Room for the longest waits of the core on the slowest of clocks, on top of twice the scenario's own time.
const LIVENESS: u64 = 180_000_000_000;

/// What one seed runs.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) limits: Limits,
    /// Every value that was drawn, by what it is for.
    pub(crate) told: Vec<(String, String)>,
}

/// Whether `mode` fits the scenario.
pub(crate) fn check(loaded: &Loaded, mode: Mode) -> Result<(), Invalid> {
    if mode.nemesis.is_none() || loaded.scenario.acts.is_empty() {
        return Ok(());
    }
    Err(loaded.refuse(
        "a nemesis knows nothing of `[[acts]]`: people would act at their times, whatever has struck",
        "leave `--nemesis` out",
    ))
}

/// What `seed` makes of the scenario under `mode`; the error is that of a nemesis that does not fit it, or of a swarm's values
/// that do not fit together.
pub(crate) fn draw(loaded: &Loaded, mode: Mode, seed: u64) -> Result<Drawn, Invalid> {
    check(loaded, mode)?;
    let (mut scenario, mut told) = if mode.swarm { loaded.draw(seed)? } else { (loaded.scenario.clone(), Vec::new()) };
    // What victims must feel of an attack is told in its scenario: chance and other limits would have them feel otherwise.
    let Some(profile) = mode.nemesis.filter(|_| !scenario.is_attacked()) else {
        return Ok(Drawn { scenario: Rc::new(scenario), limits: Limits::default(), told });
    };
    let heals_at = heals_at(&scenario);
    let pace = Pace::of(&scenario);
    nature::draw(&mut scenario, &pace, heals_at, profile, seed, &mut told);
    let limits = limits::draw(&scenario, &pace, profile, seed, &mut told);
    nature::draw_resets(&mut scenario.pipes, &pace, limits.piece_min(), profile, seed, &mut told);
    faults::draw(&mut scenario, heals_at, profile, seed, &mut told);
    let by = demand_liveness(&mut scenario, heals_at);
    told.push(("heals_at".into(), heals_at.to_string()));
    told.push(("deadline".into(), by.to_string()));
    Ok(Drawn { scenario: Rc::new(scenario), limits, told })
}

/// Some time after the last work is due and the last fault of the scenario's own is over.
fn heals_at(scenario: &Scenario) -> Nanos {
    let due = scenario.work.iter().map(|work| work.at.0).max().unwrap_or_default();
    let over = scenario.faults.iter().map(end).max().unwrap_or_default();
    Nanos(due.max(over).saturating_add(FAULTS_LAST))
}

fn end(fault: &Fault) -> u64 {
    match fault.begin {
        Begin::At(at) => at.0.saturating_add(fault.lasts.map_or(0, |lasts| lasts.0)),
        Begin::Mark(_) => 0,
    }
}

/// The deadline of every promise that must come true moves to the end of the third phase.
pub(crate) fn demand_liveness(scenario: &mut Scenario, heals_at: Nanos) -> Nanos {
    let by = Nanos(heals_at.0.saturating_add(LIVENESS).saturating_add(scenario.stop_at.0.saturating_mul(2)));
    scenario.stop_at = by;
    let promises = &mut scenario.checks.eventually;
    if !scenario.work.is_empty() && !promises.iter().any(|(name, _)| *name == oracles::WORK_DONE) {
        promises.push((oracles::WORK_DONE, by));
    }
    for (_, due) in promises {
        *due = by;
    }
    by
}

#[cfg(test)]
mod tests;
