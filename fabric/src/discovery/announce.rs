//! The bytes of an announce, version 1 and 2 (wire contract, 2): total, canonical, bounded. Judges form only; what an
//! announce claims is judged by the [`Discovery`](super::Discovery), and proven by nobody but a handshake.

use alloc::vec::Vec;
use core::fmt;

use super::services::{Services, push_text};
use crate::identity::NoisePublic;
use crate::wire::Reader;

/// The longest announce of any version: one unfragmented datagram on every usual link.
pub const ANNOUNCE_BYTES_MAX: usize = 1200;
/// Most bytes of a device id or a service name.
pub const NAME_BYTES_MAX: usize = 64;
/// Most services of an announce of version 1.
pub const SERVICES_MAX: u8 = 16;
/// Most services of an announce of version 2: with 16 of the longest names it would not fit a datagram.
pub const SIGNED_SERVICES_MAX: u8 = 15;

const MAGIC: [u8; 4] = *b"NXSB";
const SIGNATURE_CONTEXT: &[u8] = b"dsoftbus-lite/2 announce";
const SIGNATURE_BYTES: usize = 64;

/// Why bytes are not an announce, or a value cannot be one: the first fault in field order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnounceError {
    /// A field, or a part of it, is missing.
    Truncated,
    /// It does not start with `NXSB`.
    BadMagic,
    /// A version that this code does not know.
    UnsupportedVersion(u8),
    /// The named field is out of its bounds.
    InvalidInput(&'static str),
    /// A text is not UTF-8.
    Utf8,
}

impl fmt::Display for AnnounceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the announce is cut short"),
            Self::BadMagic => f.write_str("not an announce"),
            Self::UnsupportedVersion(version) => write!(f, "announce version {version} is not supported"),
            Self::InvalidInput(field) => write!(f, "{field} is out of bounds"),
            Self::Utf8 => f.write_str("a text is not UTF-8"),
        }
    }
}

impl core::error::Error for AnnounceError {}

/// A well-formed announce of either version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announce<'a> {
    /// Unsigned.
    V1(AnnounceV1<'a>),
    /// Signed; the signature is not yet checked.
    V2(AnnounceV2<'a>),
}

/// What a device says of itself, unsigned; the body of both versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceV1<'a> {
    /// A text of 1 to [`NAME_BYTES_MAX`] bytes, meant to be a [`DeviceId`](crate::identity::DeviceId).
    pub device_id: &'a str,
    /// Where its session listener accepts.
    pub port: u16,
    /// The public key that its sessions start from.
    pub noise_static: NoisePublic,
    /// What it serves.
    pub services: Services<'a>,
}

/// A signed announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceV2<'a> {
    /// What the device says of itself, with at most [`SIGNED_SERVICES_MAX`] services.
    pub body: AnnounceV1<'a>,
    /// Rises at each start of the device.
    pub epoch: u64,
    /// Rises with each announce of an epoch.
    pub sequence: u32,
    /// Seconds until it is void; 0 says goodbye.
    pub ttl: u16,
    /// The device's Ed25519 key, to be compared with `device_id`.
    pub verifying_key: [u8; 32],
    /// Ed25519, over [`AnnounceV2::signed_message`].
    pub signature: [u8; 64],
}

impl<'a> Announce<'a> {
    /// Reads exactly one announce. Total: any bytes give a value or the first fault in field order.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, AnnounceError> {
        if bytes.len() > ANNOUNCE_BYTES_MAX {
            return Err(AnnounceError::InvalidInput("length"));
        }
        let mut reader = Reader::new(bytes);
        if reader.array().ok_or(AnnounceError::Truncated)? != MAGIC {
            return Err(AnnounceError::BadMagic);
        }
        let announce = match reader.u8().ok_or(AnnounceError::Truncated)? {
            1 => Self::V1(take_body(&mut reader, SERVICES_MAX)?),
            2 => Self::V2(take_signed(&mut reader)?),
            version => return Err(AnnounceError::UnsupportedVersion(version)),
        };
        if reader.rest().is_empty() { Ok(announce) } else { Err(AnnounceError::InvalidInput("trailing bytes")) }
    }

    /// What the device says of itself.
    pub const fn body(&self) -> &AnnounceV1<'a> {
        match self {
            Self::V1(body) => body,
            Self::V2(signed) => &signed.body,
        }
    }
}

impl AnnounceV1<'_> {
    /// The only bytes that parse to this value; refuses a value that no bytes parse to.
    pub fn encode(&self) -> Result<Vec<u8>, AnnounceError> {
        self.encode_as(1, SERVICES_MAX)
    }

    fn encode_as(&self, version: u8, services_max: u8) -> Result<Vec<u8>, AnnounceError> {
        let mut bytes = Vec::with_capacity(ANNOUNCE_BYTES_MAX);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(version);
        push_text(&mut bytes, self.device_id, "device_id")?;
        bytes.extend_from_slice(&self.port.to_be_bytes());
        bytes.extend_from_slice(self.noise_static.as_bytes());
        if self.services.count() > services_max {
            return Err(AnnounceError::InvalidInput("service_count"));
        }
        bytes.push(self.services.count());
        bytes.extend_from_slice(self.services.wire());
        Ok(bytes)
    }
}

impl AnnounceV2<'_> {
    /// The only bytes that parse to this value; refuses a value that no bytes parse to.
    pub fn encode(&self) -> Result<Vec<u8>, AnnounceError> {
        let mut bytes = self.unsigned()?;
        bytes.extend_from_slice(&self.signature);
        Ok(bytes)
    }

    /// What `signature` is over: a context that no other signature of the protocol has, and all bytes before it.
    pub fn signed_message(&self) -> Result<Vec<u8>, AnnounceError> {
        Ok([SIGNATURE_CONTEXT, &self.unsigned()?].concat())
    }

    fn unsigned(&self) -> Result<Vec<u8>, AnnounceError> {
        let mut bytes = self.body.encode_as(2, SIGNED_SERVICES_MAX)?;
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.ttl.to_be_bytes());
        bytes.extend_from_slice(&self.verifying_key);
        Ok(bytes)
    }
}

/// Signed announces of one epoch that differ in no more than their sequence and their time to live.
#[derive(Debug)]
pub(super) struct AnnounceDraft {
    /// All bytes up to the epoch, and it.
    head: Vec<u8>,
    verifying_key: [u8; 32],
}

impl AnnounceDraft {
    /// Refuses a body that no signed announce has.
    pub(super) fn new(body: &AnnounceV1<'_>, epoch: u64, verifying_key: [u8; 32]) -> Result<Self, AnnounceError> {
        let mut head = body.encode_as(2, SIGNED_SERVICES_MAX)?;
        head.extend_from_slice(&epoch.to_be_bytes());
        Ok(Self { head, verifying_key })
    }

    pub(super) fn sign(&self, sequence: u32, ttl: u16, sign: impl Fn(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let mut bytes = self.head.clone();
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&ttl.to_be_bytes());
        bytes.extend_from_slice(&self.verifying_key);
        let signature = sign(&[SIGNATURE_CONTEXT, &bytes].concat());
        bytes.extend_from_slice(&signature);
        bytes
    }
}

/// What the signature of this announce is over; `bytes` have been parsed as version 2.
pub(super) fn signed_message(bytes: &[u8]) -> Vec<u8> {
    [SIGNATURE_CONTEXT, &bytes[..bytes.len() - SIGNATURE_BYTES]].concat()
}

/// Takes a length of 1 to [`NAME_BYTES_MAX`] and that many bytes of UTF-8.
pub(super) fn text<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a str, AnnounceError> {
    let length = usize::from(reader.u8().ok_or(AnnounceError::Truncated)?);
    if length == 0 || length > NAME_BYTES_MAX {
        return Err(AnnounceError::InvalidInput(field));
    }
    let bytes = reader.take(length).ok_or(AnnounceError::Truncated)?;
    core::str::from_utf8(bytes).map_err(|_| AnnounceError::Utf8)
}

fn take_body<'a>(reader: &mut Reader<'a>, services_max: u8) -> Result<AnnounceV1<'a>, AnnounceError> {
    Ok(AnnounceV1 {
        device_id: text(reader, "device_id")?,
        port: reader.u16().ok_or(AnnounceError::Truncated)?,
        noise_static: NoisePublic::from_bytes(reader.array().ok_or(AnnounceError::Truncated)?),
        services: Services::take(reader, services_max)?,
    })
}

fn take_signed<'a>(reader: &mut Reader<'a>) -> Result<AnnounceV2<'a>, AnnounceError> {
    Ok(AnnounceV2 {
        body: take_body(reader, SIGNED_SERVICES_MAX)?,
        epoch: reader.u64().ok_or(AnnounceError::Truncated)?,
        sequence: reader.u32().ok_or(AnnounceError::Truncated)?,
        ttl: reader.u16().ok_or(AnnounceError::Truncated)?,
        verifying_key: reader.array().ok_or(AnnounceError::Truncated)?,
        signature: reader.array().ok_or(AnnounceError::Truncated)?,
    })
}

#[cfg(test)]
mod tests;
