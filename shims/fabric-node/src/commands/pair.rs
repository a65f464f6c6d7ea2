//! `pair`: two devices trust each other once two people have compared six digits.

use super::errand::result;
use super::running::{identity, start, trusted};
use crate::app::{Pairing, Purpose};
use crate::cli::{Format, PairArgs};
use crate::exit::Failure;
use crate::output::{Interest, Output};
use node_log::Settings;

pub(crate) fn pair(args: &PairArgs, format: Format) -> Result<(), Failure> {
    let mut output = Output::new(format, Interest::Errand);
    if args.node.identity.is_none() {
        let help = "make a device that stays: fabric-node id new FILE, and --identity FILE";
        return Err(Failure::usage("a new device would be forgotten, and with it whom it trusts").help(help));
    }
    let trusted = trusted(&args.node)?;
    let peer = trusted.peer(&args.peer)?;
    let identity = identity(&args.node)?;
    if peer.device == identity.device_id() {
        return Err(Failure::usage("this device is the peer itself").help("name the other one"));
    }
    if args.node.no_discovery && peer.place.is_none() {
        return Err(Failure::usage("without discovery the peer's address is not known")
            .help("name it by ID@HOST:PORT#NOISE_STATIC"));
    }
    let pairing = Pairing::with(peer, args.label, &trusted)?;
    let purpose = Purpose { pairing: Some(pairing), ..Purpose::default() };
    let settings = Settings { announce: true, pairing: true, ..Settings::default() };
    let mut running = start(&args.node, &identity, settings, purpose, None)?;
    if output.event(&running.listening()).is_ok() {
        running.run(&mut output)?;
    }
    result(&running)
}
