//! A node on real sockets, from its start to its end: what `run`, `discover` and the errands have in common.

use super::ask::ask;
use super::interface;
use crate::app::{App, Pairing, Purpose};
use crate::cli::NodeArgs;
use crate::event::Event;
use crate::exit::{Exit, Failure};
use crate::identity::Identity;
use crate::output::Output;
use crate::peer::Trusted;
use crate::scratch::Scratch;
use fabric::Command;
use fabric::discovery::PORT;
use fabric::identity::DeviceId;
use fabric::trust::Label;
use machine::Instant;
use node_log::{Log, Settings};
use shim_tcp::{Bound, Config, Driver, Error, Group, Handle};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The groups of the wire contract, 2.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 42, 0, 1);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0x4e58, 0x5342);

/// Devices and names that the identity has stored, and those of the command line.
pub(super) fn trusted(args: &NodeArgs) -> Result<Trusted, Failure> {
    let mut trusted = Trusted::default();
    if let Some(file) = args.identity.as_deref().filter(|file| storage(Some(*file), None).exists()) {
        for (device, stored) in offline(file)?.app().node().trust_store().iter() {
            trusted.add(device, Some(stored.label))?;
        }
    }
    for (label, device) in &args.trust {
        trusted.add(*device, Some(*label))?;
    }
    Ok(trusted)
}

/// The identity of the file, or a new one for this run.
pub(super) fn identity(args: &NodeArgs) -> Result<Identity, Failure> {
    args.identity.as_deref().map_or_else(Identity::generate, Identity::load)
}

pub(super) struct Running {
    driver: Driver<App>,
    device: DeviceId,
    noise_static: String,
    /// What a device that pairs is to be called.
    label: Option<Label>,
    /// Where a node without a file keeps what it stores.
    _scratch: Option<Scratch>,
}

/// The node of an identity, out of everybody's reach: to look into what it has stored, and to change that.
pub(super) fn offline(file: &Path) -> Result<Running, Failure> {
    let args = NodeArgs {
        identity: Some(file.to_owned()),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        group: None,
        no_discovery: true,
        trust: Vec::new(),
    };
    boot(&args, &Identity::load(file)?, Settings::default(), Purpose::default(), None)
}

/// Opens the sockets and boots the node, which signals end.
pub(super) fn start(
    args: &NodeArgs,
    identity: &Identity,
    settings: Settings,
    purpose: Purpose,
    log: Option<Log>,
) -> Result<Running, Failure> {
    let running = boot(args, identity, settings, purpose, log)?;
    stop_on_signal(running.driver.handle())?;
    Ok(running)
}

fn boot(
    args: &NodeArgs,
    identity: &Identity,
    mut settings: Settings,
    purpose: Purpose,
    log: Option<Log>,
) -> Result<Running, Failure> {
    let scratch = args.identity.is_none().then(Scratch::create).transpose().map_err(|error| internal(&error))?;
    let storage = storage(args.identity.as_deref(), scratch.as_ref());
    let driver_config = Config { group: group(args), ..Config::new(args.listen, storage) };
    let bound = Bound::new(&driver_config).map_err(refused)?;
    settings.port = bound.local_addr().port();
    settings.announce &= !args.no_discovery;
    let label = purpose.pairing.as_ref().map(Pairing::label);
    let driver = bound.boot(|boot| App::new(&boot, identity, &settings, purpose, log)).map_err(refused)?;
    let noise_static = identity.noise_public().to_string();
    Ok(Running { driver, device: identity.device_id(), noise_static, label, _scratch: scratch })
}

impl Running {
    pub(super) const fn app(&self) -> &App {
        self.driver.machine()
    }

    /// The time of the node's clock.
    pub(super) fn now(&self) -> Instant {
        self.driver.now()
    }

    /// What it tells first.
    pub(super) fn listening(&self) -> Event {
        Event::Listening {
            addr: self.driver.local_addr().to_string(),
            device_id: self.device.to_string(),
            noise_static: self.noise_static.clone(),
        }
    }

    /// Tells what happens until the node has stopped.
    pub(super) fn run(&mut self, output: &mut Output) -> Result<(), Failure> {
        while self.turn(output, None)?.is_continue() {}
        Ok(())
    }

    /// One turn of at most `max_wait`. It breaks once the node has stopped, or nobody reads what it tells.
    pub(super) fn turn(&mut self, output: &mut Output, max_wait: Option<Duration>) -> Result<ControlFlow<()>, Failure> {
        let asker = self.label.map(|label| (label, self.driver.handle()));
        let on_event = |_: &mut App, event: Event| {
            if let (Event::PairingNumber { number, .. }, Some((label, handle))) = (&event, &asker) {
                ask(handle.clone(), *label, number.clone());
            }
            let is_read = output.event(&event).is_ok();
            if is_read && event != Event::Stopped { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.driver.turn(max_wait, on_event).map_err(|error| internal(&error))
    }

    /// Ends in order, as a signal would make it.
    pub(super) fn stop(&mut self) {
        self.command(Command::ShutDown);
    }

    pub(super) fn command(&mut self, command: Command) {
        self.driver.command(command);
    }
}

/// The first signal asks for an ordered end, the second does not ask.
fn stop_on_signal(handle: Handle<Command>) -> Result<(), Failure> {
    static IS_ASKED: AtomicBool = AtomicBool::new(false);
    let on_signal = move || {
        if IS_ASKED.swap(true, Ordering::Relaxed) || handle.send(Command::ShutDown).is_err() {
            std::process::exit(Exit::Interrupted as i32);
        }
    };
    ctrlc::set_handler(on_signal).map_err(|error| internal(&error))
}

/// `FILE.state` beside the identity.
fn storage(identity: Option<&Path>, scratch: Option<&Scratch>) -> PathBuf {
    match (identity, scratch) {
        (Some(file), _) => {
            let mut name = file.as_os_str().to_owned();
            name.push(".state");
            name.into()
        }
        (None, Some(scratch)) => scratch.path().join("state"),
        (None, None) => unreachable!("without an identity there is a scratch directory"),
    }
}

/// The group of the arguments, else that of the wire contract for the family in which the node listens.
pub(super) fn group(args: &NodeArgs) -> Option<Group> {
    if args.no_discovery {
        return None;
    }
    let default = match args.listen {
        SocketAddr::V4(_) => SocketAddr::from((GROUP_V4, PORT)),
        SocketAddr::V6(_) => SocketAddr::from((GROUP_V6, PORT)),
    };
    let interface = match args.listen.ip() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    Some(match args.group.unwrap_or(default) {
        SocketAddr::V4(to) if to.ip().is_multicast() => Group::V4 { to, interface },
        SocketAddr::V4(to) => Group::Broadcast(to),
        SocketAddr::V6(mut to) => {
            if to.scope_id() == 0 && interface::is_link_local(*to.ip()) {
                to.set_scope_id(interface::index(args.listen.ip()));
            }
            Group::V6(to)
        }
    })
}

pub(super) fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Internal, error.to_string())
}

/// Why the sockets or the storage could not be had, and what helps.
pub(super) fn refused(error: Error) -> Failure {
    let failure = Failure::usage(error.to_string());
    match error {
        Error::Storage { source, .. } if source.kind() == ErrorKind::WouldBlock => {
            Failure::usage("another fabric-node runs with this identity").help("stop it, or give this one another")
        }
        Error::Listen { .. } | Error::Datagrams { .. } => failure.help("choose another address with --listen"),
        Error::Group { .. } => failure.help(
            "choose another with --group, of the same family as --listen, for IPv6 with its interface \
                 ([ff02::4e58:5342%INDEX]:37020), or go without: --no-discovery",
        ),
        Error::Storage { .. } => failure,
        Error::Seed(_) | Error::Wait(_) => Failure { exit: Exit::Internal, ..failure },
    }
}
