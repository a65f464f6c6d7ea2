//! A disk that takes its time.

use crate::support::{HUB, Home, PHONE, Pair, group, settle};
use fabric::Node;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use shim_tcp::endpoint::Endpoint;
use std::path::{Path, PathBuf};
use std::pin::pin;
use tokio::task::{spawn_blocking, yield_now};

/// Makes the next write of a value in `storage` wait, until what comes out of here is read: it is a pipe.
fn stall(storage: &Path) -> PathBuf {
    let next = storage.join(".new");
    mknodat(CWD, &next, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    next
}

/// A write that waits for the disk holds up nothing but the end of its endpoint.
#[tokio::test]
async fn a_write_that_waits_stops_neither_the_runtime_nor_the_endpoint() {
    let home = Home::new();
    let mut config = home.config(HUB);
    config.driver.group = Some(group()); // with announces there is an epoch to be stored, when the driver first runs
    let pair = Pair { hub: Endpoint::bind(config).unwrap(), phone: Endpoint::bind(home.config(PHONE)).unwrap(), home };
    let next = stall(&pair.home.storage(HUB));
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    phone.write_message(b"meanwhile").await.unwrap();
    assert_eq!(hub.read_message(100).await.unwrap().unwrap(), b"meanwhile");
    drop((hub, phone, sessions));
    let Pair { hub, home, .. } = pair;
    let is_quiet = |node: &Node| (node.load().sessions, node.load().endings) == (0, 0);
    while !hub.node(is_quiet) {
        yield_now().await;
    }
    let mut stopping = pin!(hub.shutdown());
    tokio::select! {
        biased;
        _ = &mut stopping => panic!("a write is still under way"),
        () = settle() => {}
    }
    let released = spawn_blocking(|| std::fs::read(next).unwrap());
    stopping.await.unwrap();
    Endpoint::bind(home.config(HUB)).unwrap();
    released.await.unwrap();
}
