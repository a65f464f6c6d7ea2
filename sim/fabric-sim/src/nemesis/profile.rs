//! How much goes wrong: [`Profile`]; and what is drawn at all: [`Mode`].

use clap::ValueEnum;
use core::fmt;

/// How hard a nemesis strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Profile {
    /// A good network on a bad day: few kinds of fault, short and mild
    Calm,
    /// Every third kind of fault, as bad as devices meet in the field
    Rough,
    /// Every second kind of fault, many of each, and limits at their least
    Hostile,
}

/// The numbers behind a profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strength {
    /// A kind of fault, or a limit, is on in one seed of so many.
    pub(super) one_in: u64,
    /// Most faults of one kind.
    pub(super) faults_max: u64,
    /// Most percent of packets that meet one misfortune.
    pub(super) percent_max: u64,
    /// Most milliseconds that a link takes.
    pub(super) delay_millis_max: u64,
    /// The longest single fault, in milliseconds.
    pub(super) lasts_millis_max: u64,
    /// How much a clock leaps at most, in milliseconds.
    pub(super) jump_millis_max: u64,
    /// How fast or slow a clock runs at most, in parts per billion.
    pub(super) skew_max: u64,
}

impl Profile {
    pub(super) const fn strength(self) -> Strength {
        match self {
            Self::Calm => Strength {
                one_in: 8,
                faults_max: 1,
                percent_max: 3,
                delay_millis_max: 50,
                lasts_millis_max: 2_000,
                jump_millis_max: 1_000,
                skew_max: 50_000,
            },
            Self::Rough => Strength {
                one_in: 3,
                faults_max: 3,
                percent_max: 25,
                delay_millis_max: 200,
                lasts_millis_max: 10_000,
                jump_millis_max: 60_000,
                skew_max: 1_000_000,
            },
            Self::Hostile => Strength {
                one_in: 2,
                faults_max: 6,
                percent_max: 70,
                delay_millis_max: 1_000,
                lasts_millis_max: 30_000,
                jump_millis_max: 3_600_000,
                skew_max: 100_000_000,
            },
        }
    }
}

/// What of a run is drawn from its seed, apart from what chance decides while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mode {
    /// The keys of `[swarm]`.
    pub(crate) swarm: bool,
    pub(crate) nemesis: Option<Profile>,
}

impl Mode {
    /// The mode that [`Mode`]'s text is; plain if it is none.
    pub(crate) fn named(text: &str) -> Self {
        let nemesis = text.split('+').find_map(|part| Profile::from_str(part, false).ok());
        Self { swarm: text.split('+').any(|part| part == "swarm"), nemesis }
    }

    /// The arguments that ask for it.
    pub(crate) fn arguments(self) -> Vec<String> {
        let nemesis = self.nemesis.map(|profile| format!("--nemesis {profile}"));
        self.swarm.then(|| "--swarm".to_owned()).into_iter().chain(nemesis).collect()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calm => "calm",
            Self::Rough => "rough",
            Self::Hostile => "hostile",
        })
    }
}

/// `plain`, `swarm`, `rough`, `swarm+rough`: part of what names a run in results.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.swarm, self.nemesis) {
            (false, None) => f.write_str("plain"),
            (true, None) => f.write_str("swarm"),
            (false, Some(profile)) => profile.fmt(f),
            (true, Some(profile)) => write!(f, "swarm+{profile}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_its_text() {
        for nemesis in [None, Some(Profile::Calm), Some(Profile::Rough), Some(Profile::Hostile)] {
            for swarm in [false, true] {
                let mode = Mode { swarm, nemesis };
                assert_eq!(Mode::named(&mode.to_string()), mode);
            }
        }
    }
}
