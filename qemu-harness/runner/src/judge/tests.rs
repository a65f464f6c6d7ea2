use super::*;

fn peer(name: &str) -> Observation {
    Observation::Discovered { peer: name.into() }
}

fn up(name: &str) -> Observation {
    Observation::SessionUp { peer: name.into() }
}

fn work(seen: WorkSeen) -> Observation {
    Observation::Work { id: 0, seen }
}

fn done() -> Observation {
    work(WorkSeen::Done { as_expected: Expect::Echoed, messages: 1, bytes: 1 })
}

#[test]
fn timing_and_retries_are_no_difference() {
    let plain = [peer("hub"), up("hub"), done()];
    let rough = [
        up("hub"),
        peer("hub"),
        work(WorkSeen::Failed { attempt: 0, reason: "dead".into() }),
        Observation::SessionDown { peer: "hub".into(), reason: "dead".into() },
        up("hub"),
        peer("hub"),
        done(),
    ];
    assert_eq!(compare("phone", &plain, &rough), []);
}

#[test]
fn what_is_missing_or_too_much_or_twice_is_a_difference() {
    let expected = [peer("hub"), up("hub"), done()];
    let missing = [peer("hub"), up("hub")];
    let more = [peer("hub"), peer("stranger"), up("hub"), done()];
    let twice = [peer("hub"), up("hub"), done(), done()];
    for seen in [&missing[..], &more, &twice] {
        let failures = compare("phone", &expected, seen);
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert_eq!(failures[0].kind, Kind::ObservationMismatch);
    }
}
