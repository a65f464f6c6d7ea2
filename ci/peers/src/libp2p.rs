//! libp2p's Noise under yamux, over a pipe in memory, both ends on one thread.

use futures::executor::LocalPool;
use futures::future::{join, join_all, poll_fn};
use futures::task::LocalSpawnExt;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p_core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p_identity::Keypair;
use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use tokio_util::compat::TokioAsyncReadCompatExt;
use yamux::{Config, Connection, Mode, Stream};

/// What the pipe holds at most: as much as a driver offers the fabric at a time.
const PIPE_BYTES: usize = 64 * 1024;

/// Streams that the other end has opened.
pub type Inbound = Rc<RefCell<Vec<Stream>>>;

/// Noise with a new identity.
pub fn noise() -> libp2p_noise::Config {
    libp2p_noise::Config::new(&Keypair::generate_ed25519()).unwrap()
}

async fn noise_pair() -> (impl AsyncRead + AsyncWrite + Unpin, impl AsyncRead + AsyncWrite + Unpin) {
    let (a, b) = tokio::io::duplex(PIPE_BYTES);
    let (a, b) =
        join(noise().upgrade_outbound(a.compat(), "/noise"), noise().upgrade_inbound(b.compat(), "/noise")).await;
    (a.unwrap().1, b.unwrap().1)
}

/// Drives a connection until it ends, and collects the streams that the other end opens.
pub async fn drive<T: AsyncRead + AsyncWrite + Unpin>(mut connection: Connection<T>, inbound: Inbound) {
    while let Some(Ok(stream)) = poll_fn(|cx| connection.poll_next_inbound(cx)).await {
        inbound.borrow_mut().push(stream);
    }
}

pub async fn open<T: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<T>, streams: usize) -> Vec<Stream> {
    let mut opened = Vec::new();
    for _ in 0..streams {
        opened.push(poll_fn(|cx| connection.poll_new_outbound(cx)).await.unwrap());
    }
    opened
}

pub async fn send(stream: &mut Stream, message: &[u8], messages: usize) {
    for _ in 0..messages {
        stream.write_all(message).await.unwrap();
    }
    stream.flush().await.unwrap();
}

pub async fn receive(stream: &mut Stream, length: usize, messages: usize) {
    let mut message = vec![0; length];
    for _ in 0..messages {
        stream.read_exact(&mut message).await.unwrap();
        black_box(&message);
    }
}

/// Sends so many messages on each of these streams.
pub fn transfer(streams: usize, length: usize, messages: usize) -> impl FnMut() {
    let mut pool = LocalPool::new();
    let (a, b) = pool.run_until(noise_pair());
    let (inbound, spawner) = (Inbound::default(), pool.spawner());
    let mut config = Config::default();
    config.set_max_num_streams(1000);
    let mut client = Connection::new(a, config.clone(), Mode::Client);
    let mut outgoing = pool.run_until(open(&mut client, streams));
    spawner.spawn_local(drive(client, Inbound::default())).unwrap();
    let server = Connection::new(b, config, Mode::Server);
    spawner.spawn_local(drive(server, Rc::clone(&inbound))).unwrap();
    pool.run_until(join_all(outgoing.iter_mut().map(|stream| send(stream, &[1], 1))));
    while inbound.borrow().len() < streams {
        pool.run_until_stalled();
    }
    let mut incoming: Vec<Stream> = inbound.take();
    pool.run_until(join_all(incoming.iter_mut().map(|stream| receive(stream, 1, 1))));
    let message = vec![7; length];
    move || {
        let sends = join_all(outgoing.iter_mut().map(|stream| send(stream, &message, messages)));
        let receives = join_all(incoming.iter_mut().map(|stream| receive(stream, length, messages)));
        pool.run_until(join(sends, receives));
    }
}
