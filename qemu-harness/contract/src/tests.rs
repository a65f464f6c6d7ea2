use super::*;
use alloc::string::ToString;
use alloc::vec;

#[test]
fn every_exit_has_a_status_of_its_own_that_is_not_success() {
    for (exit, code) in Exit::ALL {
        let status = i32::try_from(code * 2 + 1).unwrap();
        assert!(status > 1, "{exit:?} looks like QEMU's own end");
        assert_eq!((exit.code(), Exit::from_status(status)), (code, Some(exit)));
    }
    assert_eq!(Exit::from_status(0), None);
    assert_eq!(Exit::from_status(1), None);
}

#[test]
fn lines_are_json_and_bytes_are_hex() {
    let line = Line::Stored { key: "done".to_string(), value: Hex(vec![0, 0xAB]) };
    let text = serde_json::to_string(&line).unwrap();
    assert_eq!(text, r#"{"stored":{"key":"done","value":"00ab"}}"#);
    assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    for bad in ["0", "0g", "AB", "0ä"] {
        assert!(serde_json::from_value::<Hex>(bad.into()).is_err(), "{bad}");
    }
}

#[test]
fn a_host_has_one_hardware_address() {
    for number in [1, 300, u16::MAX - 1] {
        assert_eq!(host(mac(number)), Some(number));
    }
    assert_eq!(host([0xFF; 6]), None);
}
