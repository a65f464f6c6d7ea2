//! A bounded sockets facade over smoltcp, and the driver that runs a [`machine::Machine`] on it.
//!
//! As a small operating system has it, one task owns the network card, the TCP/IP stack and the sockets; everyone else
//! speaks to it in request and reply messages over bounded queues. This crate is that task's core, and a client of it. It
//! has no thread, clock, interrupt or allocator of its own: a bare-metal image gives it a virtio device, a simulator a wire
//! made of queues.
//!
//! ```text
//!     machine              a protocol core: machine::Machine
//!        |                   inputs, outputs
//!     [`driver`]           one client: keeps the machine's contract
//!        |                   [`message`]s: nonce, request; nonce, reply
//!     [`channel`]          a bounded queue each way
//!        |
//!     [`service`]          handles, owners, deadlines, bounds; smoltcp inside
//!        |                   Ethernet frames
//!     smoltcp::phy::Device a card, or [`wire::QueueDevice`]
//! ```
//!
//! [`stacked`] folds all of this into one machine whose network is frames, so that a simulator which knows datagrams alone
//! runs any machine over real TCP and UDP on an Ethernet that loses, reorders, doubles and corrupts.
//!
//! # What a deployment has to know
//!
//! - smoltcp's retransmission comes after a second at the soonest, and backs off to a minute.
//! - A closed window for [`service::Config::user_timeout`] ends a connection like silence does.
//! - smoltcp keeps the hardware addresses of 8 neighbours unless its feature `iface-neighbor-cache-count-*` says otherwise;
//!   with more peers than that, ARP goes on all the time.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod channel;
pub mod driver;
pub mod message;
pub mod service;
pub mod stacked;
pub mod wire;
