//! A simulated Ethernet for stack mode: a device of two queues, and what a switch would do with its frames. Knows no
//! machine.
//!
//! The simulator carries datagrams between addresses of its own, and each frame is one. So that a unicast frame meets one
//! link and not all, a host learns which address a hardware address is behind, as a switch does; what it has not learnt
//! goes to everyone, as broadcasts do.
//!
//! A frame here has no checksum of its own (FCS): IPv4, UDP and TCP bring theirs, and a damaged packet reaches smoltcp's
//! check. ARP has none, and one flipped bit would poison a cache for a minute, which no Ethernet does. A hardware address
//! is therefore made from the host's address ([`mac`]), and ARP that contradicts it is dropped, as switches do that inspect
//! ARP.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use machine::{Addr, Destination};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol};

/// The header in front of each packet of a frame.
pub const ETHERNET_HEADER_BYTES: usize = 14;
/// The longest packet of Ethernet.
pub const MTU_MAX: u16 = 1_500;
/// The longest frame.
pub const FRAME_BYTES_MAX: usize = MTU_MAX as usize + ETHERNET_HEADER_BYTES;
/// Frames that wait in one direction; further ones are lost, or wait in their sockets.
const FRAMES_MAX: usize = 256;
/// Hosts whose place is learnt; frames to further ones go to everyone.
const PLACES_MAX: usize = 1_024;

/// The hardware address of `host`: locally administered, unicast.
pub const fn mac(host: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = host.octets();
    [0x02, 0, a, b, c, d]
}

/// A device whose other side is two queues of frames.
#[derive(Debug)]
pub struct QueueDevice {
    received: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
    frame_bytes_max: usize,
}

impl Default for QueueDevice {
    fn default() -> Self {
        Self::new(MTU_MAX)
    }
}

impl QueueDevice {
    /// A device that sends packets of at most `mtu` bytes.
    pub fn new(mtu: u16) -> Self {
        let frame_bytes_max = usize::from(mtu) + ETHERNET_HEADER_BYTES;
        Self { received: VecDeque::new(), sent: VecDeque::new(), frame_bytes_max }
    }

    /// A frame has come in; it is lost when the queue is full.
    pub fn deliver(&mut self, frame: &[u8]) {
        if self.received.len() < FRAMES_MAX {
            self.received.push_back(frame.to_vec());
        }
    }

    /// The next frame that goes out.
    pub fn take_sent(&mut self) -> Option<Vec<u8>> {
        self.sent.pop_front()
    }
}

impl Device for QueueDevice {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received, Sent<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Sent(&mut self.sent)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sent<'_>> {
        (self.sent.len() < FRAMES_MAX).then_some(Sent(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.frame_bytes_max;
        capabilities
    }
}

/// A frame that came in.
#[derive(Debug)]
pub struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room for a frame that goes out.
#[derive(Debug)]
pub struct Sent<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

/// What a switch knows: which of the simulator's addresses each hardware address is behind.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    places: BTreeMap<[u8; 6], Addr>,
}

impl Switch {
    /// A frame has come in from `from`: whether it is let through.
    pub(crate) fn inspect(&mut self, from: Addr, frame: &[u8]) -> bool {
        let Ok(ethernet) = EthernetFrame::new_checked(frame) else { return false };
        if frame.len() > FRAME_BYTES_MAX {
            return false;
        }
        if ethernet.ethertype() != EthernetProtocol::Arp {
            return true;
        }
        let source = ethernet.src_addr();
        let is_honest = is_honest(ethernet.payload(), source);
        if is_honest && self.places.len() < PLACES_MAX {
            self.places.insert(source.0, from);
        }
        is_honest
    }

    /// Where a frame goes.
    pub(crate) fn route(&self, frame: &[u8]) -> Destination {
        let place =
            EthernetFrame::new_checked(frame).ok().and_then(|frame| self.places.get(&frame.dst_addr().0).copied());
        place.map_or(Destination::Group, Destination::Addr)
    }
}

/// Whether an ARP packet's sender is who its address says.
fn is_honest(payload: &[u8], source: EthernetAddress) -> bool {
    let Ok(packet) = ArpPacket::new_checked(payload) else { return false };
    let Ok(ArpRepr::EthernetIpv4 { source_hardware_addr, source_protocol_addr, .. }) = ArpRepr::parse(&packet) else {
        return false;
    };
    source_hardware_addr == source && source.0 == mac(source_protocol_addr)
}
