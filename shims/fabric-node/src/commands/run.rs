//! `run`: serves until it is told to end.

use super::running::{identity, start, trusted};
use crate::app::{ECHO, FILES, Pairing, Purpose, SAMGRD};
use crate::cli::{Format, RunArgs, Serve};
use crate::event::Event;
use crate::exit::Failure;
use crate::files::shelf::Shelf;
use crate::output::{Interest, Output};
use crate::peer::{ANY, Trusted};
use node_log::{Log, Settings};
use std::path::Path;

pub(crate) fn run(args: &RunArgs, format: Format) -> Result<(), Failure> {
    let mut output = Output::new(format, Interest::Everything);
    let mut trusted = trusted(&args.node)?;
    let services = services(&args.serve)?;
    let mut settings = Settings { services, announce: true, dial_trusted: true, ..Settings::default() };
    let mut pairing = args.pairing.map(|label| Pairing::with_anybody(label, &trusted)).transpose()?;
    settings.pairing = pairing.is_some();
    let welcomes_all = allow(args, &mut trusted, &mut settings, pairing.as_mut())?;
    settings.trusted = trusted.devices().collect();
    let shelf = directory(&args.serve).map(|path| open(path, args.file_max)).transpose()?;
    let purpose = Purpose { shelf, welcomes_all, pairing, ..Purpose::default() };
    let identity = identity(&args.node)?;
    let log = args.record.as_deref().map(|path| record(path, args.record_max)).transpose()?;
    let mut running = start(&args.node, &identity, settings, purpose, log)?;
    if output.event(&running.listening()).is_err() {
        return Ok(()); // nobody reads
    }
    for what in warnings(args, welcomes_all) {
        let _ = output.event(&Event::Warning { what: what.into() });
    }
    running.run(&mut output)
}

fn services(serve: &[Serve]) -> Result<Vec<String>, Failure> {
    let mut services: Vec<String> = Vec::new();
    for service in serve {
        let name = match service {
            Serve::Echo => ECHO,
            Serve::Files(_) => FILES,
            Serve::Samgrd => SAMGRD,
        };
        if services.iter().any(|known| known == name) {
            return Err(Failure::usage(format!("`{name}` is served twice")));
        }
        services.push(name.into());
    }
    Ok(services)
}

fn directory(serve: &[Serve]) -> Option<&Path> {
    serve.iter().find_map(|service| match service {
        Serve::Files(directory) => Some(directory.as_path()),
        Serve::Echo | Serve::Samgrd => None,
    })
}

fn open(directory: &Path, file_bytes_max: u64) -> Result<Shelf, Failure> {
    Shelf::open(directory, file_bytes_max)
        .map_err(|error| Failure::usage(format!("cannot serve the files of {}: {error}", directory.display())))
}

fn record(path: &Path, bytes_max: u64) -> Result<Log, Failure> {
    Log::create(path, bytes_max)
        .map_err(|error| Failure::usage(format!("cannot record to {}: {error}", path.display())))
}

/// Fills the policy, and trusts whom it names; whether everybody is let in. Who is still to pair gets what it is allowed then.
fn allow(
    args: &RunArgs,
    trusted: &mut Trusted,
    settings: &mut Settings,
    mut pairing: Option<&mut Pairing>,
) -> Result<bool, Failure> {
    let mut welcomes_all = false;
    for (who, service) in &args.allow {
        if !settings.services.contains(service) {
            return Err(Failure::usage(format!("--allow {who}={service}: `{service}` is not served"))
                .help("serve it with --serve, or mend the name"));
        }
        if who == ANY {
            if service != ECHO {
                return Err(Failure::usage(format!("--allow {ANY}={service}: everybody may be allowed `echo` only"))
                    .help("name the devices: --allow ID=files"));
            }
            welcomes_all = true;
            settings.allow(None, service);
            continue;
        }
        if let Some(pairing) = pairing.as_mut().filter(|pairing| pairing.label().as_str() == who) {
            pairing.allow(service);
            continue;
        }
        let device = trusted.device(who)?;
        trusted.add(device, None)?;
        settings.allow(Some(device), service);
    }
    Ok(welcomes_all)
}

fn warnings(args: &RunArgs, welcomes_all: bool) -> impl Iterator<Item = &'static str> {
    let all = welcomes_all.then_some("`any=echo` lets every device in: for tests only");
    let none = args.allow.is_empty().then_some("nobody is allowed anything: see --allow");
    let forgotten =
        args.node.identity.is_none().then_some("this device is new and forgotten at the end: see --identity");
    all.into_iter().chain(none).chain(forgotten)
}
