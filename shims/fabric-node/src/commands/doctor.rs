//! `doctor`: what of this computer a node needs, tried one by one.

use super::running::{group, identity, internal, refused};
use crate::cli::{Format, NodeArgs};
use crate::exit::{Exit, Failure};
use crate::output::result;
use crate::scratch::Scratch;
use machine::{Boot, Destination, Input, Instant, Machine, Output, PipeId};
use rustix::process::{Resource, getrlimit};
use shim_tcp::{Config, Driver, Group};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::time::{Duration, Instant as Wall};

/// Longer than a datagram takes on this computer.
const PATIENCE: Duration = Duration::from_secs(1);
const TURN: Duration = Duration::from_millis(20);
/// 512 pipes, 64 files, and what the program itself needs.
const DESCRIPTORS_MIN: u64 = 1_024;
/// No announce: nodes count it as one with a bad magic and ignore it.
const HELLO: &[u8] = b"fabric-node doctor";

type Check = (&'static str, Result<String, Failure>);

pub(crate) fn doctor(args: &NodeArgs, format: Format) -> Result<(), Failure> {
    let scratch = Scratch::create().map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let checks = [
        ("identity", check_identity(args)),
        ("listen", check_listen(args, &scratch)),
        (
            "discovery",
            group(args).map_or_else(|| Ok("not asked for".into()), |group| check_group(args, group, &scratch)),
        ),
        ("descriptors", check_descriptors()),
    ];
    let text: String = checks.iter().map(|check| line(check, format)).collect();
    result(&text).map_err(|error| Failure::new(Exit::Internal, format!("the result cannot be written: {error}")))?;
    match checks.iter().filter(|(_, outcome)| outcome.is_err()).count() {
        0 => Ok(()),
        failed => Err(Failure::new(Exit::Refused, format!("{failed} of {} checks failed", checks.len()))),
    }
}

fn line((name, outcome): &Check, format: Format) -> String {
    let (is_ok, what, help) = match outcome {
        Ok(what) => (true, what, None),
        Err(failure) => (false, &failure.what, failure.help.as_ref()),
    };
    if format == Format::Json {
        let check = serde_json::json!({ "event": "check", "name": name, "ok": is_ok, "what": what, "help": help });
        return format!("{check}\n");
    }
    let verdict = if is_ok { "ok" } else { "FAILED" };
    let help = help.map(|help| format!("{:22}help: {help}\n", "")).unwrap_or_default();
    format!("{name:<12}  {verdict:<6}  {what}\n{help}")
}

fn check_identity(args: &NodeArgs) -> Result<String, Failure> {
    let device = identity(args)?.device_id();
    Ok(if args.identity.is_some() { device.to_string() } else { "none given: a new one each time".into() })
}

fn check_listen(args: &NodeArgs, scratch: &Scratch) -> Result<String, Failure> {
    let config = Config::new(args.listen, scratch.path().join("listener"));
    let driver = Driver::new(&config, |_| Hearer::default()).map_err(refused)?;
    Ok(format!("TCP and UDP at {}", driver.local_addr()))
}

/// One node says something to the group, and another hears it.
fn check_group(args: &NodeArgs, group: Group, scratch: &Scratch) -> Result<String, Failure> {
    let addr = std::net::SocketAddr::new(args.listen.ip(), 0);
    let node = |name: &str, says: bool| {
        let config = Config { group: Some(group), ..Config::new(addr, scratch.path().join(name)) };
        Driver::new(&config, |_: Boot| Hearer { says, has_heard: false }).map_err(refused)
    };
    let (mut speaker, mut hearer) = (node("speaker", true)?, node("hearer", false)?);
    let until = Wall::now() + PATIENCE;
    while Wall::now() < until {
        for driver in [&mut speaker, &mut hearer] {
            let turned = driver.turn(Some(TURN), |_, ()| ControlFlow::Continue(()));
            let _ = turned.map_err(|error| internal(&error))?; // nothing ends a driver without events
        }
        if hearer.machine().has_heard {
            return Ok("what one node says to the group, another on this computer hears".into());
        }
    }
    let counters = speaker.counters();
    let what =
        if counters.datagrams_unsent > 0 { "nothing can be sent to the group" } else { "nobody hears the group" };
    Err(Failure::new(Exit::Refused, what).help(
        "is there a route for multicast (ip route get 239.42.0.1), and does a firewall let UDP port 37020 through? \
         else name the interface's address with --listen, or dial by ID@HOST:PORT#NOISE_STATIC",
    ))
}

fn check_descriptors() -> Result<String, Failure> {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < DESCRIPTORS_MIN => {
            Err(Failure::new(Exit::Refused, format!("{limit} files and sockets may be open at a time"))
                .help(format!("ulimit -n {DESCRIPTORS_MIN}")))
        }
        Some(limit) => Ok(format!("{limit} files and sockets may be open at a time")),
        None => Ok("any number of files and sockets may be open".into()),
    }
}

/// Says [`HELLO`] to the group once, or listens for it.
#[derive(Debug, Default)]
struct Hearer {
    says: bool,
    has_heard: bool,
}

impl Machine for Hearer {
    type Command = Infallible;
    type Event = ();

    fn handle(&mut self, _: Instant, input: Input<'_, Infallible>) {
        self.has_heard |= matches!(input, Input::Datagram { bytes: HELLO, .. });
    }

    fn poll(&mut self) -> Option<Output<'_, ()>> {
        std::mem::take(&mut self.says).then_some(Output::Datagram { to: Destination::Group, bytes: HELLO })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}
