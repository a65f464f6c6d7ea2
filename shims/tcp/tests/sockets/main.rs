//! The driver over real sockets on the loopback interface.

mod datagrams;
mod limits;
mod pipes;
mod scripted;
mod storage;
mod tampered;
mod toys_run;
mod toys_world;
