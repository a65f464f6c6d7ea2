//! `slice`: why a run failed, as the few events that explain it.

use super::start::Start;
use crate::capsule::Fingerprint;
use crate::cli::{Exit, Format, SliceArgs};
use crate::slice::{self, Size, Slice};
use crate::terminal::{Paint, Terminal};
use crate::worlds::SuiteKind;

pub(super) fn slice(args: &SliceArgs, terminal: &Terminal) -> Result<(), Exit> {
    let start = Start::new(&args.failing, SuiteKind::Real, terminal)?;
    let run = start.explained();
    let scenario = &start.candidate.scenario;
    let Some(slice) = Slice::of(scenario, &run, Size::Whole) else {
        terminal.say("this run does not fail: there is nothing to explain");
        return Err(Exit::Nothing);
    };
    if let Some(other) = start.fingerprint.filter(|fingerprint| !fingerprint.is_shown_by(&run)) {
        terminal.say(&format!("{}: the capsule's was {other}", terminal.paint(Paint::Warn, "another failure")));
    }
    match args.format {
        Format::Json => terminal.result(&format!("{:#}\n", slice::json(&slice, scenario, start.seed)))?,
        Format::Human => {
            terminal.say(&head(&slice.fingerprint, start.seed, &scenario.name, terminal));
            terminal.result(&format!("{}\n", slice::text(&slice, scenario, terminal).join("\n")))?;
        }
    }
    Err(Exit::Failed)
}

fn head(fingerprint: &Fingerprint, seed: u64, name: &str, terminal: &Terminal) -> String {
    format!("{}  {name} seed {seed}: {fingerprint}", terminal.paint(Paint::Bold, "why"))
}
