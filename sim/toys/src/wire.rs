//! Bytes that both toys share: checksummed datagrams, test messages, a bounded reader. Knows no protocol.

use alloc::vec::Vec;

/// Bytes that [`seal`] appends.
pub const CHECKSUM_BYTES: usize = 8;

/// 64-bit FNV-1a. One changed byte always changes it; it is no defence against malice.
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// `SplitMix64`'s finalizer: a bijection whose every output bit depends on every input bit.
pub const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Appends the checksum of all that is in `datagram`.
pub fn seal(datagram: &mut Vec<u8>) {
    let checksum = digest(datagram);
    datagram.extend_from_slice(&checksum.to_be_bytes());
}

/// The bytes before the checksum; `None` when the datagram is too short or was damaged.
pub fn open(datagram: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = datagram.split_last_chunk::<CHECKSUM_BYTES>()?;
    (digest(body) == u64::from_be_bytes(*checksum)).then_some(body)
}

/// Message `index` of the source `id`: 0 to `bytes_max` bytes that depend on nothing else, so that an oracle can tell
/// whether it arrived whole.
pub fn message(id: u32, index: u32, bytes_max: u16) -> Vec<u8> {
    let mut state = mix(u64::from(id) << 32 | u64::from(index));
    let length = state % (u64::from(bytes_max) + 1);
    (0..length)
        .map(|_| {
            state = mix(state);
            state as u8
        })
        .collect()
}

/// Reads big-endian integers from the front of a slice; `None` once it is too short.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}
