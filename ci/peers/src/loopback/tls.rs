//! rustls by its own blocking stream, and on tokio.

use super::raw::exchanges;
use super::{MESSAGE, MESSAGES, both, connected, exchanges_on_tokio};
use crate::tls::{configs, ends};
use rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned, SupportedCipherSuite};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Client = StreamOwned<ClientConnection, TcpStream>;
type Server = StreamOwned<ServerConnection, TcpStream>;

fn streams(suite: SupportedCipherSuite) -> (Client, Server) {
    let ((a, b), (client, server)) = (ends(suite), connected());
    let (mut client, mut server) = (Client::new(a, client), Server::new(b, server));
    let handshake = std::thread::spawn(move || {
        server.conn.complete_io(&mut server.sock).unwrap();
        server
    });
    client.conn.complete_io(&mut client.sock).unwrap();
    (client, handshake.join().unwrap())
}

pub(super) fn transfer(suite: SupportedCipherSuite) -> impl FnMut() {
    let (mut client, mut server) = streams(suite);
    let message = vec![7; MESSAGE];
    let mut received = message.clone();
    let send = move || {
        for _ in 0..MESSAGES {
            client.write_all(&message).unwrap();
        }
        client.flush().unwrap();
    };
    let receive = move || {
        for _ in 0..MESSAGES {
            server.read_exact(&mut received).unwrap();
            black_box(&received);
        }
    };
    both(send, receive)
}

pub(super) fn calls_on_tokio() -> impl FnMut() -> Vec<f64> {
    let (client_config, server_config) = configs(TLS13_CHACHA20_POLY1305_SHA256);
    let (client, server) = connected();
    let on_tokio = |socket: TcpStream| {
        socket.set_nonblocking(true).unwrap();
        tokio::net::TcpStream::from_std(socket).unwrap()
    };
    let connect = async move {
        let name = ServerName::try_from("peer").unwrap();
        TlsConnector::from(Arc::new(client_config)).connect(name, on_tokio(client)).await.unwrap()
    };
    let accept = async move { TlsAcceptor::from(Arc::new(server_config)).accept(on_tokio(server)).await.unwrap() };
    exchanges_on_tokio(connect, accept)
}

pub(super) fn calls() -> impl FnMut() -> Vec<f64> {
    let (client, server) = streams(TLS13_CHACHA20_POLY1305_SHA256);
    exchanges(client, server)
}
