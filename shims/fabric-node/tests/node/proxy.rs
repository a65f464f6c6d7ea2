//! Between one device and another: passes what the first sends in pieces of any size, up to any byte, and remembers it.

use crate::harness::PATIENCE;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// What is remembered of the bytes that passed.
const MEMORY: usize = 4 * 1024;

/// One connection, which ends with it.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    hold: Option<Sender<()>>,
    at_limit: Receiver<()>,
    passing: Option<JoinHandle<Vec<u8>>>,
}

impl Proxy {
    /// Passes `limit` bytes of whoever connects to `to`, in pieces of at most `piece`, then nothing more of his while it lives.
    pub(crate) fn new(to: SocketAddr, piece: usize, limit: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let ((hold, until_over), (tell, at_limit)) = (channel(), channel());
        let passing = thread::spawn(move || {
            let mut dialler = listener.accept().unwrap().0;
            let mut answerer = TcpStream::connect(to).unwrap();
            answerer.set_nodelay(true).unwrap();
            let (mut answers, mut back) = (answerer.try_clone().unwrap(), dialler.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut answers, &mut back);
                let _ = back.shutdown(Shutdown::Write);
            });
            let passed = pass(&mut dialler, &mut answerer, piece, limit);
            let _ = tell.send(());
            let _ = until_over.recv();
            for end in [dialler, answerer] {
                let _ = end.shutdown(Shutdown::Both);
            }
            passed
        });
        Self { addr, hold: Some(hold), at_limit, passing: Some(passing) }
    }

    /// Waits until `limit` bytes have passed, or the dialler has sent less and finished.
    pub(crate) fn wait_for_limit(&self) {
        self.at_limit.recv_timeout(PATIENCE).unwrap();
    }

    /// Ends the connection, and gives the first bytes that passed.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.hold = None;
        self.passing.take().unwrap().join().unwrap()
    }
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, piece: usize, limit: u64) -> Vec<u8> {
    let (mut passed, mut left) = (Vec::new(), limit);
    let mut buffer = vec![0; piece];
    while left > 0 {
        let most = usize::try_from(left).map_or(piece, |left| left.min(piece));
        let count = from.read(&mut buffer[..most]).unwrap_or(0);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
        left -= count as u64;
        passed.extend(buffer[..count].iter().take(MEMORY - passed.len()));
    }
    passed
}
