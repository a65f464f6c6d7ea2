//! The file that says who this device is: two secrets, for its owner only, made once and never overwritten.
//!
//! Five lines, each a name and a value. The last two follow from the secrets, so that a damaged file is seen:
//!
//! ```text
//! fabric-node identity 1
//! device-seed 9d61…    32 bytes in hex: the Ed25519 seed
//! noise-secret 77…     32 bytes in hex: the X25519 secret
//! device-id 21fe…      the SHA-256 of the device key
//! noise-static 85…     the public half of the Noise static
//! ```

use crate::exit::{Exit, Failure};
use crate::whole_file::WholeFile;
use fabric::identity::{DeviceId, DeviceKey, NoisePublic, NoiseStatic};
use fabric::suite::{RealSuite, Suite};
use rustix::process::geteuid;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

const FIRST_LINE: &str = "fabric-node identity 1";
/// Five lines of at most 78 bytes.
const FILE_BYTES_MAX: u64 = 512;
/// Of a mode: what anybody but the owner may do.
const OTHERS: u32 = 0o077;

/// The secrets of one device.
pub(crate) struct Identity {
    device_seed: Zeroizing<[u8; 32]>,
    noise_secret: Zeroizing<[u8; 32]>,
}

impl Identity {
    /// A new device, by chance of the operating system's.
    pub(crate) fn generate() -> Result<Self, Failure> {
        let mut identity = Self { device_seed: Zeroizing::default(), noise_secret: Zeroizing::default() };
        for secret in [&mut identity.device_seed, &mut identity.noise_secret] {
            getrandom::fill(&mut secret[..]).map_err(|error| {
                Failure::new(Exit::Internal, format!("the operating system gives no chance: {error}"))
            })?;
        }
        clamp(&mut identity.noise_secret);
        Ok(identity)
    }

    /// A device of whoever knows this byte.
    #[cfg(test)]
    pub(crate) fn of(byte: u8) -> Self {
        let mut noise_secret = Zeroizing::new([byte; 32]);
        clamp(&mut noise_secret);
        Self { device_seed: Zeroizing::new([byte; 32]), noise_secret }
    }

    /// Writes the file `path`, which must not exist, for its owner only.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let written = WholeFile::create(path, 0o600).and_then(|mut file| {
            file.write(self.text().as_bytes())?;
            file.publish()
        });
        written.map_err(|error| {
            let failure = Failure::usage(format!("{}: {error}", path.display()));
            match error.kind() {
                io::ErrorKind::AlreadyExists => failure.help("an identity is never overwritten: choose another name"),
                _ => failure,
            }
        })
    }

    /// Reads the file `path`, if it is its owner's alone, whole and undamaged.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let fault = |what: &dyn std::fmt::Display| Failure::usage(format!("{}: {what}", path.display()));
        let file = File::open(path).map_err(|error| {
            let create = format!("make one: fabric-node id new {}", path.display());
            if error.kind() == io::ErrorKind::NotFound { fault(&error).help(create) } else { fault(&error) }
        })?;
        check_private(&file.metadata().map_err(|error| fault(&error))?)
            .map_err(|(what, help)| fault(&what).help(help.replace("FILE", &path.display().to_string())))?;
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize + 1));
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| fault(&error))?;
        let help = "restore it from a copy, or make a new identity under another name";
        Self::parse(&text).ok_or_else(|| fault(&"this is no identity, or it is cut or damaged").help(help))
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize)); // it must not move: secrets would stay
        let hex =
            |text: &mut String, bytes: &[u8; 32]| bytes.iter().for_each(|byte| push(text, format_args!("{byte:02x}")));
        push(&mut text, format_args!("{FIRST_LINE}\ndevice-seed "));
        hex(&mut text, &self.device_seed);
        push(&mut text, format_args!("\nnoise-secret "));
        hex(&mut text, &self.noise_secret);
        push(&mut text, format_args!("\ndevice-id {}\nnoise-static {}\n", self.device_id(), self.noise_public()));
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return None;
        }
        let mut value = |name| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let identity =
            Self { device_seed: secret(value("device-seed")?)?, noise_secret: secret(value("noise-secret")?)? };
        let mut clamped = identity.noise_secret.clone();
        clamp(&mut clamped);
        let is_whole = clamped == identity.noise_secret
            && value("device-id")? == identity.device_id().to_string()
            && value("noise-static")? == identity.noise_public().to_string()
            && lines.next().is_none();
        is_whole.then_some(identity)
    }

    pub(crate) fn device_id(&self) -> DeviceId {
        self.device().device_id()
    }

    pub(crate) fn noise_public(&self) -> NoisePublic {
        RealSuite.noise_public(&self.noise_secret)
    }

    pub(crate) fn device(&self) -> DeviceKey {
        DeviceKey::from_seed(&self.device_seed)
    }

    pub(crate) fn noise(&self) -> NoiseStatic {
        NoiseStatic::new(*self.noise_secret, self.noise_public())
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments); // a string takes everything
}

/// Sets the bits of an X25519 secret that are ignored (RFC 7748, 5), so that each key has one file.
fn clamp(secret: &mut [u8; 32]) {
    secret[0] &= 0b1111_1000;
    secret[31] = (secret[31] & 0b0111_1111) | 0b0100_0000;
}

/// 32 secret bytes from 64 lower-case digits.
fn secret(hex: &str) -> Option<Zeroizing<[u8; 32]>> {
    let public: NoisePublic = hex.parse().ok()?; // the same syntax
    Some(Zeroizing::new(*public.as_bytes()))
}

/// What is wrong with the file, and what helps.
fn check_private(metadata: &Metadata) -> Result<(), (String, &'static str)> {
    if !metadata.is_file() {
        return Err(("not a regular file".into(), "name the file that `fabric-node id new` made"));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err((format!("it belongs to user {}", metadata.uid()), "run as its owner"));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err((format!("others can use it (mode {mode:04o})"), "chmod 600 FILE, if nobody has read it by now"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of RFC 8032, 7.1 (test 1) and of Alice in RFC 7748, 6.1, hers clamped.
    #[test]
    fn a_known_file_gives_a_known_device() {
        let text = include_str!("../tests/golden.identity");
        let identity = Identity::parse(text).unwrap();
        assert_eq!((identity.device_seed[0], identity.noise_secret[0]), (0x9d, 0x70));
        assert_eq!(*identity.text(), text);
    }

    #[test]
    fn a_new_identity_is_read_back() {
        let identity = Identity::generate().unwrap();
        assert_eq!(Identity::parse(&identity.text()).unwrap().device_id(), identity.device_id());
        assert_ne!(Identity::generate().unwrap().device_id(), identity.device_id());
    }

    #[test]
    fn every_damage_is_seen() {
        let text = include_str!("../tests/golden.identity");
        for at in 0..text.len() {
            assert!(Identity::parse(&text[..at]).is_none(), "cut at {at}");
            let mut damaged = text.as_bytes().to_vec();
            damaged[at] ^= 1;
            assert!(Identity::parse(str::from_utf8(&damaged).unwrap()).is_none(), "bit of {at}");
        }
        assert!(Identity::parse(&format!("{text}\n")).is_none());
    }
}
