//! Finds the network card among the virtio devices that QEMU names on the command line.

use super::fw_cfg;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::{DeviceType, Transport};

/// microvm's virtio devices lie in these pages.
const DEVICES: core::ops::Range<usize> = 0xFEB0_0000..0xFEB0_4000;
const REGION_BYTES: usize = 512;
/// The two PICs have 16 lines.
const IRQS: u8 = 16;

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The card and its interrupt line; once.
pub(super) fn network() -> Option<(MmioTransport<'static>, u8)> {
    if IS_TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    let line = fw_cfg::command_line();
    let words = line.split(|byte| byte.is_ascii_whitespace() || *byte == 0);
    words.filter_map(device).find_map(|(address, irq)| {
        let header = NonNull::new(core::ptr::with_exposed_provenance_mut(address))?;
        // SAFETY: QEMU has a device of this size there, and this function gives each out once.
        let transport = unsafe { MmioTransport::new(header, REGION_BYTES) }.ok()?;
        (transport.device_type() == DeviceType::Network).then_some((transport, irq))
    })
}

/// Parses `virtio_mmio.device=512@0xfeb00e00:12`.
fn device(word: &[u8]) -> Option<(usize, u8)> {
    let place = core::str::from_utf8(word).ok()?.strip_prefix("virtio_mmio.device=512@0x")?;
    let (address, irq) = place.split_once(':')?;
    let (address, irq) = (usize::from_str_radix(address, 16).ok()?, irq.parse().ok()?);
    let is_there = DEVICES.contains(&address) && address.is_multiple_of(REGION_BYTES) && irq < IRQS;
    is_there.then_some((address, irq))
}
