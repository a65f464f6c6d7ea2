//! The failing run that a command is given: by a scenario and a seed, or by a capsule.

use crate::capsule::{self, Capsule, Fingerprint, Refused, overriding};
use crate::cli::{Exit, FailingArgs};
use crate::nemesis::{self, Mode};
use crate::scenario;
use crate::shrink::Candidate;
use crate::terminal::Terminal;
use crate::worlds::sim::{Extras, Run};
use crate::worlds::{SuiteKind, play_with};

/// See the module.
pub(super) struct Start {
    pub(super) candidate: Candidate,
    pub(super) seed: u64,
    pub(super) suite: SuiteKind,
    /// The fingerprint of a capsule.
    pub(super) fingerprint: Option<Fingerprint>,
}

impl Start {
    /// `suite` is what the nodes of a scenario get unless said.
    pub(super) fn new(args: &FailingArgs, suite: SuiteKind, terminal: &Terminal) -> Result<Self, Exit> {
        let usage = |why: &str| {
            terminal.say(&format!("error: {why}"));
            Exit::Usage
        };
        if !capsule::is_one(&args.file) {
            return Self::from_scenario(args, suite, terminal);
        }
        if args.seed.is_some() || args.swarm || args.nemesis.is_some() || !args.overrides.is_empty() {
            return Err(usage("a capsule has its own seed and values: leave out --seed, --set, --swarm and --nemesis"));
        }
        let Capsule { scenario, suite, seed, limits, fingerprint, overrides, .. } =
            Capsule::read(&args.file).map_err(|refused| match refused {
                Refused::Unreadable(why) | Refused::NotApplicable(why) => usage(&why),
            })?;
        let candidate = Candidate { scenario, limits, overrides };
        Ok(Self { candidate, seed, suite: args.suite.unwrap_or(suite), fingerprint: Some(fingerprint) })
    }

    fn from_scenario(args: &FailingArgs, suite: SuiteKind, terminal: &Terminal) -> Result<Self, Exit> {
        let (seed, mode) = (args.seed.unwrap_or(1), Mode { swarm: args.swarm, nemesis: args.nemesis });
        let loaded = scenario::open(&args.file, &args.overrides);
        let drawn = loaded.and_then(|loaded| nemesis::draw(&loaded, mode, seed)).map_err(|invalid| {
            terminal.say(invalid.render(terminal.style()).trim_end());
            Exit::Usage
        })?;
        let candidate = Candidate { scenario: drawn.scenario, limits: drawn.limits, overrides: Vec::new() };
        Ok(Self { candidate, seed, suite: args.suite.unwrap_or(suite), fingerprint: None })
    }

    /// Runs it once, and keeps what is needed to explain it.
    pub(super) fn explained(&self) -> Run {
        explained(&self.candidate, self.seed, self.suite)
    }
}

/// Runs a candidate once, and keeps what is needed to explain it.
pub(super) fn explained(candidate: &Candidate, seed: u64, suite: SuiteKind) -> Run {
    let Candidate { scenario, limits, overrides } = candidate;
    play_with(scenario, limits, seed, suite, Extras::explaining(overriding(overrides, scenario)))
}
