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
//! use machine::{Addr, Destination, Duration, Input, Instant, Machine, Output, PipeId};
//! use shim_tcp::{Config, Driver};
//! use std::ops::ControlFlow;
//!
//! /// Says hello to whom it `asks`, again and again until there is an answer; with nobody to ask, it answers.
//! #[derive(Default)]
//! struct Hello {
//!     asks: Option<(Addr, Instant)>,
//!     says_it_to: Option<Addr>,
//!     is_answered: bool,
//! }
//!
//! impl Machine for Hello {
//!     type Command = ();
//!     type Event = ();
//!
//!     fn handle(&mut self, now: Instant, input: Input<'_, ()>) {
//!         match (input, &mut self.asks) {
//!             (Input::Timeout, Some((peer, next))) if *next <= now => {
//!                 self.says_it_to = Some(*peer);
//!                 *next = now + Duration::from_millis(100);
//!             }
//!             (Input::Datagram { .. }, Some(_)) => self.is_answered = true,
//!             (Input::Datagram { from, .. }, None) => self.says_it_to = Some(from),
//!             _ => {}
//!         }
//!     }
//!
//!     fn poll(&mut self) -> Option<Output<'_, ()>> {
//!         if let Some(peer) = self.says_it_to.take() {
//!             return Some(Output::Datagram { to: Destination::Addr(peer), bytes: b"hello" });
//!         }
//!         std::mem::take(&mut self.is_answered).then_some(Output::Event(()))
//!     }
//!
//!     fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
//!         0
//!     }
//!
//!     fn next_timeout(&self) -> Option<Instant> {
//!         self.asks.map(|(_, next)| next)
//!     }
//! }
//!
//! # let directory = std::env::temp_dir().join(format!("shim-tcp-doc-{}", std::process::id()));
//! let loopback = ([127, 0, 0, 1], 0).into();
//! let mut server = Driver::new(&Config::new(loopback, directory.join("server")), |_| Hello::default())?;
//! let asked = server.datagram_addr().into();
//! let mut client = Driver::new(&Config::new(loopback, directory.join("client")), |boot| Hello {
//!     asks: Some((asked, boot.now)),
//!     ..Hello::default()
//! })?;
//!
//! let stop = server.handle();
//! let serving = std::thread::spawn(move || server.run(|_, ()| ControlFlow::Continue(())));
//! client.run(|_, ()| ControlFlow::Break(()))?;
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
#[cfg(feature = "tokio")]
mod ready;
mod store;
mod turn;

pub use config::{Config, Counters, Group};
pub use driver::{Bound, Driver};
pub use error::Error;
pub use inbox::{Handle, SendError};
