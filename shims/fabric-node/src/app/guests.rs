//! Devices that are trusted because everybody is (`--allow any=echo`): a few at a time, each as long as it is of use.
//! For tests: a node that lets strangers in has no other protection than this bound.

use fabric::Command;
use fabric::identity::DeviceId;
use machine::Instant;
use node_log::Recorded;
use std::collections::VecDeque;

/// A quarter of a peer table: it evicts no trusted device, and guests must leave room for others.
const GUESTS_MAX: usize = 16;

/// The guests, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Guests(VecDeque<DeviceId>);

impl Guests {
    /// Lets `device` in, and keeps a session with it from now on where it can be found.
    pub(super) fn welcome(&mut self, now: Instant, node: &mut Recorded, device: DeviceId) {
        if node.config().trusted.contains(&device) {
            return;
        }
        if self.0.len() >= GUESTS_MAX {
            let Some(at) = self.0.iter().position(|guest| !node.is_connected(*guest)) else { return };
            self.dismiss(now, node, at);
        }
        self.0.push_back(device);
        node.command(now, Command::Trust(device));
        node.command(now, Command::Connect(device));
    }

    /// `device` was lost, or a session with it was, or did not come to be: unless another is up, it is forgotten. Whether
    /// it was a guest.
    pub(super) fn gone(&mut self, now: Instant, node: &mut Recorded, device: DeviceId) -> bool {
        let Some(at) = self.0.iter().position(|guest| *guest == device) else { return false };
        if !node.is_connected(device) {
            self.dismiss(now, node, at);
        }
        true
    }

    fn dismiss(&mut self, now: Instant, node: &mut Recorded, at: usize) {
        if let Some(device) = self.0.remove(at) {
            node.command(now, Command::Revoke(device));
        }
    }
}
