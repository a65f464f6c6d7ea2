//! rustls, TLS 1.3, with ring's ChaCha20-Poly1305.

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite};
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;

/// The configs of both ends, with this cipher; AES is for QUIC's first packets then.
pub fn configs(suite: SupportedCipherSuite) -> (ClientConfig, ServerConfig) {
    let mut cipher_suites = vec![suite, ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    cipher_suites.dedup();
    let provider = Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() });
    let versions = &[&rustls::version::TLS13];
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["peer".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    (client, server)
}

/// Both ends before their handshake.
pub fn ends(suite: SupportedCipherSuite) -> (ClientConnection, ServerConnection) {
    let (client, server) = configs(suite);
    let client = ClientConnection::new(Arc::new(client), ServerName::try_from("peer").unwrap()).unwrap();
    (client, ServerConnection::new(Arc::new(server)).unwrap())
}

fn pair() -> (ClientConnection, ServerConnection) {
    let (mut a, mut b) = ends(ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256);
    let mut wire = Vec::new();
    while a.is_handshaking() || b.is_handshaking() || a.wants_write() || b.wants_write() {
        a.write_tls(&mut wire).unwrap();
        b.read_tls(&mut wire.as_slice()).unwrap();
        b.process_new_packets().unwrap();
        wire.clear();
        b.write_tls(&mut wire).unwrap();
        a.read_tls(&mut wire.as_slice()).unwrap();
        a.process_new_packets().unwrap();
        wire.clear();
    }
    (a, b)
}

pub fn transfer(length: usize, messages: usize) -> impl FnMut() {
    let (mut a, mut b) = pair();
    let (message, mut wire, mut opened) = (vec![7; length], Vec::new(), vec![0; length]);
    move || {
        for _ in 0..messages {
            a.writer().write_all(&message).unwrap();
            while a.wants_write() {
                a.write_tls(&mut wire).unwrap();
            }
            let mut rest = wire.as_slice();
            let mut received = 0;
            while !rest.is_empty() {
                b.read_tls(&mut rest).unwrap();
                let plaintext = b.process_new_packets().unwrap().plaintext_bytes_to_read();
                b.reader().read_exact(&mut opened[received..received + plaintext]).unwrap();
                received += plaintext;
            }
            assert_eq!(received, length);
            wire.clear();
            black_box(&opened);
        }
    }
}
