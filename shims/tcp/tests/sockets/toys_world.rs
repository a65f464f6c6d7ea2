//! A small world of toys on drivers, judged as it runs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant as StdInstant};

use machine::{Addr, Boot, Machine};
use shim_tcp::{Config, Driver};
use toys::oracle::{EchoOracle, StopWaitOracle, Violation};
use toys::{echo, stop_wait};

/// Without a fault nothing on the loopback interface takes long. Shorter than the toys' own patience with a stalled pipe:
/// they cannot work around a driver's fault in time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(14);

/// What the two oracles have in common.
pub(crate) trait Oracle<E> {
    fn observe(&mut self, name: &str, incarnation: u64, event: &E) -> Result<(), Violation>;
    fn finish(&self) -> Result<(), Violation>;
}

impl Oracle<echo::Event> for EchoOracle {
    fn observe(&mut self, name: &str, incarnation: u64, event: &echo::Event) -> Result<(), Violation> {
        self.observe(name, incarnation, event)
    }

    fn finish(&self) -> Result<(), Violation> {
        self.finish()
    }
}

impl Oracle<stop_wait::Event> for StopWaitOracle {
    fn observe(&mut self, name: &str, incarnation: u64, event: &stop_wait::Event) -> Result<(), Violation> {
        self.observe(name, incarnation, event)
    }

    fn finish(&self) -> Result<(), Violation> {
        self.finish()
    }
}

/// Every node by name, with the number of its start.
pub(crate) struct World<M: Machine, O> {
    nodes: BTreeMap<&'static str, (Driver<M>, u64)>,
    oracle: O,
    deadline: Duration,
    /// How many events there were.
    pub(crate) events: usize,
}

impl<M: Machine, O: Oracle<M::Event>> World<M, O> {
    pub(crate) fn new(deadline: Duration, oracle: O) -> Self {
        Self { nodes: BTreeMap::new(), oracle, deadline, events: 0 }
    }

    /// Replaces the oracle, before the first turn: clients are configured with the address of a node that has started.
    pub(crate) fn expect(&mut self, oracle: O) {
        assert_eq!(self.events, 0, "an oracle sees everything");
        self.oracle = oracle;
    }

    /// Starts a node, or starts it again, at the same address then. Returns the address.
    pub(crate) fn start(&mut self, name: &'static str, config: &Config, factory: impl FnOnce(Boot) -> M) -> Addr {
        let mut config = config.clone();
        if let Some((driver, _)) = self.nodes.remove(name) {
            (config.listen, config.datagrams) = (driver.local_addr(), driver.datagram_addr());
        }
        let mut incarnation = 0;
        let driver = Driver::new(&config, |boot| {
            incarnation = boot.incarnation;
            factory(boot)
        });
        let driver = driver.unwrap();
        let addr = driver.local_addr().into();
        self.nodes.insert(name, (driver, incarnation));
        addr
    }

    /// Gives every node a turn.
    pub(crate) fn turn(&mut self) -> Result<(), Violation> {
        for (name, (driver, incarnation)) in &mut self.nodes {
            let mut judged = Ok(());
            let turned = driver.turn(Some(Duration::from_millis(1)), |_, event| {
                self.events += 1;
                judged = self.oracle.observe(name, *incarnation, &event);
                if judged.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let _ = turned.unwrap(); // a break is in `judged`
            judged?;
        }
        Ok(())
    }

    /// Runs until everything is done. What is not done by the deadline is the violation.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        self.run_until(|world| world.oracle.finish().is_ok())
    }

    /// Runs until `is_reached`, by the deadline.
    pub(crate) fn run_until(&mut self, is_reached: impl Fn(&Self) -> bool) -> Result<(), Violation> {
        let started = StdInstant::now();
        while !is_reached(self) {
            if started.elapsed() > self.deadline {
                return self.oracle.finish();
            }
            self.turn()?;
        }
        Ok(())
    }
}
