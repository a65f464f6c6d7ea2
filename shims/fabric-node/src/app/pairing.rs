//! Pairing with one device: what is shown, and what comes of it. What the people say comes as commands.

use crate::event::Event as Told;
use crate::exit::{Exit, Failure};
use crate::peer::{Peer, Trusted};
use fabric::identity::DeviceId;
use fabric::pairing::PairingEnd;
use fabric::trust::Label;
use fabric::{Command, Event};
use machine::Instant;
use node_log::Recorded;

/// One entry into pairing mode.
pub(crate) struct Pairing {
    label: Label,
    /// Whom to pair with; `None`: whoever comes.
    peer: Option<Peer>,
    /// Services that the device is allowed once it is known.
    allowed: Vec<String>,
    state: State,
}

enum State {
    Waiting,
    /// Digits are shown.
    Comparing,
    /// Trusted, which is not stored yet.
    Storing(DeviceId),
    Over(Result<(), Failure>),
}

impl Pairing {
    /// With this device, which is to be called so.
    pub(crate) fn with(peer: Peer, label: Label, trusted: &Trusted) -> Result<Self, Failure> {
        let holder = trusted.device(label.as_str()).ok().filter(|holder| *holder != peer.device);
        Self::new(Some(peer), label, holder)
    }

    /// With one that comes.
    pub(crate) fn with_anybody(label: Label, trusted: &Trusted) -> Result<Self, Failure> {
        Self::new(None, label, trusted.device(label.as_str()).ok())
    }

    fn new(peer: Option<Peer>, label: Label, holder: Option<DeviceId>) -> Result<Self, Failure> {
        if let Some(holder) = holder {
            let what = format!("`{label}` is the name of {holder}");
            return Err(Failure::usage(what).help("choose another label, or remove it: fabric-node trust remove"));
        }
        Ok(Self { label, peer, allowed: Vec::new(), state: State::Waiting })
    }

    pub(crate) const fn label(&self) -> Label {
        self.label
    }

    /// Lets the device use this service once it is trusted.
    pub(crate) fn allow(&mut self, service: &str) {
        self.allowed.push(service.to_owned());
    }

    pub(super) fn start(&self, now: Instant, node: &mut Recorded) {
        node.command(now, Command::EnterPairing);
        let Some(peer) = self.peer else { return };
        if let Some(place) = peer.place {
            node.command(now, Command::ConnectTo(peer.device, place.addr, place.noise_static));
        }
        node.command(now, Command::Pair(peer.device));
    }

    /// How it ended, if it has, and nothing else is to be done.
    pub(super) const fn result(&self) -> Option<&Result<(), Failure>> {
        match (&self.state, self.peer) {
            (State::Over(result), Some(_)) => Some(result),
            _ => None,
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        if !matches!(self.state, State::Over(_)) {
            self.state = State::Over(Err(failure));
        }
    }

    /// What an event of the node's means to people, if it is about pairing.
    pub(super) fn hear(&mut self, node: &mut Recorded, event: &Event) -> Option<Told> {
        match event {
            Event::PairingNumber { device, number } => {
                self.state = State::Comparing;
                Some(Told::PairingNumber { device: device.to_string(), number: number.to_string() })
            }
            Event::Paired { device, .. } => {
                self.state = State::Storing(*device);
                for service in &self.allowed {
                    node.allow(*device, service);
                }
                self.stored(node)
            }
            Event::PairingFailed { device, reason } => {
                let told = Told::PairingFailed { device: device.map(|id| id.to_string()), reason: reason.to_string() };
                self.fail(self.failure(*reason));
                Some(told)
            }
            Event::TrustStored { result: Ok(()) } => self.stored(node),
            Event::TrustStored { result: Err(_) } if matches!(self.state, State::Storing(_)) => {
                self.fail(Failure::new(Exit::Internal, "who is trusted cannot be stored: is the disk full?"));
                None
            }
            _ => None,
        }
    }

    /// Success is told once it lasts.
    fn stored(&mut self, node: &Recorded) -> Option<Told> {
        let State::Storing(device) = self.state else { return None };
        if !node.trust_store().is_durable() {
            return None;
        }
        self.state = State::Over(Ok(()));
        Some(Told::Paired { device: device.to_string(), label: self.label.to_string() })
    }

    fn failure(&self, reason: PairingEnd) -> Failure {
        match (&self.state, reason) {
            (State::Waiting, PairingEnd::TimedOut) => {
                Failure::new(Exit::Unreached, "nobody to pair with was reached within two minutes")
                    .help("is it in pairing mode, on the same network? else name it by ID@HOST:PORT#NOISE_STATIC")
            }
            _ => Failure::new(Exit::Refused, format!("not paired: {reason}"))
                .help("nobody is trusted by this; to try again, enter pairing mode on both devices"),
        }
    }
}
