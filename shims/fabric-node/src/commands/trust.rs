//! `trust`: whom an identity trusts from one run to the next. It is the node's own store, so the node does the work.

use super::ask::unix_seconds;
use super::running::{Running, offline};
use crate::cli::{Format, Owner, Trust};
use crate::exit::{Exit, Failure};
use crate::output::{Interest, Output, result};
use crate::peer::Trusted;
use fabric::Command;
use fabric::identity::DeviceId;
use fabric::trust::{DEVICES_MAX, How, Label, Loaded};
use std::fmt::Write;
use std::time::Duration;

/// A disk takes a moment, and is not asked for ever.
const TURNS_MAX: u32 = 100;
const TURN: Duration = Duration::from_millis(50);

pub(crate) fn trust(command: &Trust, format: Format) -> Result<(), Failure> {
    match command {
        Trust::List { owner } => list(&open(owner)?, format),
        Trust::Add { label, device, owner } => add(open(owner)?, *label, *device),
        Trust::Remove { device, owner } => remove(open(owner)?, device),
    }
}

fn open(owner: &Owner) -> Result<Running, Failure> {
    let running = offline(&owner.identity)?;
    if running.app().node().trust_store().loaded() == Loaded::Damaged {
        let what = format!("what {} has stored of trusted devices is damaged", owner.identity.display());
        return Err(Failure::usage(what).help("nobody is trusted: add each anew, or restore FILE.state from a copy"));
    }
    Ok(running)
}

fn list(running: &Running, format: Format) -> Result<(), Failure> {
    let mut text = String::new();
    for (device, trusted) in running.app().node().trust_store().iter() {
        let how = match trusted.how {
            How::Pairing => "pairing",
            How::Manual => "manual",
        };
        let (label, since) = (trusted.label, trusted.since);
        let _ = match format {
            Format::Human => writeln!(text, "{label:<32}  {device}  {how}"),
            Format::Json => {
                let device = device.to_string();
                let line = serde_json::json!({ "label": label.as_str(), "device": device, "how": how, "since": since });
                writeln!(text, "{line}")
            }
        };
    }
    result(&text).map_err(|error| Failure::new(Exit::Internal, format!("the result cannot be written: {error}")))
}

fn add(running: Running, label: Label, device: DeviceId) -> Result<(), Failure> {
    let node = running.app().node();
    let store = node.trust_store();
    if device == node.device_id() {
        return Err(Failure::usage("this is the device itself"));
    }
    if let Some(holder) = store.by_label(label).filter(|holder| *holder != device) {
        return Err(Failure::usage(format!("`{label}` is the name of {holder}")).help("remove that, or choose another"));
    }
    if store.get(device).is_none() && store.iter().count() >= DEVICES_MAX {
        return Err(Failure::usage(format!("{DEVICES_MAX} devices are trusted already")).help("remove one"));
    }
    store_durably(running, Command::TrustAs(device, label, unix_seconds()))
}

fn remove(running: Running, text: &str) -> Result<(), Failure> {
    let mut trusted = Trusted::default();
    for (device, stored) in running.app().node().trust_store().iter() {
        trusted.add(device, Some(stored.label))?;
    }
    let device = trusted.device(text)?;
    if running.app().node().trust_store().get(device).is_none() {
        return Err(Failure::usage(format!("{device} is not trusted")));
    }
    store_durably(running, Command::Revoke(device))
}

/// Has the change on the disk when it returns.
fn store_durably(mut running: Running, change: Command) -> Result<(), Failure> {
    let mut output = Output::new(Format::Human, Interest::Errand);
    running.command(change);
    for _ in 0..TURNS_MAX {
        let _ = running.turn(&mut output, Some(TURN))?;
        if running.app().node().trust_store().is_durable() {
            return Ok(());
        }
    }
    Err(Failure::new(Exit::Internal, "the change cannot be stored: is the disk full?"))
}
