//! Streams over one session, from the outside: two honest sides, one hostile one, and a model.

#[cfg(test)]
mod honest;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod rejects;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod table;
#[cfg(test)]
mod wire;
