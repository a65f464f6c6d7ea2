//! Cryptography without the operating system's randomness: everything that QUIC and TLS draw comes from one node's seed.
//!
//! `rustls` asks a provider for its randomness, and providers are static: so the node that is being called leaves its
//! generator where the provider finds it. Without one, asking fails.

use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig,
    VarInt,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{Error, NamedGroup, PeerMisbehaved, RootCertStore};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use x25519_dalek::{PublicKey, StaticSecret};

thread_local! {
    static OF_THE_NODE: RefCell<Option<ChaCha8Rng>> = const { RefCell::new(None) };
}

/// Calls into the protocol with a node's generator at hand.
pub(crate) fn with_chance<T>(chance: &mut ChaCha8Rng, call: impl FnOnce() -> T) -> T {
    OF_THE_NODE.set(Some(chance.clone()));
    let result = call();
    if let Some(used) = OF_THE_NODE.take() {
        *chance = used;
    }
    result
}

fn fill(bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
    OF_THE_NODE.with_borrow_mut(|chance| chance.as_mut().map(|chance| chance.fill_bytes(bytes)).ok_or(GetRandomFailed))
}

fn draw<const N: usize>() -> Result<[u8; N], GetRandomFailed> {
    let mut bytes = [0; N];
    fill(&mut bytes).map(|()| bytes)
}

#[derive(Debug)]
struct Seeded;

impl SecureRandom for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        fill(bytes)
    }
}

#[derive(Debug)]
struct X25519;

struct Exchange(StaticSecret, PublicKey);

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = StaticSecret::from(draw::<32>()?);
        let public = PublicKey::from(&secret);
        Ok(Box::new(Exchange(secret, public)))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let invalid = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
        let Ok(peer) = <[u8; 32]>::try_from(peer) else { return Err(invalid) };
        let shared = self.0.diffie_hellman(&PublicKey::from(peer));
        if shared.was_contributory() { Ok(SharedSecret::from(&shared.as_bytes()[..])) } else { Err(invalid) }
    }

    fn pub_key(&self) -> &[u8] {
        self.1.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// Certificates are checked at a time at which they hold.
#[derive(Debug)]
struct Noon;

impl TimeProvider for Noon {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    let ring = rustls::crypto::ring::default_provider();
    Arc::new(CryptoProvider { kx_groups: vec![&X25519], secure_random: &Seeded, ..ring })
}

/// The server's key and certificate, the same in every run: an Ed25519 key in PKCS #8 is this prefix and 32 bytes.
fn identity() -> (PrivatePkcs8KeyDer<'static>, CertificateDer<'static>) {
    const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let key = PrivatePkcs8KeyDer::from([&PREFIX[..], &[7; 32]].concat());
    let pair = rcgen::KeyPair::try_from(&key).expect("it is a key");
    let params = rcgen::CertificateParams::new(["server".to_owned()]).expect("it is a name");
    let certificate = params.self_signed(&pair).expect("a key signs");
    (key, certificate.der().clone())
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(5_000))));
    transport.keep_alive_interval(Some(Duration::from_secs(1)));
    Arc::new(transport)
}

pub(crate) fn client() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(identity().1).expect("it is a certificate");
    let tls = rustls::ClientConfig::builder_with_details(provider(), Arc::new(Noon))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has its suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("it has QUIC's initial suite")));
    config.transport_config(transport()).initial_dst_cid_provider(Arc::new(|| Ids.generate_cid()));
    config
}

pub(crate) fn server() -> Arc<ServerConfig> {
    let (key, certificate) = identity();
    let mut tls = rustls::ServerConfig::builder_with_details(provider(), Arc::new(Noon))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has its suites")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .expect("key and certificate belong together");
    tls.send_tls13_tickets = 0;
    let tokens = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, &[]).extract(&[7; 64]);
    let crypto = QuicServerConfig::try_from(tls).expect("it has QUIC's initial suite");
    let mut config = ServerConfig::new(Arc::new(crypto), Arc::new(tokens));
    config.transport_config(transport());
    Arc::new(config)
}

/// `from_os` leaves connection ids to the crate, which takes them from the operating system's randomness.
pub(crate) fn endpoint(from_os: bool) -> Arc<EndpointConfig> {
    let mut config = EndpointConfig::new(Arc::new(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 64])));
    if !from_os {
        config.cid_generator(|| Box::new(Ids));
    }
    Arc::new(config)
}

/// Connection ids of eight bytes. Those of the crate take the operating system's randomness, whatever key they are given.
struct Ids;

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&draw::<8>().expect("only a node that is being called asks"))
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
