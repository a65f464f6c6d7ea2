//! Makes a failing run small: fewer faults, and of what chance did only what is needed.
//!
//! The run is first made without each planned fault that it can do without. Then what chance did is laid on a calm network
//! as single misfortunes, which is the same run, and those go that it can do without; with them go more faults. The failure
//! stays one of the same check throughout. The result is the same every time.

mod ddmin;

pub use ddmin::ddmin;

use crate::workload::{Case, Extras, Outcome, Workload};

/// Told before every run: how many there have been, and the smallest case so far. False ends the search.
pub type Goes<'a> = dyn FnMut(u64, &Case) -> bool + 'a;

/// How a search ended.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest case found.
    pub case: Case,
    /// How many runs it took.
    pub runs: u64,
    /// Nothing more can go, as opposed to: it was told to stop.
    pub is_complete: bool,
}

struct Search<'a, W> {
    workload: &'a W,
    check: &'a str,
    goes: &'a mut Goes<'a>,
    best: Case,
    runs: u64,
    stopped: bool,
}

/// The smallest case found that fails `check` as `start` does, which is not run.
pub fn shrink<'a, W: Workload>(workload: &'a W, start: &Case, check: &'a str, goes: &'a mut Goes<'a>) -> Shrunk {
    let mut search = Search { workload, check, goes, best: start.clone(), runs: 0, stopped: false };
    search.faults();
    search.spell_out();
    loop {
        let before = search.best.clone();
        search.misfortunes();
        search.faults();
        if search.stopped || search.best == before {
            break;
        }
    }
    Shrunk { case: search.best, runs: search.runs, is_complete: !search.stopped }
}

impl<W: Workload> Search<'_, W> {
    /// What came of a case; `None` once the search is over.
    fn run(&mut self, case: &Case, extras: Extras) -> Option<Outcome> {
        self.stopped = self.stopped || !(self.goes)(self.runs, &self.best);
        if self.stopped {
            return None;
        }
        self.runs += 1;
        Some(case.run(self.workload, extras))
    }

    /// Whether `case` fails as it should, and so is the best one now.
    fn attempt(&mut self, case: Case) -> bool {
        let outcome = self.run(&case, Extras::default());
        let fails = outcome.is_some_and(|outcome| outcome.verdict.is_err_and(|broken| broken.check == self.check));
        if fails {
            self.best = case;
        }
        fails
    }

    fn faults(&mut self) {
        let planned = self.workload.config(self.best.seed).plan.len();
        let all = self.best.faults.clone().unwrap_or_else(|| (0..planned).collect());
        ddmin(&all, |rest| self.attempt(Case { faults: Some(rest.to_vec()), ..self.best.clone() }));
    }

    /// The run again, on a calm network, with every misfortune that befell it.
    fn spell_out(&mut self) {
        if self.best.misfortunes.is_some() {
            return;
        }
        let recorded = self.run(&self.best.clone(), Extras { records: true, ..Extras::default() });
        if let Some(outcome) = recorded {
            let befell = outcome.decisions.into_iter().filter(|entry| entry.decision.is_misfortune()).collect();
            self.attempt(Case { misfortunes: Some(befell), ..self.best.clone() });
        }
    }

    fn misfortunes(&mut self) {
        let Some(all) = self.best.misfortunes.clone() else { return };
        ddmin(&all, |rest| self.attempt(Case { misfortunes: Some(rest.to_vec()), ..self.best.clone() }));
    }
}
