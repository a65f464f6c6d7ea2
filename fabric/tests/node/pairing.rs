//! Two devices that do not trust each other, and their people, who compare six digits (wire contract, 6).

use crate::net::{Net, addr, config, id};
use fabric::mux::{Priority, Reject, code};
use fabric::pairing::{Offence, PairingEnd, PairingError, PairingNumber};
use fabric::trust::{How, Label, TrustError, Trusted};
use fabric::{Admitting, Config, Event, SessionEnd, StreamKey};
use machine::Duration;

const SECOND: Duration = Duration::from_secs(1);
const PHONE: usize = 0;
const HUB: usize = 1;

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn pairing() -> Config {
    Config { admitting: Admitting::Pairing, ..config(&[]) }
}

/// Strangers that know of each other.
fn strangers() -> Net {
    let mut net = Net::new([pairing(), pairing()]);
    net.run(SECOND);
    net
}

/// The same in pairing mode, the phone the one that dials; both are through the exchange, and show a number.
fn comparing() -> (Net, PairingNumber) {
    let mut net = strangers();
    net.enter(PHONE);
    net.enter(HUB);
    let now = net.now;
    net.nodes[PHONE].pair(now, id(2)).unwrap();
    net.run(Duration::from_secs(3));
    let [at_phone, at_hub] = [PHONE, HUB].map(|node| net.number(node));
    assert_eq!(at_phone, at_hub);
    (net, at_phone.unwrap())
}

impl Net {
    fn enter(&mut self, node: usize) {
        let now = self.now;
        self.nodes[node].enter_pairing(now).unwrap();
    }

    fn number(&self, node: usize) -> Option<PairingNumber> {
        self.events[node].iter().find_map(|event| match event {
            Event::PairingNumber { number, .. } => Some(*number),
            _ => None,
        })
    }

    fn failures(&self, node: usize) -> Vec<PairingEnd> {
        let failure = |event: &Event| match event {
            Event::PairingFailed { reason, .. } => Some(*reason),
            _ => None,
        };
        self.events[node].iter().filter_map(failure).collect()
    }

    fn says_yes(&mut self, node: usize, text: &str) {
        let now = self.now;
        self.nodes[node].confirm_pairing(now, label(text), 1_800_000_000).unwrap();
        self.settle();
    }

    fn trusts(&self, node: usize) -> Vec<(String, How)> {
        let store = self.nodes[node].trust_store();
        store.iter().map(|(_, trusted)| (trusted.label.to_string(), trusted.how)).collect()
    }

    /// A device in no pairing mode dials, comes in, and speaks the exchange's messages itself.
    fn speaks(&mut self, node: usize, to: usize, messages: &[&[u8]]) -> StreamKey {
        let (now, device) = (self.now, self.id(to));
        self.nodes[node].connect(now, device);
        self.run(SECOND);
        let now = self.now;
        let stream = self.nodes[node].open(now, device, "pair", Priority::FIRST).unwrap();
        self.settle();
        for message in messages {
            let _ = self.nodes[node].write(now, stream, message, true);
            self.settle();
        }
        stream
    }
}

#[test]
fn two_people_who_see_the_same_number_make_their_devices_trust_each_other() {
    let (mut net, _) = comparing();
    net.says_yes(PHONE, "hub");
    assert_eq!(net.trusts(PHONE), [], "not before the other side's yes");
    net.says_yes(HUB, "phone");
    assert_eq!(net.trusts(PHONE), [("hub".to_owned(), How::Pairing)]);
    assert_eq!(net.trusts(HUB), [("phone".to_owned(), How::Pairing)]);
    for node in [PHONE, HUB] {
        assert_eq!((net.failures(node), net.nodes[node].pairing_until()), (vec![], None));
        assert!(net.events[node].contains(&Event::TrustStored { result: Ok(()) }));
    }
    // Over restarts, out of pairing mode, and under the policy, which lets nobody do anything.
    net.restart(HUB, config(&[]));
    net.restart(PHONE, Config { dial_trusted: true, ..config(&[]) });
    net.run(Duration::from_secs(3));
    assert!(net.nodes[PHONE].is_connected(id(2)));
    let since = net.nodes[HUB].trust_store().get(id(1)).unwrap().since;
    assert_eq!(since, 1_800_000_000);
}

#[test]
fn a_no_is_a_failure_that_both_people_see() {
    let (mut net, _) = comparing();
    net.says_yes(PHONE, "hub");
    let now = net.now;
    net.nodes[HUB].leave_pairing(now);
    net.run(SECOND);
    assert_eq!((net.failures(PHONE), net.failures(HUB)), (vec![PairingEnd::PeerGone], vec![PairingEnd::Rejected]));
    assert_eq!((net.trusts(PHONE), net.trusts(HUB)), (vec![], vec![]));
    assert!(!net.nodes[PHONE].is_connected(id(2)), "and the stranger is out again");
}

#[test]
fn pairing_mode_ends_after_two_minutes() {
    let (mut net, _) = comparing();
    net.says_yes(PHONE, "hub");
    net.run(Duration::from_secs(116));
    assert_eq!((net.failures(PHONE), net.failures(HUB)), (vec![], vec![]));
    net.run(Duration::from_secs(2));
    assert_eq!(net.failures(HUB).len() + net.failures(PHONE).len(), 2);
    assert!(net.failures(PHONE).contains(&PairingEnd::TimedOut) || net.failures(HUB).contains(&PairingEnd::TimedOut));
    let now = net.now;
    let late = net.nodes[HUB].confirm_pairing(now, label("phone"), 0);
    assert_eq!((late, net.trusts(HUB)), (Err(PairingError::NotPairing), vec![]));
}

#[test]
fn nobody_pairs_with_a_device_that_is_not_in_pairing_mode() {
    let mut net = strangers();
    net.enter(PHONE);
    let now = net.now;
    net.nodes[PHONE].pair(now, id(2)).unwrap();
    net.run(Duration::from_secs(5));
    assert!(
        net.events[PHONE]
            .iter()
            .any(|event| { matches!(event, Event::SessionFailed { reason: SessionEnd::Peer(code::NOT_TRUSTED), .. }) })
    );
    assert_eq!(net.number(PHONE), None);
    net.enter(HUB);
    net.run(Duration::from_secs(15));
    assert!(net.number(HUB).is_some(), "it goes on trying");
    let mut closed = Net::new([config(&[])]);
    let now = closed.now;
    assert_eq!(closed.nodes[0].enter_pairing(now), Err(PairingError::Off));
    assert_eq!(closed.nodes[0].pair(now, id(2)), Err(PairingError::NotPairing));
}

#[test]
fn two_that_both_dial_pair_on_the_session_that_stays() {
    let mut net = strangers();
    for (node, peer) in [(PHONE, 2), (HUB, 1)] {
        net.enter(node);
        let now = net.now;
        net.nodes[node].pair(now, id(peer)).unwrap();
    }
    net.run(Duration::from_secs(5));
    assert!(net.number(PHONE).is_some());
    assert_eq!(net.number(PHONE), net.number(HUB));
}

#[test]
fn a_stranger_in_pairing_mode_may_pair_and_nothing_else() {
    let mut hub = pairing();
    hub.policy.allow_everybody("echo");
    let mut net = Net::new([pairing(), hub]);
    net.run(SECOND);
    net.enter(HUB);
    let now = net.now;
    net.nodes[PHONE].connect(now, id(2));
    net.run(SECOND);
    let now = net.now;
    let stream = net.nodes[PHONE].open(now, id(2), "echo", Priority::NORMAL).unwrap();
    net.settle();
    assert!(net.events[PHONE].contains(&Event::Reset { stream, code: Reject::ServiceDenied.code() }));
}

#[test]
fn one_entry_buys_one_exchange_over_all_sessions() {
    let mut net = Net::new([pairing(), pairing(), pairing()]);
    net.run(SECOND);
    net.enter(HUB);
    let commit = [&[1][..], &[7; 32]].concat();
    let waits = net.speaks(2, HUB, &[]);
    let first = net.speaks(PHONE, HUB, &[&commit]);
    assert!(net.events[2].contains(&Event::Reset { stream: waits, code: code::CANCELLED }), "another is turned down");
    let second = net.speaks(PHONE, HUB, &[]);
    assert!(net.events[PHONE].contains(&Event::Reset { stream: second, code: Reject::ServiceDenied.code() }));
    // The man in the middle gives up in silence, to try again: it is shown, and there is no second try.
    let now = net.now;
    net.nodes[PHONE].reset(now, first, code::CANCELLED).unwrap();
    net.run(SECOND);
    assert_eq!((net.failures(HUB), net.nodes[HUB].pairing_until()), (vec![PairingEnd::PeerGone], None));
    assert!(!net.nodes[PHONE].is_connected(id(2)));
}

#[test]
fn every_offence_is_shown_and_answered() {
    let commit = [&[1][..], &[7; 32]].concat();
    let reveal = [&[3][..], &[7; 32]].concat();
    let stories: [(&[&[u8]], Offence); 5] = [
        (&[&commit, &reveal], Offence::CommitmentBroken),
        (&[&reveal], Offence::OutOfOrder),
        (&[&commit, &[4]], Offence::OutOfOrder),
        (&[&commit[..32]], Offence::Malformed),
        (&[&[1; 100]], Offence::Malformed),
    ];
    for (messages, offence) in stories {
        let mut net = strangers();
        net.enter(HUB);
        let stream = net.speaks(PHONE, HUB, messages);
        assert_eq!(net.failures(HUB), [PairingEnd::Offence(offence)]);
        assert_eq!((net.number(HUB), net.nodes[HUB].pairing_until()), (None, None));
        net.settle();
        let ended = |event: &Event| {
            matches!(event, Event::Reset { stream: reset, .. } if *reset == stream)
                || matches!(event, Event::SessionDown { .. })
        };
        assert!(net.events[PHONE].iter().any(ended), "{offence}");
    }
}

#[test]
fn a_label_that_another_device_has_is_refused_before_the_yes_is_told() {
    let (mut net, _) = comparing();
    net.nodes[HUB].trust_as(id(9), Trusted::new(label("phone"), How::Manual, 0)).unwrap();
    let now = net.now;
    let taken = net.nodes[HUB].confirm_pairing(now, label("phone"), 0);
    assert_eq!(taken, Err(PairingError::Trust(TrustError::LabelTaken(id(9)))));
    net.says_yes(HUB, "new-phone");
    net.says_yes(PHONE, "hub");
    assert_eq!(net.trusts(HUB).len(), 2);
}

#[test]
fn at_most_eight_strangers_are_let_in() {
    let mut net = strangers();
    net.enter(HUB);
    for secret in 10..22 {
        net.stranger_comes_in(HUB, addr(usize::from(secret)), secret);
    }
    assert_eq!(net.nodes[HUB].load().sessions, 8);
    let now = net.now;
    net.nodes[HUB].leave_pairing(now);
    net.settle();
    assert_eq!(net.nodes[HUB].load().sessions, 0);
}

#[test]
fn in_the_open_mode_of_tests_everybody_counts_as_trusted() {
    let open = || Config { admitting: Admitting::Open, ..config(&[]) };
    let mut net = Net::new([open(), open()]);
    net.run(SECOND);
    let now = net.now;
    net.nodes[PHONE].connect(now, id(2));
    net.run(SECOND);
    assert!(net.nodes[PHONE].is_connected(id(2)));
}
