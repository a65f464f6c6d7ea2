//! Streams over one session, from the outside: two honest sides, one hostile one, and a model.

mod honest;
mod ledger;
mod pair;
mod rejects;
mod stories;
mod table;
mod wire;
