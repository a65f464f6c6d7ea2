//! The first serial port, a 16550. QEMU needs no baud rate.

use super::port;

const DATA: u16 = 0x3F8;
const LINE_STATUS: u16 = DATA + 5;
const RECEIVED: u8 = 1;
const CAN_SEND: u8 = 1 << 5;

pub(super) fn send(byte: u8) {
    while port::read(LINE_STATUS) & CAN_SEND == 0 {
        core::hint::spin_loop();
    }
    port::write(DATA, byte);
}

pub(super) fn receive() -> Option<u8> {
    (port::read(LINE_STATUS) & RECEIVED != 0).then(|| port::read(DATA))
}
