//! Drives a [`machine::Machine`] over real TCP and UDP sockets, on one thread.
//!
//! A [`Driver`] does what the contract in [`machine`] asks of one, and knows no protocol. What the kernel does not promise
//! by itself, it adds: bounds on what a stranger can make it hold, turns that let no busy pipe starve the others, and ends
//! of pipes that mean what they say ([`machine::PipeEnd::Finished`] only after the peer has acknowledged every byte, a
//! reset for every other end, even when the process is killed).
//!
//! What it leaves to others: when to give up a silent peer (the machine), and whether a stored value is whole (the machine,
//! by a checksum). Written for Linux, whose edges and socket states it relies on.
//!
//! With the feature `tokio`, which is off by default, the module `endpoint` is the fabric for programs that run on tokio.
//!
//! ```
//! use machine::Addr;
//! use shim_tcp::{Config, Driver};
//! use std::ops::ControlFlow;
//! use toys::echo::{self, Echo};
//!
//! # let directory = std::env::temp_dir().join(format!("shim-tcp-doc-{}", std::process::id()));
//! let loopback = ([127, 0, 0, 1], 0).into();
//! let mut server = Driver::new(&Config::new(loopback, directory.join("server")), |boot| Echo::server(&boot))?;
//! let asked = echo::Config::new(server.local_addr().into(), 1, 3);
//! let mut client = Driver::new(&Config::new(loopback, directory.join("client")), |boot| Echo::client(&boot, asked))?;
//!
//! let stop = server.handle();
//! let serving = std::thread::spawn(move || server.run(|_, _| ControlFlow::Continue(())));
//! client.run(|_, event| match event {
//!     echo::Event::Done { .. } => ControlFlow::Break(()),
//!     _ => ControlFlow::Continue(()),
//! })?;
//! stop.stop();
//! serving.join().expect("the server does not panic")?;
//! # std::fs::remove_dir_all(directory).unwrap();
//! # Ok::<(), shim_tcp::Error>(())
//! ```

mod busy_poll;
mod clock;
mod config;
mod datagrams;
mod driver;
#[cfg(feature = "tokio")]
pub mod endpoint;
mod error;
mod group;
mod inbox;
mod listener;
mod pipe;
mod pipes;
mod store;
mod turn;

pub use config::{Config, Counters, Group};
pub use driver::{Bound, Driver};
pub use error::Error;
pub use inbox::{Handle, SendError};
