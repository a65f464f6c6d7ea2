//! `check`: loads scenarios and says what is wrong with them, all files and all problems.

use crate::cli::{CheckArgs, Exit};
use crate::oracles::count;
use crate::scenario::{self, Scenario};
use crate::terminal::{Paint, Terminal};

pub(super) fn check(args: &CheckArgs, terminal: &Terminal) -> Result<(), Exit> {
    let width = args.files.iter().map(|file| file.display().to_string().len()).max().unwrap_or_default();
    let mut all_good = true;
    for file in &args.files {
        match scenario::load(file, &args.overrides) {
            Ok(loaded) => {
                let line = format!("{:width$}  {}\n", file.display().to_string(), facts(&loaded));
                terminal.result(&line)?;
            }
            Err(invalid) => {
                all_good = false;
                let problems = count(invalid.count() as u64, "problem");
                let text = invalid.render(terminal.style());
                terminal.say(text.trim_end());
                let verdict = format!("{} does not load: {problems}", file.display());
                terminal.say(&format!("\n{}", terminal.paint(Paint::Bad, &verdict)));
            }
        }
    }
    if all_good { Ok(()) } else { Err(Exit::Usage) }
}

fn facts(scenario: &Scenario) -> String {
    let nodes = count(scenario.nodes.len() as u64, "node");
    let faults = count(scenario.faults.len() as u64, "fault");
    format!("ok  {}  {nodes}, {} work, {faults}, {}", scenario.hash(), scenario.work.len(), scenario.stop_at)
}
