//! `report`: a run or a sweep as a page to look at.

use crate::capsule::write_whole;
use crate::cli::{Exit, ReportArgs};
use crate::page::{self, Window};
use crate::terminal::Terminal;

pub(super) fn report(args: &ReportArgs, terminal: &Terminal) -> Result<(), Exit> {
    let wrong = |exit| {
        move |error: String| {
            terminal.say(&format!("error: {error}"));
            exit
        }
    };
    let results = args.path.join("results.jsonl");
    let results = if args.path.is_file() { Some(args.path.clone()) } else { results.is_file().then_some(results) };
    let page = match &results {
        Some(results) => page::of_sweep(results),
        None => page::of_run(&args.path, Window { from: args.from, until: args.until }),
    };
    let page = page.map_err(wrong(Exit::Usage))?;
    let beside = || if args.path.is_file() { args.path.with_extension("html") } else { args.path.join("report.html") };
    let out = args.out.clone().unwrap_or_else(beside);
    let unwritten = |error| format!("`{}` cannot be written: {error}", out.display());
    write_whole(&out, &page).map_err(unwritten).map_err(wrong(Exit::Internal))?;
    terminal.say(&format!("wrote {}: open it in a browser", out.display()));
    Ok(())
}
