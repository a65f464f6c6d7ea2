//! What a frame is, told before smoltcp sees it; and the device that hands smoltcp one frame. Trusts no byte.

use core::net::Ipv4Addr;

use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, RxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, TcpControl, TcpPacket, TcpRepr,
};

use crate::message::Endpoint;

/// The frames that the stack does something about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A peer opens a connection.
    Syn { ends: Ends, window_scale: u8 },
    /// A peer answers to the opening of a connection.
    SynAck { ends: Ends, window_scale: u8, acknowledged: u32 },
    /// A peer acknowledges. Only when the segment says nothing else, `is_pure`, is its checksum verified.
    Ack { ends: Ends, acknowledged: u32, window: u16, is_pure: bool },
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
    let acknowledged = segment.ack_number().0.cast_unsigned();
    if !segment.payload().is_empty() {
        let window = segment.window_len();
        return segment.ack().then_some(Kind::Ack { ends, acknowledged, window, is_pure: false });
    }
    let repr = TcpRepr::parse(&segment, &from, &to, &ChecksumCapabilities::default()).ok()?;
    let (window, window_scale) = (repr.window_len, repr.window_scale.unwrap_or(0));
    match (repr.control, repr.ack_number) {
        (TcpControl::Syn, None) => Some(Kind::Syn { ends, window_scale }),
        (TcpControl::Syn, Some(_)) => Some(Kind::SynAck { ends, window_scale, acknowledged }),
        (control, Some(_)) => Some(Kind::Ack { ends, acknowledged, window, is_pure: control == TcpControl::None }),
        (_, None) => None,
    }
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
