//! quinn over UDP as its users have it: on tokio, with its own choice of packet length, and segmentation offload.

use super::{MESSAGE, MESSAGES, both_on_tokio};
use crate::quinn::default_configs;
use futures::future::join_all;
use quinn::{ClientConfig, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig, TokioRuntime};
use rustls::SupportedCipherSuite;
use std::hint::black_box;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::mpsc::UnboundedReceiver;

pub(super) fn transfer(streams: usize, suite: SupportedCipherSuite) -> impl FnMut() {
    let (client_config, server_config) = default_configs(suite);
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    both_on_tokio(
        move |begun| client(addr, client_config, streams, begun),
        move |ended| server(socket, server_config, streams, ended),
    )
}

fn endpoint(socket: UdpSocket, server: Option<ServerConfig>) -> Endpoint {
    Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime)).unwrap()
}

async fn client(addr: SocketAddr, config: ClientConfig, streams: usize, mut begun: UnboundedReceiver<()>) {
    let endpoint = endpoint(UdpSocket::bind(("127.0.0.1", 0)).unwrap(), None);
    let connection = endpoint.connect_with(config, addr, "peer").unwrap().await.unwrap();
    let mut outgoing = Vec::new();
    for _ in 0..streams {
        outgoing.push(connection.open_uni().await.unwrap());
    }
    join_all(outgoing.iter_mut().map(|stream| send(stream, &[1], 1))).await;
    let message = vec![7; MESSAGE];
    while begun.recv().await.is_some() {
        join_all(outgoing.iter_mut().map(|stream| send(stream, &message, MESSAGES / streams))).await;
    }
}

async fn server(socket: UdpSocket, config: ServerConfig, streams: usize, ended: Sender<()>) {
    let endpoint = endpoint(socket, Some(config));
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let mut incoming = Vec::new();
    for _ in 0..streams {
        incoming.push(connection.accept_uni().await.unwrap());
    }
    join_all(incoming.iter_mut().map(|stream| receive(stream, 1, 1))).await;
    while ended.send(()).is_ok() {
        join_all(incoming.iter_mut().map(|stream| receive(stream, MESSAGE, MESSAGES / streams))).await;
    }
}

async fn send(stream: &mut SendStream, message: &[u8], messages: usize) {
    for _ in 0..messages {
        stream.write_all(message).await.unwrap();
    }
}

async fn receive(stream: &mut RecvStream, length: usize, messages: usize) {
    let mut message = vec![0; length];
    for _ in 0..messages {
        stream.read_exact(&mut message).await.unwrap();
        black_box(&message);
    }
}
