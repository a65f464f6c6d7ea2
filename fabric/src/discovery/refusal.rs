//! Why an announce is refused, how often it was, and which claims make no sense (wire contract, 2). Holds no peer.

use core::fmt;

use super::announce::{AnnounceError, AnnounceV1, SERVICES_MAX};
use crate::identity::DeviceId;
use crate::probe::Probe;

/// Why an announce changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are no announce.
    Malformed(AnnounceError),
    /// The device id is not 64 lower-case hex digits.
    DeviceIdFormat,
    /// It is the node's own device id: its own announce come back, or somebody else's claim to be it.
    OwnDevice,
    /// Nobody can be dialled at port 0.
    PortZero,
    /// No handshake with such a Noise static can succeed.
    LowOrderStatic,
    /// A service is named twice.
    DuplicateService,
    /// A service name has a control character.
    ControlCharacter,
    /// Version 2: the verifying key does not hash to the device id.
    KeyMismatch,
    /// Version 2: the signature does not verify.
    SignatureInvalid,
    /// Version 2: (epoch, sequence) is not newer than the last seen.
    Stale,
    /// Version 1, while a signed candidate of the device lives.
    Superseded,
    /// The source already holds its quarter of the table.
    SourceFull,
    /// All the device's candidates are proven.
    CandidatesFull,
    /// Every place is held by a device that must not be evicted.
    TableFull,
}

impl Refusal {
    /// What a node that refuses so has reached.
    pub(crate) const fn probe(self) -> Probe {
        match self {
            Self::Malformed(_)
            | Self::DeviceIdFormat
            | Self::PortZero
            | Self::LowOrderStatic
            | Self::DuplicateService
            | Self::ControlCharacter => Probe::AnnounceMalformed,
            Self::OwnDevice => Probe::OwnAnnounceHeard,
            Self::KeyMismatch | Self::SignatureInvalid => Probe::AnnounceForged,
            Self::Stale => Probe::AnnounceStale,
            Self::Superseded => Probe::AnnounceSuperseded,
            Self::SourceFull => Probe::SourceFull,
            Self::CandidatesFull => Probe::CandidatesFull,
            Self::TableFull => Probe::TableFull,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(error) => return error.fmt(f),
            Self::DeviceIdFormat => "the device id is not 64 lower-case hex digits",
            Self::OwnDevice => "the device id is this node's own",
            Self::PortZero => "the port is 0",
            Self::LowOrderStatic => "the Noise static is of low order",
            Self::DuplicateService => "a service is named twice",
            Self::ControlCharacter => "a service name has a control character",
            Self::KeyMismatch => "the verifying key does not hash to the device id",
            Self::SignatureInvalid => "the signature does not verify",
            Self::Stale => "a newer announce was seen before",
            Self::Superseded => "the device has a signed announce that lives",
            Self::SourceFull => "the source holds its quarter of the table",
            Self::CandidatesFull => "all candidates of the device are proven",
            Self::TableFull => "every device in the table is trusted or has a session",
        })
    }
}

impl core::error::Error for Refusal {}

/// How many announces were taken, and refused for which reason, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Taken.
    pub accepted: u64,
    /// [`AnnounceError::Truncated`].
    pub truncated: u64,
    /// [`AnnounceError::BadMagic`].
    pub bad_magic: u64,
    /// [`AnnounceError::UnsupportedVersion`].
    pub unsupported_version: u64,
    /// [`AnnounceError::InvalidInput`].
    pub invalid_input: u64,
    /// [`AnnounceError::Utf8`].
    pub utf8: u64,
    /// [`Refusal::DeviceIdFormat`].
    pub device_id_format: u64,
    /// [`Refusal::OwnDevice`].
    pub own_device: u64,
    /// [`Refusal::PortZero`].
    pub port_zero: u64,
    /// [`Refusal::LowOrderStatic`].
    pub low_order_static: u64,
    /// [`Refusal::DuplicateService`].
    pub duplicate_service: u64,
    /// [`Refusal::ControlCharacter`].
    pub control_character: u64,
    /// [`Refusal::KeyMismatch`].
    pub key_mismatch: u64,
    /// [`Refusal::SignatureInvalid`].
    pub signature_invalid: u64,
    /// [`Refusal::Stale`].
    pub stale: u64,
    /// [`Refusal::Superseded`].
    pub superseded: u64,
    /// [`Refusal::SourceFull`].
    pub source_full: u64,
    /// [`Refusal::CandidatesFull`].
    pub candidates_full: u64,
    /// [`Refusal::TableFull`].
    pub table_full: u64,
}

impl Counters {
    /// Counts one outcome.
    pub(super) fn count<T>(&mut self, outcome: &Result<T, Refusal>) {
        *match outcome {
            Ok(_) => &mut self.accepted,
            Err(refusal) => self.of(*refusal),
        } += 1;
    }

    fn of(&mut self, refusal: Refusal) -> &mut u64 {
        match refusal {
            Refusal::Malformed(AnnounceError::Truncated) => &mut self.truncated,
            Refusal::Malformed(AnnounceError::BadMagic) => &mut self.bad_magic,
            Refusal::Malformed(AnnounceError::UnsupportedVersion(_)) => &mut self.unsupported_version,
            Refusal::Malformed(AnnounceError::InvalidInput(_)) => &mut self.invalid_input,
            Refusal::Malformed(AnnounceError::Utf8) => &mut self.utf8,
            Refusal::DeviceIdFormat => &mut self.device_id_format,
            Refusal::OwnDevice => &mut self.own_device,
            Refusal::PortZero => &mut self.port_zero,
            Refusal::LowOrderStatic => &mut self.low_order_static,
            Refusal::DuplicateService => &mut self.duplicate_service,
            Refusal::ControlCharacter => &mut self.control_character,
            Refusal::KeyMismatch => &mut self.key_mismatch,
            Refusal::SignatureInvalid => &mut self.signature_invalid,
            Refusal::Stale => &mut self.stale,
            Refusal::Superseded => &mut self.superseded,
            Refusal::SourceFull => &mut self.source_full,
            Refusal::CandidatesFull => &mut self.candidates_full,
            Refusal::TableFull => &mut self.table_full,
        }
    }
}

/// Whether a well-formed announce makes sense to the device `own`, in the order of its fields; its device id if so.
pub(super) fn judge(announce: &AnnounceV1<'_>, own: DeviceId) -> Result<DeviceId, Refusal> {
    let device = announce.device_id.parse().map_err(|_| Refusal::DeviceIdFormat)?;
    if device == own {
        return Err(Refusal::OwnDevice);
    }
    judge_claims(announce).map(|()| device)
}

/// The same, but for the device id.
pub(super) fn judge_claims(announce: &AnnounceV1<'_>) -> Result<(), Refusal> {
    if announce.port == 0 {
        return Err(Refusal::PortZero);
    }
    if announce.noise_static.is_low_order() {
        return Err(Refusal::LowOrderStatic);
    }
    let mut earlier = [""; SERVICES_MAX as usize];
    for (at, name) in announce.services.names().enumerate() {
        if earlier[..at].contains(&name) {
            return Err(Refusal::DuplicateService);
        }
        if name.chars().any(char::is_control) {
            return Err(Refusal::ControlCharacter);
        }
        earlier[at] = name;
    }
    Ok(())
}
