//! The equal parts that the seeds of a sweep are cut into, and which of them are together.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Of those that are missing, so many are named.
const NAMED_MAX: usize = 8;

/// One part of a sweep: the seeds that leave `rest` when they are divided by `of`. Written from 1 on: `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Shard {
    pub(crate) of: u64,
    pub(crate) rest: u64,
}

impl Shard {
    /// All seeds.
    pub(crate) const WHOLE: Self = Self { of: 1, rest: 0 };
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
        match parsed {
            Some((k, n)) if (1..=n).contains(&k) && u32::try_from(n).is_ok() => Ok(Self { of: n, rest: k - 1 }),
            _ => Err("write k/n with k from 1 to n: 2/8".into()),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.rest + 1, self.of)
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The shards whose results are in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Shards(BTreeSet<Shard>);

impl Shards {
    pub(crate) fn one(shard: Shard) -> Self {
        Self(BTreeSet::from([shard]))
    }

    /// The shards of several files, and what they lack. All shards of a sweep are the whole of it.
    pub(crate) fn together(files: impl IntoIterator<Item = Self>) -> (Self, Option<Missing>) {
        let all = Self(files.into_iter().flat_map(|shards| shards.0).collect());
        match all.missing() {
            None => (Self::one(Shard::WHOLE), None),
            missing => (all, missing),
        }
    }

    /// Whether no other shard can hold more.
    pub(crate) fn is_whole(&self) -> bool {
        *self == Self::one(Shard::WHOLE)
    }

    /// What lacks to the whole of each sweep of which there is a shard.
    pub(crate) fn missing(&self) -> Option<Missing> {
        let mut there: BTreeMap<u64, u64> = BTreeMap::new();
        for shard in &self.0 {
            *there.entry(shard.of).or_default() += 1;
        }
        let lacking = there.keys().flat_map(|of| (0..*of).map(|rest| Shard { of: *of, rest }));
        let named: Vec<_> = lacking.filter(|shard| !self.0.contains(shard)).take(NAMED_MAX).collect();
        let all: u64 = there.iter().map(|(of, there)| of - there).sum();
        (!named.is_empty()).then(|| Missing { more: all - named.len() as u64, named })
    }
}

/// Shards that are not there. Shown as `2/8, 5/8 and 3 more`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    named: Vec<Shard>,
    more: u64,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.named.iter().map(ToString::to_string).collect();
        f.write_str(&named.join(", "))?;
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(all: &[&str]) -> (Shards, Option<String>) {
        let (shards, missing) = Shards::together(all.iter().map(|shard| Shards::one(shard.parse().unwrap())));
        (shards, missing.map(|missing| missing.to_string()))
    }

    fn missing(all: &[&str]) -> Option<String> {
        together(all).1
    }

    #[test]
    fn a_shard_is_written_from_one_on() {
        assert_eq!(("1/1".parse(), "2/8".parse()), (Ok(Shard::WHOLE), Ok(Shard { of: 8, rest: 1 })));
        for wrong in ["", "0/1", "2/1", "1/0", "1", "a/b", "1/99999999999"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        let all = together(&["3/3", "1/3"]).0;
        let written = serde_json::to_string(&all).unwrap();
        assert_eq!((written.as_str(), serde_json::from_str::<Shards>(&written).unwrap()), (r#"["1/3","3/3"]"#, all));
        assert!(serde_json::from_str::<Shards>(r#"["4/3"]"#).is_err());
    }

    #[test]
    fn all_shards_are_the_whole_and_what_lacks_is_named() {
        let (all, nothing) = together(&["2/3", "1/3", "3/3", "1/3"]);
        assert!(all.is_whole() && nothing.is_none());
        assert_eq!((missing(&["1/1"]), missing(&["1/1", "2/2"]).as_deref()), (None, Some("1/2")));
        assert_eq!(missing(&["4/4", "2/4", "1/2"]).as_deref(), Some("2/2, 1/4, 3/4"));
        assert_eq!(
            missing(&["2/100"]).as_deref(),
            Some("1/100, 3/100, 4/100, 5/100, 6/100, 7/100, 8/100, 9/100 and 91 more")
        );
    }
}
