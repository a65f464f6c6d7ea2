//! A failure in one file: the resolved scenario, the seed, what chance did to the run, and what failed. Says nothing about
//! where it was found.
//!
//! A capsule is JSON with a version and a checksum, written to a temporary name first, so that it is whole or not there. The
//! scenario in it has the shape of a scenario file and is read by the same reader. See `docs/failures.md`.

mod calm;
mod entry;
mod fingerprint;

pub(crate) use calm::calm;
pub(crate) use entry::{Decided, Named, NamedEntry};
pub(crate) use fingerprint::Fingerprint;

use crate::cli::BUILD;
use crate::nemesis::Limits;
use crate::scenario::{self, Scenario};
use crate::worlds::SuiteKind;
use crate::worlds::sim::Run;
use ::sim::ledger::Ledger;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::rc::Rc;

const FORMAT: &str = "fabric-sim capsule";
const VERSION: u64 = 1;
/// A longer file is not a capsule.
const BYTES_MAX: u64 = 64 << 20;
/// A run that met more misfortunes is told by its seed alone: nobody looks through so many.
const MISFORTUNES_MAX: usize = 100_000;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Capsule {
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) suite: SuiteKind,
    pub(crate) seed: u64,
    pub(crate) limits: Limits,
    pub(crate) fingerprint: Fingerprint,
    /// What was said of the failure, for people.
    pub(crate) detail: String,
    pub(crate) trace_hash: u64,
    /// What replaces the seed's decisions: part of what the run is.
    pub(crate) overrides: Vec<NamedEntry>,
    /// What chance did to the run, by which a replay can do it again after the code has changed.
    pub(crate) misfortunes: Vec<NamedEntry>,
    /// The build that wrote it.
    pub(crate) build: String,
}

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is no whole capsule of this version.
    Unreadable(String),
    /// It is one, of a scenario that this build does not understand as the one that wrote it did.
    NotApplicable(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    version: u64,
    build: String,
    suite: String,
    seed: u64,
    scenario_hash: String,
    trace_hash: String,
    fingerprint: Fingerprint,
    detail: String,
    scenario: Value,
    limits: Limits,
    overrides: Vec<NamedEntry>,
    misfortunes: Vec<NamedEntry>,
}

impl Capsule {
    /// The capsule of a run that failed, which recorded what chance decided; `None` if it did not fail.
    pub(crate) fn of(
        scenario: &Rc<Scenario>,
        seed: u64,
        suite: SuiteKind,
        limits: &Limits,
        overrides: Vec<NamedEntry>,
        run: &Run,
    ) -> Option<Self> {
        let (fingerprint, detail) = Fingerprint::of_run(run)?;
        let mut misfortunes = misfortunes(run, scenario);
        if misfortunes.len() > MISFORTUNES_MAX {
            misfortunes.clear();
        }
        // One run has no swarm: what it drew is in the scenario.
        let scenario = Scenario { swarm: std::collections::BTreeMap::new(), ..Scenario::clone(scenario) };
        Some(Self {
            scenario: Rc::new(scenario),
            suite,
            seed,
            limits: limits.clone(),
            fingerprint,
            detail,
            trace_hash: run.trace_hash,
            overrides,
            misfortunes,
            build: BUILD.to_owned(),
        })
    }

    /// The ledger that replaces the seed's decisions.
    pub(crate) fn ledger(&self) -> Ledger {
        overriding(&self.overrides, &self.scenario)
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let written = Written {
            format: FORMAT.to_owned(),
            version: VERSION,
            build: self.build.clone(),
            suite: self.suite.to_string(),
            seed: self.seed,
            scenario_hash: self.scenario.hash(),
            trace_hash: format!("{:016x}", self.trace_hash),
            fingerprint: self.fingerprint.clone(),
            detail: self.detail.clone(),
            scenario: scenario::to_json(&self.scenario),
            limits: self.limits.clone(),
            overrides: self.overrides.clone(),
            misfortunes: self.misfortunes.clone(),
        };
        let mut value = serde_json::to_value(written)?;
        let sum = checksum(&value);
        if let Value::Object(map) = &mut value {
            map.insert("checksum".to_owned(), sum.into());
        }
        write_whole(path, &format!("{value:#}\n"))
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Refused> {
        let refuse = |why: String| Refused::Unreadable(format!("`{}` {why}", path.display()));
        let text = text(path).map_err(refuse)?;
        Self::parse(&text).map_err(|refused| match refused {
            Refused::Unreadable(why) => refuse(why),
            Refused::NotApplicable(why) => Refused::NotApplicable(why),
        })
    }

    fn parse(text: &str) -> Result<Self, Refused> {
        let written = checked(text).map_err(Refused::Unreadable)?;
        let scenario = scenario::from_json(&written.scenario.to_string()).map_err(|invalid| {
            Refused::NotApplicable(format!("this build does not load its scenario: {}", invalid.first()))
        })?;
        if scenario.hash() != written.scenario_hash {
            let why = "its scenario means something else to this build, or is not the one that it was made from";
            return Err(Refused::NotApplicable(why.to_owned()));
        }
        let damaged = |what: &str| Refused::Unreadable(format!("has {what}"));
        let suite = match written.suite.as_str() {
            "real" => SuiteKind::Real,
            "model" => SuiteKind::Model,
            _ => return Err(damaged("an unknown suite")),
        };
        let trace_hash = u64::from_str_radix(&written.trace_hash, 16).map_err(|_| damaged("no trace hash"))?;
        let Written { seed, limits, fingerprint, detail, overrides, misfortunes, build, .. } = written;
        let entries = overrides.iter().chain(&misfortunes);
        if entries.map(|entry| entry.entry(&scenario)).any(|entry| entry.is_none()) {
            return Err(damaged("a ledger that is not its scenario's"));
        }
        if let Some(unknown) = limits.unknown() {
            return Err(Refused::NotApplicable(format!("this build has no limit called `{unknown}`")));
        }
        let scenario = Rc::new(scenario);
        Ok(Self { scenario, suite, seed, limits, fingerprint, detail, trace_hash, overrides, misfortunes, build })
    }
}

/// The ledger that has these entries; those of nodes that are gone go too.
pub(crate) fn overriding(entries: &[NamedEntry], scenario: &Scenario) -> Ledger {
    let entries = entries.iter().filter_map(|entry| entry.entry(scenario));
    Ledger::overriding(entries.map(|entry| (entry.address, entry.decision)))
}

/// What chance did to a run that recorded it.
pub(crate) fn misfortunes(run: &Run, scenario: &Scenario) -> Vec<NamedEntry> {
    let decisions = run.decisions.iter().filter(|entry| entry.decision.is_misfortune());
    decisions.map(|entry| NamedEntry::of(entry, scenario)).collect()
}

/// Writes `text` by [`write_by`].
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    write_by(path, |file| file.write_all(text.as_bytes()))
}

/// Writes to a temporary name first, so that the file is whole or not there.
pub(crate) fn write_by(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let mut file = BufWriter::new(File::create(&temporary)?);
    write(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
    fs::rename(&temporary, path)
}

/// A bounded, regular file of text.
fn text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let meta = fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err("is not a regular file".into());
    }
    if meta.len() > BYTES_MAX {
        return Err("is longer than 64 MiB".into());
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    read.map_err(unreadable)?;
    Ok(text)
}

/// The SHA-256 of the value without its checksum, in the one form that it has without white space.
fn checksum(value: &Value) -> String {
    let mut value = value.clone();
    if let Value::Object(map) = &mut value {
        map.shift_remove("checksum");
    }
    let digest = Sha256::digest(value.to_string());
    digest
        .chunks(8)
        .map(|bytes| format!("{:016x}", bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))))
        .collect::<Vec<_>>()
        .concat()
}

/// Whole, of this version, and unchanged since it was written.
fn checked(text: &str) -> Result<Written, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        if error.is_eof() { "is cut short".to_owned() } else { format!("is not a capsule: {error}") }
    })?;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err("is not a capsule: it does not say that it is one".into());
    }
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => return Err(format!("is a capsule of version {other}; this program reads version {VERSION}")),
        None => return Err("is a capsule without a version".into()),
    }
    if value.get("checksum").and_then(Value::as_str) != Some(&checksum(&value)) {
        return Err("is damaged: its checksum is not that of its contents".into());
    }
    let mut value = value;
    if let Value::Object(map) = &mut value {
        map.shift_remove("checksum");
    }
    serde_json::from_value(value).map_err(|error| format!("is not a capsule: {error}"))
}

/// Whether the file says that it is a capsule, whole or not.
pub(crate) fn is_one(path: &Path) -> bool {
    text(path).is_ok_and(|text| text.contains(FORMAT))
}

#[cfg(test)]
mod tests;
