//! Ethernet frames that hold a UDP datagram (RFC 768) in one IPv4 packet (RFC 791).

use core::ops::Range;

const ETHERNET_BYTES: usize = 14;
const UDP_BYTES: usize = 8;
const PROTOCOL_UDP: u8 = 17;
/// More fragments, or not the first.
const FRAGMENT: u16 = 0x3FFF;

/// Where in `frame` the datagram's payload is; `None` when it holds no whole datagram.
pub(super) fn payload(frame: &[u8]) -> Option<Range<usize>> {
    let packet = frame.get(ETHERNET_BYTES..)?;
    let is_ipv4 = frame[12..14] == [0x08, 0x00] && packet.first()? >> 4 == 4;
    let header = usize::from(packet.first()? & 0xF) * 4;
    let length = usize::from(number(packet, 2)?);
    let is_whole = number(packet, 6)? & FRAGMENT == 0 && length <= packet.len();
    let is_udp = *packet.get(9)? == PROTOCOL_UDP;
    let begin = ETHERNET_BYTES + header + UDP_BYTES;
    (is_ipv4 && is_whole && is_udp && header >= 20)
        .then_some(begin..ETHERNET_BYTES + length)
        .filter(|at| at.start <= at.end)
}

/// The same frame with another payload. Its UDP checksum says that there is none.
pub(super) fn with_payload(frame: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let begin = self::payload(frame)?.start;
    let mut lie = [&frame[..begin], payload].concat();
    let packet = &mut lie[ETHERNET_BYTES..];
    let (length, header) = (packet.len(), begin - ETHERNET_BYTES - UDP_BYTES);
    let put = |packet: &mut [u8], at: usize, value: u16| packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
    put(packet, 2, u16::try_from(length).ok()?);
    put(packet, header + 4, u16::try_from(length - header).ok()?);
    put(packet, header + 6, 0);
    put(packet, 10, 0);
    let sum = checksum(&packet[..header]);
    put(packet, 10, sum);
    Some(lie)
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// RFC 1071, of whole words.
fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 = header.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usual example of a header, of a packet of 32 bytes.
    const HEADER: [u8; 20] =
        [0x45, 0, 0, 0x20, 0, 0, 0x40, 0, 0x40, 0x11, 0xB8, 0xB4, 0xC0, 0xA8, 0, 1, 0xC0, 0xA8, 0, 0xC7];

    fn frame(text: &[u8]) -> Vec<u8> {
        let udp = [0x1B, 0x58, 0x1B, 0x58, 0, 12, 0xAB, 0xCD];
        [&[0xFF; 12][..], &[0x08, 0x00], &HEADER, &udp, text].concat()
    }

    #[test]
    fn a_payload_is_found_and_exchanged() {
        let truth = frame(b"true");
        assert_eq!(checksum(&HEADER), 0);
        assert_eq!(payload(&truth), Some(42..46));
        let lie = with_payload(&truth, b"falsehood").unwrap();
        let range = payload(&lie).unwrap();
        assert_eq!(&lie[range], b"falsehood");
        assert_eq!(lie[38..42], [0, 17, 0, 0], "length, and no checksum");
        assert_eq!(checksum(&lie[14..34]), 0, "the header's checksum is right");
    }

    #[test]
    fn what_holds_no_whole_datagram_has_no_payload() {
        let truth = frame(b"true");
        for end in 0..truth.len() {
            assert_eq!(payload(&truth[..end]), None, "{end}");
        }
        for (at, value) in [(12, 0x86), (14, 0x44), (14, 0x65), (20, 0x20), (21, 1), (23, 6), (17, 0x1B)] {
            let mut other = truth.clone();
            other[at] = value;
            assert_eq!(payload(&other), None, "{at}");
        }
    }
}
