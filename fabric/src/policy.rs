//! Who may open which service: nobody, unless said otherwise. Decides by device id, never by a name from the wire.

use crate::identity::DeviceId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

/// Permissions to open a service. The default denies everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    services: BTreeMap<String, Allowed>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Allowed {
    everybody: bool,
    devices: BTreeSet<DeviceId>,
}

impl Policy {
    /// Lets `device` open `service`.
    pub fn allow(&mut self, device: DeviceId, service: &str) {
        self.services.entry(service.into()).or_default().devices.insert(device);
    }

    /// Lets every device with a session open `service`. For tests and demonstrations.
    pub fn allow_everybody(&mut self, service: &str) {
        self.services.entry(service.into()).or_default().everybody = true;
    }

    /// Takes back what [`Policy::allow`] gave; streams that are open stay so.
    pub fn deny(&mut self, device: DeviceId, service: &str) {
        if let Some(allowed) = self.services.get_mut(service) {
            allowed.devices.remove(&device);
        }
    }

    /// Whether `device` may open `service`.
    pub fn allows(&self, device: DeviceId, service: &str) -> bool {
        self.services.get(service).is_some_and(|allowed| allowed.everybody || allowed.devices.contains(&device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_allowed_to_whom_it_was_allowed() {
        let (phone, other) = (DeviceId::from_bytes([1; 32]), DeviceId::from_bytes([2; 32]));
        let mut policy = Policy::default();
        assert!(!policy.allows(phone, "echo"), "deny is the default");
        policy.allow(phone, "echo");
        policy.allow_everybody("time");
        assert!(policy.allows(phone, "echo") && policy.allows(other, "time"));
        assert!(!policy.allows(other, "echo") && !policy.allows(phone, "echo2") && !policy.allows(phone, "ech"));
        policy.deny(phone, "echo");
        assert!(!policy.allows(phone, "echo"));
    }
}
