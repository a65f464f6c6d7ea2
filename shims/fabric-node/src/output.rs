//! Tells events: one JSON object a line on stdout, or for people: results on stdout, all else on stderr.

use crate::cli::Format;
use crate::event::Event;
use std::io::{self, IsTerminal, Write};

/// Which events people want to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// All that a node sees.
    Everything,
    /// What comes of one errand.
    Errand,
    /// Who is there.
    Devices,
    /// The same, where a table shows it.
    Table,
}

#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    interest: Interest,
    /// Whether a line of progress can be written over.
    is_live: bool,
    has_progress: bool,
}

impl Output {
    pub(crate) fn new(format: Format, interest: Interest) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { format, interest, is_live: io::stderr().is_terminal() && !is_dumb, has_progress: false }
    }

    /// An error means that nobody reads the results any more.
    pub(crate) fn event(&mut self, event: &Event) -> io::Result<()> {
        if self.format == Format::Json {
            let mut line = serde_json::to_vec(event)?;
            line.push(b'\n');
            return stdout(&line);
        }
        if let Event::Progress { bytes, total } = event {
            self.progress(*bytes, *total);
            return Ok(());
        }
        if !self.is_wanted(event) {
            return Ok(());
        }
        self.clear_progress();
        let said = sentence(event);
        match event {
            Event::Pong { .. }
            | Event::Done { .. }
            | Event::Answered { .. }
            | Event::Paired { .. }
            | Event::Discovered { .. }
            | Event::Lost { .. }
                if self.interest != Interest::Everything =>
            {
                stdout(format!("{said}\n").as_bytes())
            }
            _ => {
                let _ = writeln!(io::stderr().lock(), "{said}"); // what nobody reads is lost
                Ok(())
            }
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        match self.interest {
            Interest::Everything => true,
            Interest::Errand => matches!(
                event,
                Event::Warning { .. }
                    | Event::SessionFailed { .. }
                    | Event::Pong { .. }
                    | Event::PairingNumber { .. }
                    | Event::Paired { .. }
                    | Event::Answered { .. }
                    | Event::Done { .. }
            ),
            Interest::Devices => {
                matches!(event, Event::Warning { .. } | Event::Discovered { .. } | Event::Lost { .. })
            }
            Interest::Table => matches!(event, Event::Warning { .. }),
        }
    }

    fn progress(&mut self, bytes: u64, total: u64) {
        if self.is_live {
            let percent = if total == 0 { 100 } else { u128::from(bytes) * 100 / u128::from(total) };
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{percent:3}%  {} of {}", size(bytes), size(total));
            self.has_progress = true;
        }
    }

    fn clear_progress(&mut self) {
        if std::mem::take(&mut self.has_progress) {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn stdout(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A result that is no event.
pub(crate) fn result(text: &str) -> io::Result<()> {
    stdout(text.as_bytes())
}

fn sentence(event: &Event) -> String {
    match event {
        Event::Listening { addr, device_id, noise_static } => {
            format!(
                "listening at {addr} as {device_id}\nwithout discovery: {}",
                reachable(addr, device_id, noise_static)
            )
        }
        Event::Warning { what } => format!("warning: {what}"),
        Event::Discovered { device, addr, services } => {
            let addr = addr.as_deref().unwrap_or("somewhere");
            let services = if services.is_empty() { "nothing".to_owned() } else { services.join(", ") };
            format!("{device}  {addr}  serves {services}")
        }
        Event::Lost { device } => format!("{device}  is not heard any more"),
        Event::SessionUp { device } => format!("{device}  session is up"),
        Event::SessionDown { device, reason } => format!("{device}  session is over: {reason}"),
        Event::SessionFailed { device, addr, reason } => format!("{device}  no session at {addr}: {reason}"),
        Event::StrangersRefused { count, last_addr, last_reason, .. } => {
            format!("refused {count} from strangers, the last from {last_addr}: {last_reason}")
        }
        Event::Accepted { device, service } => format!("{device}  uses {service}"),
        Event::FileServed { device, is_put, name, bytes, status } => {
            let (verb, name) = (if *is_put { "send" } else { "get" }, name.as_deref().unwrap_or("?"));
            format!("{device}  {verb} {name}: {status}, {}", size(*bytes))
        }
        Event::PairingNumber { device, number } => format!(
            "{device} wants to pair. This device shows\n\n    {number}\n\n\
             Does the other show the same? Answer `yes`, or type what it shows; anything else is no."
        ),
        Event::Paired { device, label } => format!("paired with {device}, from now on `{label}`"),
        Event::PairingFailed { device, reason } => {
            let device = device.as_ref().map(|device| format!(" with {device}")).unwrap_or_default();
            format!("not paired{device}: {reason}")
        }
        Event::Audited { device, service, method, verdict } => format!("{device}  calls {service}/{method}: {verdict}"),
        Event::Answered { hex, text } => text.clone().unwrap_or_else(|| hex.clone()),
        Event::Pong { sequence, micros } => format!("{sequence}: {}", time(*micros)),
        Event::Progress { bytes, total } => format!("{bytes} of {total}"),
        Event::Done { bytes: 0, micros } => format!("done in {}", time(*micros)),
        Event::Done { bytes, micros } => format!("done: {} in {}", size(*bytes), time(*micros)),
        Event::Failed { what, .. } => format!("error: {what}"),
        Event::Stopping => "stopping".to_owned(),
        Event::Stopped => "stopped".to_owned(),
    }
}

/// How a peer names this node; the host is for people to fill in where it listens everywhere.
fn reachable(addr: &str, device_id: &str, noise_static: &str) -> String {
    let everywhere = ["0.0.0.0:", "[::]:"].iter().find_map(|prefix| addr.strip_prefix(prefix));
    let addr = everywhere.map_or_else(|| addr.to_owned(), |port| format!("HOST:{port}"));
    format!("{device_id}@{addr}#{noise_static}")
}

/// Bytes with a unit and one decimal, cut off.
pub(crate) fn size(bytes: u64) -> String {
    match [(30, "GiB"), (20, "MiB"), (10, "KiB")].into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

fn time(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_cut_off_and_never_overflow() {
        assert_eq!([1_023, 1_536, 4 << 20, u64::MAX].map(size), ["1023 B", "1.5 KiB", "4.0 MiB", "17179869183.9 GiB"]);
        assert_eq!(time(1_005), "1.005 ms");
    }

    #[test]
    fn a_node_that_listens_everywhere_leaves_its_host_open() {
        assert_eq!(reachable("0.0.0.0:7", "id", "key"), "id@HOST:7#key");
        assert_eq!(reachable("[::]:7", "id", "key"), "id@HOST:7#key");
        assert_eq!(reachable("10.0.0.0:7", "id", "key"), "id@10.0.0.0:7#key");
    }
}
