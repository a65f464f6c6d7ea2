//! The lines of a trust store, one a device, by id:
//! `device HEX label NAME how pairing|manual since SECONDS epoch NUMBER groups NAME,NAME` (`(none)` for none).

use super::{DEVICES_MAX, GROUPS_MAX, How, Label, Trusted};
use crate::identity::DeviceId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::fmt::Write;

pub(super) fn encode(devices: &BTreeMap<DeviceId, Trusted>) -> String {
    let mut text = String::new();
    for (device, trusted) in devices {
        // Writing to a string does not fail.
        let _ = write_line(&mut text, *device, trusted);
    }
    text
}

fn write_line(text: &mut String, device: DeviceId, trusted: &Trusted) -> core::fmt::Result {
    let Trusted { label, groups, how, since, epoch } = trusted;
    let how = match how {
        How::Pairing => "pairing",
        How::Manual => "manual",
    };
    write!(text, "device {device} label {label} how {how} since {since} epoch {epoch} groups ")?;
    if groups.is_empty() {
        text.push_str("(none)");
    }
    for (place, group) in groups.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(text, "{comma}{group}")?;
    }
    text.push('\n');
    Ok(())
}

/// All of it, or nothing: half a list of whom to trust is not one.
pub(super) fn parse(body: &str) -> Option<BTreeMap<DeviceId, Trusted>> {
    let mut devices = BTreeMap::new();
    let mut labels = BTreeSet::new();
    for line in body.lines() {
        let (device, trusted) = parse_line(line)?;
        let is_new = labels.insert(trusted.label) && devices.insert(device, trusted).is_none();
        if !is_new || devices.len() > DEVICES_MAX {
            return None;
        }
    }
    Some(devices)
}

fn parse_line(line: &str) -> Option<(DeviceId, Trusted)> {
    let mut words = line.split(' ');
    let mut value = |key: &str| words.next().filter(|word| *word == key).and_then(|_| words.next());
    let device = value("device")?.parse().ok()?;
    let label = value("label")?.parse().ok()?;
    let how = match value("how")? {
        "pairing" => How::Pairing,
        "manual" => How::Manual,
        _ => return None,
    };
    let since = value("since")?.parse().ok()?;
    let epoch = value("epoch")?.parse().ok()?;
    let groups = parse_groups(value("groups")?)?;
    words.next().is_none().then_some((device, Trusted { label, groups, how, since, epoch }))
}

fn parse_groups(text: &str) -> Option<BTreeSet<Label>> {
    if text == "(none)" {
        return Some(BTreeSet::new());
    }
    let groups: BTreeSet<Label> = text.split(',').map(|group| group.parse().ok()).collect::<Option<_>>()?;
    (groups.len() <= GROUPS_MAX).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_stay_what_they_are() {
        let label = |text: &str| text.parse::<Label>().unwrap();
        let groups = BTreeSet::from([label("work"), label("family")]);
        let phone = Trusted { label: label("phone"), groups, how: How::Pairing, since: 1_800_000_000, epoch: 3 };
        let hub = Trusted::new(label("hub"), How::Manual, 0);
        let devices =
            BTreeMap::from([(DeviceId::from_bytes([0x11; 32]), phone), (DeviceId::from_bytes([0x22; 32]), hub)]);
        let golden = alloc::format!(
            "device {} label phone how pairing since 1800000000 epoch 3 groups family,work\n\
             device {} label hub how manual since 0 epoch 0 groups (none)\n",
            "11".repeat(32),
            "22".repeat(32),
        );
        assert_eq!(encode(&devices), golden);
        assert_eq!(parse(&golden), Some(devices));
    }

    #[test]
    fn what_is_not_wholly_a_store_is_none() {
        let line = |id: &str, label: &str, rest: &str| {
            alloc::format!("device {} label {label} how manual since 0 epoch 0 groups (none){rest}\n", id.repeat(32))
        };
        assert!(parse(&line("11", "phone", "")).is_some());
        let twice = [line("11", "phone", ""), line("11", "hub", "")].concat();
        let same_label = [line("11", "phone", ""), line("22", "phone", "")].concat();
        let wrong = [twice, same_label, line("11", "phone", " more"), line("1", "phone", ""), line("11", "PHONE", "")];
        for text in wrong.into_iter().chain(["hello\n".into(), "\n".into()]) {
            assert_eq!(parse(&text), None, "{text}");
        }
    }
}
