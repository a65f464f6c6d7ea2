//! The fabric on tokio: endpoints, as programs have them that do not write a machine.

use super::exchanges_on_tokio;
use super::fabric::{CLIENT, SERVER, SERVICE, Scratch, config, local};
use fabric::mux::Priority;
use shim_tcp::endpoint::{Config, Endpoint};

pub(super) fn calls() -> impl FnMut() -> Vec<f64> {
    let scratch = Scratch::new();
    let bind = |secret, name| {
        let driver = scratch.driver_config(name);
        Endpoint::bind(Config { identity: local(secret), node: config(secret), driver }).unwrap()
    };
    let (client, server) = (bind(CLIENT, "client"), bind(SERVER, "server"));
    let (to, addr) = (local(SERVER), server.local_addr());
    // Nothing that a stream needs is dropped before the process ends.
    let open = async move {
        let session = client.connect_to(to.device.device_id(), addr, to.noise.public()).await.unwrap();
        let stream = session.open(SERVICE, Priority::NORMAL).await.unwrap();
        std::mem::forget((session, client));
        stream
    };
    let accept = async move {
        let session = server.accept().await.unwrap();
        let stream = session.accept_stream().await.unwrap();
        std::mem::forget((session, server));
        stream
    };
    let mut calls = exchanges_on_tokio(open, accept);
    move || {
        let _kept = &scratch;
        calls()
    }
}
