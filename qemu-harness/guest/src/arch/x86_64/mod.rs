//! QEMU's microvm: PVH boot, port I/O, PIC and PIT, `fw_cfg`, isa-debug-exit. Every `unsafe` of it is below.

mod boot;
mod clock;
mod fw_cfg;
mod interrupts;
mod memory;
mod port;
mod serial;
mod virtio;

use super::Arch;
use alloc::vec::Vec;
use core::ops::Range;
use guest_contract::Exit;
use machine::Instant;
use virtio_drivers::transport::mmio::MmioTransport;

/// The machine that the image runs on.
pub(crate) struct Microvm;

impl Arch for Microvm {
    fn start() {
        interrupts::start();
        clock::start();
    }

    fn free_memory() -> Range<usize> {
        boot::end()..fw_cfg::memory_bytes()
    }

    fn now() -> Instant {
        clock::now()
    }

    fn entropy() -> Option<u64> {
        clock::has_random().then(clock::random).flatten()
    }

    fn idle(until: Option<Instant>) {
        let now = clock::now();
        if until.is_some_and(|until| until <= now) {
            return;
        }
        clock::alarm(until.map(|until| until.saturating_since(now)));
        interrupts::halt();
    }

    fn send(byte: u8) {
        serial::send(byte);
    }

    fn receive() -> Option<u8> {
        serial::receive()
    }

    fn file(name: &str, bytes_max: usize) -> Option<Vec<u8>> {
        fw_cfg::file(name, bytes_max)
    }

    fn network() -> Option<MmioTransport<'static>> {
        let (transport, irq) = virtio::network()?;
        interrupts::enable(irq);
        Some(transport)
    }

    fn exit(how: Exit) -> ! {
        loop {
            port::write_u32(0xF4, how.code());
            interrupts::halt();
        }
    }
}
