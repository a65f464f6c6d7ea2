//! The network card as smoltcp wants it: a virtio device with fixed buffers. Waits for nothing.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ptr::NonNull;
use netstackd::wire::ETHERNET_HEADER_BYTES;
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Buffers of each queue.
const QUEUE_BUFFERS: usize = 64;
/// 1,500 bytes of IP and the Ethernet header.
const FRAME_BYTES_MAX: usize = 1_514;
/// A frame and the longest header, rounded up.
const BUFFER_BYTES: usize = 2_048;

type Buffer = Box<[u8; BUFFER_BYTES]>;
type Net = VirtIONetRaw<Identity, MmioTransport<'static>, QUEUE_BUFFERS>;

/// The card.
pub(crate) struct Card {
    net: Net,
    /// The longest packet that it sends.
    mtu: u16,
    receiving: Vec<Slot>,
    sending: Vec<Slot>,
}

struct Slot {
    buffer: Buffer,
    /// The card has the buffer, under this number, and nobody else touches it.
    token: Option<u16>,
}

impl Slot {
    fn new() -> Self {
        Self { buffer: Box::new([0; BUFFER_BYTES]), token: None }
    }
}

impl Card {
    /// Starts the card behind `transport`, for packets of up to `mtu` bytes; `None` when it does not start.
    pub(crate) fn new(transport: MmioTransport<'static>, mtu: u16) -> Option<Self> {
        let mut net = Net::new(transport).ok()?;
        net.enable_interrupts();
        let slots = || (0..QUEUE_BUFFERS).map(|_| Slot::new()).collect();
        let mut card = Self { net, mtu, receiving: slots(), sending: slots() };
        for slot in 0..QUEUE_BUFFERS {
            card.lend(slot);
        }
        Some(card)
    }

    /// Its hardware address.
    pub(crate) fn mac(&self) -> [u8; 6] {
        self.net.mac_address()
    }

    /// Lets it interrupt again: whatever comes after is a new interrupt.
    pub(crate) fn acknowledge(&mut self) {
        self.net.ack_interrupt();
    }

    /// Whether all that was sent has left.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.reap();
        self.sending.iter().all(|slot| slot.token.is_none())
    }

    fn lend(&mut self, slot: usize) {
        let slot = &mut self.receiving[slot];
        // SAFETY: the buffer is not touched while `token` is set.
        let lent = unsafe { self.net.receive_begin(&mut *slot.buffer) };
        assert!(lent.is_ok(), "the queue has a place for every buffer");
        slot.token = lent.ok();
    }

    /// The next frame that came in.
    fn take(&mut self) -> Option<Vec<u8>> {
        let token = self.net.poll_receive()?;
        let at = self.receiving.iter().position(|slot| slot.token == Some(token));
        assert!(at.is_some(), "the card gives back what it was lent");
        let at = at?;
        let slot = &mut self.receiving[at];
        slot.token = None;
        // SAFETY: this buffer was lent under this token.
        let received = unsafe { self.net.receive_complete(token, &mut *slot.buffer) };
        let frame = received.ok().and_then(|(header, length)| slot.buffer.get(header..header + length));
        let frame = frame.map(<[u8]>::to_vec).unwrap_or_default();
        self.lend(at);
        Some(frame)
    }

    /// Takes back the buffers of frames that have left.
    fn reap(&mut self) {
        while let Some(token) = self.net.poll_transmit() {
            let slot = self.sending.iter_mut().find(|slot| slot.token == Some(token));
            assert!(slot.is_some(), "the card gives back what it was lent");
            let Some(slot) = slot else { return };
            let header_and_frame = &slot.buffer[..];
            // SAFETY: this buffer was lent under this token. Its length serves the bookkeeping of bounce buffers only, which
            // `Identity` has none of.
            let sent = unsafe { self.net.transmit_complete(token, header_and_frame) };
            assert!(sent.is_ok(), "the token is the next used one");
            slot.token = None;
        }
    }

    fn send<R>(&mut self, length: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        assert!(length <= FRAME_BYTES_MAX, "smoltcp keeps to the announced size");
        let slot = self.sending.iter_mut().find(|slot| slot.token.is_none());
        assert!(slot.is_some(), "a token to send is given only when a buffer is free");
        let Some(slot) = slot else { unreachable!("asserted above") };
        let header = self.net.fill_buffer_header(&mut *slot.buffer).unwrap_or(0);
        let result = fill(&mut slot.buffer[header..header + length]);
        // SAFETY: the buffer is not touched while `token` is set.
        let lent = unsafe { self.net.transmit_begin(&slot.buffer[..header + length]) };
        assert!(lent.is_ok(), "the queue has a place for every buffer");
        slot.token = lent.ok();
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Received, Sender<'_>)> {
        self.transmit(now)?;
        let frame = self.take()?;
        Some((Received(frame), Sender(self)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sender<'_>> {
        self.reap();
        self.sending.iter().any(|slot| slot.token.is_none()).then_some(Sender(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES_MAX.min(ETHERNET_HEADER_BYTES + usize::from(self.mtu));
        capabilities
    }
}

/// A frame that came in.
pub(crate) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room for a frame that goes out.
pub(crate) struct Sender<'a>(&'a mut Card);

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        self.0.send(length, f)
    }
}

/// Memory as the card sees it: every address is what it is for the processor.
struct Identity;

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; PAGE_SIZE]);

// SAFETY: memory is mapped as it is, one to one, and pages come from the heap, so nobody else has them.
unsafe impl Hal for Identity {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let memory = NonNull::from(vec![Page([0; PAGE_SIZE]); pages].leak()).cast::<u8>();
        (memory.addr().get() as PhysAddr, memory)
    }

    /// The card lives as long as the machine.
    unsafe fn dma_dealloc(_address: PhysAddr, _memory: NonNull<u8>, _pages: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _size: usize) -> NonNull<u8> {
        let pointer = NonNull::new(core::ptr::with_exposed_provenance_mut(address as usize));
        assert!(pointer.is_some(), "no device is at address 0");
        pointer.unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        buffer.addr().get() as PhysAddr
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}
