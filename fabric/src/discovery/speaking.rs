//! What a node says of itself, and when: the half of discovery that listens to nobody.

use alloc::string::ToString;

use machine::Instant;

use super::announce::{AnnounceDraft, AnnounceV1};
use super::announcer::{Said, Signed};
use super::{Discovery, Refusal, Services, refusal};
use crate::identity::NoisePublic;

/// What this node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAnnounce {
    /// Where its session listener accepts; not 0.
    pub port: u16,
    /// The public half of its Noise static.
    pub noise_static: NoisePublic,
    /// What it serves.
    pub services: Services<'static>,
}

impl Discovery {
    /// Announces this from now on, unsigned (version 1), at once first. Refuses what other nodes would.
    pub fn announce(&mut self, now: Instant, local: &LocalAnnounce) -> Result<(), Refusal> {
        let said = self.said(local, None)?;
        self.announcer.start(now, said);
        Ok(())
    }

    /// Announces this from now on, signed (version 2) and then unsigned for those who know no better, at once first.
    /// `verifying_key` is the device's; `epoch` is above that of every earlier start, and durable. Said again, of another
    /// Noise static perhaps, the sequence goes on. Refuses what other nodes would.
    pub fn announce_signed(
        &mut self,
        now: Instant,
        local: &LocalAnnounce,
        epoch: u64,
        verifying_key: [u8; 32],
    ) -> Result<(), Refusal> {
        let said = self.said(local, Some((epoch, verifying_key)))?;
        self.announcer.start(now, said);
        Ok(())
    }

    /// Judges what [`Discovery::announce`], or with `is_signed` [`Discovery::announce_signed`], would.
    pub fn judge(&self, local: &LocalAnnounce, is_signed: bool) -> Result<(), Refusal> {
        self.said(local, is_signed.then_some((0, [0; 32]))).map(|_| ())
    }

    fn said(&self, local: &LocalAnnounce, signed: Option<(u64, [u8; 32])>) -> Result<Said, Refusal> {
        let body = AnnounceV1 {
            device_id: &self.own.to_string(),
            port: local.port,
            noise_static: local.noise_static,
            services: local.services.clone(),
        };
        refusal::judge_claims(&body)?;
        let unsigned = body.encode().map_err(Refusal::Malformed)?;
        let seconds = self.limits.time_to_live.as_millis() / 1_000;
        let ttl = u16::try_from(seconds).unwrap_or(u16::MAX).max(1);
        let sign = |(epoch, key)| AnnounceDraft::new(&body, epoch, key).map(|draft| Signed { draft, ttl, sequence: 0 });
        let signed = signed.map(sign).transpose().map_err(Refusal::Malformed)?;
        Ok(Said { unsigned, signed })
    }

    /// Announces nothing any more; a node that signed what it announced says goodbye.
    pub fn stop_announcing(&mut self) {
        self.announcer.stop();
    }

    /// The announce to send to the group now, if one is due. `sign` makes an Ed25519 signature with the device key.
    pub fn poll_announce(&mut self, sign: impl Fn(&[u8]) -> [u8; 64]) -> Option<&[u8]> {
        self.announcer.poll(sign)
    }

    /// When this node announces itself next; `None` while it only listens.
    pub fn next_announce(&self) -> Option<Instant> {
        self.announcer.next_timeout()
    }

    /// Whether [`Discovery::poll_announce`] has something to give.
    pub fn has_announce(&self) -> bool {
        self.announcer.is_due()
    }
}
