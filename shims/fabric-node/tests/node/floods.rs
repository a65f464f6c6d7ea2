//! Strangers that want all there is: an honest device gets in beside them, and they take no more than their bound.

use crate::harness::{Hub, Place, wait_until};
use fabric::discovery::{Services, announce::AnnounceV1};
use fabric::identity::{DeviceId, NoisePublic};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Handshakes that a node keeps unfinished (wire contract, 3), and what else it has open.
const DESCRIPTORS_MAX: usize = 64 + 32;

/// What a node gets where descriptors are short.
const FEW: usize = 40;

/// One address of the loopback network for each number.
fn source(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x7F01_0000 + number as u32)
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SockAddr::from(SocketAddr::from((from, 0))))?;
    socket.connect_timeout(&to.into(), Duration::from_secs(1))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Strangers from as many addresses, each of which does `act` again and again, and connects anew when it is thrown out.
struct Crowd {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// Returns once all were connected.
    fn gather(
        to: SocketAddr,
        size: usize,
        act: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = is_over.clone();
        let mut crowd: Vec<_> = (0..size).map(|number| connect(source(number), to).ok()).collect();
        let thread = thread::spawn(move || {
            while !watched.load(Ordering::Relaxed) {
                for (number, stream) in crowd.iter_mut().enumerate() {
                    if stream.as_mut().is_none_or(|stream| act(stream).is_err()) {
                        *stream = connect(source(number), to).ok();
                    }
                }
                thread::sleep(Duration::from_millis(1)); // let others use the processor
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    match stream.write_all(&[0]) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

/// Holds its place, and does nothing.
fn stay(stream: &mut TcpStream) -> std::io::Result<()> {
    match stream.peek(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(ErrorKind::UnexpectedEof.into()),
    }
}

#[test]
fn an_honest_device_gets_in_past_five_hundred_that_drip() {
    let hub = Hub::new("drip");
    let _crowd = Crowd::gather(hub.addr(), 500, drip);
    for _ in 0..3 {
        hub.ping_within("2s");
    }
    assert!(hub.descriptors() <= DESCRIPTORS_MAX);
    assert!(hub.running.wait_for("strangers-refused")["count"].as_u64() >= Some(1));
}

#[test]
fn ten_thousand_idle_connections_take_no_more_than_their_places() {
    let hub = Hub::new("idle");
    let before = hub.running.memory();
    let mut held = Vec::new();
    for number in 0..10_000 {
        held.extend(connect(source(number), hub.addr()));
        held.retain(|stream| !matches!(stream.peek(&mut [0]), Ok(0)) && stream.take_error().unwrap().is_none());
        if number % 2_000 == 1_999 {
            hub.ping_within("2s");
            assert!(hub.descriptors() <= DESCRIPTORS_MAX);
        }
    }
    let grown = hub.running.memory().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
}

#[test]
fn garbage_is_refused_and_nothing_else_suffers() {
    let hub = Hub::new("garbage");
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for number in 0..200_usize {
        let garbage: Vec<u8> = (0..number * 7).map(|at| ((at * number * 31) >> 3) as u8).collect();
        let mut stream = connect(source(number), hub.addr()).unwrap();
        let _ = stream.write_all(&garbage);
        udp.send_to(&garbage, hub.addr()).unwrap();
        udp.send_to(&garbage, hub.place.group()).unwrap();
    }
    hub.ping_within("2s");
    assert!(hub.running.wait_for("strangers-refused")["count"].as_u64() >= Some(1));
}

#[test]
fn a_hundred_thousand_announces_of_nobody_hide_nobody() {
    let hub = Hub::new("announces");
    let before = hub.running.memory();
    let sockets: Vec<_> = (0..64).map(|number| UdpSocket::bind((source(number), 0)).unwrap()).collect();
    let services = Services::new(["echo"]).unwrap();
    for number in 0..100_000_u32 {
        let mut id = [0xEE; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let device_id = &DeviceId::from_bytes(id).to_string();
        let noise_static = NoisePublic::from_bytes(id);
        let announce = AnnounceV1 { device_id, port: 9, noise_static, services: services.clone() };
        // To the node itself: a group's copies would go to every listener of the computer.
        let _ = sockets[number as usize % 64].send_to(&announce.encode().unwrap(), hub.addr());
    }
    let hub_id = hub.running.listening["device_id"].as_str().unwrap();
    hub.place.finish(&format!("ping {hub_id} --identity @phone --count 1 --timeout 5s")).assert(0, "");
    let grown = hub.running.memory().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
}

#[test]
fn a_node_without_descriptors_goes_on_when_it_has_some_again() {
    let place = Place::new("descriptors");
    place.device("hub");
    let phone = place.device("phone");
    let line = format!("run --identity @hub --serve echo --allow {phone}=echo");
    let hub = Hub { running: place.start_after(&format!("ulimit -n {FEW}"), &line), place };
    let crowd = Crowd::gather(hub.addr(), 100, stay);
    wait_until(|| hub.running.descriptors(FEW) == FEW);
    drop(crowd);
    hub.ping_within("15s");
}
