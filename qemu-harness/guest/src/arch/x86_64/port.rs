//! Port I/O. Ports reach devices only, never memory; which port does what is their callers' matter.

use core::arch::asm;

/// Writes a byte.
pub(super) fn write(port: u16, value: u8) {
    // SAFETY: the image uses no device with direct memory access behind a port.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) }
}

/// Writes four bytes.
pub(super) fn write_u32(port: u16, value: u32) {
    // SAFETY: as for `write`.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags)) }
}

/// Writes two bytes.
pub(super) fn write_u16(port: u16, value: u16) {
    // SAFETY: as for `write`.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack, preserves_flags)) }
}

/// Reads a byte.
pub(super) fn read(port: u16) -> u8 {
    let value;
    // SAFETY: as for `write`.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) }
    value
}
