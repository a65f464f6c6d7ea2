//! `ping`, `send` and `get`: one errand with one peer.

use super::running::{Running, identity, start, trusted};
use crate::app::{ECHO, Errand, Job, Ping, Purpose};
use crate::cli::{Format, GetArgs, PeerArgs, PingArgs, SendArgs};
use crate::exit::{Exit, Failure};
use crate::files::Name;
use crate::files::client::{Get, Put};
use crate::output::{Interest, Output};
use node_log::Settings;
use std::path::PathBuf;

pub(crate) fn ping(args: &PingArgs, format: Format) -> Result<(), Failure> {
    let (count, every) = (args.count, args.every);
    errand(&args.peer, ECHO, format, move || Ok(Job::Ping(Ping::new(count, every))))
}

pub(crate) fn send(args: &SendArgs, format: Format) -> Result<(), Failure> {
    let path = args.file.clone();
    let own = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name(args.name.as_deref().unwrap_or(own))?;
    errand(&args.peer, &args.service, format, move || Ok(Job::Put(Put::open(&path, name.clone())?)))
}

pub(crate) fn get(args: &GetArgs, format: Format) -> Result<(), Failure> {
    let name = name(&args.name)?;
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(name.to_string()));
    let file_max = args.file_max;
    errand(&args.peer, &args.service, format, move || Ok(Job::Get(Get::new(name.clone(), &path, file_max)?)))
}

fn name(text: &str) -> Result<Name, Failure> {
    text.parse().map_err(|why| Failure::usage(format!("`{text}` is no name for a file there: {why}")))
}

fn errand(
    args: &PeerArgs,
    service: &str,
    format: Format,
    make: impl Fn() -> Result<Job, Failure> + 'static,
) -> Result<(), Failure> {
    let mut output = Output::new(format, Interest::Errand);
    let trusted = trusted(&args.node)?;
    let peer = trusted.peer(&args.peer)?;
    let identity = identity(&args.node)?;
    if peer.device == identity.device_id() {
        return Err(Failure::usage("this device is the peer itself").help("name another, or use another --identity"));
    }
    if args.node.no_discovery && peer.place.is_none() {
        return Err(Failure::usage("without discovery the peer's address is not known")
            .help("name it by ID@HOST:PORT#NOISE_STATIC"));
    }
    let errand = Errand::new(peer, service, args.timeout, make)?;
    let purpose = Purpose { errand: Some(errand), ..Purpose::default() };
    // It announces itself, so that a peer that trusts it dials it at once, and need not be waited for.
    let settings = Settings { announce: true, ..Settings::default() };
    let mut running = start(&args.node, &identity, settings, purpose, None)?;
    if output.event(&running.listening()).is_ok() {
        running.run(&mut output)?;
    }
    result(&running)
}

fn result(running: &Running) -> Result<(), Failure> {
    match running.app().result() {
        Some(Ok(())) => Ok(()),
        Some(Err(failure)) => Err(failure.clone()),
        None => Err(Failure::new(Exit::Interrupted, "ended before it was done")),
    }
}
