//! See [`CreditConserved`].

use super::{Check, Outcome, Seen};
use crate::scenario::Scenario;

/// No sender exceeds the credit that its receiver gave, and no credit is lost or made up.
///
/// Observations do not show credit: it takes the plaintext of records and a decoder independent of the mux. Until a run
/// has such a tap the check says that it was not judged.
pub(super) struct CreditConserved;

impl Check for CreditConserved {
    fn observe(&mut self, _: &Scenario, _: &Seen) -> Result<(), String> {
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        Outcome::NotJudged("it needs a tap on plaintext, which this version does not have".into())
    }
}
