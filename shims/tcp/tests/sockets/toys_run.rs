//! Both toys keep their promises over real sockets: driven as usual, awkwardly, and through restarts.

use machine::Machine;
use toys::echo::{self, Echo};
use toys::oracle::{EchoOracle, StopWaitOracle};
use toys::stop_wait::{Flow, StopWait};
use toys::testing::{Awkward, Habits};

use crate::scripted::Scratch;
use crate::toys_world::{DEADLINE, World};

const FLOWS: [Flow; 2] = [Flow { id: 1, count: 100, bytes_max: 1_000 }, Flow { id: 2, count: 10, bytes_max: 60_000 }];

/// Both flows to one receiver.
fn stop_wait<M: Machine<Event = toys::stop_wait::Event>>(wrap: impl Fn(StopWait) -> M) {
    let scratch = Scratch::new();
    let mut world = World::new(DEADLINE, StopWaitOracle::new(FLOWS));
    let to = world.start("receiver", &scratch.config("receiver"), |boot| wrap(StopWait::receiver(&boot)));
    for (name, flow) in ["alice", "bob"].into_iter().zip(FLOWS) {
        world.start(name, &scratch.config(name), |boot| wrap(StopWait::sender(&boot, to, flow)));
    }
    world.run().unwrap();
    assert!(world.events > 110);
}

/// Three clients of one server.
fn echo<M: Machine<Event = echo::Event>>(wrap: impl Fn(Echo) -> M) {
    let scratch = Scratch::new();
    let names = ["alice", "bob", "carol"];
    let server = scratch.config("server");
    let mut world = World::new(DEADLINE, EchoOracle::new([]));
    let addr = world.start("server", &server, |boot| wrap(Echo::server(&boot)));
    let configs: Vec<_> = (0..3).map(|client| echo::Config::new(addr, client, 30)).collect();
    world.expect(EchoOracle::new(configs.iter().copied()));
    for (name, config) in names.into_iter().zip(configs) {
        world.start(name, &scratch.config(name), |boot| wrap(Echo::client(&boot, config)));
    }
    world.run().unwrap();
}

#[test]
fn messages_arrive() {
    stop_wait(|machine| machine);
}

#[test]
fn echoes_come_back() {
    echo(|machine| machine);
}

#[test]
fn messages_arrive_whatever_the_drivers_habits() {
    for habits in Habits::ALL {
        stop_wait(|machine| Awkward::new(machine, habits));
    }
}

#[test]
fn echoes_come_back_whatever_the_drivers_habits() {
    for habits in Habits::ALL {
        echo(|machine| Awkward::new(machine, habits));
    }
}

#[test]
fn a_counter_survives_restarts_of_its_server() {
    let scratch = Scratch::new();
    let server = scratch.config("server");
    let mut world = World::new(DEADLINE, EchoOracle::new([]));
    let addr = world.start("server", &server, |boot| Echo::server(&boot));
    let client = echo::Config { bytes_max: 4_000, ..echo::Config::new(addr, 1, 300) };
    world.expect(EchoOracle::new([client]));
    world.start("client", &scratch.config("client"), |boot| Echo::client(&boot, client));
    for restart in 1..=3 {
        let seen = world.events + 20;
        world.run_until(|world| world.events >= seen).unwrap();
        // Dropping the old driver in the middle of its work resets its pipes, as a crash does.
        world.start("server", &server, |boot| {
            assert_eq!(boot.incarnation, restart);
            Echo::server(&boot)
        });
    }
    world.run().unwrap();
}

#[test]
fn a_receiver_that_restarts_gets_every_message_again() {
    let scratch = Scratch::new();
    let receiver = scratch.config("receiver");
    let flow = FLOWS[0];
    let mut world = World::new(DEADLINE, StopWaitOracle::new([flow]));
    let to = world.start("receiver", &receiver, |boot| StopWait::receiver(&boot));
    world.start("sender", &scratch.config("sender"), |boot| StopWait::sender(&boot, to, flow));
    world.run_until(|world| world.events > 50).unwrap();
    world.start("receiver", &receiver, |boot| StopWait::receiver(&boot));
    world.run().unwrap();
    assert!(world.events > 150);
}
