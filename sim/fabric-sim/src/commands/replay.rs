//! `replay`: a capsule again, and what became of its failure.

use crate::capsule::{Capsule, Refused};
use crate::cli::{BUILD, Exit, Format, ReplayArgs};
use crate::replay::{Replayed, replay as run};
use crate::terminal::{Paint, Terminal};
use crate::worlds::play_with;
use serde_json::json;

pub(super) fn replay(args: &ReplayArgs, terminal: &Terminal) -> Result<(), Exit> {
    if let Some(log) = super::replay_log::open(&args.capsule) {
        return super::replay_log::tell(&node_log::replay(log), args.format, terminal);
    }
    if let Some(log) = super::replay_guest::open(&args.capsule) {
        return super::replay_log::tell(&super::replay_guest::replay(log), args.format, terminal);
    }
    let replayed = match Capsule::read(&args.capsule) {
        Ok(capsule) => {
            terminal.say(&head(&capsule));
            run(&capsule, &|scenario, limits, ledger| play_with(scenario, limits, capsule.seed, capsule.suite, ledger))
        }
        Err(Refused::NotApplicable(why)) => Replayed::NotApplicable(why),
        Err(Refused::Unreadable(why)) => {
            terminal.say(&format!("error: {why}"));
            return Err(Exit::Usage);
        }
    };
    let (word, detail) = said(&replayed);
    match args.format {
        Format::Human => terminal.say(&format!("{}  {detail}", terminal.paint(paint(&replayed), word))),
        Format::Json => terminal.result(&format!("{:#}\n", json!({ "replayed": word, "detail": detail })))?,
    }
    match replayed {
        Replayed::Gone => Ok(()),
        Replayed::NotApplicable(_) => Err(Exit::Nothing),
        _ => Err(Exit::Failed),
    }
}

fn head(capsule: &Capsule) -> String {
    let build = if capsule.build == BUILD { "this build".to_owned() } else { format!("build {}", capsule.build) };
    let Capsule { scenario, seed, fingerprint, detail, .. } = capsule;
    format!("capsule   {} seed {seed}, by {build}\nfailure   {fingerprint}: {detail}", scenario.name)
}

fn said(replayed: &Replayed) -> (&'static str, String) {
    match replayed {
        Replayed::Same { identical: true } => ("same", "the same run to the last event".into()),
        Replayed::Same { identical: false } => ("same", "the run has changed, and fails as it did".into()),
        Replayed::Realigned { placed, of } => {
            ("same", format!("it fails as it did once {placed} of {of} misfortunes are put where they struck"))
        }
        Replayed::Moved(fingerprint, how) => ("moved", format!("now it fails {fingerprint}: {how}")),
        Replayed::Gone => ("gone", "nothing fails any more".into()),
        Replayed::NotApplicable(why) => ("not-applicable", why.clone()),
    }
}

const fn paint(replayed: &Replayed) -> Paint {
    match replayed {
        Replayed::Gone => Paint::Good,
        Replayed::NotApplicable(_) => Paint::Warn,
        _ => Paint::Bad,
    }
}
