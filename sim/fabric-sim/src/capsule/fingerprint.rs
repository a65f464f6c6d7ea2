//! What makes two failures the same: the check, the place and the subject, never the text of a message.

use crate::oracles::{Outcome, Verdict};
use crate::worlds::sim::Run;
use core::fmt;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fingerprint {
    /// Which promise was broken.
    pub(crate) check: String,
    /// How, in words without names and numbers; for a panic the file and the line.
    pub(crate) place: String,
    /// Whose: nodes or a piece of work, by name.
    pub(crate) subject: String,
}

impl Fingerprint {
    fn of(verdict: &Verdict) -> Option<Self> {
        let Verdict { name, place, subject, outcome: Outcome::Failed(_), .. } = verdict else { return None };
        Some(Self { check: name.clone(), place: place.clone(), subject: subject.clone() })
    }

    /// The first failure of a run, and what was said of it.
    pub(crate) fn of_run(run: &Run) -> Option<(Self, String)> {
        run.verdicts.iter().find_map(|verdict| {
            let Outcome::Failed(how) = &verdict.outcome else { return None };
            Some((Self::of(verdict)?, how.clone()))
        })
    }

    /// Whether the run fails in this way, whatever else it does.
    pub(crate) fn is_shown_by(&self, run: &Run) -> bool {
        run.verdicts.iter().filter_map(Self::of).any(|other| self.is(&other))
    }

    /// A line of source moves whenever something above it is edited, so that the file alone counts.
    fn is(&self, other: &Self) -> bool {
        (&self.check, file(&self.place), &self.subject) == (&other.check, file(&other.place), &other.subject)
    }
}

/// `src/mux/mod.rs` of `src/mux/mod.rs:12`.
fn file(place: &str) -> &str {
    place.rsplit_once(':').filter(|(_, line)| line.parse::<u32>().is_ok()).map_or(place, |(file, _)| file)
}

/// `work-done (started), phone-1 -> hub/echo`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.check)?;
        if !self.place.is_empty() {
            write!(f, " ({})", self.place)?;
        }
        if !self.subject.is_empty() {
            write!(f, ", {}", self.subject)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_file_and_subject_count_and_a_line_does_not() {
        let of = |check: &str, place: &str, subject: &str| Fingerprint {
            check: check.into(),
            place: place.into(),
            subject: subject.into(),
        };
        let panic = of("no-panic", "src/mux/mod.rs:12", "hub");
        assert!(panic.is(&of("no-panic", "src/mux/mod.rs:99", "hub")));
        for other in [
            ("policy", "src/mux/mod.rs:12", "hub"),
            ("no-panic", "src/node.rs:12", "hub"),
            ("no-panic", "src/mux/mod.rs:12", "tv"),
        ] {
            assert!(!panic.is(&of(other.0, other.1, other.2)), "{other:?}");
        }
        assert_eq!(panic.to_string(), "no-panic (src/mux/mod.rs:12), hub");
    }
}
