//! Taking in frames, one at a time, each looked at before smoltcp sees it.

use alloc::vec::Vec;

use machine::Instant;
use smoltcp::iface::PollIngressSingleResult;
use smoltcp::phy::{Device, RxToken};
use smoltcp::wire::IpAddress;

use super::frame::{self, Ends, Kind, OneFrame};
use super::tcp::Connection;
use super::{NetStack, TCP_HEADERS_BYTES, TcpSocket, smoltcp_time};

/// A connection that a SYN may open at a listened port.
struct Fresh {
    port: u16,
    connection: Connection,
}

impl<D: Device> NetStack<D> {
    /// Takes in one frame; false when there is none, or no room for an answer to it.
    pub(super) fn take_in(&mut self, now: Instant) -> bool {
        let Some(frame) = self.frame.take().or_else(|| self.receive(now)) else { return false };
        let (is_wanted, fresh) = self.before(now, &frame);
        if !is_wanted {
            self.spare = frame;
            return true;
        }
        if let Some(ack) = self.overdue_ack(&frame) {
            self.hand(now, &ack);
        }
        let is_taken = self.hand(now, &frame);
        if let Some(fresh) = fresh {
            self.after_syn(fresh);
        }
        if is_taken {
            self.observe();
            self.spare = frame;
        } else {
            self.frame = Some(frame);
        }
        is_taken
    }

    /// Hands smoltcp a frame; false when there is no room for an answer to it.
    fn hand(&mut self, now: Instant, frame: &[u8]) -> bool {
        let mut one = OneFrame { device: &mut self.device, frame: Some(frame) };
        let at = smoltcp_time(now);
        self.iface.poll_ingress_single(at, &mut one, &mut self.sockets) != PollIngressSingleResult::None
    }

    /// What an old segment acknowledges, where smoltcp would not see it: see [`Connection::is_overdue`].
    fn overdue_ack(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let Kind::Ack { ends, sequence, acknowledged, .. } = frame::classify(frame, self.config.host) else {
            return None;
        };
        let connection = self.table.find(&self.sockets, ends)?;
        let next = connection.next_expected(&self.sockets);
        let is_overdue = connection.is_overdue(&self.sockets, sequence, acknowledged);
        is_overdue.then(|| frame::bare_ack(frame, next)).flatten()
    }

    fn receive(&mut self, now: Instant) -> Option<Vec<u8>> {
        let (token, _) = self.device.receive(smoltcp_time(now))?;
        let (mut kept, longest) = (core::mem::take(&mut self.spare), self.mtu);
        kept.clear();
        token.consume(|frame| kept.extend_from_slice(frame.get(..longest).unwrap_or(frame)));
        Some(kept)
    }

    /// Looks at a frame before smoltcp does: whether smoltcp shall, and the socket that was made for it.
    fn before(&mut self, now: Instant, frame: &[u8]) -> (bool, Option<Fresh>) {
        match frame::classify(frame, self.config.host) {
            Kind::Syn { ends, sequence, window_scale } => return self.before_syn(now, ends, sequence, window_scale),
            Kind::SynAck { ends, sequence, window_scale, acknowledged } => {
                if let Some(connection) = self.table.find(&self.sockets, ends) {
                    connection.on_syn(sequence, window_scale);
                    connection.on_ack(acknowledged);
                }
            }
            Kind::Ack { ends, acknowledged, window, is_pure, .. } => {
                let mss = self.mtu.saturating_sub(TCP_HEADERS_BYTES);
                let Some(connection) = self.table.find(&self.sockets, ends) else { return (true, None) };
                connection.on_ack(acknowledged);
                return (!is_pure || !connection.is_harmful(&self.sockets, acknowledged, window, mss), None);
            }
            Kind::Arp { from } => {
                self.resolver.found(from);
                self.has_news = true;
            }
            Kind::Other => {}
        }
        (true, None)
    }

    /// Makes a socket that listens for this one SYN, unless it belongs to a connection or to no listener.
    fn before_syn(&mut self, now: Instant, ends: Ends, sequence: u32, window_scale: u8) -> (bool, Option<Fresh>) {
        if self.has_connection(ends) {
            return (true, None);
        }
        let Some(listener) = self.listener(ends.local.port) else { return (true, None) };
        if listener.waiting.len() >= usize::from(listener.backlog) || self.make_room().is_err() {
            return (false, None);
        }
        let mut socket = Connection::socket(&self.config);
        let listens = socket.listen((IpAddress::Ipv4(ends.local.host), ends.local.port));
        assert!(listens.is_ok(), "a new socket listens on any port but 0, which no listener has");
        let mut connection = Connection::new(now, self.sockets.add(socket), ends.remote);
        connection.on_syn(sequence, window_scale);
        (true, Some(Fresh { port: ends.local.port, connection }))
    }

    /// Keeps the new socket if smoltcp took the SYN.
    fn after_syn(&mut self, fresh: Fresh) {
        let Fresh { port, connection } = fresh;
        let is_listening = self.sockets.get::<TcpSocket<'_>>(connection.socket).is_listening();
        match self.listener(port) {
            Some(listener) if !is_listening => listener.waiting.push_back(connection),
            _ => {
                self.sockets.remove(connection.socket);
            }
        }
    }
}
