//! The same over real sockets on the loopback interface: both ends in one process, each on a thread of its own, by the ways
//! that each library is meant to be used. CPU time of both ends, the kernel's part included.
//!
//! `cargo run --release -- loopback` in this folder; `-- loopback calls` for the second table alone, `-- loopback NAME` for the
//! rows of the first that have this in their names.

mod endpoint;
mod fabric;
mod libp2p;
mod quinn;
mod raw;
mod tls;

use crate::common::{Contender, cpu_seconds, interleave, median, ratio};
use ::ring::aead::{AES_128_GCM, CHACHA20_POLY1305};
use rustls::crypto::ring::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const ROUNDS: usize = 11;
const MESSAGE: usize = 16 * 1024;
/// Messages of one round; 100 streams share them evenly.
const MESSAGES: usize = 2_000;
const BYTES: usize = MESSAGES * MESSAGE;

const CALL_ROUNDS: usize = 30;
const CALL: usize = 64;
/// Round trips of one round.
const CALLS: usize = 500;

/// Both ends of a connection, with small writes sent at once, as the fabric's driver has it.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        end.set_nodelay(true).unwrap();
    }
    (client, server)
}

/// A round of `receive` on a thread of its own beside each of `send`.
fn both(mut send: impl FnMut(), mut receive: impl FnMut() + Send + 'static) -> impl FnMut() {
    let (begin, begun) = channel();
    let (end, ended) = channel();
    thread::spawn(move || {
        while begun.recv().is_ok() {
            receive();
            end.send(()).unwrap();
        }
    });
    move || {
        begin.send(()).unwrap();
        send();
        ended.recv().unwrap();
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The same for two ends on tokio, each on a runtime of its own: `client` begins a round when it is told, and `server` tells
/// when it is ready, and when each round has come.
fn both_on_tokio<C: Future<Output = ()>, S: Future<Output = ()>>(
    client: impl FnOnce(UnboundedReceiver<()>) -> C + Send + 'static,
    server: impl FnOnce(Sender<()>) -> S + Send + 'static,
) -> impl FnMut() {
    let (begin, begun) = unbounded_channel();
    let (end, ended) = channel();
    thread::spawn(move || runtime().block_on(async { server(end).await }));
    thread::spawn(move || runtime().block_on(async { client(begun).await }));
    ended.recv().unwrap();
    move || {
        begin.send(()).unwrap();
        ended.recv().unwrap();
    }
}

/// The seconds that each of so many calls takes, one after the other.
fn timed(mut call: impl FnMut()) -> Vec<f64> {
    let one = |_| {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    };
    (0..CALLS).map(one).collect()
}

/// Calls over any two ends of a byte stream on tokio, each in a task on a runtime of its own.
fn exchanges_on_tokio<C, S>(
    client: impl Future<Output = C> + Send + 'static,
    server: impl Future<Output = S> + Send + 'static,
) -> impl FnMut() -> Vec<f64>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let echo = async {
        let (mut end, mut message) = (server.await, [0; CALL]);
        while end.read_exact(&mut message).await.is_ok() {
            end.write_all(&message).await.unwrap();
            end.flush().await.unwrap();
        }
    };
    thread::spawn(move || runtime().block_on(async { tokio::spawn(echo).await.unwrap() }));
    let runtime = runtime();
    let end = Arc::new(Mutex::new(runtime.block_on(client)));
    move || {
        let end = Arc::clone(&end);
        let round = async move {
            let (mut end, mut message) = (end.lock().await, [7; CALL]);
            let mut seconds = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                let start = Instant::now();
                end.write_all(&message).await.unwrap();
                end.flush().await.unwrap();
                end.read_exact(&mut message).await.unwrap();
                seconds.push(start.elapsed().as_secs_f64());
            }
            seconds
        };
        runtime.block_on(async { tokio::spawn(round).await.unwrap() })
    }
}

/// Says which congestion control the kernel gives all of these sockets: it has a say in what a byte costs.
pub fn print_congestion_control() {
    let name = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    println!("TCP congestion control: {}", name.as_deref().map_or("unknown", str::trim));
}

/// The first row, and those whose names contain `rows`.
pub fn throughput(rows: &str) {
    let mut contenders: Vec<Contender<'_>> = vec![
        ("TCP with ring's seal and open", Box::new(raw::transfer(Some(&CHACHA20_POLY1305)))),
        ("TCP alone, nothing sealed", Box::new(raw::transfer(None))),
        ("**fabric, 1 stream, shared bytes**", Box::new(fabric::transfer(1, true))),
        ("**fabric, 100 streams, shared bytes**", Box::new(fabric::transfer(100, true))),
        ("**fabric, 1 stream**", Box::new(fabric::transfer(1, false))),
        ("**fabric, 100 streams**", Box::new(fabric::transfer(100, false))),
        ("**fabric on tokio, 1 stream**", Box::new(endpoint::transfer())),
        ("rustls, no streams", Box::new(tls::transfer(TLS13_CHACHA20_POLY1305_SHA256))),
        ("libp2p noise + yamux, 1 stream", Box::new(libp2p::transfer(1))),
        ("libp2p noise + yamux, 100 streams", Box::new(libp2p::transfer(100))),
        ("quinn, 1 stream", Box::new(quinn::transfer(1, TLS13_CHACHA20_POLY1305_SHA256))),
        ("quinn, 100 streams", Box::new(quinn::transfer(100, TLS13_CHACHA20_POLY1305_SHA256))),
        ("AES-128-GCM: TCP with ring's seal and open", Box::new(raw::transfer(Some(&AES_128_GCM)))),
        ("AES-128-GCM: rustls, no streams", Box::new(tls::transfer(TLS13_AES_128_GCM_SHA256))),
        ("AES-128-GCM: quinn, 1 stream", Box::new(quinn::transfer(1, TLS13_AES_128_GCM_SHA256))),
    ];
    let limit = contenders[0].0;
    contenders.retain(|(name, _)| *name == limit || name.contains(rows));
    let seconds = interleave(ROUNDS, &mut contenders);
    println!("| 16 KiB messages over loopback, CPU of both ends | ns/KiB | of TCP with ring |");
    println!("| --- | --- | --- |");
    for ((name, _), mine) in contenders.iter().zip(&seconds) {
        println!("| {name} | {:.0} | {:.2} |", median(mine) * 1e9 * 1024.0 / BYTES as f64, ratio(mine, &seconds[0]));
    }
}

/// One way to call: its name, and a round of calls that gives the seconds of each.
type Caller = (&'static str, Box<dyn FnMut() -> Vec<f64>>);

/// What a round has shown, in seconds.
#[derive(Default)]
struct Shown {
    cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

pub fn calls() {
    let mut callers: Vec<Caller> = vec![
        ("TCP alone, nothing sealed", Box::new(raw::calls())),
        ("rustls, a thread that blocks", Box::new(tls::calls())),
        ("**fabric**", Box::new(fabric::calls())),
        ("rustls on tokio", Box::new(tls::calls_on_tokio())),
        ("**fabric on tokio**", Box::new(endpoint::calls())),
    ];
    let mut shown: Vec<Shown> = callers.iter().map(|_| Shown::default()).collect();
    for round in 0..=CALL_ROUNDS {
        for ((_, call), shown) in callers.iter_mut().zip(&mut shown) {
            let mut seconds = Vec::new();
            let cpu = cpu_seconds(|| seconds = call());
            seconds.sort_by(f64::total_cmp);
            if round > 0 {
                shown.cpu.push(cpu / CALLS as f64);
                shown.p50.push(seconds[CALLS / 2]);
                shown.p99.push(seconds[CALLS * 99 / 100]);
            }
        }
    }
    println!("| 64 bytes there and back over loopback | CPU, µs | p50, µs | p99, µs | p50 of TCP | p50 of rustls |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for ((name, _), mine) in callers.iter().zip(&shown) {
        let micros = |seconds: &[f64]| median(seconds) * 1e6;
        println!(
            "| {name} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} |",
            micros(&mine.cpu),
            micros(&mine.p50),
            micros(&mine.p99),
            ratio(&mine.p50, &shown[0].p50),
            ratio(&mine.p50, &shown[1].p50),
        );
    }
}
