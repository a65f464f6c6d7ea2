//! One connection: how it stands, how it ended, and a watch over what the peer owes. Knows no client.

use alloc::vec;
use core::net::Ipv4Addr;

use machine::{Duration, Instant};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{self, CongestionControl, State};

use super::Config;
use crate::message::{Endpoint, Status};

/// How long the peer may owe an acknowledgement before the stack asks for it besides smoltcp's own timers.
///
/// smoltcp 0.14 drops its timer when a retransmission falls due while the send window is zero, and arms no window probe
/// (RFC 9293, 3.8.6.1, demands one): a zero window that arrives late, overtaken by the update that opened the window, and
/// the loss of what was sent meanwhile leave both ends waiting for good. A keep-alive, which smoltcp sends only when no
/// other timer runs, asks the peer for its window, and the answer sets things going.
const ASK_AFTER: Duration = Duration::from_secs(3);
const ASK_EVERY: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(2);

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: SocketHandle,
    pub(super) remote: Endpoint,
    /// Whether the handshake is done.
    pub(super) is_connected: bool,
    /// Whether the peer's half is finished; bytes before the end may still wait to be read.
    pub(super) peer_finished: bool,
    /// Whether the client has finished its half.
    pub(super) is_finishing: bool,
    /// How it ended.
    pub(super) end: Option<Status>,
    /// How many bytes the client has written.
    written: u64,
    /// How many bytes the client has read.
    read: u64,
    /// The sequence number of the first byte that the peer sends.
    peer_first: u32,
    /// The peer's (RFC 7323).
    window_scale: u8,
    acks: Acks,
    watch: Watch,
}

/// What the peer's acknowledgements said, where smoltcp does not tell.
#[derive(Debug, Default)]
struct Acks {
    /// The sequence number of the first byte that the client wrote.
    first: u32,
    /// Sequence number and window, as it came, of the last pure one.
    last: (u32, u16),
    /// How many before it, in a row, said the same.
    repeated: u8,
}

#[derive(Debug)]
struct Watch {
    state: State,
    acknowledged: u64,
    /// When the peer last moved on, or began to owe.
    since: Instant,
    owes: bool,
    asks: bool,
}

impl Connection {
    pub(super) fn new(now: Instant, socket: SocketHandle, remote: Endpoint) -> Self {
        let watch = Watch { state: State::Closed, acknowledged: 0, since: now, owes: true, asks: false };
        let (is_connected, peer_finished, is_finishing) = (false, false, false);
        let (read, peer_first, window_scale, acks) = (0, 0, 0, Acks::default());
        Self {
            socket,
            remote,
            is_connected,
            peer_finished,
            is_finishing,
            end: None,
            written: 0,
            read,
            peer_first,
            window_scale,
            acks,
            watch,
        }
    }

    /// A socket as all connections use them.
    pub(super) fn socket(config: &Config) -> tcp::Socket<'static> {
        let buffer = |bytes: u32| tcp::SocketBuffer::new(vec![0; bytes as usize]);
        let mut socket = tcp::Socket::new(buffer(config.tcp_receive_bytes), buffer(config.tcp_send_bytes));
        socket.set_congestion_control(CongestionControl::Reno);
        // Records are written whole: waiting for more to send with them only adds delay.
        socket.set_nagle_enabled(false);
        socket
    }

    /// Notes what the last frame or timer did to the connection.
    pub(super) fn observe(&mut self, sockets: &SocketSet<'static>) {
        let socket = sockets.get::<tcp::Socket<'_>>(self.socket);
        match socket.state() {
            State::Listen | State::SynSent | State::SynReceived => {}
            State::Established | State::FinWait1 | State::FinWait2 => self.is_connected = true,
            State::CloseWait | State::LastAck | State::Closing => {
                (self.is_connected, self.peer_finished) = (true, true);
            }
            State::TimeWait => {
                self.peer_finished = true;
                self.end.get_or_insert(Status::Finished);
            }
            State::Closed => {
                // In LAST-ACK smoltcp closes on the last acknowledgement and on a reset. All was acknowledged either way.
                let is_whole = self.is_finishing && self.peer_finished && socket.send_queue() == 0;
                let end = match (self.is_connected, is_whole) {
                    (false, _) => Status::Refused,
                    (true, true) => Status::Finished,
                    (true, false) => Status::Reset,
                };
                self.end.get_or_insert(end);
            }
        }
    }

    /// The peer has opened its half.
    pub(super) const fn on_syn(&mut self, sequence: u32, window_scale: u8) {
        self.peer_first = sequence.wrapping_add(1);
        self.window_scale = window_scale;
    }

    /// The sequence number of what is expected next of the peer.
    pub(super) fn next_expected(&self, sockets: &SocketSet<'static>) -> u32 {
        let socket = sockets.get::<tcp::Socket<'_>>(self.socket);
        let received = self.read + socket.recv_queue() as u64 + u64::from(self.peer_finished);
        self.peer_first.wrapping_add(received as u32)
    }

    /// The sequence number of the first byte that the peer has not acknowledged.
    fn unacknowledged(&self, sockets: &SocketSet<'static>) -> u32 {
        let queued = sockets.get::<tcp::Socket<'_>>(self.socket).send_queue();
        self.acks.first.wrapping_add((self.written - queued as u64) as u32)
    }

    /// Whether a segment at `sequence`, which is older than what is expected and not older than a window, acknowledges
    /// something new.
    ///
    /// smoltcp 0.14 answers an old segment and reads nothing of it (as RFC 9293, 3.10.7.4, has it), and what it says from
    /// where it retransmits is old to its peer: the RFC's SND.NXT stays, smoltcp's goes back. When each end retransmits
    /// what the other one has, because acknowledgements were lost both ways, neither ever hears the other again.
    pub(super) fn is_overdue(&self, sockets: &SocketSet<'static>, sequence: u32, acknowledged: u32) -> bool {
        let socket = sockets.get::<tcp::Socket<'_>>(self.socket);
        let age = self.next_expected(sockets).wrapping_sub(sequence) as usize;
        let news = acknowledged.wrapping_sub(self.unacknowledged(sockets)) as usize;
        let is_old = (1..=socket.recv_capacity()).contains(&age);
        self.is_connected && is_old && (1..=socket.send_queue() + 1).contains(&news)
    }

    /// The peer has acknowledged something, or has only seemed to.
    pub(super) fn on_ack(&mut self, acknowledged: u32) {
        if !self.is_connected {
            self.acks.first = acknowledged; // what ends the handshake acknowledges the SYN and nothing more
        }
    }

    /// Whether smoltcp must not see a pure acknowledgement, because it has seen the same twice, it acknowledges nothing new,
    /// and the peer's window is smaller than a segment of `mss` bytes.
    ///
    /// At the third repetition smoltcp 0.14 sends a whole segment again, whatever the window: bytes that the peer has to
    /// cut off, with a FIN behind them that a smoltcp peer takes at once. The stream then ends early, or with a byte too
    /// many. Without fast retransmission such a segment, if it was lost, waits for its timer.
    pub(super) fn is_harmful(
        &mut self,
        sockets: &SocketSet<'static>,
        acknowledged: u32,
        window: u16,
        mss: usize,
    ) -> bool {
        let socket = sockets.get::<tcp::Socket<'_>>(self.socket);
        let so_far = self.unacknowledged(sockets);
        let is_small = (usize::from(window) << self.window_scale) < mss.min(socket.send_capacity());
        let is_repeated = self.acks.last == (acknowledged, window);
        self.acks.repeated = if is_repeated { self.acks.repeated.saturating_add(1) } else { 0 };
        self.acks.last = (acknowledged, window);
        // One repetition may pass: smoltcp may have found the first outside its receive window.
        self.acks.repeated >= 2 && acknowledged == so_far && is_small
    }

    /// Asks a peer that owes for too long, and in the end gives it up. Gives the peer's host when it may have moved.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        sockets: &mut SocketSet<'static>,
        user_timeout: Duration,
    ) -> Option<Ipv4Addr> {
        let socket = sockets.get_mut::<tcp::Socket<'_>>(self.socket);
        let (state, queued) = (socket.state(), socket.send_queue());
        let acknowledged = self.written - queued as u64;
        let is_opening_or_closing =
            matches!(state, State::SynSent | State::SynReceived | State::FinWait1 | State::Closing | State::LastAck);
        let owes = self.end.is_none() && (queued > 0 || is_opening_or_closing);
        let watch = &mut self.watch;
        if !owes || !watch.owes || state != watch.state || acknowledged > watch.acknowledged {
            if core::mem::take(&mut watch.asks) {
                socket.set_keep_alive(None);
            }
            *watch = Watch { state, acknowledged, since: now, owes, asks: false };
        } else if watch.since + user_timeout <= now {
            self.end = Some(Status::Disconnected);
            socket.abort();
        } else if watch.since + ASK_AFTER <= now && !watch.asks {
            watch.asks = true;
            socket.set_keep_alive(Some(ASK_EVERY));
            return Some(self.remote.host);
        }
        None
    }

    /// When to watch next.
    pub(super) fn next_timeout(&self, user_timeout: Duration) -> Option<Instant> {
        let watch = &self.watch;
        let after = if watch.asks { user_timeout } else { ASK_AFTER.min(user_timeout) };
        (watch.owes && self.end.is_none()).then_some(watch.since + after)
    }

    /// Since when the peer has owed the end of the handshake.
    pub(super) const fn since(&self) -> Instant {
        self.watch.since
    }

    /// The next bytes, at most as many as fit into `into`.
    pub(super) fn read(&mut self, sockets: &mut SocketSet<'static>, into: &mut [u8]) -> Result<usize, Status> {
        match sockets.get_mut::<tcp::Socket<'_>>(self.socket).recv_slice(into) {
            Ok(count) if count > 0 && self.is_connected => {
                self.read += count as u64;
                Ok(count)
            }
            _ => Err(match self.end {
                Some(end) => end,
                None if self.peer_finished => Status::Finished,
                None if !self.is_connected => Status::NotConnected,
                None => Status::WouldBlock,
            }),
        }
    }

    /// Takes as many bytes as fit.
    pub(super) fn write(&mut self, sockets: &mut SocketSet<'static>, payload: &[u8]) -> Result<usize, Status> {
        self.may_write()?;
        match sockets.get_mut::<tcp::Socket<'_>>(self.socket).send_slice(payload) {
            Ok(0) => Err(Status::WouldBlock),
            Ok(count) => {
                self.written += count as u64;
                Ok(count)
            }
            Err(tcp::SendError::InvalidState) => Err(Status::NotConnected),
        }
    }

    fn may_write(&self) -> Result<(), Status> {
        match self.end {
            Some(Status::Finished) => Err(Status::NotConnected),
            Some(end) => Err(end),
            None if self.is_connected && !self.is_finishing => Ok(()),
            None => Err(Status::NotConnected),
        }
    }

    /// How many bytes fit.
    pub(super) fn room(&self, sockets: &SocketSet<'static>) -> Result<u32, Status> {
        let socket = sockets.get::<tcp::Socket<'_>>(self.socket);
        match self.end {
            Some(end) => Err(end),
            None if self.is_finishing || !self.is_connected => Err(Status::WouldBlock),
            None => match socket.send_capacity() - socket.send_queue() {
                0 => Err(Status::WouldBlock),
                room => Ok(room as u32),
            },
        }
    }

    /// Finishes the client's half.
    pub(super) fn finish(&mut self, sockets: &mut SocketSet<'static>) -> Result<(), Status> {
        self.may_write()?;
        self.is_finishing = true;
        sockets.get_mut::<tcp::Socket<'_>>(self.socket).close();
        Ok(())
    }
}
