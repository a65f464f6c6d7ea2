//! What an endpoint needs of its runtime, and what becomes of it when that ends.

use crate::support::{ECHO, HUB, Home, PHONE, Pair};
use fabric::SessionEnd;
use fabric::identity::{DeviceId, DeviceKey, NoisePublic};
use fabric::mux::Priority;
use fabric::suite::{Cipher, Hash, RealSuite, Suite};
use shim_tcp::endpoint::{BindError, ConnectError, Endpoint, OpenError, StreamError};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn without_a_runtime_nothing_is_bound() {
    let home = Home::new();
    let error = Endpoint::bind(home.config(HUB)).unwrap_err();
    assert!(matches!(error, BindError::NoRuntime(_)), "{error}");
    runtime().block_on(async { Endpoint::bind(home.config(HUB)).unwrap().shutdown().await.unwrap() });
}

/// Binds an endpoint on such a runtime, which panics.
fn bind_on(runtime: &mut Builder) {
    let (runtime, home) = (runtime.build().unwrap(), Home::new());
    let _ = runtime.block_on(async { Endpoint::bind(home.config(HUB)) });
}

#[test]
#[should_panic(expected = "IO is disabled")]
fn a_runtime_without_sockets_does_not_do() {
    bind_on(Builder::new_current_thread().enable_time());
}

#[test]
#[should_panic(expected = "timers are disabled")]
fn a_runtime_without_time_does_not_do() {
    bind_on(Builder::new_current_thread().enable_io());
}

/// Whoever waits elsewhere for something of an endpoint learns that it is gone, and what it used is free.
#[tokio::test]
async fn an_endpoint_ends_with_its_runtime() {
    let (others, home) = (runtime(), Home::new());
    let config = home.config(PHONE);
    let phone = others.spawn(async { Endpoint::bind(config) }).await.unwrap().unwrap();
    let pair = Pair { hub: Endpoint::bind(home.config(HUB)).unwrap(), phone, home };
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    let nobody = DeviceId::from_bytes([9; 32]);
    let (read, closed, accepted, connected, ()) = tokio::join!(
        phone.read_message(1),
        sessions.phone.closed(),
        pair.phone.accept(),
        pair.phone.connect(nobody),
        async { others.shutdown_background() }, // all others wait by now
    );
    let cut = SessionEnd::Truncated;
    assert_eq!((read, closed), (Err(StreamError::Session(cut)), cut));
    assert!(accepted.is_none());
    assert_eq!(connected.unwrap_err(), ConnectError::ShutDown);
    assert_eq!(hub.read_message(1).await, Err(StreamError::Session(cut)));
    assert_eq!(sessions.phone.open(ECHO, Priority::NORMAL).await.unwrap_err(), OpenError::Session(cut));
    let again = Endpoint::bind(pair.home.config(PHONE)).unwrap();
    let gone = pair.phone.shutdown().await.unwrap_err();
    assert_eq!(gone.to_string(), "cannot wait for sockets: its runtime was shut down");
    pair.phone.shutdown().await.unwrap(); // told once
    again.shutdown().await.unwrap();
}

/// The real one, until it comes to judge a signature.
struct Breaking;

impl Suite for Breaking {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        RealSuite.noise_public(secret)
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        RealSuite.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        RealSuite.cipher(key)
    }

    fn hash(&self) -> Box<dyn Hash> {
        RealSuite.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        RealSuite.sign(key, message)
    }

    fn verify(&self, _: &[u8; 32], _: &[u8], _: &[u8; 64]) -> bool {
        std::panic::resume_unwind(Box::new("this suite breaks"))
    }
}

#[tokio::test]
async fn a_panic_of_the_node_ends_the_endpoint_and_is_told() {
    let home = Home::new();
    let mut config = home.config(HUB);
    config.identity.suite = Arc::new(Breaking);
    let pair = Pair { hub: Endpoint::bind(config).unwrap(), phone: Endpoint::bind(home.config(PHONE)).unwrap(), home };
    let (accepted, dialled) = tokio::join!(pair.hub.accept(), pair.dial(pair.hub.local_addr()));
    assert!(accepted.is_none() && dialled.is_err());
    let Pair { hub, home, .. } = pair;
    let panic = tokio::spawn(async move { hub.shutdown().await }).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"this suite breaks"));
    Endpoint::bind(home.config(HUB)).unwrap().shutdown().await.unwrap();
}
