//! The bytes of one fixed handshake and its first records. `golden.py`, next to this file, computes them with another
//! library, from the text of the wire contract.

use crate::support::{Pair, device, hex};
use fabric::session::Limits;
use std::num::NonZeroU64;

const MESSAGE_1: &str =
    "0030d0887a1e9783b0f5ec0dfbc53638b37615c0231fb469e444132e8b5adb707e56d97de880b47127d2db79c4f73bf33393";
const MESSAGE_2: &str = "0094d9ab2f6f6e24d6b0109c8e0fc9a0b762986bbf64793264aa2322ea7a2b420b102cdd14e5ccbc6f1ac721dcfe2b1e5ea70a201c0c\
     eee1c2eb19a1aac00f32af6ec749d90ff273a05ca515194aba45f232424cbddf6733c20c56c1d2b3f73e29e4d2e6bdedc8cef289b3ba\
     76d4e977b26f7a46a18c7e4cdddf2ee4b454ba165be3f6f979d8fcd91faeabe37ec1fd63429689066887";
const MESSAGE_3: &str = "00a4810cc1ad8e83741ce256909064e9786cfa7c6b27aebffb70b15e55fc435f4b581de33b9093a8fb28aac6f8af867c1775ef52fe4f\
     1a2e31b1b586ef0be905edb802e538930bff1f2a10379e9d38976be000fc7021ae0a41d4e3d72e24140131fd8dc49f81d7883822e249\
     95cb3b49eb42630daead0613567c0e8e2dd76605ca2751add4b59c8c64770c0592645aa934b6c9effdc206947ba86828991f5bb6828d\
     87cea8b4";
const HANDSHAKE_HASH: &str = "5118dcaf5114a56c6d2ffc42ac91d29ddfd1f2517ac472fb12a0622a41977be5";

/// `ping`, `1`, `2`, `3`, `4`, with a new key before the third and the fifth.
const FROM_RESPONDER: [&str; 5] = [
    "0014f277be8732422aebc3dda4164dee40ac6bdcb778",
    "0011bd744755f09b6d8fe5f4476cf3f9eaaccd",
    "001109184b5f4fc34b01be2725a1a2a3246f34",
    "00113e7461b5fa1b1e82cf3f2d0c36ef7225f8",
    "00116938a593c63ae0865c78dcb67561efa1af",
];
/// `pong`, `1`, `2`, `3`, `4`, likewise.
const FROM_INITIATOR: [&str; 5] = [
    "0014a01d092648a300235604809c116f1a2b99830185",
    "00117c562f3a6c33a80898710cae63998681e2",
    "0011fc34479df0f8b4b75627f7fbd6274f68a5",
    "0011842a3f0136420c1fb8157ce86f8df7ad63",
    "001180460945ec2e86208a548e67d75801268d",
];

#[test]
fn the_bytes_of_a_handshake_and_its_records_stay_what_they_are() {
    let limits = Limits { rekey_after: NonZeroU64::new(2).unwrap(), ..Limits::default() };
    let mut pair = Pair::dialled(&device(1), &device(2), &limits);

    let message_1 = pair.a.next_message();
    assert_eq!(hex(&message_1), MESSAGE_1);
    pair.b.input(&message_1);
    let message_2 = pair.b.next_message();
    assert_eq!(hex(&message_2), MESSAGE_2);
    pair.a.input(&message_2);
    let message_3 = pair.a.next_message();
    assert_eq!(hex(&message_3), MESSAGE_3);
    pair.b.input(&message_3);
    assert_eq!(hex(&pair.b.peer().handshake_hash), HANDSHAKE_HASH);

    for (text, golden) in [&b"ping"[..], b"1", b"2", b"3", b"4"].into_iter().zip(FROM_RESPONDER) {
        pair.b.send(&[text]);
        let record = pair.b.next_message();
        assert_eq!(hex(&record), golden);
        pair.a.input(&record);
    }
    for (text, golden) in [&b"pong"[..], b"1", b"2", b"3", b"4"].into_iter().zip(FROM_INITIATOR) {
        pair.a.send(&[text]);
        let record = pair.a.next_message();
        assert_eq!(hex(&record), golden);
        pair.b.input(&record);
    }
    assert_eq!((pair.a.text(), pair.b.text()), (b"ping1234".to_vec(), b"pong1234".to_vec()));
}
