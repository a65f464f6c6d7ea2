//! Who a device is: its Ed25519 key, the id that follows from it, and its X25519 key for sessions (wire contract, 1).
//! Proves nothing: see [`session`](crate::session).

use core::fmt;
use core::str::FromStr;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The SHA-256 of a device's Ed25519 verifying key: nobody can prove one without its device key.
///
/// As text it is 64 lower-case hex digits, and no other text is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 32]);

impl DeviceId {
    /// The id of the device whose verifying key this is.
    pub fn of(verifying_key: &[u8; 32]) -> Self {
        Self(Sha256::digest(verifying_key).into())
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl FromStr for DeviceId {
    type Err = InvalidHex;
    fn from_str(text: &str) -> Result<Self, InvalidHex> {
        parse_hex(text).map(Self)
    }
}

/// A text is not 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHex;

impl fmt::Display for InvalidHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not 64 lower-case hex digits")
    }
}

impl core::error::Error for InvalidHex {}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex(text: &str) -> Result<[u8; 32], InvalidHex> {
    let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| InvalidHex)?;
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(InvalidHex),
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Ok(bytes)
}

/// A device's Ed25519 signing key. Zeroised on drop, and never printed.
pub struct DeviceKey(Key);

#[derive(Clone)]
enum Key {
    Whole(SigningKey),
    Public([u8; 32]),
}

impl DeviceKey {
    /// The key that grows from this secret seed (RFC 8032, 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Key::Whole(SigningKey::from_bytes(seed)))
    }

    /// The public half alone, for a replay: its [`Suite`](crate::suite::Suite) has the signatures from elsewhere.
    pub const fn without_secret(verifying_key: [u8; 32]) -> Self {
        Self(Key::Public(verifying_key))
    }

    /// The same key once more; each copy is zeroised for itself.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// The public half.
    pub fn verifying_key(&self) -> [u8; 32] {
        match &self.0 {
            Key::Whole(key) => key.verifying_key().to_bytes(),
            Key::Public(verifying_key) => *verifying_key,
        }
    }

    /// The id that others know the device by.
    pub fn device_id(&self) -> DeviceId {
        DeviceId::of(&self.verifying_key())
    }

    /// The key itself, for a [`Suite`](crate::suite::Suite) to sign with.
    ///
    /// # Panics
    /// When the key is [`DeviceKey::without_secret`].
    pub fn signing_key(&self) -> &SigningKey {
        match &self.0 {
            Key::Whole(key) => key,
            Key::Public(_) => unreachable!("a replay's suite signs with no key"),
        }
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.device_id())
    }
}

/// The public half of a Noise static key: X25519, 32 bytes, from anybody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoisePublic([u8; 32]);

impl NoisePublic {
    /// The key with these bytes, of whatever worth: see [`NoisePublic::is_low_order`].
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether every secret gives the same shared secret with it: all zeros (RFC 7748, 6.1).
    pub fn is_low_order(&self) -> bool {
        LOW_ORDER.iter().any(|point| {
            let differs =
                |(at, byte): (usize, &u8)| if at == 31 { (byte ^ point[31]) & 0x7F } else { byte ^ point[at] };
            self.0.iter().enumerate().all(|each| differs(each) == 0)
        })
    }
}

impl fmt::Display for NoisePublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for NoisePublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl FromStr for NoisePublic {
    type Err = InvalidHex;
    fn from_str(text: &str) -> Result<Self, InvalidHex> {
        parse_hex(text).map(Self)
    }
}

/// A Noise static key pair. It can rotate while the device id stays. Zeroised on drop, and never printed.
pub struct NoiseStatic {
    secret: Zeroizing<[u8; 32]>,
    public: NoisePublic,
}

impl NoiseStatic {
    /// A pair of a secret and the public key that belongs to it; [`Suite`](crate::suite::Suite) derives one from the other.
    pub fn new(secret: [u8; 32], public: NoisePublic) -> Self {
        Self { secret: Zeroizing::new(secret), public }
    }

    /// The public half.
    pub const fn public(&self) -> NoisePublic {
        self.public
    }

    /// The secret half.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for NoiseStatic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoiseStatic({})", self.public)
    }
}

/// Every u-coordinate of small order, and those that are not below 2^255 - 19, little-endian (RFC 7748, 6.1; the points
/// are listed at <https://cr.yp.to/ecdh.html#validate>). The top bit of a coordinate is ignored.
const LOW_ORDER: [[u8; 32]; 7] = {
    const fn ending(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    [
        [0; 32],
        ending(1, 0, 0),
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
            0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
            0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
        ending(0xec, 0xff, 0x7f),
        ending(0xed, 0xff, 0x7f),
        ending(0xee, 0xff, 0x7f),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_id_is_the_hash_of_the_key_and_has_one_text() {
        // RFC 8032, 7.1, test 1.
        let seed = parse_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = DeviceKey::from_seed(&seed);
        let public = parse_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        assert_eq!(key.verifying_key(), public);
        let id = key.device_id();
        assert_eq!(id.to_string(), "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "21FE", &id.to_string().to_uppercase(), &id.to_string()[1..]] {
            assert_eq!(wrong.parse::<DeviceId>(), Err(InvalidHex), "{wrong}");
        }
    }

    #[test]
    fn points_of_low_order_are_known_with_either_top_bit() {
        use snow::resolvers::{CryptoResolver, DefaultResolver};
        let mut dh = DefaultResolver.resolve_dh(&snow::params::DHChoice::Curve25519).unwrap();
        dh.set(&[7; 32]);
        for point in LOW_ORDER {
            let mut high = point;
            high[31] |= 0x80;
            for bytes in [point, high] {
                let mut shared = [1; 32];
                dh.dh(&bytes, &mut shared).unwrap();
                assert_eq!(shared, [0; 32], "{bytes:02x?}");
                assert!(NoisePublic::from_bytes(bytes).is_low_order());
            }
        }
        assert!(!NoisePublic::from_bytes(dh.pubkey().try_into().unwrap()).is_low_order());
        assert!(!NoisePublic::from_bytes([9; 32]).is_low_order());
    }

    #[test]
    fn secrets_do_not_show_in_debug_texts() {
        let key = DeviceKey::from_seed(&[0xAB; 32]);
        let noise = NoiseStatic::new([0xAB; 32], NoisePublic::from_bytes([1; 32]));
        let text = alloc::format!("{key:?} {noise:?}");
        assert!(!text.contains("abab") && !text.contains("171, 171"));
    }
}
