//! `ping`, `send`, `get` and `call`: one errand with one peer.

use super::running::{Running, identity, start, trusted};
use crate::app::{CallJob, ECHO, Errand, Job, Ping, Purpose};
use crate::cli::{CallArgs, Format, GetArgs, PeerArgs, PingArgs, SendArgs};
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

pub(crate) fn call(args: &CallArgs, format: Format) -> Result<(), Failure> {
    let body = if args.hex { unhex(&args.body)? } else { args.body.clone().into_bytes() };
    let (method, patience) = (args.method.clone(), args.peer.timeout);
    let reply_bytes_max = u32::try_from(args.reply_max).map_err(|_| Failure::usage("an answer has less than 4 GiB"))?;
    let make = move || Ok(Job::Call(CallJob::new(&method, &body, patience, reply_bytes_max)));
    errand(&args.peer, &args.service, format, make)
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()),
        _ => {
            Err(Failure::usage(format!("`{text}` is no row of pairs of hex digits"))
                .help("write 00ff, or leave --hex out"))
        }
    }
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

pub(super) fn result(running: &Running) -> Result<(), Failure> {
    match running.app().result() {
        Some(Ok(())) => Ok(()),
        Some(Err(failure)) => Err(failure.clone()),
        None => Err(Failure::new(Exit::Interrupted, "ended before it was done")),
    }
}
