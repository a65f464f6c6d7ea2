//! Files between two devices: one stream moves one whole file, by name. What is said is [`wire`]; who says it, the
//! [`server`] and the [`client`]; what is on disk, the [`shelf`].

pub(crate) mod client;
mod sender;
pub(crate) mod server;
pub(crate) mod shelf;
mod wire;

pub(crate) use sender::write;
pub(crate) use wire::Name;
