//! snow's transport, one Noise message each, from one buffer to the next.

use snow::{Builder, HandshakeState, TransportState};
use std::hint::black_box;

fn pair() -> (TransportState, TransportState) {
    let params = "Noise_NN_25519_ChaChaPoly_BLAKE2s";
    let builder = || {
        Builder::with_resolver(
            params.parse().unwrap(),
            Box::new(snow::resolvers::FallbackResolver::new(
                Box::new(snow::resolvers::RingResolver),
                Box::new(snow::resolvers::DefaultResolver),
            )),
        )
    };
    let mut a = builder().build_initiator().unwrap();
    let mut b = builder().build_responder().unwrap();
    say(&mut a, &mut b);
    say(&mut b, &mut a);
    (a.into_transport_mode().unwrap(), b.into_transport_mode().unwrap())
}

fn say(from: &mut HandshakeState, to: &mut HandshakeState) {
    let (mut message, mut payload) = ([0; 256], [0; 256]);
    let length = from.write_message(&[], &mut message).unwrap();
    to.read_message(&message[..length], &mut payload).unwrap();
}

pub fn transfer(length: usize, messages: usize) -> impl FnMut() {
    let (mut a, mut b) = pair();
    let (message, mut sealed, mut opened) = (vec![7; length], vec![0; length + 16], vec![0; length + 16]);
    move || {
        for _ in 0..messages {
            let sent = a.write_message(&message, &mut sealed).unwrap();
            let received = b.read_message(&sealed[..sent], &mut opened).unwrap();
            assert_eq!(received, length);
            black_box(&opened);
        }
    }
}
