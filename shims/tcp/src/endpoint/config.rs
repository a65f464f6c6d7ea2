//! What an endpoint is told at its start.

use fabric::session::Local;

/// Who an endpoint is, whom it trusts with what, and where it listens.
pub struct Config {
    /// Its keys, and the cryptography that it uses.
    pub identity: Local,
    /// Whom it trusts, what it serves, who may open what (nobody, unless it is said here), and every limit of the fabric.
    /// Its `port` is set to the one that is listened at, and its `announce` to `Off` where the driver has no group.
    pub node: fabric::Config,
    /// Where it listens and stores; with a `group` it finds others and is found.
    pub driver: crate::Config,
}

impl Config {
    /// Trusts nobody, serves nothing and is not announced, until `node` and `driver` say otherwise.
    pub fn new(identity: Local, driver: crate::Config) -> Self {
        Self { identity, node: fabric::Config::default(), driver }
    }
}

/// Tells nothing of the keys.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("node", &self.node).field("driver", &self.driver).finish_non_exhaustive()
    }
}
