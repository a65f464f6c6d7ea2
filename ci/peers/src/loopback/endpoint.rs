//! The fabric on tokio: endpoints, as programs have them that do not write a machine.

use super::fabric::{CLIENT, SERVER, SERVICE, Scratch, config, local};
use super::{MESSAGE, MESSAGES, both_on_tokio, exchanges_on_tokio};
use fabric::mux::Priority;
use shim_tcp::endpoint::{Config, Endpoint, Stream};
use std::hint::black_box;
use std::sync::mpsc::Sender;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

/// The two ends of a stream, each to be had on the runtime that is to run its endpoint.
fn ends(
    scratch: &Scratch,
) -> (impl Future<Output = Stream> + Send + use<>, impl Future<Output = Stream> + Send + use<>) {
    let bind = |secret, name| {
        let driver = scratch.driver_config(name);
        move || Endpoint::bind(Config { identity: local(secret), node: config(secret), driver }).unwrap()
    };
    let (client, server) = (bind(CLIENT, "client"), bind(SERVER, "server"));
    let (tell, told) = oneshot::channel();
    // Nothing that a stream needs is dropped before the process ends.
    let open = async {
        let (client, addr) = (client(), told.await.unwrap());
        let to = local(SERVER);
        let session = client.connect_to(to.device.device_id(), addr, to.noise.public()).await.unwrap();
        let stream = session.open(SERVICE, Priority::NORMAL).await.unwrap();
        std::mem::forget((session, client));
        stream
    };
    let accept = async {
        let server = server();
        tell.send(server.local_addr()).unwrap();
        let session = server.accept().await.unwrap();
        let stream = session.accept_stream().await.unwrap();
        std::mem::forget((session, server));
        stream
    };
    (open, accept)
}

pub(super) fn calls() -> impl FnMut() -> Vec<f64> {
    let scratch = Scratch::new();
    let (open, accept) = ends(&scratch);
    let mut calls = exchanges_on_tokio(open, accept);
    move || {
        let _kept = &scratch;
        calls()
    }
}

pub(super) fn transfer() -> impl FnMut() {
    let scratch = Scratch::new();
    let (open, accept) = ends(&scratch);
    let client = async |mut begun: UnboundedReceiver<()>| {
        let (mut stream, message) = (open.await, [7; MESSAGE]);
        while begun.recv().await.is_some() {
            for _ in 0..MESSAGES {
                stream.write_message(&message).await.unwrap();
            }
        }
    };
    let server = async |ended: Sender<()>| {
        let mut stream = accept.await;
        ended.send(()).unwrap();
        loop {
            for _ in 0..MESSAGES {
                let Ok(message) = stream.read_message(MESSAGE).await else { return }; // no more rounds are begun
                black_box(message.unwrap());
            }
            ended.send(()).unwrap();
        }
    };
    let mut round = both_on_tokio(client, server);
    move || {
        let _kept = &scratch;
        round();
    }
}
