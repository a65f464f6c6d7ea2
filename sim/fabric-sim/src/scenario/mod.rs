//! Scenarios: from a file, what it includes and the arguments over it, to plain data with everything settled.
//!
//! Text becomes a tree that knows its places ([`tree`], [`json`]); files and arguments are laid over one another
//! ([`mod@include`]); the tree becomes plain structs ([`mod@file`]); names, counts and defaults are settled ([`resolve`]). Every
//! step collects all that is wrong ([`problem`]). Runs nothing.

mod file;
mod include;
mod json;
mod problem;
mod read;
mod resolve;
pub(crate) mod resolved;
mod source;
mod swarm;
mod tree;
pub(crate) mod units;
mod write;

pub(crate) use problem::Style;
pub(crate) use resolve::{MESSAGE_DEFAULT, lacks};
pub(crate) use resolved::Scenario;
pub(crate) use source::read as read_text;
pub(crate) use write::{json as to_json, toml as to_toml};

use problem::Problems;
use source::Sources;
use std::path::Path;

/// Why a scenario does not load: everything that is wrong with it.
#[derive(Debug)]
pub(crate) struct Invalid {
    sources: Sources,
    problems: Problems,
}

impl Invalid {
    /// Shows every problem at its place.
    pub(crate) fn render(self, style: Style) -> String {
        self.problems.render(&self.sources, style)
    }

    /// The first thing that is wrong, and where, in one line.
    pub(crate) fn first(&self) -> String {
        self.problems.first().map(|problem| problem.line(&self.sources)).unwrap_or_default()
    }

    /// How many things are wrong.
    pub(crate) const fn count(&self) -> usize {
        self.problems.len()
    }
}

/// A scenario together with all that it was made from, so that a swarm can draw others from it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) scenario: Scenario,
    table: tree::Table,
    span: source::Span,
    sources: Sources,
}

impl Loaded {
    /// The scenario with what `seed` draws for each key of `[swarm]`, and those keys with their values.
    pub(crate) fn draw(&self, seed: u64) -> Result<(Scenario, Vec<(String, String)>), Invalid> {
        swarm::draw(&swarm::Trial { table: &self.table, span: self.span, sources: &self.sources }, seed)
    }

    /// What is asked for does not fit the scenario: why, and how to mend that.
    pub(crate) fn refuse(&self, why: &str, fix: &str) -> Invalid {
        let mut problems = Problems::default();
        problems.nowhere(format!("{}: {why}", self.scenario.name)).fix(fix);
        Invalid { sources: self.sources.clone(), problems }
    }
}

/// Loads the scenario at `path`, with arguments `KEY=VALUE` that override it.
pub(crate) fn load(path: &Path, overrides: &[String]) -> Result<Scenario, Invalid> {
    open(path, overrides).map(|loaded| loaded.scenario)
}

/// Like [`load`], and keeps what a swarm needs.
pub(crate) fn open(path: &Path, overrides: &[String]) -> Result<Loaded, Invalid> {
    let (mut sources, mut problems) = (Sources::default(), Problems::default());
    match settle(path, overrides, &mut sources, &mut problems) {
        Some((scenario, table, span)) if problems.is_empty() => Ok(Loaded { scenario, table, span, sources }),
        _ => Err(Invalid { sources, problems }),
    }
}

/// Reads a scenario that [`to_json`] has written, or one of that shape: it includes nothing.
pub(crate) fn from_json(text: &str) -> Result<Scenario, Invalid> {
    from_text(text, json::parse)
}

/// Reads a scenario file's text that includes nothing: there is no place that its paths could start from.
pub(crate) fn from_toml(text: &str) -> Result<Scenario, Invalid> {
    from_text(text, tree::parse)
}

fn from_text(
    text: &str,
    parse: impl Fn(&str, source::Span, &mut Problems) -> Option<tree::Table>,
) -> Result<Scenario, Invalid> {
    let (mut sources, mut problems) = (Sources::default(), Problems::default());
    let span = sources.add("scenario".into(), text.to_owned());
    sources.rank(span);
    let scenario = parse(text, span, &mut problems)
        .and_then(|table| include::whole(table, span, &mut problems))
        .and_then(|file| resolve::resolve(&file, &sources, &mut problems));
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => Err(Invalid { sources, problems }),
    }
}

type Settled = (Scenario, tree::Table, source::Span);

fn settle(path: &Path, overrides: &[String], sources: &mut Sources, problems: &mut Problems) -> Option<Settled> {
    let (mut table, span) = include::load(path, sources, problems)?;
    if let Some(entry) = table.get("regression_of") {
        let problem = problems.at(entry.key, "this file is no scenario: it names seeds of one", "of this one");
        problem.fix("a sweep of that scenario runs them first");
        return None;
    }
    for text in overrides {
        if let Some(over) = include::argument(text, sources, problems) {
            tree::merge(&mut table, over, tree::Merge::Override);
        }
    }
    let file = include::whole(table.clone(), span, problems)?;
    let mut scenario = resolve::resolve(&file, sources, problems)?;
    // What does not load as it is says nothing about what a sweep would make of it.
    if problems.is_empty() {
        scenario.swarm = swarm::check(&file, &swarm::Trial { table: &table, span, sources }, problems);
    }
    Some((scenario, table, span))
}

/// The JSON Schema of scenario files, for editors.
pub(crate) fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(file::File).to_value();
    drop_null(&mut schema);
    schema
}

/// TOML has no null: what may be left out is just left out.
fn drop_null(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(map) => {
            if let Some(types) = map.get_mut("type").and_then(serde_json::Value::as_array_mut) {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            if let Some(any) = map.get_mut("anyOf").and_then(serde_json::Value::as_array_mut) {
                any.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
            }
            map.values_mut().for_each(drop_null);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU32, Ordering};
    use proptest::prelude::*;

    const FLAKY_HUB: &str = include_str!("../../../../scenarios/flaky-hub.toml");

    /// Loads `text` as a file whose name ends so would be.
    fn load_text(name: &str, text: &str) -> Result<Scenario, String> {
        static FILES: AtomicU32 = AtomicU32::new(0); // tests run side by side
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fabric-sim-{}-{number}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let loaded = load(&path, &[]).map_err(|invalid| invalid.render(Style { colour: false, width: 100 }));
        std::fs::remove_file(&path).unwrap();
        loaded
    }

    proptest! {
        #[test]
        fn a_file_with_anything_in_it_loads_or_is_refused_with_a_reason(
            at in 0_usize..FLAKY_HUB.len(), length in 0_usize..40,
            patch in prop_oneof![
                Just(String::new()), "[\\[\\]{}=,.\"\n#*<>/a-z0-9% -]{1,12}", Just("0".to_owned()), Just("\"*\"".to_owned()),
                Just("99999999999".to_owned()), Just("-1".to_owned()), Just("\u{fffd}".to_owned()),
            ],
        ) {
            let (from, to) = (FLAKY_HUB.floor_char_boundary(at), FLAKY_HUB.floor_char_boundary(at + length));
            let text = format!("{}{patch}{}", &FLAKY_HUB[..from], &FLAKY_HUB[to..]);
            if let Err(reason) = load_text("patched.toml", &text) {
                prop_assert!(reason.starts_with("error: "), "{reason}");
            }
        }
    }

    /// Written and read back, a scenario is the same, swarm apart.
    #[track_caller]
    fn survives(scenario: &Scenario) {
        let plain = Scenario { swarm: std::collections::BTreeMap::new(), ..scenario.clone() };
        let from_json = from_json(&to_json(scenario).to_string()).unwrap();
        let from_toml = load_text("written.toml", &to_toml(scenario)).unwrap();
        assert_eq!((from_json.hash(), from_toml.hash()), (plain.hash(), plain.hash()), "{}", to_toml(scenario));
    }

    #[test]
    fn every_scenario_survives_being_written() {
        for file in std::fs::read_dir("../../scenarios").unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "toml") && !file.ends_with("clippy.toml") {
                // All of the largest would take half a minute, and its sites are alike.
                let smaller = file.ends_with("fleet-10000.toml").then(|| "sites.shop.count=3".to_owned());
                survives(&load(&file, smaller.as_slice()).unwrap());
            }
        }
    }

    #[test]
    fn every_key_and_every_fault_survives_being_written() {
        let text = include_str!("../../tests/scenarios/everything.toml");
        let scenario = load_text("everything.toml", text).unwrap();
        survives(&scenario);
        insta::assert_snapshot!(to_toml(&scenario));
    }

    #[test]
    fn what_a_nemesis_draws_survives_being_written() {
        let loaded = open(Path::new("../../scenarios/flaky-hub.toml"), &[]).unwrap();
        for seed in 0..50 {
            let mode = crate::nemesis::Mode { swarm: false, nemesis: Some(crate::nemesis::Profile::Hostile) };
            let mut scenario = Scenario::clone(&crate::nemesis::draw(&loaded, mode, seed).unwrap().scenario);
            // What happens at once does not last, whatever was drawn.
            for fault in &mut scenario.faults {
                if matches!(fault.what, resolved::What::ClockJump(..) | resolved::What::Reset(..)) {
                    fault.lasts = None;
                }
            }
            survives(&scenario);
        }
    }

    #[test]
    fn nodes_hear_who_shares_a_site_with_them_and_links_join_no_others() {
        let scenario = load(Path::new("../../scenarios/two-homes.toml"), &[]).unwrap();
        let heard = |me: &str| {
            let me = &scenario.nodes.iter().find(|node| node.name == me).unwrap();
            let others = scenario.nodes.iter().filter(|node| node.name != me.name && me.meets(node));
            others.map(|node| node.name.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(heard("home-1-phone-1"), "courier home-1-hub home-1-phone-2");
        assert_eq!(heard("courier").split(' ').count(), 6);
        let ends = |(from, to): &(u32, u32)| scenario.nodes[*from as usize].meets(&scenario.nodes[*to as usize]);
        assert!(scenario.links.len() == 8 && scenario.links.keys().all(ends), "a hub and two phones in each");
        let hub = &scenario.nodes[2];
        assert_eq!((hub.name.as_str(), hub.sites.as_deref()), ("home-1-phone-1", Some([0].as_slice())));
    }

    #[test]
    fn an_entry_for_a_link_overrides_earlier_ones_key_by_key() {
        let text = format!("{FLAKY_HUB}\n[links.\"hub -> phone-2\"]\nloss = \"7%\"\n");
        let scenario = load_text("links.toml", &text).unwrap();
        let node = |name: &str| scenario.nodes.iter().position(|node| node.name == name).unwrap() as u32;
        let (down, up) =
            (scenario.links[&(node("hub"), node("phone-2"))], scenario.links[&(node("phone-2"), node("hub"))]);
        assert_eq!((down.loss.to_string(), up.loss.to_string()), ("7%".into(), "5%".into()));
        assert_eq!((down.delay, down.rate, down.mtu), (up.delay, up.rate, 1_400));
        assert!(!scenario.links.contains_key(&(node("hub"), node("phone-1"))), "the default is not repeated");
    }
}
