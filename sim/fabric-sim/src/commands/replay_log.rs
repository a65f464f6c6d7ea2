//! `replay` of a node's log: whether the node does the same again.

use crate::cli::{Exit, Format};
use crate::terminal::{Paint, Terminal};
use node_log::{MAGIC, Replayed, Stopped};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The file, if it is a node's log.
pub(super) fn open(path: &Path) -> Option<impl BufRead + use<>> {
    let mut log = BufReader::new(File::open(path).ok()?);
    let is_log = log.fill_buf().is_ok_and(|begin| begin.starts_with(MAGIC));
    is_log.then_some(log)
}

/// Says what came of a replay.
pub(super) fn tell(outcome: &Result<Replayed, Stopped>, format: Format, terminal: &Terminal) -> Result<(), Exit> {
    let (word, detail, exit) = match outcome {
        Ok(Replayed { compared: 0, .. }) => ("nothing", "it holds nothing to compare".to_owned(), Err(Exit::Nothing)),
        Ok(done) => ("same", same(done), Ok(())),
        Err(differs @ Stopped::Differs { .. }) => ("differs", differs.to_string(), Err(Exit::Nondeterminism)),
        Err(unreadable @ Stopped::Unreadable { .. }) => ("unreadable", unreadable.to_string(), Err(Exit::Usage)),
    };
    match format {
        Format::Human => {
            let paint = if exit.is_ok() { Paint::Good } else { Paint::Bad };
            terminal.say(&format!("{}  {detail}", terminal.paint(paint, word)));
        }
        Format::Json => {
            let compared = outcome.as_ref().map_or(Value::Null, |done| json!(done.compared));
            terminal.result(&format!("{:#}\n", json!({ "replayed": word, "detail": detail, "compared": compared })))?;
        }
    }
    exit
}

fn same(done: &Replayed) -> String {
    let Replayed { calls, compared, nanos, is_full, is_cut } = done;
    let end = match (is_full, is_cut) {
        (true, _) => ", and then the log was full",
        (false, true) => ", and then the log is cut",
        (false, false) => "",
    };
    let (seconds, millis) = (nanos / 1_000_000_000, nanos / 1_000_000 % 1_000);
    format!("{calls} calls over {seconds}.{millis:03}s, {compared} results equal to the byte{end}")
}
