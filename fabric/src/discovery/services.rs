//! The services that an announce names, as their wire bytes: at most 16 names of at most 64 bytes. Knows no announce.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use super::announce::{AnnounceError, NAME_BYTES_MAX, SERVICES_MAX, text};
use crate::wire::Reader;

/// A list of service names, borrowed from a datagram or owned (`Services<'static>`).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Services<'a> {
    count: u8,
    /// `count` times a length byte and that many bytes of UTF-8.
    names: Cow<'a, [u8]>,
}

impl Services<'_> {
    /// The list of these names. More than [`SERVICES_MAX`] of them are `InvalidInput("service_count")`, a name that is
    /// empty or longer than [`NAME_BYTES_MAX`] is `InvalidInput("service")`.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Services<'static>, AnnounceError> {
        let mut count = 0;
        let mut bytes = Vec::new();
        for name in names {
            if count == SERVICES_MAX {
                return Err(AnnounceError::InvalidInput("service_count"));
            }
            count += 1;
            push_text(&mut bytes, name, "service")?;
        }
        Ok(Services { count, names: Cow::Owned(bytes) })
    }

    /// How many names there are, at most [`SERVICES_MAX`].
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// The names in the order in which they were announced.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut reader = Reader::new(&self.names);
        core::iter::from_fn(move || text(&mut reader, "service").ok())
    }

    /// The same list, owned.
    pub fn to_owned(&self) -> Services<'static> {
        Services { count: self.count, names: Cow::Owned(self.names.to_vec()) }
    }

    /// The bytes after `service_count`.
    pub(super) fn wire(&self) -> &[u8] {
        &self.names
    }
}

impl<'a> Services<'a> {
    /// Takes `service_count`, at most `count_max`, and the names.
    pub(super) fn take(reader: &mut Reader<'a>, count_max: u8) -> Result<Self, AnnounceError> {
        let count = reader.u8().ok_or(AnnounceError::Truncated)?;
        if count > count_max {
            return Err(AnnounceError::InvalidInput("service_count"));
        }
        let start = reader.rest();
        for _ in 0..count {
            text(reader, "service")?;
        }
        let names = &start[..start.len() - reader.rest().len()];
        Ok(Self { count, names: Cow::Borrowed(names) })
    }
}

impl fmt::Debug for Services<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Appends a length byte and the text; the same bounds as [`text`].
pub(super) fn push_text(bytes: &mut Vec<u8>, text: &str, field: &'static str) -> Result<(), AnnounceError> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(AnnounceError::InvalidInput(field));
    }
    bytes.push(text.len() as u8);
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}
