//! A hub that echoes and a phone that asks it, over real sockets, on tokio.
//!
//! `cargo run -p dsoftbus-tcp --features tokio --example echo_tokio`

use fabric::identity::{DeviceKey, NoiseStatic};
use fabric::mux::Priority;
use fabric::session::Local;
use fabric::suite::{RealSuite, Suite};
use shim_tcp::endpoint::{Config, Endpoint, Session};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};

/// A new device. A real one keeps its two secrets.
fn device() -> Result<Local, getrandom::Error> {
    let (mut seed, mut secret) = ([0; 32], [0; 32]);
    getrandom::fill(&mut seed)?;
    getrandom::fill(&mut secret)?;
    let noise = NoiseStatic::new(secret, RealSuite.noise_public(&secret));
    Ok(Local { device: DeviceKey::from_seed(&seed), noise, features: 0, suite: Arc::new(RealSuite) })
}

/// Sends back what comes in, one stream after the other.
async fn serve(session: Session) -> Result<(), Box<dyn Error>> {
    while let Ok(mut stream) = session.accept_stream().await {
        let (mut from, mut to) = split(&mut stream);
        copy(&mut from, &mut to).await?;
        stream.shutdown().await?;
    }
    Ok(())
}

async fn ask(session: Session) -> Result<String, Box<dyn Error>> {
    let mut stream = session.open("echo", Priority::NORMAL).await?;
    stream.write_all(b"hello from the phone").await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("echo-tokio-{}", std::process::id()));
    let driver = |name: &str| {
        let loopback: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        shim_tcp::Config::new(loopback, directory.join(name))
    };
    let (hub, phone) = (device()?, device()?);
    let (hub_id, hub_static, phone_id) = (hub.device.device_id(), hub.noise.public(), phone.device.device_id());

    let mut config = Config::new(hub, driver("hub"));
    config.node.trusted.insert(phone_id); // who may have a session
    config.node.services.push("echo".into()); // what there is
    config.node.policy.allow(phone_id, "echo"); // who may open it
    let hub = Endpoint::bind(config)?;

    let mut config = Config::new(phone, driver("phone"));
    config.node.trusted.insert(hub_id);
    let phone = Endpoint::bind(config)?;

    let asking = async { ask(phone.connect_to(hub_id, hub.local_addr(), hub_static).await?).await };
    let serving = async { serve(hub.accept().await.ok_or("the hub is shut down")?).await };
    let (answer, served) = tokio::join!(asking, serving);
    served?;
    println!("{}", answer?);

    phone.shutdown().await?;
    hub.shutdown().await?;
    std::fs::remove_dir_all(directory)?;
    Ok(())
}
