//! How a person names another device: by its id, by a name that was given to it, by the first digits of a trusted id, or by
//! id and address where there is no discovery. Names are local: none that came over the wire is one.

use crate::exit::Failure;
use fabric::identity::{DeviceId, NoisePublic};
use machine::Addr;
use std::collections::BTreeMap;
use std::fmt;
use std::net::ToSocketAddrs;
use std::str::FromStr;

/// Fewer digits are too easily shared by two devices.
const PREFIX_DIGITS_MIN: usize = 8;
const LABEL_BYTES_MAX: usize = 32;
/// The subject of `--allow` that means everybody.
pub(crate) const ANY: &str = "any";

/// A local name: `[a-z0-9-]{1,32}`, not all hex digits, not `any` (wire contract, 1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label(String);

impl FromStr for Label {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_label = (1..=LABEL_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        match text {
            ANY => Err("`any` means everybody and names nobody".into()),
            _ if !is_label => Err(format!("`{text}` is no label: 1 to 32 of a-z, 0-9 and -")),
            _ if is_hex(text) => Err(format!("`{text}` is no label: it looks like the digits of a device id")),
            _ => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a device is to be found without discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) addr: Addr,
    pub(crate) noise_static: NoisePublic,
}

/// Whom to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) device: DeviceId,
    /// `None`: where discovery finds it.
    pub(crate) place: Option<Place>,
}

/// The trusted devices, some of which have names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trusted {
    labels: BTreeMap<DeviceId, Option<Label>>,
}

impl Trusted {
    /// Trusts `device`, under `label` if it has one. No two devices share a label.
    pub(crate) fn add(&mut self, device: DeviceId, label: Option<Label>) -> Result<(), Failure> {
        if let Some(label) = &label
            && let Some(other) = self.labelled(&label.0).filter(|other| *other != device)
        {
            return Err(Failure::usage(format!("`{label}` is the name of two devices: {other} and {device}")));
        }
        let known = self.labels.entry(device).or_default();
        *known = label.or(known.take());
        Ok(())
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.labels.keys().copied()
    }

    fn labelled(&self, text: &str) -> Option<DeviceId> {
        let has_it = |label: &Option<Label>| label.as_ref().is_some_and(|label| label.0 == text);
        self.labels.iter().find(|(_, label)| has_it(label)).map(|(device, _)| *device)
    }

    /// The device of an id, a label, or digits that one trusted id alone begins with.
    pub(crate) fn device(&self, text: &str) -> Result<DeviceId, Failure> {
        if let Some(device) = text.parse().ok().or_else(|| self.labelled(text)) {
            return Ok(device);
        }
        if !is_hex(text) {
            let help = "name a device id (64 lower-case hex digits) or a label that `--trust LABEL=ID` gave";
            return Err(Failure::usage(format!("no trusted device is called `{text}`")).help(help));
        }
        if text.len() < PREFIX_DIGITS_MIN || text.len() >= 64 {
            let help = format!("{PREFIX_DIGITS_MIN} digits or more of a trusted id, or all 64");
            return Err(Failure::usage(format!("`{text}` has {} digits", text.len())).help(help));
        }
        let mut found = self.devices().filter(|device| device.to_string().starts_with(text));
        match (found.next(), found.next()) {
            (Some(device), None) => Ok(device),
            (None, _) => Err(Failure::usage(format!("no trusted device id begins with {text}"))
                .help("a device that is not trusted is named by all 64 digits")),
            (Some(_), Some(_)) => {
                Err(Failure::usage(format!("several trusted device ids begin with {text}")).help("give more digits"))
            }
        }
    }

    /// Reads `ID@HOST:PORT#NOISE_STATIC`, or whatever [`Trusted::device`] takes.
    pub(crate) fn peer(&self, text: &str) -> Result<Peer, Failure> {
        let Some((name, place)) = text.split_once('@') else {
            return Ok(Peer { device: self.device(text)?, place: None });
        };
        Ok(Peer { device: self.device(name)?, place: Some(self::place(place)?) })
    }
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn place(text: &str) -> Result<Place, Failure> {
    let fault = |what: String| {
        Failure::usage(what).help("after @ write HOST:PORT#NOISE_STATIC, as the other side prints it when it starts")
    };
    let (host, noise_static) =
        text.split_once('#').ok_or_else(|| fault(format!("`{text}` has no #, and so no Noise static")))?;
    let noise_static: NoisePublic =
        noise_static.parse().map_err(|error| fault(format!("the Noise static `{noise_static}`: {error}")))?;
    if noise_static.is_low_order() {
        return Err(fault(format!("the Noise static {noise_static} is no key: its point is of low order")));
    }
    let mut addrs = host.to_socket_addrs().map_err(|error| fault(format!("the address `{host}`: {error}")))?;
    let addr = addrs.next().ok_or_else(|| fault(format!("`{host}` has no address")))?;
    if addr.port() == 0 {
        return Err(fault(format!("the address `{host}`: nobody listens at port 0")));
    }
    Ok(Place { addr: addr.into(), noise_static })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(first: u8) -> DeviceId {
        DeviceId::from_bytes(std::array::from_fn(|at| if at == 4 { first } else { 0xab }))
    }

    fn trusted() -> Trusted {
        let mut trusted = Trusted::default();
        trusted.add(id(1), Some("hub".parse().unwrap())).unwrap();
        trusted.add(id(2), None).unwrap();
        trusted
    }

    #[test]
    fn ids_labels_and_unique_digits_name_a_device() {
        let trusted = trusted();
        let stranger = DeviceId::from_bytes([9; 32]);
        assert_eq!(trusted.device(&stranger.to_string()).unwrap(), stranger);
        assert_eq!(trusted.device("hub").unwrap(), id(1));
        assert_eq!(trusted.device("abababab02").unwrap(), id(2));
    }

    #[test]
    fn what_names_nobody_or_several_says_why() {
        let said = |text: &str| trusted().peer(text).unwrap_err().to_string();
        assert!(said("phone").contains("called `phone`"));
        assert!(said("abababab").contains("several"));
        assert!(said("cdcdcdcd").contains("begins with cdcdcdcd"));
        assert!(said("ababab0").contains("7 digits"));
        assert!(said("").contains("called ``"));
        assert!(said("hub@127.0.0.1:1").contains("no #"));
        assert!(said("hub@127.0.0.1:1#12").contains("64 lower-case hex digits"));
        assert!(said(&format!("hub@127.0.0.1:1#{}", "00".repeat(32))).contains("low order"));
        assert!(said(&format!("hub@127.0.0.1#{}", "01".repeat(32))).contains("address `127.0.0.1`"));
        assert!(said(&format!("hub@127.0.0.1:0#{}", "02".repeat(32))).contains("port 0"));
    }

    #[test]
    fn an_address_is_dialled_without_discovery() {
        let peer = trusted().peer(&format!("hub@[::1]:7#{}", "02".repeat(32))).unwrap();
        let place = peer.place.unwrap();
        assert_eq!((peer.device, place.addr.to_string()), (id(1), "[::1]:7".to_owned()));
    }

    #[test]
    fn a_label_is_one_device_and_no_id() {
        assert!(trusted().add(id(3), Some("hub".parse().unwrap())).is_err());
        for text in ["", "Hub", "a b", "abc", "12", "any", &"x".repeat(33)] {
            assert!(text.parse::<Label>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_an_error(text in "\\PC{0,40}", place in "[0-9a-f@#:.\\[\\]]{0,60}") {
            let trusted = trusted();
            let _ = trusted.device(&text);
            let _ = trusted.peer(&format!("hub@{place}!")); // with a character that no resolver looks up
        }
    }
}
