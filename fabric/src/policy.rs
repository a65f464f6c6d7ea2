//! Who may open which service and call which method: nobody, unless said otherwise. Decides by device id, never by a name
//! from the wire.

use crate::identity::DeviceId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

/// Permissions. The default denies everything.
///
/// Who may open a service as a whole may call all its methods. Who may call one of its methods may open it to do so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    services: BTreeMap<String, Service>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Service {
    whole: Allowed,
    methods: BTreeMap<String, Allowed>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Allowed {
    everybody: bool,
    devices: BTreeSet<DeviceId>,
}

/// Whom a rule is about. Names are local ones: they are resolved to device ids when the policy is loaded, and no later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// One device.
    Device(DeviceId),
    /// Each device that is in this group when the policy is loaded.
    Group(String),
    /// Every device with a session.
    Everybody,
}

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who may.
    pub who: Who,
    /// The service.
    pub service: String,
    /// One method of it; all of it without one.
    pub method: Option<String>,
}

/// Which devices are in which group.
pub type Groups = BTreeMap<String, BTreeSet<DeviceId>>;

/// A rule names a group that there is not: more likely a slip of the pen than meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownGroup(pub String);

impl core::fmt::Display for UnknownGroup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "there is no group `{}`", self.0)
    }
}

impl core::error::Error for UnknownGroup {}

impl Policy {
    /// The permissions of these rules, with groups as they are now.
    pub fn load<'a>(rules: impl IntoIterator<Item = &'a Rule>, groups: &Groups) -> Result<Self, UnknownGroup> {
        let mut policy = Self::default();
        for Rule { who, service, method } in rules {
            let allowed = policy.allowed(service, method.as_deref());
            match who {
                Who::Device(device) => drop(allowed.devices.insert(*device)),
                Who::Group(group) => {
                    allowed.devices.extend(groups.get(group).ok_or_else(|| UnknownGroup(group.clone()))?);
                }
                Who::Everybody => allowed.everybody = true,
            }
        }
        Ok(policy)
    }

    /// Lets `device` open `service`, and call all its methods.
    pub fn allow(&mut self, device: DeviceId, service: &str) {
        self.allowed(service, None).devices.insert(device);
    }

    /// Lets `device` call `method` of `service`.
    pub fn allow_method(&mut self, device: DeviceId, service: &str, method: &str) {
        self.allowed(service, Some(method)).devices.insert(device);
    }

    /// Lets every device with a session open `service`. For tests and demonstrations.
    pub fn allow_everybody(&mut self, service: &str) {
        self.allowed(service, None).everybody = true;
    }

    /// Takes back all that `device` was given of `service`; streams that are open stay so, but calls on them are denied.
    pub fn deny(&mut self, device: DeviceId, service: &str) {
        if let Some(known) = self.services.get_mut(service) {
            known.whole.devices.remove(&device);
            known.methods.retain(|_, allowed| {
                allowed.devices.remove(&device);
                allowed.everybody || !allowed.devices.is_empty()
            });
        }
    }

    /// Whether `device` may open `service`.
    pub fn allows(&self, device: DeviceId, service: &str) -> bool {
        let methods_allow = |known: &Service| known.methods.values().any(|allowed| allowed.holds(device));
        self.services.get(service).is_some_and(|known| known.whole.holds(device) || methods_allow(known))
    }

    /// Whether `device` may call `method` of `service`.
    pub fn allows_method(&self, device: DeviceId, service: &str, method: &str) -> bool {
        let method_allows = |known: &Service| known.methods.get(method).is_some_and(|allowed| allowed.holds(device));
        self.services.get(service).is_some_and(|known| known.whole.holds(device) || method_allows(known))
    }

    fn allowed(&mut self, service: &str, method: Option<&str>) -> &mut Allowed {
        let known = self.services.entry(service.into()).or_default();
        match method {
            None => &mut known.whole,
            Some(method) => known.methods.entry(method.into()).or_default(),
        }
    }
}

impl Allowed {
    fn holds(&self, device: DeviceId) -> bool {
        self.everybody || self.devices.contains(&device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn devices() -> (DeviceId, DeviceId) {
        (DeviceId::from_bytes([1; 32]), DeviceId::from_bytes([2; 32]))
    }

    #[test]
    fn only_what_was_allowed_to_whom_it_was_allowed() {
        let (phone, other) = devices();
        let mut policy = Policy::default();
        assert!(!policy.allows(phone, "echo"), "deny is the default");
        policy.allow(phone, "echo");
        policy.allow_everybody("time");
        assert!(policy.allows(phone, "echo") && policy.allows(other, "time"));
        assert!(!policy.allows(other, "echo") && !policy.allows(phone, "echo2") && !policy.allows(phone, "ech"));
        policy.deny(phone, "echo");
        assert!(!policy.allows(phone, "echo"));
    }

    #[test]
    fn a_method_is_allowed_alone_or_with_its_service() {
        let (phone, other) = devices();
        let mut policy = Policy::default();
        policy.allow_method(phone, "files", "list");
        policy.allow(other, "files");
        assert!(policy.allows_method(phone, "files", "list") && policy.allows_method(other, "files", "list"));
        assert!(!policy.allows_method(phone, "files", "delete") && policy.allows_method(other, "files", "delete"));
        assert!(policy.allows(phone, "files") && !policy.allows(phone, "list"));
        policy.deny(phone, "files");
        assert!(!policy.allows(phone, "files") && !policy.allows_method(phone, "files", "list"));
    }

    #[test]
    fn groups_are_those_of_the_time_of_loading() {
        let (phone, other) = devices();
        let rule = |who, method: Option<&str>| Rule { who, service: "echo".into(), method: method.map(Into::into) };
        let family = rule(Who::Group("family".into()), Some("say"));
        let mut groups = Groups::from([("family".into(), BTreeSet::from([phone]))]);
        let policy = Policy::load([&family], &groups).unwrap();
        groups.entry("family".into()).or_default().insert(other);
        assert!(policy.allows_method(phone, "echo", "say") && !policy.allows_method(other, "echo", "say"));
        let all = [rule(Who::Everybody, Some("see")), rule(Who::Device(other), None)];
        let policy = Policy::load(&all, &groups).unwrap();
        assert!(policy.allows_method(phone, "echo", "see") && !policy.allows_method(phone, "echo", "say"));
        assert!(policy.allows_method(other, "echo", "say"));
        let unknown = rule(Who::Group("famly".into()), None);
        assert_eq!(Policy::load([&unknown], &groups), Err(UnknownGroup("famly".into())));
    }
}
