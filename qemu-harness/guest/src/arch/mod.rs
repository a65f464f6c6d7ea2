//! What the node needs of the machine below it, as one trait. Knows no protocol.
//!
//! Another architecture is another implementation: see `x86_64` for the only one.

#[cfg(target_arch = "x86_64")]
mod x86_64;

use alloc::vec::Vec;
use core::ops::Range;
use guest_contract::Exit;
use machine::Instant;
use virtio_drivers::transport::mmio::MmioTransport;

#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::Microvm as Board;

/// A machine with one processor. There is one of it, so that all is reached without a value.
pub(crate) trait Arch {
    /// Sets up traps, interrupts and the clock. To be called once, first.
    fn start();

    /// Memory that nobody uses.
    fn free_memory() -> Range<usize>;

    /// Time since [`Arch::start`]; never falls.
    fn now() -> Instant;

    /// 64 unpredictable bits; `None` where the processor has none to give.
    fn entropy() -> Option<u64>;

    /// Stands still until `until`, an interrupt, or some hundredths of a second later.
    fn idle(until: Option<Instant>);

    /// Sends a byte on the serial line.
    fn send(byte: u8);

    /// A byte that came in on the serial line.
    fn receive() -> Option<u8>;

    /// The file that the hypervisor hands in under `name`, if it has no more than `bytes_max`.
    fn file(name: &str, bytes_max: usize) -> Option<Vec<u8>>;

    /// The network card, and its interrupt enabled; at most once.
    fn network() -> Option<MmioTransport<'static>>;

    /// Ends the machine.
    fn exit(how: Exit) -> !;
}
