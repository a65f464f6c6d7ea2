//! The two example services, over calls between whole nodes.

use crate::calls::{HUB, PHONE, Talk};
use crate::net::id;
use fabric::call::{Event, Limits};
use fabric::mux::{Priority, code};
use fabric::services::bundlemgrd::{self, Bundlemgrd, Download};
use fabric::services::samgrd::{self, Samgrd};

/// A hub that serves the two example services as a daemon would.
fn answer_all(talk: &mut Talk, samgrd: &Samgrd, bundles: &mut Bundlemgrd) {
    loop {
        let (now, hub) = (talk.net.now, &mut talk.net.nodes[HUB]);
        for event in std::mem::take(&mut talk.rest[HUB]) {
            bundles.handle_event(now, hub, event);
        }
        let mut calls = Vec::new();
        talk.heard[HUB].retain(|event| match event {
            Event::Called { call, device, service, method, body } => {
                let policy = &hub.config().policy;
                let answer = match service.as_str() {
                    samgrd::SERVICE => samgrd.answer(method, body, |service| policy.allows(*device, service)),
                    _ => bundles.answer(method, body),
                };
                calls.push((*call, answer));
                false
            }
            _ => true,
        });
        for (call, answer) in &calls {
            talk.reply(*call, answer.as_deref().map_err(|status| *status));
        }
        talk.pump();
        if calls.is_empty() && talk.rest[HUB].is_empty() {
            return;
        }
    }
}

#[test]
fn a_service_is_resolved_a_bundle_queried_and_fetched_on_a_stream_of_its_own() {
    let mut talk = Talk::new(&Limits::default());
    let (mut samgrd, mut bundles) = (Samgrd::default(), Bundlemgrd::default());
    let app: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
    bundles.register("app", 1, app.clone().into());
    samgrd.register(bundlemgrd::SERVICE, &bundlemgrd::methods());
    let mut policy = talk.net.nodes[HUB].config().policy.clone();
    for service in [samgrd::SERVICE, bundlemgrd::SERVICE, bundlemgrd::ARTEFACT] {
        policy.allow(id(1), service);
        talk.net.nodes[HUB].serve(service);
    }
    talk.net.nodes[HUB].set_policy(policy);
    talk.calls[HUB].serve(samgrd::SERVICE, samgrd::methods());
    talk.calls[HUB].serve(bundlemgrd::SERVICE, bundlemgrd::methods());

    let call = talk.try_call_service(samgrd::SERVICE, samgrd::RESOLVE, samgrd::request(bundlemgrd::SERVICE).unwrap());
    answer_all(&mut talk, &samgrd, &mut bundles);
    let reply = talk.outcome(call.unwrap()).unwrap().unwrap();
    assert_eq!(samgrd::parse_reply(&reply), Ok(Some(bundlemgrd::methods())));

    let call = talk.try_call_service(bundlemgrd::SERVICE, bundlemgrd::QUERY, bundlemgrd::request("app").unwrap());
    answer_all(&mut talk, &samgrd, &mut bundles);
    let reply = talk.outcome(call.unwrap()).unwrap().unwrap();
    let description = bundlemgrd::parse_reply(&reply).unwrap().unwrap();

    let fetch = |talk: &mut Talk, name: &[u8]| {
        let (now, phone) = (talk.net.now, &mut talk.net.nodes[PHONE]);
        let stream = phone.open(now, id(2), bundlemgrd::ARTEFACT, Priority::LAST).unwrap();
        phone.write(now, stream, name, true).unwrap();
        phone.finish(now, stream).unwrap();
        talk.pump();
        stream
    };
    let stream = fetch(&mut talk, b"app");
    let (mut download, mut fetched) = (Download::new(description), Vec::new());
    while fetched.len() < app.len() {
        answer_all(&mut talk, &samgrd, &mut bundles);
        let now = talk.net.now;
        while let Ok(Some(chunk)) = talk.net.nodes[PHONE].read(now, stream, 10_000) {
            download.take(&chunk.bytes).unwrap();
            fetched.extend_from_slice(&chunk.bytes);
        }
        talk.pump();
    }
    assert_eq!((download.finish(), fetched == app, bundles.transfers()), (Ok(()), true, 0));

    for name in [&b"no"[..], &[b'n'; 65], b"\xFF"] {
        let stream = fetch(&mut talk, name);
        answer_all(&mut talk, &samgrd, &mut bundles);
        assert!(talk.was_reset(stream, code::REFUSED), "{name:?}");
    }
}
