//! What a frame is, told before smoltcp sees it; and the device that hands smoltcp one frame. Trusts no byte.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, RxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber,
};

use crate::message::Endpoint;

/// The frames that the stack does something about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A peer opens a connection.
    Syn { ends: Ends, sequence: u32, window_scale: u8 },
    /// A peer answers to the opening of a connection.
    SynAck { ends: Ends, sequence: u32, window_scale: u8, acknowledged: u32 },
    /// A peer acknowledges. Only when the segment says nothing else, `is_pure`, is its checksum verified.
    Ack { ends: Ends, sequence: u32, acknowledged: u32, window: u16, is_pure: bool },
    /// A neighbour says who it is, in a question to us or an answer.
    Arp { from: Ipv4Addr },
    /// Anything else.
    Other,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
}

/// Tells what `frame` is to the host `own`.
pub(super) fn classify(frame: &[u8], own: Ipv4Addr) -> Kind {
    let Ok(ethernet) = EthernetFrame::new_checked(frame) else { return Kind::Other };
    let kind = match ethernet.ethertype() {
        EthernetProtocol::Arp => arp(ethernet.payload(), own),
        EthernetProtocol::Ipv4 => tcp(ethernet.payload(), own),
        _ => None,
    };
    kind.unwrap_or(Kind::Other)
}

fn arp(payload: &[u8], own: Ipv4Addr) -> Option<Kind> {
    let packet = ArpPacket::new_checked(payload).ok()?;
    let ArpRepr::EthernetIpv4 { source_protocol_addr: from, target_protocol_addr, .. } =
        ArpRepr::parse(&packet).ok()?
    else {
        return None;
    };
    (target_protocol_addr == own).then_some(Kind::Arp { from })
}

fn tcp(payload: &[u8], own: Ipv4Addr) -> Option<Kind> {
    let ip = Ipv4Packet::new_checked(payload).ok()?;
    if ip.next_header() != IpProtocol::Tcp || ip.dst_addr() != own {
        return None;
    }
    let segment = TcpPacket::new_checked(ip.payload()).ok()?;
    let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
    let local = Endpoint { host: own, port: segment.dst_port() };
    let ends = Ends { local, remote: Endpoint { host: ip.src_addr(), port: segment.src_port() } };
    let sequence = segment.seq_number().0.cast_unsigned();
    let acknowledged = segment.ack_number().0.cast_unsigned();
    if !segment.payload().is_empty() {
        let window = segment.window_len();
        return segment.ack().then_some(Kind::Ack { ends, sequence, acknowledged, window, is_pure: false });
    }
    let repr = TcpRepr::parse(&segment, &from, &to, &ChecksumCapabilities::default()).ok()?;
    let (window, window_scale) = (repr.window_len, repr.window_scale.unwrap_or(0));
    match (repr.control, repr.ack_number) {
        (TcpControl::Syn, None) => Some(Kind::Syn { ends, sequence, window_scale }),
        (TcpControl::Syn, Some(_)) => Some(Kind::SynAck { ends, sequence, window_scale, acknowledged }),
        (control, Some(_)) => {
            Some(Kind::Ack { ends, sequence, acknowledged, window, is_pure: control == TcpControl::None })
        }
        (_, None) => None,
    }
}

/// What `frame`, a TCP segment, acknowledges and nothing else of it, as if sent at `sequence`; `None` when it is damaged.
pub(super) fn bare_ack(frame: &[u8], sequence: u32) -> Option<Vec<u8>> {
    let ip = Ipv4Packet::new_checked(EthernetFrame::new_checked(frame).ok()?.payload()).ok()?;
    let segment = TcpPacket::new_checked(ip.payload()).ok()?;
    let (from, to) = (ip.src_addr(), ip.dst_addr());
    if !ip.verify_checksum() || !segment.verify_checksum(&from.into(), &to.into()) {
        return None;
    }
    let mut ack = TcpRepr::parse(&segment, &from.into(), &to.into(), &ChecksumCapabilities::ignored()).ok()?;
    ack.control = TcpControl::None;
    ack.seq_number = TcpSeqNumber(sequence.cast_signed());
    ack.payload = &[];
    let headers = EthernetFrame::<&[u8]>::header_len() + usize::from(ip.header_len());
    let mut bare = frame.get(..headers)?.to_vec();
    bare.resize(headers + ack.buffer_len(), 0);
    let mut ethernet = EthernetFrame::new_unchecked(&mut bare);
    let mut ip = Ipv4Packet::new_unchecked(ethernet.payload_mut());
    ip.set_total_len((usize::from(ip.header_len()) + ack.buffer_len()) as u16);
    ip.fill_checksum();
    let mut segment = TcpPacket::new_unchecked(ip.payload_mut());
    ack.emit(&mut segment, &from.into(), &to.into(), &ChecksumCapabilities::default());
    Some(bare)
}

/// `device`, but what it receives is `frame`, once.
pub(super) struct OneFrame<'a, D> {
    pub(super) device: &'a mut D,
    pub(super) frame: Option<&'a [u8]>,
}

/// The one frame.
pub(super) struct Frame<'a>(&'a [u8]);

impl RxToken for Frame<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl<D: Device> Device for OneFrame<'_, D> {
    type RxToken<'t>
        = Frame<'t>
    where
        Self: 't;
    type TxToken<'t>
        = D::TxToken<'t>
    where
        Self: 't;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let answer = self.device.transmit(now)?;
        Some((Frame(self.frame.take()?), answer))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.device.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}
