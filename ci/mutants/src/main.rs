//! Plants protocol bugs in a copy of the sources, and sees which of them the shipped scenarios find.
//!
//! [`mutant`] reads the bugs, [`tree`] plants all of them at once in one copy and builds it, each behind a switch;
//! [`suite`] says what is run, [`child`] runs it, [`score`] counts, [`table`] writes `docs/mutants.md`.

mod args;
mod child;
mod mutant;
mod score;
mod suite;
mod table;
mod tree;

use args::Args;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all that was asked for holds.
fn run(args: &Args) -> Result<bool, String> {
    let root = tree::root()?;
    let harness = mutant::harness(&root)?;
    let mutants = mutant::load(&root)?;
    let planted = tree::plant(&root, &harness, &mutants)?;
    if args.check {
        println!("mutants: all {} fit the sources", mutants.len());
        return Ok(true);
    }
    let program = tree::build(&root, &planted)?;
    let suite = suite::Suite::load(&root, &program)?;
    let lab = score::Lab { root: &root, program: &program, suite: &suite, args };
    let scores = lab.score(&mutants)?;
    let is_whole = args.only.is_empty();
    if is_whole {
        table::write(&root.join("docs/mutants.md"), &suite, args, &scores)?;
    }
    Ok(scores.iter().all(score::Score::is_as_it_should_be))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    }
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
