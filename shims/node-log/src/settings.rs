//! What a node is told at its start beside its secrets, as plain data.

use crate::text::Text;
use fabric::identity::DeviceId;
use fabric::{Admitting, Announcing, Config, Policy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a node is told at its start beside its secrets: [`fabric::Config`] as plain data, with the default limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// [`Config::port`].
    pub port: u16,
    /// [`Config::services`].
    pub services: Vec<String>,
    /// Whether to announce, signed: [`Config::announce`].
    pub announce: bool,
    /// [`Config::dial_trusted`].
    pub dial_trusted: bool,
    /// [`Config::trusted`].
    #[serde(with = "texts")]
    pub trusted: Vec<DeviceId>,
    /// Whether strangers may be let in to pair: [`Config::admitting`].
    #[serde(default)]
    pub pairing: bool,
    /// Who may open what, as [`Config::policy`]; nobody else may.
    pub allow: Vec<Allow>,
}

/// A permission to open a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Whose; `None` is everybody's.
    #[serde(with = "maybe_text")]
    pub device: Option<DeviceId>,
    /// To open what, or as `service/method` to call what.
    pub service: String,
}

impl Settings {
    /// Lets `device`, or everybody, open `service`.
    pub fn allow(&mut self, device: Option<DeviceId>, service: &str) {
        self.allow.push(Allow { device, service: service.to_owned() });
    }

    /// The same for a node.
    pub fn config(&self) -> Config {
        let mut policy = Policy::default();
        for Allow { device, service } in &self.allow {
            permit(&mut policy, *device, service);
        }
        Config {
            port: self.port,
            services: self.services.clone(),
            announce: if self.announce { Announcing::V2 } else { Announcing::Off },
            admitting: if self.pairing { Admitting::Pairing } else { Admitting::Closed },
            dial_trusted: self.dial_trusted,
            trusted: self.trusted.iter().copied().collect(),
            policy,
            ..Config::default()
        }
    }
}

/// Lets `device`, or everybody, open `service`, or call the method of `service/method`.
pub(crate) fn permit(policy: &mut Policy, device: Option<DeviceId>, service: &str) {
    match (device, service.split_once('/')) {
        (Some(device), Some((service, method))) => policy.allow_method(device, service, method),
        (Some(device), None) => policy.allow(device, service),
        (None, _) => policy.allow_everybody(service),
    }
}

mod maybe_text {
    use super::{Deserialize, Deserializer, DeviceId, Serialize, Serializer, Text};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(value: &Option<DeviceId>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Text).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DeviceId>, D::Error> {
        let value: Option<Text<DeviceId>> = Option::deserialize(deserializer)?;
        Ok(value.map(|value| value.0))
    }
}

mod texts {
    use super::{Deserialize, Deserializer, DeviceId, Serializer, Text};

    pub(super) fn serialize<S: Serializer>(values: &[DeviceId], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Text(*value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DeviceId>, D::Error> {
        let values: Vec<Text<DeviceId>> = Vec::deserialize(deserializer)?;
        Ok(values.into_iter().map(|value| value.0).collect())
    }
}
