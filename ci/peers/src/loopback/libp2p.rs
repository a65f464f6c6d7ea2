//! libp2p's Noise under yamux over tokio's TCP.

use super::{MESSAGE, MESSAGES, both_on_tokio};
use crate::libp2p::{Inbound, drive, noise, open, receive, send};
use futures::future::{join_all, select};
use libp2p_core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use yamux::{Config, Connection, Mode};

pub(super) fn transfer(streams: usize) -> impl FnMut() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    both_on_tokio(move |begun| client(addr, streams, begun), move |ended| server(listener, streams, ended))
}

fn tcp(stream: std::net::TcpStream) -> Compat<TcpStream> {
    stream.set_nodelay(true).unwrap();
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap().compat()
}

async fn client(addr: SocketAddr, streams: usize, mut begun: UnboundedReceiver<()>) {
    let socket = tcp(std::net::TcpStream::connect(addr).unwrap());
    let (_, socket) = noise().upgrade_outbound(socket, "/noise").await.unwrap();
    let mut connection = Connection::new(socket, Config::default(), Mode::Client);
    let mut outgoing = open(&mut connection, streams).await;
    let work = async {
        join_all(outgoing.iter_mut().map(|stream| send(stream, &[1], 1))).await;
        let message = vec![7; MESSAGE];
        while begun.recv().await.is_some() {
            join_all(outgoing.iter_mut().map(|stream| send(stream, &message, MESSAGES / streams))).await;
        }
    };
    select(pin!(work), pin!(drive(connection, Inbound::default()))).await;
}

async fn server(listener: TcpListener, streams: usize, ended: Sender<()>) {
    let socket = tcp(listener.accept().unwrap().0);
    let (_, socket) = noise().upgrade_inbound(socket, "/noise").await.unwrap();
    let inbound = Inbound::default();
    let connection = Connection::new(socket, Config::default(), Mode::Server);
    let work = async {
        while inbound.borrow().len() < streams {
            tokio::task::yield_now().await;
        }
        let mut incoming = inbound.take();
        join_all(incoming.iter_mut().map(|stream| receive(stream, 1, 1))).await;
        while ended.send(()).is_ok() {
            join_all(incoming.iter_mut().map(|stream| receive(stream, MESSAGE, MESSAGES / streams))).await;
        }
    };
    select(pin!(work), pin!(drive(connection, Rc::clone(&inbound)))).await;
}
