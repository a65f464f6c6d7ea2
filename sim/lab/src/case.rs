//! A failing run as a file: a seed, what is left of what went wrong, and what failed.

use crate::cli::Lab;
use serde::{Deserialize, Serialize};
use sim::ledger::NamedEntry;
use sim::workload::{Case, Outcome, Workload};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

const FORMAT: &str = "sim-lab case";
const VERSION: u64 = 1;
/// A longer file is not one of ours.
const BYTES_MAX: u64 = 64 << 20;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    format: String,
    version: u64,
    workload: String,
    pub(crate) plant: Option<String>,
    pub(crate) seed: u64,
    /// Places in the plan of the seed; null for all.
    pub(crate) faults: Option<Vec<usize>>,
    /// All that chance did; null for what the seed does.
    pub(crate) misfortunes: Option<Vec<NamedEntry>>,
    pub(crate) check: String,
    pub(crate) detail: String,
    /// 16 hex digits.
    pub(crate) trace_hash: String,
}

impl Written {
    /// The case whose `outcome` broke a promise; `None` when it did not.
    pub(crate) fn of(lab: &Lab, plant: Option<&str>, case: &Case, outcome: &Outcome) -> Option<Self> {
        let broken = outcome.verdict.as_ref().err()?;
        let named = |entry| NamedEntry::of(entry, &outcome.names[..]);
        Some(Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            workload: lab.name.to_owned(),
            plant: plant.map(str::to_owned),
            seed: case.seed,
            faults: case.faults.clone(),
            misfortunes: case.misfortunes.as_ref().map(|all| all.iter().map(named).collect()),
            check: broken.check.clone(),
            detail: broken.detail.clone(),
            trace_hash: format!("{:016x}", outcome.trace_hash),
        })
    }

    /// Writes to a temporary name first, so that the file is whole or not there.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_whole(path, &(text + "\n"))
    }

    /// Reads and checks a file. The error is for people.
    pub(crate) fn read(lab: &Lab, path: &Path) -> Result<Self, String> {
        let wrong = |why: String| format!("`{}` {why}", path.display());
        let mut text = String::new();
        let file = File::open(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(wrong("is longer than 64 MiB: `shrink` writes no such file".into()));
        }
        let written: Self = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("is not a case, which `shrink` and `run --out` write: {error}")))?;
        if (written.format.as_str(), written.version) != (FORMAT, VERSION) {
            let (format, version) = (&written.format, written.version);
            return Err(wrong(format!(
                "is a `{format}` of version {version}; this program reads `{FORMAT}`, {VERSION}"
            )));
        }
        if written.workload != lab.name {
            return Err(wrong(format!("is of `{}`; this program runs `{}`", written.workload, lab.name)));
        }
        if let Some(plant) = written.plant.as_ref().filter(|plant| lab.plants.iter().all(|(name, _)| name != plant)) {
            return Err(wrong(format!("plants `{plant}`, which this program does not know")));
        }
        Ok(written)
    }

    /// The case, for a workload that has its nodes and faults. The error is for people.
    pub(crate) fn case(&self, workload: &impl Workload) -> Result<Case, String> {
        let config = workload.config(self.seed);
        let mut names: Vec<_> = config.nodes.iter().map(|node| node.name.clone()).collect();
        names.sort_unstable();
        let no_fault = |place: &&usize| **place >= config.plan.len();
        if let Some(place) = self.faults.iter().flatten().find(no_fault) {
            return Err(format!(
                "its seed plans {} faults and none of number {place}: the workload has changed",
                config.plan.len()
            ));
        }
        let entry = |entry: &NamedEntry| {
            entry
                .entry(&names[..])
                .ok_or_else(|| format!("a misfortune names nodes that are not there: {:?}", entry.what))
        };
        let misfortunes = self.misfortunes.as_ref().map(|all| all.iter().map(entry).collect::<Result<Vec<_>, _>>());
        Ok(Case { seed: self.seed, faults: self.faults.clone(), misfortunes: misfortunes.transpose()? })
    }
}

/// Writes to a temporary name first, so that the file is whole or not there.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    fs::rename(&temporary, path)
}
