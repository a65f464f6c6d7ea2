//! Handshakes in numbers: ones that never begin, never end, make no sense, prove nothing, come too often,
//! come to stay, or promise what never comes.

use super::kinds::Conduct;
use super::peer::{Attack, Io, Victim};
use fabric::identity::{DeviceId, NoisePublic};
use fabric::session::{Received, Session};
use fabric::suite::{Cipher, Hash, Suite};
use machine::{Duration, Instant, PipeEnd, PipeId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Unfinished handshakes with one victim at a time: more than it takes from one source.
const CROWD: usize = 12;
/// As many as it takes from one source: none of them is evicted.
const GUESTS: usize = 4;
/// A drip, and a look round for guests who left.
const TICK: Duration = Duration::from_millis(100);
/// What is said in place of messages, in turn: a length of zero, a wrong one, the longest, and 48 bytes that do not open.
const GARBAGE: [&[u8]; 4] = [&[0, 0], &[0, 47, 1, 2], &[0xFF, 0xFF], &[0, 48]];

/// The longest record, as far as it ever comes: its header, and more than the records before it had.
const PROMISE: [u8; 200] = [0xFF; 200];
/// None of the garbage needs more to be seen for what it is.
const GARBAGE_BORNE_MAX: Duration = Duration::from_secs(2);
/// A handshake's time (wire contract, 3), and what it takes to be dialled and to hear of its end.
const HANDSHAKE_BORNE_MAX: Duration = Duration::from_secs(6);

/// One pipe of the crowd.
struct Guest {
    victim: DeviceId,
    session: Option<Session>,
    /// Bytes that are its to say before those of its session.
    says: VecDeque<u8>,
    /// How many of them it may say now.
    allowance: usize,
    is_in: bool,
    /// When it came.
    since: Instant,
}

/// Many pipes at a time.
pub(super) struct Crowd {
    conduct: Conduct,
    victims: Vec<Victim>,
    guests: BTreeMap<PipeId, Guest>,
    sent: usize,
}

impl Crowd {
    pub(super) const fn new(conduct: Conduct) -> Self {
        Self { conduct, victims: Vec::new(), guests: BTreeMap::new(), sent: 0 }
    }

    /// How many guests make the point.
    const fn enough(&self) -> usize {
        match self.conduct {
            // More than a node has places for sessions.
            Conduct::Hoard => 300,
            Conduct::Promise => 8,
            Conduct::Storm => 80,
            Conduct::ForgedProof | Conduct::LowOrder => 40,
            Conduct::Drip | Conduct::HalfOpen => 50,
            _ => 150,
        }
    }

    const fn at_a_time(&self) -> usize {
        match self.conduct {
            Conduct::Storm | Conduct::Hoard | Conduct::ForgedProof | Conduct::LowOrder | Conduct::Promise => GUESTS,
            _ => CROWD,
        }
    }

    /// Sends guests to every victim that has not enough of them.
    fn top_up(&mut self, io: &mut Io) {
        for victim in self.victims.clone() {
            // Those who are in are on no list of unfinished handshakes.
            let outside = |guest: &&Guest| guest.victim == victim.device && !guest.is_in;
            let waiting = self.guests.values().filter(outside).count();
            let more = self.at_a_time().saturating_sub(waiting).min(self.enough().saturating_sub(self.sent));
            for _ in 0..more {
                self.send_guest(io, victim);
            }
        }
        io.is_through |= self.sent >= self.enough();
    }

    fn send_guest(&mut self, io: &mut Io, victim: Victim) {
        let mut guest = Guest {
            victim: victim.device,
            session: None,
            says: VecDeque::new(),
            allowance: usize::MAX,
            is_in: false,
            since: io.now,
        };
        match self.conduct {
            Conduct::HalfOpen => {}
            Conduct::Garbage => guest.says = garbage(io, victim, self.sent),
            Conduct::Drip => {
                guest.says = message_1(io, victim);
                guest.allowance = 0;
            }
            // Now the one, now the other of its guises.
            Conduct::LowOrder => guest.session = io.dial_in_guise(self.sent, victim),
            _ => guest.session = io.dial(victim),
        }
        self.sent += 1;
        let pipe = io.open(victim.addr);
        self.guests.insert(pipe, guest);
    }

    /// The victim has let a guest in.
    fn let_in(&mut self, io: &mut Io, pipe: PipeId) {
        match self.conduct {
            Conduct::ForgedProof => {
                return io.complain("somebody got in with a proof that its device did not sign");
            }
            Conduct::LowOrder => return io.complain("somebody got in with a key of low order"),
            _ => {}
        }
        // It stays: in a session, or on the way out for as long as it is borne.
        if let Some(guest) = self.guests.get_mut(&pipe) {
            guest.is_in = true;
            if self.conduct == Conduct::Promise {
                let mut room = [0; 256];
                let count = guest.session.as_mut().map_or(0, |session| session.fill(&mut room, &mut |_| 0));
                guest.says.extend(&room[..count]); // what ends the handshake
                guest.says.extend(PROMISE);
                io.want_fill(pipe);
            }
        }
        self.top_up(io);
    }

    fn leave(&mut self, io: &mut Io, pipe: PipeId) {
        self.guests.remove(&pipe);
        io.close(pipe);
    }
}

fn message_1(io: &mut Io, victim: Victim) -> VecDeque<u8> {
    let mut room = [0; 64];
    let count = io.dial(victim).map_or(0, |mut session| session.fill(&mut room, &mut |_| 0));
    VecDeque::from(room[..count].to_vec())
}

fn garbage(io: &mut Io, victim: Victim, turn: usize) -> VecDeque<u8> {
    let noise: [u8; 164] = io.random_bytes();
    if let Some(start) = GARBAGE.get(turn % (GARBAGE.len() + 1)) {
        return [start, &noise[..48]].concat().into();
    }
    let mut says = message_1(io, victim);
    says.extend([&[0, 164][..], &noise].concat());
    says
}

impl Attack for Crowd {
    fn found(&mut self, io: &mut Io, victim: Victim) {
        self.victims.push(victim);
        self.woken(io);
    }

    fn woken(&mut self, io: &mut Io) {
        self.top_up(io);
        let oldest = self.guests.values().map(|guest| io.now.saturating_since(guest.since)).max().unwrap_or_default();
        match self.conduct {
            Conduct::Garbage if oldest > GARBAGE_BORNE_MAX => {
                io.complain("what is no handshake is borne for seconds");
            }
            Conduct::Drip | Conduct::HalfOpen if oldest > HANDSHAKE_BORNE_MAX => {
                io.complain("a handshake that does not end is borne beyond its time");
            }
            _ => {}
        }
        if self.conduct == Conduct::Drip {
            for (pipe, guest) in &mut self.guests {
                guest.allowance = 1;
                io.want_fill(*pipe);
            }
        }
        io.wake_in(TICK);
    }

    fn received(&mut self, io: &mut Io, pipe: PipeId, mut bytes: &[u8]) {
        let Some(session) = self.guests.get_mut(&pipe).and_then(|guest| guest.session.as_mut()) else { return };
        match session.receive(io.now, &mut bytes) {
            Ok(Some(Received::Established(_))) => self.let_in(io, pipe),
            Ok(_) => io.want_fill(pipe),
            Err(_) => self.leave(io, pipe),
        }
    }

    fn fill(&mut self, _: &mut Io, pipe: PipeId, room: &mut [u8]) -> usize {
        let Some(guest) = self.guests.get_mut(&pipe) else { return 0 };
        let count = room.len().min(guest.says.len()).min(guest.allowance);
        for (place, byte) in room.iter_mut().zip(guest.says.drain(..count)) {
            *place = byte;
        }
        guest.allowance = if guest.allowance == usize::MAX { usize::MAX } else { guest.allowance - count };
        match (&mut guest.session, count) {
            (Some(session), 0) => session.fill(room, &mut |_| 0),
            _ => count,
        }
    }

    fn finished(&mut self, _: &mut Io, _: PipeId) {}

    fn closed(&mut self, io: &mut Io, pipe: PipeId, _: PipeEnd) {
        self.guests.remove(&pipe);
        if matches!(self.conduct, Conduct::Storm | Conduct::Hoard) {
            self.top_up(io);
        }
    }
}

/// A suite that signs nothing: who has it knows a device by its public key only.
pub(super) struct Unsigned(pub(super) Arc<dyn Suite>);

impl Suite for Unsigned {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        self.0.noise_public(secret)
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        self.0.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        self.0.cipher(key)
    }

    fn hash(&self) -> Box<dyn Hash> {
        self.0.hash()
    }

    fn sign(&self, _: &fabric::identity::DeviceKey, _: &[u8]) -> [u8; 64] {
        [7; 64]
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify(verifying_key, message, signature)
    }
}
