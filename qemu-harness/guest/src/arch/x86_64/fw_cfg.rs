//! What QEMU hands in: files, the command line, the size of memory (QEMU's docs, `specs/fw_cfg`). Believes no length.

use super::port;
use alloc::vec::Vec;

const SELECTOR: u16 = 0x510;
const DATA: u16 = 0x511;
const RAM_BYTES: u16 = 0x03;
const COMMAND_LINE_LENGTH: u16 = 0x14;
const COMMAND_LINE: u16 = 0x15;
const DIRECTORY: u16 = 0x19;
/// QEMU has a few dozen at most.
const FILES_MAX: u32 = 1_024;
const COMMAND_LINE_BYTES_MAX: u32 = 4_096;
/// The processor is told to map no more (boot.rs), and devices lie above 3 GiB.
const MEMORY_BYTES_MAX: u64 = 1 << 30;

fn select(item: u16) {
    port::write_u16(SELECTOR, item);
}

fn take<const N: usize>() -> [u8; N] {
    core::array::from_fn(|_| port::read(DATA))
}

fn take_all(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|_| port::read(DATA)).collect()
}

/// Where memory ends.
pub(super) fn memory_bytes() -> usize {
    select(RAM_BYTES);
    u64::from_le_bytes(take()).min(MEMORY_BYTES_MAX) as usize
}

/// The kernel's command line, which names the virtio devices.
pub(super) fn command_line() -> Vec<u8> {
    select(COMMAND_LINE_LENGTH);
    let bytes = u32::from_le_bytes(take()).min(COMMAND_LINE_BYTES_MAX);
    select(COMMAND_LINE);
    take_all(bytes)
}

/// The file called `name`, if it has no more than `bytes_max`.
pub(super) fn file(name: &str, bytes_max: usize) -> Option<Vec<u8>> {
    select(DIRECTORY);
    let count = u32::from_be_bytes(take()).min(FILES_MAX);
    let (bytes, item) = (0..count).find_map(|_| {
        let (bytes, item) = (u32::from_be_bytes(take()), u16::from_be_bytes(take()));
        let _reserved: [u8; 2] = take();
        let entry: [u8; 56] = take();
        let is_it = entry.split(|byte| *byte == 0).next() == Some(name.as_bytes());
        is_it.then_some((bytes, item))
    })?;
    if bytes as usize > bytes_max {
        return None;
    }
    select(item);
    Some(take_all(bytes))
}
