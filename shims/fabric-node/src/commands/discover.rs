//! `discover`: who announces itself. A live table on a terminal, else a line for each change.

use super::running::{Running, identity, start, trusted};
use crate::app::Purpose;
use crate::cli::{DiscoverArgs, Format};
use crate::exit::{Exit, Failure};
use crate::output::{Interest, Output, result};
use fabric::discovery::Claim;
use machine::Instant;
use node_log::Settings;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant as Wall};

/// The ages in the table are seconds.
const REDRAWN_EVERY: Duration = Duration::from_secs(1);
/// However much is announced.
const REDRAWN_AFTER: Duration = Duration::from_millis(200);

pub(crate) fn discover(args: &DiscoverArgs, format: Format) -> Result<(), Failure> {
    if args.node.no_discovery {
        return Err(Failure::usage("--no-discovery leaves nothing to discover"));
    }
    let is_table = format == Format::Human && io::stdout().is_terminal();
    let mut output = Output::new(format, if is_table { Interest::Table } else { Interest::Devices });
    let trusted = trusted(&args.node)?.devices().collect();
    let settings = Settings { trusted, ..Settings::default() };
    let purpose = Purpose { tells_all: true, ..Purpose::default() };
    let mut running = start(&args.node, &identity(&args.node)?, settings, purpose, None)?;
    if output.event(&running.listening()).is_err() {
        return Ok(()); // nobody reads
    }
    let has_found = listen(&mut running, &mut output, args.span, is_table)?;
    if has_found {
        return Ok(());
    }
    Err(Failure::new(Exit::Unreached, "nobody announced itself")
        .help("a device does so at its start and every ten seconds; `fabric-node doctor` looks at this side"))
}

/// Whether anybody was there, at the end or before.
fn listen(
    running: &mut Running,
    output: &mut Output,
    span: Option<machine::Duration>,
    is_table: bool,
) -> Result<bool, Failure> {
    let until = span.map(|span| Wall::now() + Duration::from_nanos(span.as_nanos()));
    let (mut lines, mut drawn_at) = (0, None);
    let (mut has_found, mut is_over) = (false, false);
    loop {
        let left = until.map(|until| until.saturating_duration_since(Wall::now()));
        if left == Some(Duration::ZERO) && !std::mem::replace(&mut is_over, true) {
            running.stop();
        }
        let wait = left.filter(|left| !left.is_zero()).into_iter().chain([REDRAWN_EVERY]).min();
        if running.turn(output, wait)?.is_break() {
            return Ok(has_found);
        }
        let table = table(running);
        has_found |= table.len() > 1;
        if is_table && !is_over && drawn_at.is_none_or(|at: Wall| at.elapsed() >= REDRAWN_AFTER) {
            draw(&table, &mut lines);
            drawn_at = Some(Wall::now());
        }
    }
}

/// A heading and a line for each device.
fn table(running: &Running) -> Vec<String> {
    let node = running.app().node();
    let age = |heard: Instant| running.now().saturating_since(heard).as_millis() / 1_000;
    let heading = format!("{:<64}  {:<21}  {:<8}  {:>5}  services", "device", "address", "claim", "heard");
    let line = |device: fabric::identity::DeviceId, peer: &fabric::discovery::Peer| {
        let candidate = peer.candidates().iter().max_by_key(|candidate| candidate.heard_at);
        let addr = candidate.map(|candidate| candidate.addr.to_string()).unwrap_or_default();
        let claim = match candidate.map(|candidate| candidate.claim) {
            Some(Claim::V2) => "signed",
            Some(Claim::V1) | None => "unsigned",
        };
        let services: Vec<_> = peer.services().names().collect();
        format!("{device}  {addr:<21}  {claim:<8}  {:>4}s  {}", age(peer.heard_at()), services.join(", "))
    };
    [heading].into_iter().chain(node.discovery().peers().map(|(device, peer)| line(device, peer))).collect()
}

/// Writes over what was drawn before.
fn draw(table: &[String], lines: &mut usize) {
    let mut text = String::new();
    if *lines > 0 {
        let _ = write!(text, "\x1b[{lines}A\x1b[J");
    }
    for line in table {
        let _ = writeln!(text, "{line}");
    }
    *lines = table.len();
    let _ = result(&text); // a terminal that has gone away ends the program by a signal
}
